//! Detects URLs that are given as paths, for a helpful message.
//!
//! Input: a path of the user. Output: an error that shows how to clone the repository. It contains neither
//! the user name nor the password of the URL.

use crate::report::shell::quote;
use anyhow::bail;
use std::path::Path;

/// Fails if a path is the URL of a repository.
pub(super) fn refuse(path: &Path) -> anyhow::Result<()> {
    match advice(path) {
        Some(advice) => bail!("{advice}"),
        None => Ok(()),
    }
}

/// Returns how to scan a repository whose URL is given as a path; `None` for a path.
pub(super) fn advice(path: &Path) -> Option<String> {
    let url = path.to_str().filter(|_| !path.exists()).and_then(without_user)?;
    if let Some(local) = url.strip_prefix("file://") {
        return Some(format!("{url} is a URL, not a path: run `ddpatrol scan {}`", quote(local)));
    }
    let name = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or("repository");
    let folder = name.strip_suffix(".git").unwrap_or(name);
    Some(format!(
        "{url} is a URL, not a path: clone the repository first, with `git clone {} && ddpatrol scan {}`",
        quote(&url),
        quote(folder)
    ))
}

/// Returns a URL without its user name, password, query and fragment; `None` if `text` is no URL.
///
/// In `git@host:path` the user name is kept: it is not secret, and the address is none without it.
fn without_user(text: &str) -> Option<String> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|it| it.is_ascii_alphanumeric());
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // A password may contain an `@`, and even a `/`.
        let host = host.rsplit('@').next().unwrap_or(host);
        let path = path.rsplit('@').next().unwrap_or(path);
        let path = path.split(['?', '#']).next().unwrap_or(path);
        return is_scheme.then(|| format!("{scheme}://{host}{path}"));
    }
    let (user, rest) = text.split_once('@')?;
    let (host, path) = rest.split_once(':')?;
    let is_name = |text: &str| !text.is_empty() && !text.contains(['/', '\\', ' ', ':', '@']);
    (is_name(user) && is_name(host) && !path.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_recognized_and_shown_without_credentials() {
        for (text, url) in [
            ("https://github.com/x/y", Some("https://github.com/x/y")),
            ("https://user:s3c@ret@github.com/x/y.git?token=z", Some("https://github.com/x/y.git")),
            ("ssh://git@host:22/x", Some("ssh://host:22/x")),
            ("git@github.com:x/y.git", Some("git@github.com:x/y.git")),
            ("a@b", None),
            ("folder/a@b:c", None),
            ("C:\\x", None),
            ("file.txt", None),
        ] {
            assert_eq!(without_user(text).as_deref(), url, "{text}");
        }
    }
}
