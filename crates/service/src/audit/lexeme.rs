//! Splits a query of the audit trail into words, parentheses and minus signs. Does not know fields.

use super::query_error::QueryError;

/// A token of the syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lexeme {
    Open,
    Close,
    /// `-` before a term.
    Minus,
    Word(Word),
}

/// A word, with its quotes removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// The number of bytes before the first quoted or escaped character, if any.
    pub(super) literal_from: Option<usize>,
}

impl Word {
    /// Returns the part before the first quoted or escaped character.
    pub(super) fn unquoted(&self) -> &str {
        self.literal_from.map_or(self.text.as_str(), |from| &self.text[..from])
    }

    /// Returns the `LIKE` pattern of the word with its wildcards, without case.
    pub(super) fn pattern(&self) -> String {
        let wild = self.unquoted().len();
        let mut pattern = String::new();
        for (at, c) in self.text.char_indices() {
            match c {
                '*' if at < wild => pattern.push('%'),
                '?' if at < wild => pattern.push('_'),
                '%' | '_' | '\\' => pattern.extend(['\\', c]),
                _ => pattern.extend(c.to_lowercase()),
            }
        }
        pattern
    }

    /// Returns `true` if the word has a wildcard.
    pub(super) fn is_pattern(&self) -> bool {
        self.unquoted().contains(['*', '?'])
    }
}

/// Splits a query.
///
/// # Errors
/// The problem, if a quotation mark is not closed.
pub(super) fn lex(query: &str) -> Result<Vec<Lexeme>, QueryError> {
    let mut lexemes = Vec::new();
    let mut chars = query.chars().peekable();
    while let Some(&first) = chars.peek() {
        let single = match first {
            '(' => Some(Lexeme::Open),
            ')' => Some(Lexeme::Close),
            '-' => Some(Lexeme::Minus),
            _ => None,
        };
        if first.is_whitespace() || single.is_some() {
            chars.next();
            lexemes.extend(single);
            continue;
        }
        let mut word = Word::default();
        let mut quoted = false;
        while let Some(&c) = chars.peek() {
            if !quoted && (c.is_whitespace() || matches!(c, '(' | ')')) {
                break;
            }
            chars.next();
            if matches!(c, '"' | '\\') {
                word.literal_from.get_or_insert(word.text.len());
            }
            match c {
                '"' => quoted = !quoted,
                '\\' => word.text.extend(chars.next()),
                _ => word.text.push(c),
            }
        }
        if quoted {
            return Err(QueryError::UnclosedQuote);
        }
        lexemes.push(Lexeme::Word(word));
    }
    Ok(lexemes)
}
