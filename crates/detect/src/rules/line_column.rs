//! Lines and columns in rule and configuration files, and suggestions for misspelled names.
//!
//! Input: a text and an offset, or a word and the known names. Output: line and column, or the nearest
//! name. This file parses nothing.

use super::quote::without_values;

/// A position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Returns the line and column of a byte offset.
#[must_use]
pub fn of(text: &str, offset: usize) -> LineColumn {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    LineColumn {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// Returns the name most similar to `word`, if any is similar enough.
#[must_use]
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| strsim::osa_distance(&word.to_lowercase(), name);
    let (distance, name) = names.into_iter().map(|name| (distance(name), name)).min()?;
    (distance <= (word.chars().count() / 3).max(1)).then_some(name)
}

/// Rewrites serde's message about a TOML file: uses the terms of TOML, suggests a name for an unknown key, and
/// removes the values of the file.
#[must_use]
pub fn explained(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown field"));
    let mut shown = without_values(message);
    if let Some(types) = shown.strip_prefix("invalid type: ") {
        let (found, expected) = types.split_once(", expected ").unwrap_or((types, "another type"));
        let [found, expected] = [found, expected].map(toml_type);
        shown = format!("expected {expected}, found {found}");
    }
    match unknown.and_then(|unknown| nearest(unknown, names)) {
        Some(near) => format!("{shown}; did you mean `{near}`?"),
        None => shown,
    }
}

/// Returns the TOML name of a type in serde's message, with an article.
fn toml_type(name: &str) -> String {
    let name = name.trim_start_matches("a ");
    let name = name.strip_prefix("struct ").map_or(name, |_| "table");
    match name {
        "map" => "a table".to_owned(),
        "sequence" => "an array".to_owned(),
        "path string" => "a string".to_owned(),
        _ if name.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_characters_are_counted() {
        assert_eq!(of("a\né = x", 5), LineColumn { line: 2, column: 3 });
        assert_eq!(of("", 9), LineColumn { line: 1, column: 1 });
    }

    #[test]
    fn a_typo_is_recognized_and_another_word_is_not() {
        assert_eq!(nearest("alow", ["allow", "rules"]), Some("allow"));
        assert_eq!(nearest("fail-on", ["fail_on", "rules"]), Some("fail_on"));
        assert_eq!(nearest("color", ["allow", "rules"]), None);
        let message = "unknown field `alow`, expected one of `rules`, `allow`";
        assert!(explained(message).ends_with("did you mean `allow`?"));
        assert_eq!(explained("missing field `x`"), "missing field `x`");
    }

    #[test]
    fn types_have_their_names_in_toml() {
        for (message, expected) in [
            ("invalid type: map, expected a sequence", "expected an array, found a table"),
            (
                "invalid type: string \"x\", expected a sequence",
                "expected an array, found a string",
            ),
            (
                "invalid type: integer `1`, expected a string",
                "expected a string, found an integer `1`",
            ),
            ("invalid type: sequence, expected path string", "expected a string, found an array"),
            (
                "invalid type: boolean `true`, expected struct Table",
                "expected a table, found a boolean `true`",
            ),
        ] {
            assert_eq!(explained(message), expected);
        }
    }
}
