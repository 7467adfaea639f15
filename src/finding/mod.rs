//! Findings: one per token, with every place where it stands.
//!
//! A match is a span in a blob; a finding is owned, survives the blob, and keeps its secret in a
//! type that does not print itself. Text taken from the input has passed the redactor before it is
//! stored here.

mod collect;
mod snippet;

pub(crate) use collect::context;
pub use collect::{Collector, Occurrence};

use crate::blob::{Origin, Position};
use crate::detect::Evidence;
use crate::report::redact::Clean;
use ddpatrol_token::{Secret, Uuid};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// Identifies a token without revealing it: 128 bits of a hash keyed for this purpose alone.
///
/// It depends on nothing but the token, so it survives moves, rebases and reformatting. A service
/// that stores digests of tokens keys them differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Computes the fingerprint of a token.
    #[must_use]
    pub fn of(token: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(b"ddpatrol fingerprint 1\0").chain_update(token);
        let mut first = [0; 16];
        first.copy_from_slice(&digest.finalize()[..16]);
        Self(first)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What may be told of a token's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenId {
    /// The token with its secret masked.
    pub redacted: String,
    /// The alias, where the format has one.
    pub alias: Option<String>,
    /// The identifier that the alias spells.
    pub uuid: Option<Uuid>,
}

/// A token that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The index of its rule.
    pub rule: usize,
    /// How sure it is.
    pub evidence: Evidence,
    /// Its identity, as far as it may be told.
    pub token: TokenId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The token itself.
    pub secret: Secret,
    /// Every place where it stands, sorted; never empty.
    pub locations: Vec<Location>,
}

/// What part of an input a location lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The content.
    Content,
    /// The name of the file or folder.
    Name,
}

/// One place where a token stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file or folder; `None` is standard input.
    pub path: Option<PathBuf>,
    /// Whether it stands in the content or in the name.
    pub part: Part,
    /// The offset of its first byte in that part.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Where it begins.
    pub start: Position,
    /// Where it ends, exclusive.
    pub end: Position,
    /// The line around it, masked.
    pub snippet: Clean,
}

impl Location {
    /// Names the place of an origin.
    fn place(origin: Origin<'_>) -> (Option<PathBuf>, Part) {
        match origin {
            Origin::File(path) => (Some(plain(path)), Part::Content),
            Origin::Name(path) => (Some(plain(path)), Part::Name),
            Origin::Stdin => (None, Part::Content),
        }
    }
}

/// Drops the `./` that a walk of `.` puts before every path.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}
