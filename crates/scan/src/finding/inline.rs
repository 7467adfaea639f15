//! Reads `ddpatrol:allow REASON` in the line of a token.
//!
//! Input: bytes and the range of a token. Output: the comment in its line. The caller decides whether it
//! counts: a change must not allow itself.

use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::redact::{Clean, Masker};
use memchr::memmem;
use std::ops::Range;

/// The word, in any case.
const WORD: &[u8] = b"ddpatrol:allow";

/// Bytes searched before and after a token, within its line.
pub(super) const REACH: usize = 512;

/// Maximum length of a reason, in characters.
const MAX_REASON_CHARS: usize = 200;

/// The treatment of `ddpatrol:allow` comments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InlineAllow {
    /// They suppress the tokens in their line.
    #[default]
    Counts,
    /// They are shown and suppress nothing, because their author is the one who is judged.
    Shown,
    /// They are ignored.
    Ignored,
}

/// The inline comment in the line of a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inline {
    /// Whether it suppresses the location.
    pub counts: bool,
    /// The reason; a comment without a reason does not count.
    pub reason: Clean,
}

/// Reads the comment in the line around `token`.
pub(super) fn read(
    allow: InlineAllow,
    masker: &mut Masker<'_>,
    bytes: &[u8],
    token: Range<usize>,
    encoding: Encoding,
) -> Option<Inline> {
    if allow == InlineAllow::Ignored {
        return None;
    }
    let least = token.start.saturating_sub(REACH);
    let most = bytes.len().min(token.end + REACH);
    let start =
        memchr::memrchr(b'\n', &bytes[least..token.start]).map_or(least, |at| least + at + 1);
    let end = memchr::memchr(b'\n', &bytes[token.end..most]).map_or(most, |at| token.end + at);
    if !encoding.is_wide() && !may_have_comment(&bytes[start..end]) {
        return None;
    }
    let part = |range: Range<usize>| -> Vec<u8> {
        let is_text = |byte: &u8| *byte != 0 || !encoding.is_wide();
        bytes[range].iter().copied().filter(is_text).collect()
    };
    let reason = text_after_word(&part(token.end..end))
        .or_else(|| text_after_word(&part(start..token.start)))?;
    let reason = trim_reason(&masker.clean(&reason).text());
    let counts = allow == InlineAllow::Counts && !reason.is_empty();
    Some(Inline { counts, reason: masker.clean(reason.as_bytes()) })
}

/// Returns `false` if a line does not contain the word: the fast path for most lines.
fn may_have_comment(line: &[u8]) -> bool {
    let colon = WORD.iter().position(|&byte| byte == b':').unwrap_or(0);
    memchr::memchr_iter(b':', line).any(|at| {
        let word = at.checked_sub(colon).and_then(|start| line.get(start..start + WORD.len()));
        word.is_some_and(|word| word.eq_ignore_ascii_case(WORD))
    })
}

/// Returns the text after the word.
fn text_after_word(text: &[u8]) -> Option<Vec<u8>> {
    let lower = text.to_ascii_lowercase();
    let parts = memmem::find_iter(&lower, WORD).map(|at| (&text[..at], &text[at + WORD.len()..]));
    // Part of a longer word does not count.
    let is_word_byte = |it: &u8| matches!(it, b'-' | b'_') || it.is_ascii_alphanumeric();
    let mut whole = parts.filter(|(before, after)| {
        !before.last().is_some_and(is_word_byte) && !after.first().is_some_and(is_word_byte)
    });
    whole.next().map(|(_, after)| after.to_owned())
}

