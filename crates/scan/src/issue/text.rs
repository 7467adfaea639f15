//! The words of issues, for people. The codes are the stable interface; words may change.

mod git;

use super::archive::{ArchiveIssue, ArchiveLimit, Damage, UnpackLimit, Unsupported};
use super::{Issue, Stream};
use crate::quantity::count;
use std::fmt::{Display, Formatter, Result};

impl Display for Issue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::PathMissing => f.write_str("there is no such file or folder"),
            Self::FileUnreadable { source } => write!(f, "cannot be read: {source}"),
            Self::WalkFailed { source } | Self::LfsMissing { source } => write!(f, "{source}"),
            Self::SpecialPath { kind } => {
                write!(f, "not read: it is {kind}; `-` reads standard input")
            }
            Self::SpecialFile { kind } => write!(f, "not read: it is {kind}"),
            Self::FileSize { size } => write!(f, "not read: {size} bytes exceed --max-file-size"),
            Self::StoreFileSize { size } => {
                write!(f, "not scanned: {size} bytes exceed the limit for such a file")
            }
            Self::FileChanged => f.write_str("it changed while it was read; scan it again"),
            Self::IgnoreRules { source } => {
                write!(f, "these ignore rules are not applied: {source}")
            }
            Self::IndexUnreadable { source } => write!(
                f,
                "the index cannot be read, so files in it that an ignore file names are left out \
                 (--no-ignore reads them): {source}"
            ),
            Self::LfsSkipped => f.write_str(
                "its Git LFS object is not scanned; `git lfs checkout` puts it in the place of \
                 this pointer",
            ),
            Self::SubmoduleMissing => f.write_str(
                "the submodule is not checked out, so it is not scanned; \
                 `git submodule update --init --recursive` checks it out",
            ),
            Self::StreamUnreadable { stream, source } => {
                let name = match stream {
                    Stream::Stdin => "standard input",
                    Stream::Named => "the stream",
                };
                write!(f, "{name} could not be read to its end: {source}")
            }
            Self::StreamSpool { limit } => write!(
                f,
                "an archive at its end was not looked for: input exceeds the limit of {limit} bytes"
            ),
            Self::EncodedTooLong { limit } => write!(
                f,
                "it has base64 of more than {} MiB, of which what is encoded once more is looked \
                 for in the first part only",
                limit >> 20
            ),
            Self::DecodingLimit => f.write_str(
                "its base64 was decoded in part only: the content exceeds the limits on decoding; \
                 decode it and scan the result",
            ),
            Self::ArchiveInLargeObject => {
                f.write_str("archives in git objects of this size are not opened")
            }
            Self::Archive(issue) => issue.fmt(f),
            Self::Git(issue) => issue.fmt(f),
            Self::Recorded { message, .. } => f.write_str(message),
        }
    }
}

impl Display for ArchiveIssue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Damaged(damage) => write!(f, "damaged: {damage}"),
            Self::Encrypted => f.write_str("not unpacked: it is encrypted"),
            Self::Unsupported(what) => write!(f, "not unpacked: {what}"),
            Self::Limit(limit) => write!(f, "not read: {limit}"),
            Self::Incomplete(limit) => write!(f, "not read to its end: {limit}"),
            Self::Unreadable(error) => {
                write!(f, "damaged, or cannot be read to its end: {error}")
            }
            Self::NotOpened(error) => write!(f, "cannot be unpacked: {error}"),
        }
    }
}

impl Display for Damage {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::ZipDirectoryMissing => {
                "it has no central directory; its entries are read as they lie"
            }
            Self::ZipDirectory => "its central directory; its entries are read as they lie",
            Self::ZipEntryMisplaced => "it does not lie where it should",
            Self::ZipEntryUnsized => "how long it is stood in the directory only",
            Self::HeaderMissing => "no header where one should be",
            Self::HeaderCut => "it ends within a header",
            Self::OwnHeaderCut => "it ends within its header",
            Self::BundleHeaderCut => "it ends within its header, or a line of that is too long",
            Self::MemberCut => "it ends within a member",
            Self::NameLength => "a name has an impossible length",
            Self::NameLengthMissing => "a name has no length",
            Self::NameTableCut => "it ends within its table of names",
            Self::PageSize => "its pages have an impossible size",
            Self::LooseHeaderMissing => "it has no header",
            Self::PackHeader => "the pack's header is wrong",
            Self::PackChecksum => "the pack: its checksum is wrong",
            Self::Checksum => "a checksum does not agree",
            Self::SevenZHeader => "its header is wrong",
            Self::Decoder { message } => message,
            Self::BlocksSkipped { blocks } => {
                let missing = Self::HeaderMissing;
                return write!(f, "{missing}; {blocks} blocks of 512 bytes were passed over");
            }
            Self::PackObject { number, count, source } => {
                return write!(f, "the pack: object {number} of {count}: {source}");
            }
            Self::PackIndex { message } => return write!(f, "the pack: {message}"),
            Self::Pack(error) => return write!(f, "the pack: {}", error.fault),
            Self::Block(error) => return error.fmt(f),
            Self::Following { damage, members } => {
                return write!(f, "{damage}; and {} behind it", count(*members, "member"));
            }
        })
    }
}

impl Display for Unsupported {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::ZipMethod(method) => write!(f, "its method {method} is not known"),
            Self::SevenZMethod(name) => write!(f, "its method {name} is not known"),
            Self::SevenZVersion { major, minor } => {
                write!(f, "its version {major}.{minor} is not known")
            }
            Self::EncryptedBlock { members } => {
                write!(f, "it is encrypted, and {} behind it", count(*members, "member"))
            }
            Self::RpmCpio => {
                f.write_str("an rpm's cpio whose lengths stand in the rpm's header only")
            }
            Self::Brotli => f.write_str("it is named .br and does not read as brotli"),
            Self::GitObjects => {
                f.write_str("packed git objects, which are not read where histories are not")
            }
            Self::Sha256Bundle => f.write_str("it names its objects by SHA-256"),
            Self::Lzw { streams } => write!(f, "{streams} of its streams are packed with LZW"),
        }
    }
}

impl Display for ArchiveLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Depth { format, depth } => {
                write!(f, "it is a {format} archive in {depth} others (--archive-depth)")
            }
            Self::Held(limit) => write!(f, "{limit} bytes are the most that is held of it"),
            Self::Unpack(limit) => limit.fmt(f),
            Self::ZipDirectories(limit) => {
                write!(f, "it has more than {limit} central directories")
            }
            Self::TarHeader(limit) => write!(f, "a header has more than {limit} bytes"),
            Self::BundleHeader(limit) => write!(f, "its header has more than {limit} bytes"),
            Self::PackDelta { len, limit } => {
                write!(f, "the pack has a delta of {len} bytes; {limit} are the most that is held")
            }
            Self::Repository => f.write_str("a repository in it is too large to be unpacked"),
            Self::Memory => f.write_str("it needs too much memory"),
        }
    }
}

impl Display for UnpackLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("it unpacks to more than ")?;
        match self {
            Self::Bytes(limit) => write!(f, "{limit} bytes (--max-unpacked)"),
            Self::Ratio(limit) => write!(f, "{limit} bytes for each of its own"),
            Self::Members(limit) => write!(f, "{limit} members"),
        }
    }
}
