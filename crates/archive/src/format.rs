//! Detects formats by their first bytes.
//!
//! Input: the first bytes of a file. Output: the format, or `None`; the first byte alone rules out most
//! files. Nothing is read here. Archives that do not begin at the first byte are detected in `elsewhere`.
//! Only brotli has no magic number and is detected by the extension `.br`.

use super::unopened::{self, Unopened};
use super::{cpio_header, header, tar_header};
use ddpatrol_pack::Kind;
use ddpatrol_scan::ArchiveHint;
use ddpatrol_scan::word::has_control;
use std::path::Path;

/// Number of first bytes needed for detection.
pub const HEAD: usize = 1_088;

/// A format that is unpacked, or recognized and reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the formats")]
pub enum Format {
    Zip,
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Lzma,
    Zstd,
    Lz4,
    Brotli,
    Zlib,
    Lzip,
    Compress,
    AndroidBackup,
    SevenZ,
    Ar,
    Rpm,
    Cpio,
    Sqlite,
    Pdf,
    Bundle,
    Pack,
    /// A loose git object.
    Loose,
    Cab,
    Iso,
    PgDump,
    Png,
    /// An archive behind a program or a script that unpacks it.
    SelfExtractor,
    /// A format that is not opened.
    Unopened(Unopened),
}

impl Format {
    /// Returns `true` for a single compressed stream, `false` for a container of members.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        use Format::{Brotli, Bzip2, Compress, Gzip, Lz4, Lzip, Lzma, Xz, Zlib, Zstd};
        matches!(self, Gzip | Bzip2 | Xz | Lzma | Zstd | Lz4 | Brotli | Zlib | Lzip | Compress)
    }

    /// Returns `true` for a format that counts as an archive: not for images, few of which have
    /// compressed text, nor for those that are only recognized.
    #[must_use]
    pub const fn is_archive(self) -> bool {
        !matches!(self, Self::Unopened(_) | Self::Png)
    }

    /// Returns the name for reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Brotli => "brotli",
            Self::Zlib => "zlib",
            Self::Lzip => "lzip",
            Self::Compress => "compress",
            Self::AndroidBackup => "Android backup",
            Self::Cab => "CAB",
            Self::Iso => "ISO 9660",
            Self::PgDump => "PostgreSQL dump",
            Self::Png => "PNG",
            Self::SevenZ => "7z",
            Self::Ar => "ar",
            Self::Rpm => "rpm",
            Self::Cpio => "cpio",
            Self::Sqlite => "SQLite",
            Self::Pdf => "PDF",
            Self::Bundle => "git bundle",
            Self::Pack => "git pack",
            Self::Loose => "git object",
            Self::SelfExtractor => "self-extracting",
            Self::Unopened(format) => format.name(),
        }
    }
}

