//! Web links to commits and lines on GitHub, GitLab, Bitbucket and Gitea.
//!
//! Input: the URL of a git remote, commit ids and paths. Output: URLs. The forge is derived from the host name,
//! so that self-hosted instances have links, too. Credentials in the URL of a remote are dropped. Nothing is
//! contacted.

use crate::escape;
use std::fmt::Write as _;
use std::path::Path;

/// A repository on a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WebRepository {
    forge: Forge,
    /// The URL of its page, without a slash at the end.
    page: String,
}

/// A kind of forge, which determines the form of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forge {
    GitHub,
    GitLab,
    Bitbucket,
    /// Bitbucket Server and Data Center, which are self-hosted.
    BitbucketServer,
    /// Gitea and Forgejo.
    Gitea,
}

/// The parts of a remote's URL that links need.
#[derive(Debug)]
struct RemoteUrl<'a> {
    /// The scheme of web pages on the host.
    scheme: &'static str,
    /// The host, with the port of web pages if the URL contains it.
    host: String,
    path: Vec<&'a str>,
}

impl Forge {
    fn of_host(host: &str) -> Option<Self> {
        let host = host.split(':').next().unwrap_or(host);
        let has = |name: &str| host.contains(name);
        if has("github") || host.ends_with(".ghe.com") {
            Some(Self::GitHub)
        } else if has("gitlab") {
            Some(Self::GitLab)
        } else if host == "bitbucket.org" {
            Some(Self::Bitbucket)
        } else if has("bitbucket") {
            Some(Self::BitbucketServer)
        } else if has("gitea") || has("forgejo") || host == "codeberg.org" {
            Some(Self::Gitea)
        } else {
            None
        }
    }
}

impl WebRepository {
    /// Returns the repository that the URL of a remote names, in the form of HTTPS, SSH or `scp`.
    pub(super) fn of_remote(url: &[u8]) -> Option<Self> {
        let RemoteUrl { scheme, host, path } = RemoteUrl::parse(std::str::from_utf8(url).ok()?)?;
        let forge = Forge::of_host(&host)?;
        let path = match forge {
            Forge::BitbucketServer => server_path(&path)?,
            Forge::GitHub | Forge::Bitbucket if path.len() != 2 => return None,
            _ if path.len() < 2 => return None,
            _ => path.iter().map(|name| encode(name)).collect::<Vec<_>>().join("/"),
        };
        Some(Self { forge, page: format!("{scheme}://{host}/{path}") })
    }

    /// Returns the URL of the repository.
    pub(super) fn page(&self) -> &str {
        &self.page
    }

    /// Returns the URL of a commit.
    pub(super) fn commit(&self, id: &str) -> String {
        let page = &self.page;
        match self.forge {
            Forge::GitHub | Forge::Gitea => format!("{page}/commit/{id}"),
            Forge::GitLab => format!("{page}/-/commit/{id}"),
            Forge::Bitbucket | Forge::BitbucketServer => format!("{page}/commits/{id}"),
        }
    }

    /// Returns the URL of a file in a commit.
    pub(super) fn file(&self, commit: &str, path: &[u8]) -> String {
        let (page, path) = (&self.page, escape::uri_path(path));
        match self.forge {
            Forge::GitHub => format!("{page}/blob/{commit}/{path}"),
            Forge::GitLab => format!("{page}/-/blob/{commit}/{path}"),
            Forge::Bitbucket => format!("{page}/src/{commit}/{path}"),
            Forge::BitbucketServer => format!("{page}/browse/{path}?at={commit}"),
            Forge::Gitea => format!("{page}/src/commit/{commit}/{path}"),
        }
    }

    /// Returns the URL of a line of a file in a commit.
    pub(super) fn line(&self, commit: &str, path: &[u8], line: u64) -> String {
        let file = self.file(commit, path);
        // Without it, these files are rendered, and lines have no anchors.
        let source = match self.forge {
            Forge::GitHub | Forge::GitLab if is_rendered(path) => "?plain=1",
            Forge::Gitea if is_rendered(path) => "?display=source",
            _ => "",
        };
        let anchor = match self.forge {
            Forge::GitHub | Forge::GitLab | Forge::Gitea => "L",
            Forge::Bitbucket => "lines-",
            Forge::BitbucketServer => "",
        };
        format!("{file}{source}#{anchor}{line}")
    }
}

/// Returns the URL with another line number in its fragment.
pub(super) fn at_line(url: &str, line: u64) -> String {
    let Some((file, anchor)) = url.split_once('#') else { return url.to_owned() };
    let anchor = anchor.trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{file}#{anchor}{line}")
}

