//! The known scopes: data, one name a line, built in and replaceable by a file of the operator's.

use std::collections::BTreeSet;
use std::path::Path;

/// The scopes that Datadog documents, and the service's own.
const BUILT_IN: &str = include_str!("../data/scopes.txt");

/// How long a scope's name may be, in bytes.
const MAX_NAME: usize = 100;

/// The scopes that a token may carry.
#[derive(Debug)]
pub struct KnownScopes(BTreeSet<String>);

/// Why a file of scopes is no such thing.
#[derive(Debug, thiserror::Error)]
pub enum ScopesError {
    /// The file cannot be read.
    #[error("cannot read the scopes in {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not a scope's name.
    #[error("{path}, line {line}: a scope is 1 to 100 of the characters a-z, 0-9 and _")]
    Name {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// The file names no scope.
    #[error("{0} names no scope")]
    Empty(String),
}

impl KnownScopes {
    /// Reads the built-in list.
    ///
    /// # Errors
    /// [`ScopesError`] if the list that was built in is faulty.
    pub fn built_in() -> Result<Self, ScopesError> {
        Self::parse("the built-in list", BUILT_IN)
    }

    /// Reads a list from a file: a name a line, `#` begins a comment.
    ///
    /// # Errors
    /// [`ScopesError`] if the file cannot be read, holds no name, or a line that is none.
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

    /// Tells whether a scope is known.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Goes through the names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Finds known names like an unknown one: those that share its first part.
    #[must_use]
    pub fn like(&self, name: &str) -> Vec<&str> {
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
        let known = KnownScopes::built_in().expect("the built-in list is sound");
        for permission in Permission::ALL {
            assert!(known.has(permission.name()), "{permission}");
        }
        assert!(known.has("dashboards_read"));
        assert!(!known.has("dashboards"));
    }

    #[test]
    fn a_line_that_is_no_scope_is_named() {
        let error = KnownScopes::parse("f", "# a\nok_1\nNot OK\n").expect_err("it is refused");
        assert!(error.to_string().starts_with("f, line 3:"), "{error}");
        let error = KnownScopes::parse("f", "# a\n").expect_err("it is refused");
        assert_eq!(error.to_string(), "f names no scope");
    }

    #[test]
    fn an_unknown_scope_is_met_with_those_like_it() {
        let known = KnownScopes::parse("f", "logs_read\nlogs_write\nmetrics_read").expect("sound");
        assert_eq!(known.like("logs_reed"), ["logs_read", "logs_write"]);
        assert!(known.like("x").is_empty());
    }
}
