//! The revisions of a range, as the user writes them.
//!
//! Input: text. Output: its parts. No commit is looked up here.

use super::super::repo::RepoError;
use super::set::NamedRef;
use std::ffi::{OsStr, OsString};

/// Revisions as the user wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revisions {
    /// `BASE..HEAD`, `HEAD`, `^BASE`.
    pub list: Vec<OsString>,
    /// Further bases.
    pub not: Vec<OsString>,
    /// The references that a push changes, if git passed any.
    pub names: Vec<NamedRef>,
}

/// A range that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    /// A revision names no commit.
    #[error("{cause}{hint}")]
    Revision {
        /// A hint that may help.
        hint: &'static str,
        /// Why.
        cause: Box<RepoError>,
    },
    /// The repository cannot be read.
    #[error(transparent)]
    Repository(Box<RepoError>),
    /// There is no revision.
    #[error("no revision is given: write BASE..HEAD, a commit, or HEAD --not BASE")]
    Empty,
    /// There are only bases.
    #[error("only bases are given: name the commit to scan, too")]
    OnlyBases,
}

impl From<RepoError> for RangeError {
    fn from(error: RepoError) -> Self {
        Self::Repository(Box::new(error))
    }
}

/// Returns `true` if a revision is all zeros, as git writes it where there is no commit.
pub(super) fn is_zeros(revision: &OsStr) -> bool {
    let bytes = revision.as_encoded_bytes();
    matches!(bytes.len(), 40 | 64) && bytes.iter().all(|&byte| byte == b'0')
}

/// Splits `A..B` or `A...B`; an empty side is HEAD.
pub(super) fn split(revision: &OsStr) -> Option<(OsString, OsString)> {
    let text = revision.to_str()?;
    let (base, head) = text.split_once("...").or_else(|| text.split_once(".."))?;
    let side = |text: &str| OsString::from(if text.is_empty() { "HEAD" } else { text });
    Some((side(base), side(head)))
}
