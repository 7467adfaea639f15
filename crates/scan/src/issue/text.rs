//! The messages of issues. Input: issues. Output: text for people. Codes are the stable interface; messages
//! may change.

mod git;

use super::archive::{ArchiveIssue, ArchiveLimit, Damage, UnpackLimit, Unsupported};
use super::{Issue, Stream};
use crate::quantity::count;
use std::fmt::{Display, Formatter, Result};

impl Display for Issue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::PathMissing => f.write_str("no such file or folder"),
            Self::FileUnreadable { source } => write!(f, "cannot be read: {source}"),
            Self::WalkFailed { source } | Self::LfsMissing { source } => write!(f, "{source}"),
            Self::SpecialPath { kind } => {
                write!(f, "not read: it is {kind}; use `-` for standard input")
            }
            Self::SpecialFile { kind } => write!(f, "not read: it is {kind}"),
            Self::FileSize { size } => write!(f, "not read: {size} bytes exceed --max-file-size"),
            Self::StoreFileSize { size } => {
                write!(f, "not scanned: {size} bytes exceed the limit for files of a git directory")
            }
            Self::FileChanged => f.write_str("changed while it was read; scan it again"),
            Self::IgnoreRules { source } => {
                write!(f, "ignore rules not applied: {source}")
            }
            Self::IndexUnreadable { source } => write!(
                f,
                "cannot read the index, so tracked files that match ignore rules were skipped \
                 (--no-ignore reads them): {source}"
            ),
            Self::LfsSkipped => f.write_str(
                "its Git LFS object was not scanned; run `git lfs checkout` to replace the pointer \
                 with the object",
            ),
            Self::SubmoduleMissing => f.write_str(
                "submodule not checked out, so it was not scanned; run \
                 `git submodule update --init --recursive`",
            ),
            Self::StreamUnreadable { stream, source } => {
                let name = match stream {
                    Stream::Stdin => "standard input",
                    Stream::Named => "the stream",
                };
                write!(f, "cannot read {name} to its end: {source}")
            }
            Self::StreamSpool { limit } => write!(
                f,
                "not searched for an archive at its end: the input exceeds the limit of {limit} bytes"
            ),
            Self::EncodedTooLong { limit } => write!(
                f,
                "base64 longer than {} MiB: nested encodings were decoded only in its first part",
                limit >> 20
            ),
            Self::DecodingLimit => f.write_str(
                "base64 was decoded only in part: it exceeds the decoding limits; decode it and scan \
                 the result",
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
            Self::ZipDirectoryMissing => "no central directory; entries were read in file order",
            Self::ZipDirectory => "invalid central directory; entries were read in file order",
            Self::ZipEntryMisplaced => {
                "local header is not at the offset given by the central directory"
            }
            Self::ZipEntryUnsized => {
                "entry size is recorded only in the central directory, which is missing"
            }
            Self::HeaderMissing => "no header where one is expected",
            Self::HeaderCut => "truncated within a header",
            Self::OwnHeaderCut => "truncated within its header",
            Self::BundleHeaderCut => "truncated within its header, or a header line is too long",
            Self::MemberCut => "truncated within a member",
            Self::NameLength => "invalid name length",
            Self::NameLengthMissing => "name without a length",
            Self::NameTableCut => "truncated within its table of names",
            Self::PageSize => "invalid page size",
            Self::LooseHeaderMissing => "no object header",
            Self::PackHeader => "invalid pack header",
            Self::PackChecksum => "pack checksum mismatch",
            Self::Checksum => "checksum mismatch",
            Self::SevenZHeader => "invalid header",
            Self::Decoder { message } => message,
            Self::BlocksSkipped { blocks } => {
                let missing = Self::HeaderMissing;
                return write!(f, "{missing}; skipped {blocks} blocks of 512 bytes");
            }
            Self::PackObject { number, count, source } => {
                return write!(f, "pack object {number} of {count}: {source}");
            }
            Self::PackIndex { message } => return write!(f, "pack: {message}"),
            Self::Pack(error) => return write!(f, "pack: {}", error.fault),
            Self::Block(error) => return error.fmt(f),
            Self::Following { damage, members } => {
                return write!(f, "{damage}; lost with {} after it", count(*members, "member"));
            }
        })
    }
}

impl Display for Unsupported {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Format { name } => write!(f, "{name} are not supported"),
            Self::ZipMethod(method) => write!(f, "unsupported compression method {method}"),
            Self::CabMethod(name) => write!(f, "unsupported compression method {name}"),
            Self::SevenZMethod(name) => write!(f, "unsupported compression method {name}"),
            Self::SevenZVersion { major, minor } => {
                write!(f, "unsupported version {major}.{minor}")
            }
            Self::EncryptedBlock { members } => {
                write!(f, "it is encrypted, together with {} after it", count(*members, "member"))
            }
            Self::RpmCpio => {
                f.write_str("cpio whose file sizes are recorded only in the rpm header")
            }
            Self::Brotli => f.write_str("named .br, but not valid brotli"),
            Self::GitObjects => {
                f.write_str("packed git objects, which a scan without git histories does not read")
            }
            Self::Sha256Bundle => {
                f.write_str("a bundle with SHA-256 object ids, which is not supported")
            }
            Self::PdfFonts { fonts } => {
                write!(f, "text in {} without a map to Unicode", count(*fonts, "font"))
            }
        }
    }
}

impl Display for ArchiveLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Depth { format, depth } => {
                let others = count(*depth, "other archive");
                write!(f, "{format} archive inside {others}; raise --archive-depth to open it")
            }
            Self::Held(limit) => {
                write!(f, "exceeds the limit of {limit} bytes for a nested archive")
            }
            Self::Unpack(limit) => limit.fmt(f),
            Self::ZipDirectories(limit) => {
                write!(f, "more than {limit} central directories")
            }
            Self::TarHeader(limit) => write!(f, "a header exceeds the limit of {limit} bytes"),
            Self::BundleHeader(limit) => write!(f, "its header exceeds the limit of {limit} bytes"),
            Self::PackDelta { len, limit } => {
                write!(f, "a delta of {len} bytes in the pack exceeds the limit of {limit} bytes")
            }
            Self::Repository => f.write_str("a repository in it exceeds the size limit"),
            Self::Memory => f.write_str("its decoder needs too much memory"),
        }
    }
}

impl Display for UnpackLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("it unpacks to more than ")?;
        match self {
            Self::Bytes(limit) => write!(f, "{limit} bytes (--max-unpacked)"),
            Self::Ratio(limit) => write!(f, "{limit} times its own size"),
            Self::Members(limit) => write!(f, "{limit} members"),
        }
    }
}
