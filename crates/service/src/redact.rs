//! The gate that every string of a caller's passes before it is stored or answered: whatever looks
//! like an access token in it is replaced.

use ddpatrol_token::datadog::{PERSONAL_PREFIX, SERVICE_ACCOUNT_PREFIX};
use std::borrow::Cow;

/// What stands for a token.
const REDACTED: &str = "[redacted]";

/// Replaces what follows a token's prefix, whether or not it proves itself.
///
/// A cut-off or misspelled token gives away as much as a whole one, so nothing is checked here.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let Some((mut start, mut prefix)) = next_prefix(text) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let body = start + prefix.len();
        let end = rest[body..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .map_or(rest.len(), |at| body + at);
        out.push_str(&rest[..body]);
        if end > body {
            out.push_str(REDACTED);
        }
        rest = &rest[end..];
        match next_prefix(rest) {
            Some(found) => (start, prefix) = found,
            None => break,
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Tells whether a text holds something that [`redact`] would replace.
#[must_use]
pub fn holds_token(text: &str) -> bool {
    matches!(redact(text), Cow::Owned(redacted) if redacted != text)
}

/// Cuts a text to at most `limit` bytes, at a character's border.
pub(crate) fn bounded(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

fn next_prefix(text: &str) -> Option<(usize, &'static str)> {
    [PERSONAL_PREFIX, SERVICE_ACCOUNT_PREFIX]
        .into_iter()
        .filter_map(|prefix| text.find(prefix).map(|at| (at, prefix)))
        .min()
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

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(bounded("aé", 2), "a");
        assert_eq!(bounded("aé", 9), "aé");
    }
}
