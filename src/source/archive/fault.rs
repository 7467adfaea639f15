//! Problems of archives and members, and how much they matter to the scan.

use crate::source::{Code, Gap};
use std::io;

/// A problem of an archive or a member.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It is not what its format says.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It is encrypted.
    #[error("not unpacked: it is encrypted")]
    Encrypted,
    /// It uses what is not read here.
    #[error("not unpacked: {0}")]
    Unsupported(String),
    /// It exceeds a limit.
    #[error("not read: {0}")]
    Limit(String),
    /// It cannot be read, or not to its end.
    #[error("damaged, or cannot be read to its end: {0}")]
    Io(#[from] io::Error),
    /// The whole walk ends; the reason is reported once, for the outermost archive.
    #[error("the walk was ended")]
    Stopped,
}

impl Fault {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    /// Returns how much it matters.
    pub(super) fn gap(&self) -> Gap {
        use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof, Unsupported};
        match self {
            Self::Damaged(_) | Self::Encrypted | Self::Unsupported(_) => Gap::Opaque,
            // What a decoder says of its input; a disk says other things.
            Self::Io(error) => match error.kind() {
                InvalidData | InvalidInput | Other | UnexpectedEof | Unsupported => Gap::Opaque,
                _ => Gap::Unread,
            },
            Self::Limit(_) | Self::Stopped => Gap::Unread,
        }
    }

    /// Returns its stable code.
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Damaged(_) => Code::ArchiveDamaged,
            Self::Encrypted => Code::ArchiveEncrypted,
            Self::Unsupported(_) => Code::ArchiveUnsupported,
            Self::Limit(_) | Self::Stopped => Code::ArchiveLimit,
            Self::Io(_) => Code::ArchiveUnreadable,
        }
    }
}