/// Detects the format of bytes that begin with `head`. Only brotli depends on `name`.
#[must_use]
pub fn detect(head: &[u8], name: &Path) -> Option<Format> {
    let by_magic = match head.first()? {
        b'P' if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") => Format::Zip,
        b'P' if head.starts_with(b"PK\x07\x08PK\x03\x04") || head.starts_with(b"PK00PK") => {
            Format::Zip
        }
        b'P' if is_pack(head) => Format::Pack,
        b'P' if header::is_pg_dump(head) => Format::PgDump,
        b'M' if header::is_cab(head) => Format::Cab,
        b'L' if is_lzip(head) => Format::Lzip,
        b'A' if is_open_backup(head) => Format::AndroidBackup,
        0x89 if header::is_png_with_text(head) => Format::Png,
        b'#' if [&b"# v2 git bundle\n"[..], b"# v3 git bundle\n"]
            .iter()
            .any(|it| head.starts_with(it)) =>
        {
            Format::Bundle
        }
        0x78 if is_loose(head) => Format::Loose,
        0x78 if is_zlib(head) => Format::Zlib,
        0x1f if is_gzip(head) => Format::Gzip,
        0x1f if is_compress(head) => Format::Compress,
        b'B' if is_bzip2(head) => Format::Bzip2,
        0xfd if head.starts_with(b"\xfd7zXZ\0") => Format::Xz,
        0x5d if is_lzma(head) => Format::Lzma,
        0x28 if head.starts_with(b"\x28\xb5\x2f\xfd") => Format::Zstd,
        0x50..=0x5f if is_skippable(head, 0x28) => Format::Zstd,
        0x50..=0x5f if is_skippable(head, 0x04) => Format::Lz4,
        0x04 if head.starts_with(b"\x04\x22\x4d\x18") => Format::Lz4,
        0x02 if head.starts_with(b"\x02\x21\x4c\x18") => Format::Lz4,
        b'7' if head.starts_with(b"7z\xbc\xaf\x27\x1c") => Format::SevenZ,
        b'!' if head.starts_with(b"!<arch>\n") => Format::Ar,
        0xed if head.starts_with(b"\xed\xab\xee\xdb") => Format::Rpm,
        b'0' if cpio_header::is_text(head) => Format::Cpio,
        0xc7 | 0x71 if cpio_header::is_binary(head) => Format::Cpio,
        b'S' if head.starts_with(b"SQLite format 3\0") => Format::Sqlite,
        b'%' if head.starts_with(b"%PDF-") => Format::Pdf,
        _ => return by_rest(head, name),
    };
    Some(by_magic)
}

/// Detects tar, whose first byte may be any, and brotli, which is known only by its name.
fn by_rest(head: &[u8], name: &Path) -> Option<Format> {
    if tar_header::is_header(head) {
        return Some(Format::Tar);
    }
    if let Some(format) = unopened::detect(head) {
        return Some(Format::Unopened(format));
    }
    name.extension().is_some_and(|it| it == "br").then_some(Format::Brotli)
}

fn is_pack(head: &[u8]) -> bool {
    head.starts_with(b"PACK\0\0\0\x02") || head.starts_with(b"PACK\0\0\0\x03")
}

/// Returns `true` for a zlib stream whose content begins with the header of a git object.
fn is_loose(head: &[u8]) -> bool {
    let is_zlib = matches!(head, [0x78, flags, ..] if (0x7800 + u16::from(*flags)) % 31 == 0);
    let mut start = [0; 32];
    let mut inflater = flate2::Decompress::new(true);
    let flush = flate2::FlushDecompress::None;
    is_zlib
        && inflater.decompress(head, &mut start, flush).is_ok()
        && loose_header(&start[..inflater.total_out() as usize]).is_some()
}

/// Returns `true` if the bytes inflate without an error to the end of the stream, or to their own end.
fn is_zlib(head: &[u8]) -> bool {
    /// Text that begins as a stream does not inflate to so many bytes.
    const MIN: u64 = 64;
    if !matches!(head, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]) {
        return false;
    }
    let mut rest = &head[..head.len().min(HEAD)];
    let is_whole = rest.len() < HEAD;
    let mut part = [0; 4 << 10];
    let mut inflater = flate2::Decompress::new(true);
    loop {
        let before = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(rest, &mut part, flate2::FlushDecompress::None);
        let used = (inflater.total_in() - before.0) as usize;
        rest = &rest[used..];
        match status {
            Ok(flate2::Status::StreamEnd) => return inflater.total_out() > 0,
            Err(_) => return false,
            Ok(_) if (used, inflater.total_out()) == (0, before.1) => break,
            Ok(_) => {}
        }
    }
    rest.is_empty() && (!is_whole || inflater.total_out() >= MIN)
}

fn is_lzip(head: &[u8]) -> bool {
    matches!(head, [b'L', b'Z', b'I', b'P', 1, size, ..] if (12..=29).contains(&(size & 0x1f)))
}