/// Returns the URL of a saved report if it is a link to a web page without credentials.
pub(super) fn checked(url: String) -> Option<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#%=&+".contains(c);
    let host = rest.split('/').next().unwrap_or_default();
    (is_host(host) && rest.chars().all(is_allowed)).then_some(url)
}

impl<'a> RemoteUrl<'a> {
    fn parse(url: &'a str) -> Option<Self> {
        let (scheme, authority, path, port) = match url.split_once("://") {
            Some((scheme, rest)) => {
                let (authority, path) = rest.split_once('/')?;
                let (scheme, port) = match scheme.to_ascii_lowercase().as_str() {
                    "https" => ("https", Port::Kept),
                    "http" => ("http", Port::Kept),
                    "ssh" | "git+ssh" | "ssh+git" | "git" => ("https", Port::Dropped),
                    _ => return None,
                };
                (scheme, authority, path, port)
            }
            None => {
                let (authority, path) = url.split_once(':')?;
                // `C:\repo` and `./a:b` are paths.
                if authority.len() < 2 || authority.contains('/') {
                    return None;
                }
                ("https", authority, path, Port::Dropped)
            }
        };
        let host = authority.rsplit('@').next().unwrap_or(authority).to_ascii_lowercase();
        let host = match port {
            Port::Kept => host,
            Port::Dropped => web_host(host.split(':').next().unwrap_or(&host)).to_owned(),
        };
        let path = path.split(['?', '#']).next().unwrap_or(path).trim_end_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let is_plain = names.iter().all(|name| !matches!(*name, "." | ".."));
        (is_host(&host) && is_plain).then_some(Self { scheme, host, path: names })
    }
}

/// Whether web pages are on the port of a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Kept,
    Dropped,
}

/// Returns the host of web pages for a host that accepts SSH on the port of HTTPS.
fn web_host(host: &str) -> &str {
    match host {
        "ssh.github.com" => "github.com",
        "altssh.gitlab.com" => "gitlab.com",
        "altssh.bitbucket.org" => "bitbucket.org",
        other => other,
    }
}

fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "0"));
    let is_name = |c: u8| c.is_ascii_alphanumeric() || c == b'.' || c == b'-';
    let is_port = !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit());
    !name.is_empty() && name.bytes().all(is_name) && is_port
}

/// Returns the path of the page of a repository on Bitbucket Server.
fn server_path(path: &[&str]) -> Option<String> {
    let [context @ .., project, repository] = path else { return None };
    let mut page = String::new();
    for name in context.iter().filter(|name| **name != "scm") {
        let _ = write!(page, "{}/", encode(name));
    }
    let _ = match project.strip_prefix('~') {
        Some(user) => write!(page, "users/{}/repos/{}", encode(user), encode(repository)),
        None => write!(page, "projects/{}/repos/{}", encode(project), encode(repository)),
    };
    Some(page)
}

/// Encodes a component of a remote's path. Encoded characters stay as they are.
fn encode(name: &str) -> String {
    name.split('%').map(|part| escape::uri_path(part.as_bytes())).collect::<Vec<_>>().join("%")
}

