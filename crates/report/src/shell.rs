//! Quoting for POSIX shells.
//!
//! Input: a word. Output: the word, quoted if a shell would interpret it. Runs no commands.

/// Quotes a word for a POSIX shell, if necessary.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c);
    if !word.is_empty() && !word.starts_with(['-', '=']) && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_if_necessary() {
        assert_eq!(quote("a/b-c.d"), "a/b-c.d");
        assert_eq!(quote("a b;$(x)`y`"), "'a b;$(x)`y`'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("-rf"), "'-rf'");
        assert_eq!(quote(""), "''");
    }
}
