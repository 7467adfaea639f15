//! Targets of links in the text report.
//!
//! Input: rule ids and commits. Output: URLs that are safe in an OSC 8 sequence, or none.

use crate::document::{Document, RuleRecord};
use crate::escape::is_web_page;
use crate::trace::CommitRecord;

/// Returns the documentation of a rule.
pub(super) fn rule(document: &Document, id: &str) -> Option<String> {
    let rule: Option<&RuleRecord> = document.rules.iter().find(|it| it.id == id);
    safe(rule?.documentation.as_deref()?)
}

/// Returns the web page of a commit.
pub(super) fn commit(commit: &CommitRecord) -> Option<String> {
    safe(commit.url.as_deref()?)
}

/// Returns a URL if it is a web page and cannot end the sequence.
fn safe(url: &str) -> Option<String> {
    (is_web_page(url) && url.bytes().all(|byte| byte.is_ascii_graphic())).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_pages_are_linked() {
        assert_eq!(safe("https://a.example/b#c"), Some("https://a.example/b#c".to_owned()));
        for url in ["javascript:x", "file:///etc/passwd", "https://a\x1b\\b", "https://é", ""] {
            assert_eq!(safe(url), None, "{url}");
        }
    }
}
