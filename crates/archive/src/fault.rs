//! The reasons why reading an archive or a member ends early.

use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit, Damage, Unsupported};
use std::io;

/// A reason to stop reading an archive or a member.
#[derive(Debug)]
pub(super) enum Fault {
    /// A problem of the archive or member, reported for it.
    Issue(ArchiveIssue),
    /// The whole walk ends; the reason is reported once, for the outermost archive.
    Stopped,
}

impl From<ArchiveIssue> for Fault {
    fn from(issue: ArchiveIssue) -> Self {
        Self::Issue(issue)
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self::Issue(ArchiveIssue::Damaged(damage))
    }
}

impl From<Unsupported> for Fault {
    fn from(what: Unsupported) -> Self {
        Self::Issue(ArchiveIssue::Unsupported(what))
    }
}

impl From<ArchiveLimit> for Fault {
    fn from(limit: ArchiveLimit) -> Self {
        Self::Issue(ArchiveIssue::Limit(limit))
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Issue(ArchiveIssue::Unreadable(error))
    }
}
