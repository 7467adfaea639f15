//! The objects that issues name.

use super::{ArchiveIssue, Damage, GitIssue, Issue};
use ddpatrol_pack::ObjectId;
use std::fmt;

/// The name of an object of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectName {
    /// The id of a git object.
    Git(ObjectId),
    /// The SHA-256 of a Git LFS object, in hexadecimal digits.
    Lfs(String),
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git(id) => id.fmt(f),
            Self::Lfs(oid) => f.write_str(oid),
        }
    }
}

impl Issue {
    /// Returns the object that the issue names, the first of several.
    #[must_use]
    pub fn object(&self) -> Option<ObjectName> {
        match self {
            Self::LfsMissing { oid, .. } => Some(ObjectName::Lfs(oid.clone())),
            Self::Archive(ArchiveIssue::Damaged(damage)) => damage.object().map(ObjectName::Git),
            Self::Git(issue) => issue.object(),
            Self::Recorded { object, .. } => object.clone(),
            _ => None,
        }
    }
}

impl GitIssue {
    fn object(&self) -> Option<ObjectName> {
        let id = match self {
            Self::ObjectUnreadable { object, .. } => *object,
            Self::ObjectMissing { object, .. } => Some(*object),
            Self::ObjectsMissing { first, .. }
            | Self::NotFetched { first, .. }
            | Self::ShallowClone { first, .. } => first.first().copied(),
            Self::ShallowRange { commit } => Some(*commit),
            Self::RefBroken { target, .. } => *target,
            Self::RefNotRead { target, .. } => Some(*target),
            Self::LfsUnreadable { oid, .. }
            | Self::LfsObjectMissing { oid }
            | Self::LfsObjectsMissing { first: oid, .. } => {
                return Some(ObjectName::Lfs(oid.clone()));
            }
            Self::RepositoryUnreadable { .. }
            | Self::StoreBlocked { .. }
            | Self::NotARepository
            | Self::NotAGitFolder
            | Self::ExtractedIncomplete
            | Self::StoreUnreadable { .. }
            | Self::RefsUnreadable { .. }
            | Self::RefDangling { .. } => None,
        };
        id.map(ObjectName::Git)
    }
}

impl Damage {
    fn object(&self) -> Option<ObjectId> {
        match self {
            Self::Pack(error) => error.id,
            Self::Following { damage, .. } => damage.object(),
            _ => None,
        }
    }
}
