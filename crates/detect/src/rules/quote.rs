//! Quotes values of a file in messages without showing a whole secret.
//!
//! Input: a value of a file, or serde's message about one. Output: text for a message. Users put tokens into
//! the wrong place of a file, and no redactor knows the formats of a file that cannot be read.

use std::borrow::Cow;

/// Maximum length of a value that is shown whole, in characters. Names of keys and values are shorter.
const MAX_SHOWN: usize = 20;

/// Number of characters that are shown of a longer value.
const SHOWN: usize = 8;

/// Abbreviates a value that may be a secret.
#[must_use]
pub fn abbreviated(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(SHOWN) {
        Some((at, _)) if value.chars().count() > MAX_SHOWN => format!("{}…", &value[..at]).into(),
        _ => value.into(),
    }
}

/// Removes the strings from serde's message about a wrong value, and abbreviates names.
///
/// `invalid type: string "x", expected a sequence` becomes `invalid type: string, expected a sequence`.
#[must_use]
pub fn without_values(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, string)) = rest.split_once(" \"") {
        text.push_str(before);
        rest = &string[end_of_string(string)..];
    }
    text.push_str(rest);
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(at, part)| if at % 2 == 1 { abbreviated(part) } else { part.into() });
    parts.collect::<Vec<_>>().join("`")
}

/// Returns the offset after the quotation mark that ends a string, in which others are escaped.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_removed_and_long_names_are_abbreviated() {
        for (message, expected) in [
            (
                r#"invalid type: string "a \"b\\", expected a sequence"#,
                "invalid type: string, expected a sequence",
            ),
            (r#"invalid value: string "cut off"#, "invalid value: string"),
            ("unknown field `alow`, expected `allow`", "unknown field `alow`, expected `allow`"),
            (
                "unknown field `exk_0123456789abcdefg`, expected `allow`",
                "unknown field `exk_0123…`, expected `allow`",
            ),
            ("missing field `x`", "missing field `x`"),
        ] {
            assert_eq!(without_values(message), expected);
        }
    }
}
