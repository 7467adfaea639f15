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

/// Adds a suggestion to serde's message about an unknown key. The values of the file are removed.
#[must_use]
pub fn with_suggestion(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown field"));
    let shown = without_values(message);
    match unknown.and_then(|unknown| nearest(unknown, names)) {
        Some(near) => format!("{shown}; did you mean `{near}`?"),
        None => shown,
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
        assert!(with_suggestion(message).ends_with("did you mean `allow`?"));
        assert_eq!(with_suggestion("missing field `x`"), "missing field `x`");
    }
}
