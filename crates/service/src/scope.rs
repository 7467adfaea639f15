//! The known scopes: a list with one name per line, built in or read from a file.

use std::collections::BTreeSet;
use std::path::Path;

/// The scopes that Datadog documents, and the service's own.
const BUILT_IN: &str = include_str!("../data/scopes.txt");

/// Maximum length of a scope's name, in bytes.
const MAX_NAME: usize = 100;

/// The scopes that a token may carry.
#[derive(Debug)]
pub struct KnownScopes(BTreeSet<String>);

/// The reason why a scopes file is invalid.
#[derive(Debug, thiserror::Error)]
pub enum ScopesError {
    /// The file cannot be read.
    #[error("cannot read the scopes in {path}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A line is not a valid scope name.
    #[error(
        "{path}, line {line}: invalid scope: expected 1 to 100 of the characters a-z, 0-9 and _"
    )]
    Name {
        /// The file.
        path: String,
        /// The line number, from 1.
        line: usize,
    },
    /// The file contains no scope.
    #[error("{0} contains no scope")]
    Empty(String),
}

impl KnownScopes {
    /// Reads the built-in list.
    ///
    /// # Errors
    /// [`ScopesError`] if the built-in list is invalid.
    pub fn built_in() -> Result<Self, ScopesError> {
        Self::parse("the built-in list", BUILT_IN)
    }

    /// Reads a list from a file with one name per line and comments that start with `#`.
    ///
    /// # Errors
    /// [`ScopesError`] if the file cannot be read, contains no scope, or contains an invalid line.
    pub fn read(path: &Path) -> Result<Self, ScopesError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScopesError::Read { path: path.display().to_string(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    fn parse(path: &str, text: &str) -> Result<Self, ScopesError> {
        let mut names = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let name = line.split('#').next().unwrap_or_default().trim();
            if name.is_empty() {
                continue;
            }
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            if name.len() > MAX_NAME || !name.bytes().all(plain) {
                return Err(ScopesError::Name { path: path.to_owned(), line: index + 1 });
            }
            names.insert(name.to_owned());
        }
        if names.is_empty() {
            return Err(ScopesError::Empty(path.to_owned()));
        }
        Ok(Self(names))
    }

    /// Returns `true` if a scope is known.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Iterates over the names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns known names that are similar to an unknown one: those with the same first part.
    #[must_use]
    pub fn similar(&self, name: &str) -> Vec<&str> {
        let head = name.split('_').next().filter(|head| head.len() > 2);
        let Some(head) = head else { return Vec::new() };
        self.names().filter(|known| known.starts_with(head)).take(8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Permission;

    #[test]
    fn every_permission_of_the_service_is_a_known_scope() {
        let known = KnownScopes::built_in().expect("the built-in list is valid");
        for permission in Permission::ALL {
            assert!(known.contains(permission.name()), "{permission}");
        }
        assert!(known.contains("dashboards_read"));
        assert!(!known.contains("dashboards"));
    }

    #[test]
    fn the_error_for_an_invalid_line_states_its_number() {
        let error =
            KnownScopes::parse("f", "# a\nok_1\nNot OK\n").expect_err("the line is invalid");
        assert!(error.to_string().starts_with("f, line 3:"), "{error}");
        let error = KnownScopes::parse("f", "# a\n").expect_err("the list is empty");
        assert_eq!(error.to_string(), "f contains no scope");
    }

    #[test]
    fn similar_scopes_are_suggested_for_an_unknown_one() {
        let known = KnownScopes::parse("f", "logs_read\nlogs_write\nmetrics_read")
            .expect("the list is valid");
        assert_eq!(known.similar("logs_reed"), ["logs_read", "logs_write"]);
        assert!(known.similar("x").is_empty());
    }
}
