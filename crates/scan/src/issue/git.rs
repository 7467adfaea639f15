//! Issues of git repositories: their stores, objects, references and Git LFS objects.

use super::{Cause, Severity};
use crate::code::Code;
use ddpatrol_pack::ObjectId;
use std::error::Error;

/// A problem of a git repository or of one of its objects.
#[derive(Debug)]
pub enum GitIssue {
    /// A repository cannot be opened, or one of its own files cannot be read.
    RepositoryUnreadable {
        /// Why.
        source: Cause,
    },
    /// The store contains a named pipe or device, so the history is not scanned.
    StoreBlocked {
        /// The file.
        source: Cause,
    },
    /// A path that the user named is neither a repository nor the top of a work tree.
    NotARepository,
    /// A folder that a walk found has the name of a repository and is none.
    NotAGitFolder,
    /// A repository that was extracted from an archive lacks files.
    ExtractedIncomplete,
    /// A folder, pack or index of the store cannot be used.
    StoreUnreadable {
        /// Why.
        source: Cause,
    },
    /// An object cannot be read.
    ObjectUnreadable {
        /// The object, if it is known.
        object: Option<ObjectId>,
        /// Why.
        source: Cause,
    },
    /// An object that a change needs is missing.
    ObjectMissing {
        /// The object.
        object: ObjectId,
        /// Why.
        source: Cause,
    },
    /// Objects that other objects name are missing.
    ObjectsMissing {
        /// The number of missing objects.
        count: usize,
        /// The first of them.
        first: Vec<ObjectId>,
        /// The objects that name them.
        named_by: NamedBy,
    },
    /// Objects that a change needs were not fetched into a partial clone.
    NotFetched {
        /// The number of these objects.
        count: usize,
        /// The first of them.
        first: Vec<ObjectId>,
        /// The command that fetches them.
        command: String,
    },
    /// A shallow clone lacks the history before some commits.
    ShallowClone {
        /// The number of commits at which the clone ends.
        count: usize,
        /// The first of them.
        first: Vec<ObjectId>,
    },
    /// A shallow clone begins within the range of a change.
    ShallowRange {
        /// The commit whose parents are missing.
        commit: ObjectId,
    },
    /// The references cannot be listed.
    RefsUnreadable {
        /// Why.
        source: Cause,
    },
    /// A reference is broken.
    RefBroken {
        /// The full name.
        name: Vec<u8>,
        /// The object that it names, if it names one.
        target: Option<ObjectId>,
        /// Why.
        source: Cause,
    },
    /// A symbolic reference names a reference that does not exist. No object is lost.
    RefDangling {
        /// The full name.
        name: Vec<u8>,
        /// The error that names the target.
        source: Cause,
    },
    /// The object of a reference appeared during the scan and was not read.
    RefNotRead {
        /// The full name.
        name: Vec<u8>,
        /// The object.
        target: ObjectId,
    },
    /// A Git LFS object of the store cannot be read.
    LfsUnreadable {
        /// Its SHA-256, in hexadecimal digits.
        oid: String,
        /// Why.
        source: Cause,
    },
    /// A Git LFS object to which a blob of a history points is missing.
    LfsObjectMissing {
        /// Its SHA-256, in hexadecimal digits.
        oid: String,
    },
    /// Git LFS objects to which other blobs of a history point are missing.
    LfsObjectsMissing {
        /// The number of missing objects.
        count: usize,
        /// The SHA-256 of the first, in hexadecimal digits.
        first: String,
    },
}

/// The objects that name missing objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// Objects of a partial clone, which promises objects that it has not fetched.
    PartialClone,
    /// Objects that a reference reaches.
    Reachable,
    /// Objects that no reference reaches.
    Unreachable,
}

impl GitIssue {
    /// Returns the stable code.
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::RepositoryUnreadable { .. } | Self::StoreBlocked { .. } => {
                Code::RepositoryUnreadable
            }
            Self::NotARepository | Self::NotAGitFolder | Self::ExtractedIncomplete => {
                Code::NotARepository
            }
            Self::StoreUnreadable { .. } => Code::StoreUnreadable,
            Self::ObjectUnreadable { .. } => Code::ObjectUnreadable,
            Self::ObjectsMissing { named_by: NamedBy::PartialClone, .. }
            | Self::NotFetched { .. } => Code::PartialClone,
            Self::ObjectMissing { .. } | Self::ObjectsMissing { .. } => Code::ObjectMissing,
            Self::ShallowClone { .. } | Self::ShallowRange { .. } => Code::ShallowClone,
            Self::RefsUnreadable { .. }
            | Self::RefBroken { .. }
            | Self::RefDangling { .. }
            | Self::RefNotRead { .. } => Code::Reference,
            Self::LfsUnreadable { .. } => Code::LfsUnreadable,
            Self::LfsObjectMissing { .. } | Self::LfsObjectsMissing { .. } => Code::LfsMissing,
        }
    }

    /// Returns the severity.
    pub(super) const fn severity(&self) -> Severity {
        match self {
            Self::NotAGitFolder
            | Self::ShallowClone { .. }
            | Self::ShallowRange { .. }
            | Self::RefDangling { .. }
            | Self::LfsObjectMissing { .. }
            | Self::LfsObjectsMissing { .. }
            | Self::ObjectsMissing {
                named_by: NamedBy::PartialClone | NamedBy::Unreachable, ..
            } => Severity::Opaque,
            Self::RepositoryUnreadable { .. }
            | Self::StoreBlocked { .. }
            | Self::NotARepository
            | Self::ExtractedIncomplete
            | Self::StoreUnreadable { .. }
            | Self::ObjectUnreadable { .. }
            | Self::ObjectMissing { .. }
            | Self::NotFetched { .. }
            | Self::ObjectsMissing { named_by: NamedBy::Reachable, .. }
            | Self::RefsUnreadable { .. }
            | Self::RefBroken { .. }
            | Self::RefNotRead { .. }
            | Self::LfsUnreadable { .. } => Severity::Unread,
        }
    }

    /// Returns the error that caused it.
    pub(super) fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::RepositoryUnreadable { source }
            | Self::StoreBlocked { source }
            | Self::StoreUnreadable { source }
            | Self::ObjectUnreadable { source, .. }
            | Self::ObjectMissing { source, .. }
            | Self::RefsUnreadable { source }
            | Self::RefBroken { source, .. }
            | Self::RefDangling { source, .. }
            | Self::LfsUnreadable { source, .. } => Some(&**source),
            Self::NotARepository
            | Self::NotAGitFolder
            | Self::ExtractedIncomplete
            | Self::ObjectsMissing { .. }
            | Self::NotFetched { .. }
            | Self::ShallowClone { .. }
            | Self::ShallowRange { .. }
            | Self::RefNotRead { .. }
            | Self::LfsObjectMissing { .. }
            | Self::LfsObjectsMissing { .. } => None,
        }
    }
}
