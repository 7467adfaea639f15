//! Remotes: the references that show the state of a remote, and the URLs of remotes.
//!
//! Input: the name and URL that git passes to a `pre-push` hook, and the repository's own configuration.
//! Output: a filter for names of references, or URLs. The remote is not contacted.

use super::config::Config;
use std::collections::BTreeMap;

/// The remote-tracking references of one remote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// The destinations of its fetches.
    own: Vec<Pattern>,
    /// The destinations of fetches from other remotes.
    others: Vec<Pattern>,
}

/// The right side of a fetch refspec: `refs/remotes/origin/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    prefix: Vec<u8>,
    /// The part after the `*`; `None` without `*`.
    suffix: Option<Vec<u8>>,
}

/// The configuration of a remote.
#[derive(Debug, Default)]
struct Remote {
    urls: Vec<Vec<u8>>,
    /// Whether pushes have another URL, `remote.NAME.pushurl`.
    has_push_url: bool,
    patterns: Vec<Pattern>,
}

/// The prefix of remote-tracking references. Other references, such as those of a mirror, may never have
/// been pushed.
const TRACKING: &[u8] = b"refs/remotes/";

impl Tracking {
    /// Finds the references that track the remote with this name and URL.
    ///
    /// For a push to a URL, git passes the URL as the name, too. The references are then those of the
    /// remotes that are configured with this URL, or none.
    pub(super) fn new(config: &Config, name: &str, url: Option<&str>) -> Self {
        let remotes = remotes(config);
        let is_configured = remotes.contains_key(name.as_bytes());
        let is_url = !is_configured && url == Some(name);
        let pushes_elsewhere = remotes.get(name.as_bytes()).is_some_and(|remote| {
            let is_fetched = |url: &str| remote.urls.iter().any(|it| same_url(it, url.as_bytes()));
            remote.has_push_url && url.is_some_and(|url| !is_fetched(url))
        });
        let mut tracking = Self::default();
        if !is_configured && !is_url {
            // The user's own configuration may define it, which is not read here.
            tracking.own.push(Pattern::of_remote(name.as_bytes()));
        }
        for (known, remote) in remotes {
            let is_at = |url: &str| remote.urls.iter().any(|it| same_url(it, url.as_bytes()));
            let has_url = || is_at(name) || url.is_some_and(is_at);
            let is_own = if is_configured { known == name.as_bytes() } else { has_url() };
            let list = if is_own { &mut tracking.own } else { &mut tracking.others };
            if remote.patterns.is_empty() {
                list.push(Pattern::of_remote(&known));
            } else {
                list.extend(remote.patterns);
            }
        }
        if pushes_elsewhere {
            // Fetched references do not show the state of another push URL.
            tracking.own.clear();
        }
        tracking.own.retain(|it| it.prefix.starts_with(TRACKING));
        tracking
    }

    /// Returns `true` if the reference of this name tracks the remote and no other one.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        // `refs/remotes/a/b/x` belongs to the remote `a/b`, if there is one, and not to `a`.
        let best = |patterns: &[Pattern]| patterns.iter().filter_map(|it| it.rank(name)).max();
        best(&self.own).is_some_and(|own| best(&self.others).is_none_or(|other| own > other))
    }
}

impl Pattern {
    fn parse(refspec: &[u8]) -> Option<Self> {
        let refspec = refspec.strip_prefix(b"+").unwrap_or(refspec);
        let colon = memchr::memchr(b':', refspec)?;
        let target = &refspec[colon + 1..];
        let star = memchr::memchr(b'*', target);
        let prefix = target[..star.unwrap_or(target.len())].to_vec();
        (!target.is_empty())
            .then(|| Self { prefix, suffix: star.map(|at| target[at + 1..].to_vec()) })
    }

    /// Returns the pattern that git configures for a new remote.
    fn of_remote(name: &[u8]) -> Self {
        let prefix = [TRACKING, name, b"/"].concat();
        Self { prefix, suffix: Some(Vec::new()) }
    }

    /// Returns how specifically the pattern matches a name; `None` if it does not match.
    fn rank(&self, name: &[u8]) -> Option<usize> {
        let rest = name.strip_prefix(&self.prefix[..])?;
        match &self.suffix {
            None => rest.is_empty().then_some(usize::MAX),
            Some(suffix) => rest.ends_with(suffix).then_some(self.prefix.len() + suffix.len()),
        }
    }
}

fn remotes(config: &Config) -> BTreeMap<Vec<u8>, Remote> {
    let mut remotes: BTreeMap<Vec<u8>, Remote> = BTreeMap::new();
    for (key, value) in config.entries() {
        let Some(rest) = key.strip_prefix(b"remote.") else { continue };
        let Some(dot) = memchr::memrchr(b'.', rest) else { continue };
        let remote = remotes.entry(rest[..dot].to_vec()).or_default();
        match &rest[dot + 1..] {
            b"url" => remote.urls.push(value.to_vec()),
            b"pushurl" => remote.has_push_url = true,
            b"fetch" => remote.patterns.extend(Pattern::parse(value)),
            _ => {}
        }
    }
    remotes
}

