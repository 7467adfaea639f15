//! Parses the repository's own configuration file.
//!
//! Input: bytes. Output: keys and values. Includes are not followed: git itself does not follow them for
//! `extensions.*`.

use super::error::RepoError;
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};
use std::io::ErrorKind;
use std::path::Path;

/// Keys and values in the order of the file. The last value of a key applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Config {
    /// Reads a file; one that does not exist has no entries.
    pub(super) fn read(path: &Path) -> Result<Self, RepoError> {
        match regular::read(path, Links::Follow, MAX_TEXT) {
            Ok(bytes) => Self::parse(&bytes)
                .map_err(|line| RepoError::Config { path: path.to_path_buf(), line }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(RepoError::Read { path: path.to_path_buf(), source }),
        }
    }

    /// Appends the entries of another file, which override these.
    pub(super) fn append(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Returns the value of `section.name` or `section.subsection.name`, with section and name in lower
    /// case.
    pub(super) fn get(&self, key: &str) -> Option<&[u8]> {
        let found = self.entries.iter().rev().find(|(known, _)| known == key.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }

    /// Lists all keys and values, in the order of the file.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|(key, value)| (&key[..], &value[..]))
    }

    /// Returns `true` if a key has a value that git interprets as true.
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(truth)
    }

    /// Returns `true` if a remote promises objects that were not fetched.
    pub(super) fn has_promisor(&self) -> bool {
        let remote = |name: &[u8], value: &[u8]| {
            (name.ends_with(b".promisor") && truth(value)) || name.ends_with(b".partialclonefilter")
        };
        let promises =
            |(key, value): &(Vec<u8>, Vec<u8>)| key.starts_with(b"remote.") && remote(key, value);
        self.get("extensions.partialclone").is_some() || self.entries.iter().any(promises)
    }

    /// Parses a file. The error is the number of the malformed line.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, usize> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut parser = Parser { bytes, at: 0 };
        let mut entries = Vec::new();
        let mut section = Vec::new();
        while let Some(byte) = parser.skip_blank() {
            let read = match byte {
                b'[' => parser.section().map(|name| section = name),
                _ => parser.entry(&section).map(|entry| entries.push(entry)),
            };
            read.ok_or_else(|| parser.line())?;
        }
        Ok(Self { entries })
    }
}

/// Returns `true` for `true`, `yes`, `on` and numbers other than 0.
fn truth(value: &[u8]) -> bool {
    let word = value.to_ascii_lowercase();
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let number = digits > 0 && word[0] != b'0';
    number || matches!(word.as_slice(), b"true" | b"yes" | b"on")
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn line(&self) -> usize {
        let read = &self.bytes[..self.at.saturating_sub(1)];
        1 + read.iter().filter(|&&byte| byte == b'\n').count()
    }

    /// Skips white space, comments and line ends; returns the byte after them.
    fn skip_blank(&mut self) -> Option<u8> {
        loop {
            match self.peek()? {
                b'#' | b';' => while !matches!(self.next(), None | Some(b'\n')) {},
                byte if byte.is_ascii_whitespace() => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Parses `[name]`, `[name.sub]` or `[name "sub"]` into `name` or `name.sub`.
    fn section(&mut self) -> Option<Vec<u8>> {
        self.at += 1;
        let mut name = Vec::new();
        loop {
            match self.next()? {
                b']' => return Some(name),
                b' ' | b'\t' => break,
                byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') => {
                    name.push(byte.to_ascii_lowercase());
                }
                _ => return None,
            }
        }
        while matches!(self.peek()?, b' ' | b'\t') {
            self.at += 1;
        }
        if self.next()? != b'"' {
            return None;
        }
        name.push(b'.');
        loop {
            match self.next()? {
                b'\n' => return None,
                b'"' => break,
                b'\\' => name.push(self.next()?),
                byte => name.push(byte),
            }
        }
        (self.next()? == b']').then_some(name)
    }

    /// Parses `name` or `name = value`.
    fn entry(&mut self, section: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut key = section.to_vec();
        key.push(b'.');
        let start = key.len();
        while let Some(byte) = self.peek().filter(|b| b.is_ascii_alphanumeric() || *b == b'-') {
            key.push(byte.to_ascii_lowercase());
            self.at += 1;
        }
        if key.len() == start || section.is_empty() {
            self.at += 1;
            return None;
        }
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
        match self.next() {
            None | Some(b'\n') => Some((key, b"true".to_vec())),
            Some(b'=') => Some((key, self.value()?)),
            Some(b'#' | b';') => {
                self.at -= 1;
                Some((key, b"true".to_vec()))
            }
            Some(_) => None,
        }
    }

    /// Parses a value to the end of its line, with quotes, escapes, continued lines and comments.
    fn value(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut quoted = false;
        // White space before this offset is kept, since it was quoted or escaped.
        let mut keep = 0;
        loop {
            match self.next() {
                None | Some(b'\n') if quoted => return None,
                None | Some(b'\n') => break,
                Some(b'"') => {
                    quoted = !quoted;
                    keep = value.len();
                }
                Some(b'#' | b';') if !quoted => {
                    while !matches!(self.peek(), None | Some(b'\n')) {
                        self.at += 1;
                    }
                }
                Some(b'\\') => {
                    match self.next()? {
                        b'\n' => continue,
                        b'\r' if self.peek() == Some(b'\n') => {
                            self.at += 1;
                            continue;
                        }
                        b'n' => value.push(b'\n'),
                        b't' => value.push(b'\t'),
                        b'b' => value.push(8),
                        byte @ (b'"' | b'\\') => value.push(byte),
                        _ => return None,
                    }
                    keep = value.len();
                }
                Some(byte) if value.is_empty() && !quoted && byte.is_ascii_whitespace() => {}
                Some(byte) => {
                    value.push(byte);
                    if quoted {
                        keep = value.len();
                    }
                }
            }
        }
        while value.len() > keep && value.last().is_some_and(u8::is_ascii_whitespace) {
            value.pop();
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_values_quotes_and_comments_are_read_as_git_reads_them() {
        let text = b"\xef\xbb\xbf# note\n[core] bare = TRUE ; note\n\tworktree = \"../a # b \" \n\
            [remote \"my \\\"o\\\".rigin\"]\n promisor\n url = a\\\n b  \\t\r\n[Extensions]\n\
            objectFormat=sha1\nobjectformat = sha256";
        let config = Config::parse(text).unwrap();
        assert!(config.is_true("core.bare"));
        assert_eq!(config.get("core.worktree"), Some(b"../a # b ".as_slice()));
        assert_eq!(config.get("remote.my \"o\".rigin.url"), Some(b"a b  \t".as_slice()));
        assert_eq!(config.get("extensions.objectformat"), Some(b"sha256".as_slice()));
        assert_eq!(config.get("core.none"), None);
        assert!(config.has_promisor());
    }

    #[test]
    fn a_remote_without_promises_is_not_a_promisor() {
        let config = Config::parse(b"[remote \"o\"]\npromisor = false\n[a]\npromisor=1").unwrap();
        assert!(!config.has_promisor());
        assert!(config.is_true("a.promisor"));
    }

    #[test]
    fn an_error_has_the_number_of_the_malformed_line() {
        assert_eq!(Config::parse(b"[a]\nb = c\n[d\ne = f\n"), Err(3));
        assert_eq!(Config::parse(b"[a]\nb = \"c\n"), Err(2));
        assert_eq!(Config::parse(b"[a]\n\n= c\n"), Err(3));
        assert_eq!(Config::parse(b"b = c\n"), Err(1));
    }
}