/// Removes comment delimiters around a reason. Text with fewer than three letters is not a reason.
fn trim_reason(text: &str) -> String {
    let is_mark = |c: char| c.is_whitespace() || "\"'`:=-–—(,;#/".contains(c);
    let mut text = text.trim_start_matches(is_mark).trim_end();
    for closer in ["-->", "*/", "#}", "%>", "\"", "'", ")", "]]"] {
        text = text.strip_suffix(closer).unwrap_or(text).trim_end();
    }
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if letters < 3 { String::new() } else { text.chars().take(MAX_REASON_CHARS).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::redactor;

    fn reason(line: &str) -> Option<(bool, String)> {
        let redactor = redactor();
        let at = line.find("TOKEN").expect("a token");
        let read = read(
            InlineAllow::Counts,
            &mut redactor.masker(),
            line.as_bytes(),
            at..at + 5,
            Encoding::PLAIN,
        )?;
        Some((read.counts, read.reason.text().into_owned()))
    }

    #[test]
    fn a_reason_is_read_in_every_kind_of_comment() {
        for line in [
            "key = TOKEN  # ddpatrol:allow a test's",
            "key = TOKEN  // ddpatrol:allow: a test's\nnext",
            "<a>TOKEN</a><!-- ddpatrol:allow a test's -->",
            "TOKEN /* DDPATROL:ALLOW - a test's */",
            "TOKEN # ddpatrol:allow-list is another word, ddpatrol:allow a test's",
            "-- ddpatrol:allow (a test's) TOKEN".replace(") TOKEN", "\tTOKEN").as_str(),
        ] {
            assert_eq!(reason(line), Some((true, "a test's".to_owned())), "{line}");
        }
    }

    #[test]
    fn without_a_reason_it_is_shown_and_does_not_count() {
        for line in
            ["TOKEN # ddpatrol:allow", "TOKEN # ddpatrol:allow --", "TOKEN # ddpatrol:allow -->"]
        {
            assert_eq!(reason(line), Some((false, String::new())), "{line}");
        }
    }

    #[test]
    fn it_applies_only_to_its_line_and_only_as_a_whole_word() {
        for line in [
            "# ddpatrol:allow the next line\nTOKEN",
            "TOKEN\n# ddpatrol:allow the last line",
            "TOKEN # ddpatrol:allowed by nobody",
            "TOKEN # xddpatrol:allow a test",
            "TOKEN # x-ddpatrol:allow a test",
            "TOKEN # ddpatrol: allow it",
            "TOKEN",
        ] {
            assert_eq!(reason(line), None, "{line}");
        }
    }
    /// Reads the comment in the line of the five bytes at `at`.
    fn read_at(allow: InlineAllow, bytes: &[u8], at: usize, encoding: Encoding) -> Option<Inline> {
        read(allow, &mut redactor().masker(), bytes, at..at + 5, encoding)
    }

    #[test]
    fn a_comment_is_shown_or_ignored_as_the_scan_asks() {
        let line = b"TOKEN # ddpatrol:allow a test";
        let counts = |allow| read_at(allow, line, 0, Encoding::PLAIN).map(|it| it.counts);
        assert_eq!(counts(InlineAllow::Counts), Some(true));
        assert_eq!(counts(InlineAllow::Shown), Some(false));
        assert_eq!(counts(InlineAllow::Ignored), None);
    }

    #[test]
    fn a_comment_after_the_token_takes_precedence_over_one_before_it() {
        let both = "/* ddpatrol:allow the first */ TOKEN // ddpatrol:allow the second";
        assert_eq!(reason(both), Some((true, "the second".to_owned())));
    }

    #[test]
    fn a_line_is_read_up_to_a_limit() {
        let line = |len: usize| format!("TOKEN{}ddpatrol:allow a test", " ".repeat(len));
        let word_end = WORD.len() + " a test".len();
        assert!(reason(&line(REACH - word_end)).is_some());
        assert_eq!(reason(&line(REACH)), None);
    }

    #[test]
    fn a_line_of_utf_16_is_read() {
        let wide: Vec<u8> =
            "TOKEN # ddpatrol:allow a test\n".bytes().flat_map(|it| [it, 0]).collect();
        let encoding = Encoding::PLAIN.with([ddpatrol_detect::encoding::Layer::Utf16Le]);
        let found = read(InlineAllow::Counts, &mut redactor().masker(), &wide, 0..10, encoding);
        assert_eq!(found.map(|it| it.reason), Some(crate::finding::tests::clean("a test")));
        assert_eq!(read_at(InlineAllow::Counts, &wide, 0, Encoding::PLAIN), None);
    }

    #[test]
    fn a_reason_is_masked_and_cut() {
        let secret = crate::finding::tests::token(1);
        let (_, masked) =
            reason(&format!("TOKEN # ddpatrol:allow like {secret}")).expect("a reason");
        assert!(masked.starts_with("like ddpat_") && !masked.contains(&secret[30..]), "{masked}");
        let (_, cut) =
            reason(&format!("TOKEN # ddpatrol:allow {}", "é".repeat(240))).expect("a reason");
        assert_eq!(cut, "é".repeat(MAX_REASON_CHARS));
    }
}