/// Returns the URLs of all remotes: those of `origin` first, then by the name of the remote.
pub(super) fn urls(config: &Config) -> Vec<Vec<u8>> {
    let mut remotes = remotes(config);
    let first = remotes.remove(&b"origin"[..]);
    first.into_iter().chain(remotes.into_values()).flat_map(|remote| remote.urls).collect()
}

fn same_url(one: &[u8], other: &[u8]) -> bool {
    let plain = |url: &[u8]| url.strip_suffix(b"/").unwrap_or(url).to_vec();
    !one.is_empty() && plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracking(text: &str, name: &str, url: Option<&str>) -> impl Fn(&str) -> bool {
        let config = Config::parse(text.as_bytes()).expect("a configuration");
        let tracking = Tracking::new(&config, name, url);
        move |name| tracking.has(name.as_bytes())
    }

    const TWO: &str = "[remote \"origin\"]\nurl = ../origin.git\n\
        fetch = +refs/heads/*:refs/remotes/origin/*\n\
        [remote \"origin/old\"]\nurl = ../old.git\nfetch = +refs/heads/*:refs/remotes/origin/old/*\n";

    #[test]
    fn a_remote_has_its_own_references_only() {
        let has = tracking(TWO, "origin", Some("../origin.git"));
        assert!(has("refs/remotes/origin/main") && has("refs/remotes/origin/a/b"));
        assert!(!has("refs/remotes/origin/old/main"));
        for other in ["refs/remotes/origin2/x", "refs/remotes/fork/x", "refs/heads/origin/x"] {
            assert!(!has(other), "{other}");
        }
        let has = tracking(TWO, "origin/old", None);
        assert!(has("refs/remotes/origin/old/main") && !has("refs/remotes/origin/main"));
    }

    #[test]
    fn a_url_has_the_references_of_the_remote_that_it_is() {
        let has = tracking(TWO, "../origin.git/", Some("../origin.git/"));
        assert!(has("refs/remotes/origin/main") && !has("refs/remotes/origin/old/main"));
        // Git passes a URL that it rewrites like this.
        let has = tracking(TWO, "short:origin", Some("../origin.git"));
        assert!(has("refs/remotes/origin/main"));
        let has = tracking(TWO, "../other.git", Some("../other.git"));
        assert!(!has("refs/remotes/origin/main"));
    }

    #[test]
    fn the_urls_of_origin_come_first() {
        let text = "[remote \"a\"]\nurl = a\n[remote \"origin\"]\nurl = x\nurl = y\n\
            [remote \"b\"]\nfetch = b\n[remote \"c\"]\nurl = c\n";
        let config = Config::parse(text.as_bytes()).expect("a configuration");
        assert_eq!(urls(&config), [b"x", b"y", b"a", b"c"]);
    }

    #[test]
    fn a_push_url_has_no_references_of_the_remote() {
        let text = "[remote \"c\"]\nurl = ../a.git\npushurl = ../b.git\npushurl = ../a.git\n";
        assert!(!tracking(text, "c", Some("../b.git"))("refs/remotes/c/main"));
        assert!(tracking(text, "c", Some("../a.git"))("refs/remotes/c/main"));
    }

    #[test]
    fn refspecs_decide_where_references_are() {
        let text = "[remote \"up\"]\nfetch = +refs/heads/*:refs/remotes/theirs/*\n\
            fetch = refs/pull/*/head:refs/remotes/pulls/*/tip\nfetch = refs/heads/x\n\
            fetch = refs/heads/main:refs/remotes/main\nfetch = +refs/tags/*:refs/tags/*\n\
            [remote \"mirror\"]\nfetch = +refs/*:refs/*\n[remote \"bare\"]\nurl = x\n";
        let has = tracking(text, "up", None);
        for own in ["refs/remotes/theirs/a", "refs/remotes/pulls/1/tip", "refs/remotes/main"] {
            assert!(has(own), "{own}");
        }
        for other in ["refs/remotes/up/a", "refs/remotes/pulls/1/x", "refs/tags/v1"] {
            assert!(!has(other), "{other}");
        }
        // References of a mirror in `refs/heads` need not have been pushed.
        let has = tracking(text, "mirror", None);
        assert!(!has("refs/heads/main") && !has("refs/remotes/theirs/a"));
        assert!(tracking(text, "bare", None)("refs/remotes/bare/x"));
        assert!(tracking("", "unknown", Some("url"))("refs/remotes/unknown/x"));
    }
}
