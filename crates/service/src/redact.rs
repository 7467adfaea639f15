//! Redaction: replaces access tokens, and strings that resemble them, in a caller's text before the
//! text is stored or shown.

use ddpatrol_token::datadog::{PERSONAL_PREFIX, SERVICE_ACCOUNT_PREFIX};
use std::borrow::Cow;

/// The replacement for the characters after a token prefix.
const REDACTED: &str = "[redacted]";
/// The last byte of both prefixes.
const PREFIX_END: char = '_';

/// Replaces the characters after each token prefix, whether or not they form a valid token.
///
/// A truncated or misspelled token reveals as much as a whole one, so nothing is validated. The
/// running time is linear in the length of the text.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    if holds_token(text) {
        Cow::Owned(redact_within(text, usize::MAX))
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns the first `limit` bytes of a text after redaction, truncated at a character boundary.
///
/// The rest of the text is not scanned, except for a token at the cut.
#[must_use]
pub(crate) fn redact_within(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let window = bounded(rest, limit - out.len());
        let Some(body) = first_body(window) else {
            out.push_str(window);
            break;
        };
        let (shown, tail) = rest.split_at(body);
        out.push_str(shown);
        rest = tail.trim_start_matches(is_body);
        if rest.len() < tail.len() {
            out.push_str(bounded(REDACTED, limit - out.len()));
        }
    }
    out.shrink_to_fit();
    out
}

/// Returns `true` if [`redact`] would change a text.
#[must_use]
pub fn holds_token(text: &str) -> bool {
    let mut rest = text;
    while let Some(body) = first_body(rest) {
        rest = &rest[body..];
        if rest.starts_with(is_body) {
            return true;
        }
    }
    false
}

/// Returns the maximum length of a text after [`clean`](crate::audit::clean), given its length.
pub(crate) const fn longest_redacted(length: usize) -> usize {
    length.saturating_add(REDACTED.len())
}

/// Returns the offset after the first token prefix.
fn first_body(text: &str) -> Option<usize> {
    text.match_indices(PREFIX_END).map(|(at, end)| at + end.len()).find(|&body| {
        let shown = &text[..body];
        shown.ends_with(PERSONAL_PREFIX) || shown.ends_with(SERVICE_ACCOUNT_PREFIX)
    })
}

fn is_body(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Truncates a text to at most `limit` bytes, at a character boundary.
pub(crate) fn bounded(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_follows_a_tokens_prefix_is_replaced() {
        for (text, redacted) in [
            ("plain", "plain"),
            ("ddpat_", "ddpat_"),
            ("a ddpat_abc_DEF9, b", "a ddpat_[redacted], b"),
            ("ddpat_a/ddsat_b?ddpat_c", "ddpat_[redacted]/ddsat_[redacted]?ddpat_[redacted]"),
            ("é ddpat_é", "é ddpat_é"),
        ] {
            assert_eq!(redact(text), redacted);
            assert_eq!(holds_token(text), text != redacted, "{text}");
        }
    }

    /// A reference implementation of [`redact`] in quadratic time.
    fn defined(text: &str) -> String {
        let next = |text: &str| {
            let prefixes = [PERSONAL_PREFIX, SERVICE_ACCOUNT_PREFIX];
            prefixes.into_iter().filter_map(|p| text.find(p).map(|at| at + p.len())).min()
        };
        let (mut out, mut rest) = (String::new(), text);
        while let Some(body) = next(rest) {
            out.push_str(&rest[..body]);
            let end = rest[body..].find(|c| !is_body(c)).map_or(rest.len(), |at| body + at);
            out.push_str(if end > body { REDACTED } else { "" });
            rest = &rest[end..];
        }
        out + rest
    }

    #[test]
    fn any_text_is_redacted_like_the_reference_and_truncated_at_any_length() {
        let pieces = ["ddpat_", "ddsat_", "dd", "pat_", "d", "_", "-", "é", "x9", " "];
        let mut state = 1_u64;
        for _ in 0..3_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let whole = defined(&text);
            assert_eq!(redact(&text), whole);
            assert_eq!(holds_token(&text), whole != text);
            for limit in 0..=whole.len() + 1 {
                assert_eq!(redact_within(&text, limit), bounded(&whole, limit), "{text} {limit}");
            }
        }
    }

    /// Finishes only if the running time is linear: a quadratic search takes half an hour.
    #[test]
    fn a_long_text_of_prefixes_is_redacted_in_linear_time() {
        for piece in ["ddpat_-", "ddsat_x-", "_", "d", "ddpat_"] {
            let text = piece.repeat((4 << 20) / piece.len());
            assert_eq!(holds_token(&text), redact(&text) != text);
            assert_eq!(redact_within(&text, 512).len(), redact(&text).len().min(512));
        }
    }

    #[test]
    fn a_text_is_truncated_between_characters() {
        assert_eq!(bounded("aé", 2), "a");
        assert_eq!(bounded("aé", 9), "aé");
    }
}
