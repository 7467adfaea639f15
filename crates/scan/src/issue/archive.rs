//! Issues of archives and their members.

use super::Severity;
use crate::code::Code;
use ddpatrol_pack::PackError;
use std::error::Error;
use std::io;

/// A problem of an archive or of a member.
#[derive(Debug)]
pub enum ArchiveIssue {
    /// It does not conform to its format.
    Damaged(Damage),
    /// It is encrypted.
    Encrypted,
    /// It uses a feature that is not supported.
    Unsupported(Unsupported),
    /// It exceeds a limit and was not read.
    Limit(ArchiveLimit),
    /// The outermost archive was not read to its end, because it exceeds a limit on the whole.
    Incomplete(UnpackLimit),
    /// A decoder or the file system failed, possibly after a part was read.
    Unreadable(io::Error),
    /// An archive in a git object cannot be opened.
    NotOpened(io::Error),
}

/// A deviation of an archive from its format.
#[derive(Debug)]
pub enum Damage {
    /// A zip has no central directory.
    ZipDirectoryMissing,
    /// The central directory of a zip is damaged.
    ZipDirectory,
    /// A zip entry has no local header at the offset that the central directory gives.
    ZipEntryMisplaced,
    /// The size of a zip entry is recorded only in the central directory, which is missing.
    ZipEntryUnsized,
    /// A header is missing.
    HeaderMissing,
    /// Blocks of a tar that should be headers are not.
    BlocksSkipped {
        /// The number of blocks.
        blocks: u64,
    },
    /// The archive ends within a header of a member.
    HeaderCut,
    /// The archive ends within its own header.
    OwnHeaderCut,
    /// A bundle ends within its header, or a line of its header is too long.
    BundleHeaderCut,
    /// The archive ends within a member.
    MemberCut,
    /// The length of a name is zero or too large.
    NameLength,
    /// A name has no length.
    NameLengthMissing,
    /// The archive ends within its table of names.
    NameTableCut,
    /// The page size of a database is impossible.
    PageSize,
    /// A loose git object has no header.
    LooseHeaderMissing,
    /// The header of a pack is wrong.
    PackHeader,
    /// The checksum of a pack is wrong.
    PackChecksum,
    /// An object of a pack cannot be inflated.
    PackObject {
        /// The number of the object, from 1.
        number: u64,
        /// The number of objects that the header gives.
        count: u32,
        /// The cause.
        source: io::Error,
    },
    /// A pack cannot be indexed.
    PackIndex {
        /// The message of libgit2.
        message: String,
    },
    /// A pack or one of its objects cannot be read.
    Pack(PackError),
    /// A checksum of a 7z is wrong.
    Checksum,
    /// The header of a 7z is wrong.
    SevenZHeader,
    /// A decoder rejects its input.
    Decoder {
        /// The message of the decoder.
        message: String,
    },
    /// A block of a 7z cannot be read.
    Block(io::Error),
    /// A member is damaged, and the members after it in the same block are lost with it.
    Following {
        /// The damage of the first member.
        damage: Box<Self>,
        /// The number of members after it.
        members: usize,
    },
}

/// A feature of a format that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// A container or a compression that is recognized but not opened.
    Format {
        /// The name of the format in the plural: `RAR archives`.
        name: &'static str,
    },
    /// The compression method of a zip entry.
    ZipMethod(u16),
    /// The compression method of a folder of a cabinet.
    CabMethod(&'static str),
    /// The compression method of a 7z.
    SevenZMethod(String),
    /// The version of a 7z.
    SevenZVersion {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },
    /// A member of a 7z is encrypted, and with it the members after it in the same block.
    EncryptedBlock {
        /// The number of members after the first.
        members: usize,
    },
    /// The cpio of an rpm, whose lengths are in the header of the rpm.
    RpmCpio,
    /// A file has the extension of brotli, but different content.
    Brotli,
    /// Packed git objects, in a scan that does not read histories.
    GitObjects,
    /// A bundle of a repository that uses SHA-256.
    Sha256Bundle,
    /// Fonts of a PDF whose text cannot be mapped to characters.
    PdfFonts {
        /// The number of fonts.
        fonts: u64,
    },
}

/// A limit that an archive or a member exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveLimit {
    /// The nesting depth, `--archive-depth`.
    Depth {
        /// The name of the format of the archive that was not opened.
        format: &'static str,
        /// The number of archives around it.
        depth: usize,
    },
    /// The number of bytes of a nested archive that can be buffered.
    Held(u64),
    /// A limit that the objects of a pack would exceed.
    Unpack(UnpackLimit),
    /// The number of central directories in a zip.
    ZipDirectories(usize),
    /// The length of an extended header of a tar in bytes.
    TarHeader(u64),
    /// The length of the header of a bundle in bytes.
    BundleHeader(usize),
    /// The length of a delta in a pack.
    PackDelta {
        /// The length of the delta in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The number of bytes of a window that grows to hold base64.
    Encoded(usize),
    /// The size of a repository in an archive.
    Repository,
    /// The memory that a decoder needs.
    Memory,
}

/// A limit on the total unpacked content of the outermost archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpackLimit {
    /// The number of bytes, `--max-unpacked`.
    Bytes(u64),
    /// The number of unpacked bytes per byte of the archive.
    Ratio(u64),
    /// The number of members.
    Members(u64),
}

impl ArchiveIssue {
    /// Returns the stable code.
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Damaged(_) => Code::ArchiveDamaged,
            Self::Encrypted => Code::ArchiveEncrypted,
            Self::Unsupported(Unsupported::Format { .. }) => Code::ArchiveFormat,
            Self::Unsupported(_) => Code::ArchiveUnsupported,
            Self::Limit(ArchiveLimit::Encoded(_)) => Code::Decoding,
            Self::Limit(_) => Code::ArchiveLimit,
            Self::Incomplete(UnpackLimit::Bytes(_)) => Code::UnpackedSize,
            Self::Incomplete(UnpackLimit::Ratio(_)) => Code::UnpackRatio,
            Self::Incomplete(UnpackLimit::Members(_)) => Code::Members,
            Self::Unreadable(_) | Self::NotOpened(_) => Code::ArchiveUnreadable,
        }
    }

    /// Returns the severity.
    pub(super) fn severity(&self) -> Severity {
        use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof, Unsupported};
        match self {
            Self::Damaged(_) | Self::Encrypted | Self::Unsupported(_) => Severity::Opaque,
            // Decoders reject their input with these kinds; the file system has others.
            Self::Unreadable(error) => match error.kind() {
                InvalidData | InvalidInput | Other | UnexpectedEof | Unsupported => {
                    Severity::Opaque
                }
                _ => Severity::Unread,
            },
            Self::Limit(_) | Self::Incomplete(_) | Self::NotOpened(_) => Severity::Unread,
        }
    }

    /// Returns `true` if it follows from the content and the options of the scan.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Encrypted | Self::Unsupported(_) => true,
            Self::Limit(_) | Self::Incomplete(_) => true,
            Self::Unreadable(_) => self.severity() == Severity::Opaque,
            Self::NotOpened(_) => false,
        }
    }

    /// Returns the error that caused it.
    pub(super) fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Damaged(damage) => damage.source(),
            Self::Unreadable(source) | Self::NotOpened(source) => Some(source),
            Self::Encrypted | Self::Unsupported(_) | Self::Limit(_) | Self::Incomplete(_) => None,
        }
    }
}

impl Damage {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::PackObject { source, .. } | Self::Block(source) => Some(source),
            Self::Pack(source) => Some(source),
            Self::Following { damage, .. } => damage.source(),
            _ => None,
        }
    }
}
