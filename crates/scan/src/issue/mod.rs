//! Issues: content that was not scanned, with a stable code and a severity.
//!
//! A source reports an issue together with the path that it concerns. Issues keep the error that caused
//! them. Messages are formatted in `text`, not in the sources.

mod archive;
mod git;
mod object_name;
mod text;

pub use archive::{ArchiveIssue, ArchiveLimit, Damage, UnpackLimit, Unsupported};
pub use git::{GitIssue, NamedBy};
pub use object_name::ObjectName;

use super::code::Code;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io;

/// The severity of something that was not scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It could not be read although it should have been: the result is incomplete.
    Unread,
    /// It cannot be read by nature, or exceeds a limit that the user set: the result is incomplete only with
    /// `--strict`.
    Opaque,
}

impl Severity {
    /// Returns its name in reports: `unread`, `opaque`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Opaque => "opaque",
        }
    }
}

/// An error of another module that caused an issue.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A stream that cannot be read twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard input.
    Stdin,
    /// A named pipe or a similar file that the user named.
    Named,
}

/// Content that was not scanned, and the reason.
#[derive(Debug)]
pub enum Issue {
    /// A path that the user named does not exist.
    PathMissing,
    /// A file or folder cannot be read.
    FileUnreadable {
        /// The cause.
        source: io::Error,
    },
    /// The walk over files and folders failed for another reason than an I/O error.
    WalkFailed {
        /// The cause.
        source: Cause,
    },
    /// A path that the user named is a device or socket.
    SpecialPath {
        /// The kind of file: `a device`.
        kind: &'static str,
    },
    /// A walk found a device, socket or named pipe.
    SpecialFile {
        /// The kind of file: `a named pipe`.
        kind: &'static str,
    },
    /// A file exceeds `--max-file-size`.
    FileSize {
        /// The size of the file in bytes.
        size: u64,
    },
    /// A text file of a git directory, such as a reflog, exceeds the limit for such files.
    StoreFileSize {
        /// The size of the file in bytes.
        size: u64,
    },
    /// A file changed while it was read.
    FileChanged,
    /// A file with ignore rules cannot be read, so its rules are not applied.
    IgnoreRules {
        /// The cause.
        source: io::Error,
    },
    /// The index of a repository cannot be read, so tracked files that match ignore rules are skipped.
    IndexUnreadable {
        /// The cause.
        source: Cause,
    },
    /// A file is a Git LFS pointer whose object is missing.
    LfsMissing {
        /// Its SHA-256, in hexadecimal digits.
        oid: String,
        /// The missing object.
        source: Cause,
    },
    /// A file is a Git LFS pointer whose object exists and was not scanned.
    LfsSkipped,
    /// A submodule is not checked out.
    SubmoduleMissing,
    /// A stream cannot be read to its end.
    StreamUnreadable {
        /// Which stream.
        stream: Stream,
        /// The cause.
        source: io::Error,
    },
    /// A stream is too long to open the archive at its end, or to search for one.
    StreamSpool {
        /// The limit in bytes.
        limit: u64,
    },
    /// Encoded text is too long for one window, so nested encodings are decoded only in its first part.
    EncodedTooLong {
        /// The size of the largest window in bytes.
        limit: usize,
    },
    /// Encoded text exceeds the limits on decoding, so it was decoded in part.
    DecodingLimit,
    /// An archive in a git object is too large to be opened.
    ArchiveInLargeObject,
    /// A problem of an archive or of a member.
    Archive(ArchiveIssue),
    /// A problem of a git repository or of one of its objects.
    Git(GitIssue),
    /// An issue of an earlier scan that still applies, as the cached state recorded it.
    Recorded {
        /// The severity.
        severity: Severity,
        /// The stable code.
        code: Code,
        /// The message.
        message: String,
        /// The object that the message names.
        object: Option<ObjectName>,
    },
}

impl Issue {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::PathMissing => Code::FileMissing,
            Self::FileUnreadable { .. } | Self::WalkFailed { .. } => Code::FileUnreadable,
            Self::SpecialPath { .. } | Self::SpecialFile { .. } => Code::FileSpecial,
            Self::FileSize { .. } | Self::StoreFileSize { .. } => Code::FileSize,
            Self::FileChanged => Code::FileChanged,
            Self::IgnoreRules { .. } => Code::IgnoreRules,
            Self::IndexUnreadable { .. } => Code::IndexUnreadable,
            Self::LfsMissing { .. } => Code::LfsMissing,
            Self::LfsSkipped => Code::LfsSkipped,
            Self::SubmoduleMissing => Code::SubmoduleMissing,
            Self::StreamUnreadable { .. } => Code::StreamUnreadable,
            Self::StreamSpool { .. } => Code::ArchiveLimit,
            Self::EncodedTooLong { .. } | Self::DecodingLimit => Code::Decoding,
            Self::ArchiveInLargeObject => Code::ObjectSize,
            Self::Archive(issue) => issue.code(),
            Self::Git(issue) => issue.code(),
            Self::Recorded { code, .. } => *code,
        }
    }

    /// Returns the severity.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::PathMissing
            | Self::FileUnreadable { .. }
            | Self::WalkFailed { .. }
            | Self::SpecialPath { .. }
            | Self::StoreFileSize { .. }
            | Self::FileChanged
            | Self::StreamUnreadable { .. }
            | Self::StreamSpool { .. }
            | Self::DecodingLimit => Severity::Unread,
            Self::SpecialFile { .. }
            | Self::FileSize { .. }
            | Self::IgnoreRules { .. }
            | Self::IndexUnreadable { .. }
            | Self::LfsMissing { .. }
            | Self::LfsSkipped
            | Self::SubmoduleMissing
            | Self::EncodedTooLong { .. }
            | Self::ArchiveInLargeObject => Severity::Opaque,
            Self::Archive(issue) => issue.severity(),
            Self::Git(issue) => issue.severity(),
            Self::Recorded { severity, .. } => *severity,
        }
    }
}

impl Issue {
    /// Returns `true` if the issue follows from the content and the options of the scan, so that another scan of the
    /// same content reports it, too. Errors of reading may not occur again.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Archive(issue) => issue.is_lasting(),
            Self::DecodingLimit | Self::Recorded { .. } => true,
            _ => self.severity() == Severity::Opaque,
        }
    }
}

impl Error for Issue {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::FileUnreadable { source }
            | Self::IgnoreRules { source }
            | Self::StreamUnreadable { source, .. } => Some(source),
            Self::WalkFailed { source }
            | Self::IndexUnreadable { source }
            | Self::LfsMissing { source, .. } => Some(&**source),
            Self::Archive(issue) => issue.source(),
            Self::Git(issue) => issue.source(),
            _ => None,
        }
    }
}

impl From<ArchiveIssue> for Issue {
    fn from(issue: ArchiveIssue) -> Self {
        Self::Archive(issue)
    }
}

impl From<GitIssue> for Issue {
    fn from(issue: GitIssue) -> Self {
        Self::Git(issue)
    }
}

#[cfg(test)]
mod tests;