/// Returns `true` if forges show a rendered form of a file.
fn is_rendered(path: &[u8]) -> bool {
    let name = String::from_utf8_lossy(path);
    let extension = Path::new(&*name).extension().and_then(|it| it.to_str());
    extension.is_some_and(|it| {
        ["md", "markdown", "rst", "adoc", "asciidoc", "org"]
            .contains(&it.to_ascii_lowercase().as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(url: &str) -> Option<String> {
        WebRepository::of_remote(url.as_bytes()).map(|it| it.page)
    }

    #[test]
    fn every_form_of_a_url_names_the_page_of_the_repository() {
        for url in [
            "https://github.com/o/r.git",
            "https://github.com/o/r/",
            "https://GitHub.com/o/r",
            "ssh://git@github.com/o/r.git",
            "ssh://git@ssh.github.com:443/o/r.git",
            "git://github.com/o/r.git",
            "git@github.com:o/r.git",
            "github.com:/o/r",
        ] {
            assert_eq!(page(url).as_deref(), Some("https://github.com/o/r"), "{url}");
        }
        let own = page("https://git.gitlab.example.com:8443/a/b/c.git");
        assert_eq!(own.as_deref(), Some("https://git.gitlab.example.com:8443/a/b/c"));
        assert_eq!(page("http://gitea.lan/a/b c").as_deref(), Some("http://gitea.lan/a/b%20c"));
    }

    #[test]
    fn credentials_are_not_part_of_links() {
        for url in [
            "https://user:hunter2@github.com/o/r.git",
            "https://hunter2@github.com/o/r.git?token=hunter2",
            "ssh://user:hunter2@github.com:22/o/r.git#hunter2",
            "https://a@b:hunter2@github.com/o/r",
        ] {
            assert_eq!(page(url).as_deref(), Some("https://github.com/o/r"), "{url}");
        }
    }

    #[test]
    fn paths_and_unknown_hosts_have_no_links() {
        for url in [
            "../origin.git",
            "/srv/git/github/x.git",
            "C:\\github\\x",
            "file:///github/o/r",
            "https://example.com/o/r",
            "https://github.com/o",
            "https://github.com/../r",
            "https://gist.github.com/1234",
            "javascript://github.com/o/r",
            "./github.com:o/r",
            "https://git hub.github.com/o/r",
            "https://github.com\u{202e}/o/r",
            "",
        ] {
            assert_eq!(page(url), None, "{url}");
        }
    }

    #[test]
    fn each_forge_has_its_own_links_to_lines_and_commits() {
        let links = |url: &str| {
            let web = WebRepository::of_remote(url.as_bytes()).expect("a known host");
            let path = "dir/a b#.txt".as_bytes();
            [web.line("c0ffee", path, 7), web.file("c0ffee", b"a.zip"), web.commit("c0ffee")]
        };
        assert_eq!(
            links("git@github.example.com:o/r.git"),
            [
                "https://github.example.com/o/r/blob/c0ffee/dir/a%20b%23.txt#L7",
                "https://github.example.com/o/r/blob/c0ffee/a.zip",
                "https://github.example.com/o/r/commit/c0ffee",
            ]
        );
        assert_eq!(
            links("git@gitlab.com:g/sub/r.git"),
            [
                "https://gitlab.com/g/sub/r/-/blob/c0ffee/dir/a%20b%23.txt#L7",
                "https://gitlab.com/g/sub/r/-/blob/c0ffee/a.zip",
                "https://gitlab.com/g/sub/r/-/commit/c0ffee",
            ]
        );
        assert_eq!(
            links("git@bitbucket.org:o/r.git"),
            [
                "https://bitbucket.org/o/r/src/c0ffee/dir/a%20b%23.txt#lines-7",
                "https://bitbucket.org/o/r/src/c0ffee/a.zip",
                "https://bitbucket.org/o/r/commits/c0ffee",
            ]
        );
        assert_eq!(
            links("https://codeberg.org/o/r.git"),
            [
                "https://codeberg.org/o/r/src/commit/c0ffee/dir/a%20b%23.txt#L7",
                "https://codeberg.org/o/r/src/commit/c0ffee/a.zip",
                "https://codeberg.org/o/r/commit/c0ffee",
            ]
        );
        for url in [
            "https://bitbucket.corp.example/scm/PRJ/r.git",
            "ssh://git@bitbucket.corp.example:7999/PRJ/r.git",
        ] {
            assert_eq!(
                links(url),
                [
                    "https://bitbucket.corp.example/projects/PRJ/repos/r/browse/dir/a%20b%23.txt\
                 ?at=c0ffee#7",
                    "https://bitbucket.corp.example/projects/PRJ/repos/r/browse/a.zip?at=c0ffee",
                    "https://bitbucket.corp.example/projects/PRJ/repos/r/commits/c0ffee",
                ]
            );
        }
        let personal = page("https://bitbucket.corp.example/scm/~ada/r.git");
        let expected = "https://bitbucket.corp.example/users/ada/repos/r";
        assert_eq!(personal.as_deref(), Some(expected));
    }

    #[test]
    fn a_rendered_file_is_linked_in_its_source_form() {
        let web = |url: &[u8]| WebRepository::of_remote(url).expect("a known host");
        let line = web(b"git@github.com:o/r").line("c", b"README.md", 3);
        assert_eq!(line, "https://github.com/o/r/blob/c/README.md?plain=1#L3");
        assert_eq!(at_line(&line, 44), "https://github.com/o/r/blob/c/README.md?plain=1#L44");
        assert_eq!(
            at_line("https://bitbucket.org/o/r/src/c/a#lines-7", 1),
            "https://bitbucket.org/o/r/src/c/a#lines-1"
        );
        assert_eq!(
            at_line("https://github.com/o/r/blob/c/a", 1),
            "https://github.com/o/r/blob/c/a"
        );
    }

    #[test]
    fn only_links_to_web_pages_are_read_from_saved_reports() {
        let is_kept = |url: &str| checked(url.to_owned()).is_some();
        assert!(is_kept("https://github.com/o/r/blob/c/a%20b?plain=1#L3"));
        assert!(is_kept("http://gitea.lan:3000/o/r"));
        for url in [
            "javascript:alert(1)",
            "https://a@b/c",
            "https:///x",
            "https://a/\"onclick=x",
            "https://a/<b>",
            "https://a/b c",
            "//a/b",
            "https://a/\u{202e}",
            "file:///etc/passwd",
        ] {
            assert!(!is_kept(url), "{url}");
        }
    }
}
