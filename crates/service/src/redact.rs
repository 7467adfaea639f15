//! Redaction: replaces access tokens, and strings that resemble them, in a caller's text before the
//! text is stored or shown.

use ddpatrol_token::datadog::{PERSONAL_PREFIX, SECRET_LEN, SERVICE_ACCOUNT_PREFIX, is_secret};
use std::borrow::Cow;
use std::ops::Range;

/// The replacement for the characters after a token prefix.
const REDACTED: &str = "[redacted]";
/// The last byte of both prefixes.
const PREFIX_END: u8 = b'_';

/// Replaces the characters after each token prefix, whether or not they form a valid token, and each
/// secret with a valid checksum, wherever it is.
///
/// A truncated or misspelled token reveals as much as a whole one, so after a prefix nothing is
/// validated. The running time is linear in the length of the text.
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
        let left = limit - out.len();
        let Some(Range { start, end }) = next_token(rest, left) else {
            out.push_str(bounded(rest, left));
            break;
        };
        out.push_str(&rest[..start]);
        out.push_str(bounded(REDACTED, limit - out.len()));
        rest = &rest[end..];
    }
    out.shrink_to_fit();
    out
}

/// Returns `true` if [`redact`] would change a text.
#[must_use]
pub fn holds_token(text: &str) -> bool {
    next_token(text, usize::MAX).is_some()
}

/// Returns the maximum length of a text after [`clean`](crate::audit::clean), given its length.
pub(crate) const fn longest_redacted(length: usize) -> usize {
    length.saturating_add(REDACTED.len())
}

/// Returns the characters to replace in the first token that starts in the first `limit` bytes of a
/// text.
fn next_token(text: &str, limit: usize) -> Option<Range<usize>> {
    let window = bounded(text, limit).len();
    let bytes = text.as_bytes();
    // Most texts are this short.
    if bytes.len() < SECRET_LEN && !bytes.contains(&PREFIX_END) {
        return None;
    }
    // The start of the characters of base62 before the current one.
    let mut run = 0;
    for (at, &byte) in bytes.iter().enumerate().take(window.saturating_add(SECRET_LEN)) {
        let end = at + 1;
        if byte.is_ascii_alphanumeric() {
            let start = end.saturating_sub(SECRET_LEN);
            if end - run >= SECRET_LEN && start <= window && is_secret(&bytes[start..end]) {
                return Some(start..end);
            }
            continue;
        }
        run = end;
        if byte == PREFIX_END && end <= window && ends_with_prefix(&bytes[..end]) {
            let body = text[end..].trim_start_matches(is_body);
            if body.len() < text.len() - end {
                return Some(end..text.len() - body.len());
            }
        }
    }
    None
}

fn ends_with_prefix(text: &[u8]) -> bool {
    text.ends_with(PERSONAL_PREFIX.as_bytes()) || text.ends_with(SERVICE_ACCOUNT_PREFIX.as_bytes())
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
    use ddpatrol_token::datadog::mint_personal_access_token;

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

    /// Returns the secret of a minted token with its checksum.
    fn secret() -> String {
        let minted = mint_personal_access_token().expect("random bytes");
        let token = String::from_utf8(minted.token.expose().to_vec()).expect("base62");
        token[token.len() - SECRET_LEN..].to_owned()
    }

    #[test]
    fn a_secret_with_a_valid_checksum_is_replaced_without_its_prefix() {
        let secret = secret();
        let alias = "1dm1op4lL89nV8pt94Tdk8";
        for (text, redacted) in [
            (secret.clone(), "[redacted]".to_owned()),
            (format!("{alias}_{secret}"), format!("{alias}_[redacted]")),
            (format!("/v1/é{secret}?x"), "/v1/é[redacted]?x".to_owned()),
            (format!("xy{secret}{secret}z"), "xy[redacted][redacted]z".to_owned()),
            (format!("a ddpat_b {secret}"), "a ddpat_[redacted] [redacted]".to_owned()),
            (format!("DDPAT_{alias}_{secret}"), format!("DDPAT_{alias}_[redacted]")),
        ] {
            assert_eq!(redact(&text), redacted);
            assert!(holds_token(&text));
            for limit in 0..=text.len() {
                assert_eq!(redact_within(&text, limit), bounded(&redacted, limit), "{limit}");
            }
        }
        let last = if secret.ends_with('0') { "1" } else { "0" };
        let wrong = format!("{}{last}", &secret[..SECRET_LEN - 1]);
        for text in [&wrong, &secret[1..], &format!("{}_{}", &secret[..20], &secret[20..])] {
            assert!(!holds_token(text));
        }
    }

    /// Finishes only if the running time is linear: a quadratic search takes half an hour.
    #[test]
    fn a_long_text_of_prefixes_is_redacted_in_linear_time() {
        let secret = secret();
        for piece in ["ddpat_-", "ddsat_x-", "_", "d", "ddpat_", &secret] {
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