/// Checks the code length, and that the first code is a literal.
fn is_compress(head: &[u8]) -> bool {
    let Some(&[_, 0x9d, flags, _, high]) = head.first_chunk::<5>() else { return false };
    flags & 0x60 == 0 && matches!(flags & 0x1f, 9..=16) && high & 1 == 0
}

/// Returns `true` for an Android backup that is not encrypted.
fn is_open_backup(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.next() == Some(b"ANDROID BACKUP")
        && lines.next().is_some_and(|version| version.len() < 3)
        && matches!(lines.next(), Some(b"0" | b"1"))
        && lines.next() == Some(b"none")
}

/// Parses the header of a loose object; returns its kind and the length of the header.
pub(super) fn loose_header(start: &[u8]) -> Option<(Kind, usize)> {
    let space = memchr::memchr(b' ', start)?;
    let kind = Kind::from_name(&start[..space])?;
    let len = memchr::memchr(0, &start[space + 1..])?;
    let digits = &start[space + 1..][..len];
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then_some((kind, space + len + 2))
}

fn is_gzip(head: &[u8]) -> bool {
    head.len() >= 10 && head[1] == 0x8b && head[2] == 8 && head[3] & 0xe0 == 0
}

fn is_bzip2(head: &[u8]) -> bool {
    let is_block = |rest: &[u8]| {
        rest.starts_with(b"\x31\x41\x59\x26\x53\x59")
            || rest.starts_with(b"\x17\x72\x45\x38\x50\x90")
    };
    head.starts_with(b"BZh") && head.len() > 9 && head[3].is_ascii_digit() && is_block(&head[4..])
}

/// Detects lzma, which has no magic number, by the heuristics of liblzma: the usual properties, a
/// dictionary size that encoders choose, and a plausible length.
fn is_lzma(head: &[u8]) -> bool {
    let Some(&[_, a, b, c, d, ref len @ .., first]) = head.first_chunk::<14>() else {
        return false;
    };
    let dictionary = u32::from_le_bytes([a, b, c, d]);
    let is_size = dictionary == u32::MAX
        || dictionary >= 4096
            && (dictionary.is_power_of_two() || (dictionary / 3 * 2).is_power_of_two());
    let len = u64::from_le_bytes(*len);
    is_size && first == 0 && (len == u64::MAX || len < 1 << 38)
}

/// Returns `true` if skippable frames are followed by a frame whose magic number begins with `next`.
fn is_skippable(head: &[u8], next: u8) -> bool {
    let mut rest = head;
    let mut is_any = false;
    while let Some(&[low, 0x2a, 0x4d, 0x18, a, b, c, d]) = rest.first_chunk::<8>() {
        if low & 0xf0 != 0x50 {
            return false;
        }
        let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        // A frame that extends beyond the head is assumed to be zstd, where such frames are more common.
        let Some(after) = rest.get(8..).and_then(|it| it.get(len..)) else { return next == 0x28 };
        rest = after;
        is_any = true;
    }
    is_any && rest.first() == Some(&next)
}

/// Returns `true` if the content does not begin as text does.
pub(super) fn is_binary(head: &[u8]) -> bool {
    is_program(head) || has_control(&head[..head.len().min(512)])
}

/// Returns `true` for the beginning of a program or script, to which archives are often appended.
pub(super) fn is_program(head: &[u8]) -> bool {
    match head {
        [b'#', b'!', ..] | [b'M', b'Z', ..] | [0x7f, b'E', b'L', b'F', ..] => true,
        [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => true,
        // Java class files share the magic number of universal macOS programs. A version of 45 or more
        // follows in class files, the number of architectures in programs.
        [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, rest @ ..] => rest.first() < Some(&45),
        _ => false,
    }
}

/// Classifies the first [`HEAD`] bytes of a file, regardless of its name.
#[must_use]
pub fn archive_hint(head: &[u8]) -> ArchiveHint {
    match detect(head, Path::new("")) {
        Some(_) => ArchiveHint::Archive,
        None => ArchiveHint::PerhapsElsewhere,
    }
}
