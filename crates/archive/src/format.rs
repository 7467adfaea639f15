//! What bytes are, by their beginning.
//!
//! In come the first bytes of a file; out comes the format, or nothing, which is what almost all
//! files are: the first byte alone rules out most. It reads nothing itself. A zip may also stand
//! behind something else (a self-extractor, a script); [`may_end_as_zip`] says whose end is worth a
//! look. Only brotli has no mark of its own and is known by the name `.br`.

use super::{cpio_header, tar_header};
use ddpatrol_pack::Kind;
use ddpatrol_scan::ArchiveHint;
use std::path::Path;

/// How many first bytes are looked at.
pub const HEAD: usize = 1_024;

/// A format that is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called what everybody calls them")]
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
    SevenZ,
    Ar,
    Rpm,
    Cpio,
    Sqlite,
    Pdf,
    Bundle,
    Pack,
    /// An object of git in a file of its own.
    Loose,
}

impl Format {
    /// Tells whether it is one compressed stream, not a container of members.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        use Format::{Brotli, Bzip2, Gzip, Lz4, Lzma, Xz, Zstd};
        matches!(self, Gzip | Bzip2 | Xz | Lzma | Zstd | Lz4 | Brotli)
    }

    /// What people call it.
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
            Self::SevenZ => "7z",
            Self::Ar => "ar",
            Self::Rpm => "rpm",
            Self::Cpio => "cpio",
            Self::Sqlite => "SQLite",
            Self::Pdf => "PDF",
            Self::Bundle => "git bundle",
            Self::Pack => "git pack",
            Self::Loose => "git object",
        }
    }
}

/// Tells what bytes that begin with `head` are. `name` decides only about brotli.
#[must_use]
pub fn detect(head: &[u8], name: &Path) -> Option<Format> {
    let by_magic = match head.first()? {
        b'P' if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") => Format::Zip,
        b'P' if head.starts_with(b"PK\x07\x08PK\x03\x04") || head.starts_with(b"PK00PK") => {
            Format::Zip
        }
        b'P' if is_pack(head) => Format::Pack,
        b'#' if [&b"# v2 git bundle\n"[..], b"# v3 git bundle\n"]
            .iter()
            .any(|it| head.starts_with(it)) =>
        {
            Format::Bundle
        }
        0x78 if is_loose(head) => Format::Loose,
        0x1f if is_gzip(head) => Format::Gzip,
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
        b'0' if [&b"070701"[..], b"070702", b"070707"].iter().any(|it| head.starts_with(it)) => {
            Format::Cpio
        }
        0xc7 | 0x71 if cpio_header::is_binary(head) => Format::Cpio,
        b'S' if head.starts_with(b"SQLite format 3\0") => Format::Sqlite,
        b'%' if head.starts_with(b"%PDF-") => Format::Pdf,
        _ => return by_rest(head, name),
    };
    Some(by_magic)
}

/// A tar begins with a name, so any byte may come first; brotli is known by its name only.
fn by_rest(head: &[u8], name: &Path) -> Option<Format> {
    if tar_header::is_header(head) {
        return Some(Format::Tar);
    }
    name.extension().is_some_and(|it| it == "br").then_some(Format::Brotli)
}

fn is_pack(head: &[u8]) -> bool {
    head.starts_with(b"PACK\0\0\0\x02") || head.starts_with(b"PACK\0\0\0\x03")
}

/// A loose object is zlib's, which has no mark to speak of; what it begins with is one.
fn is_loose(head: &[u8]) -> bool {
    let is_zlib = matches!(head, [0x78, flags, ..] if (0x7800 + u16::from(*flags)) % 31 == 0);
    let mut start = [0; 32];
    let mut inflater = flate2::Decompress::new(true);
    let flush = flate2::FlushDecompress::None;
    is_zlib
        && inflater.decompress(head, &mut start, flush).is_ok()
        && loose_header(&start[..inflater.total_out() as usize]).is_some()
}

/// Reads what the content of a loose object begins with: its kind, and where the object itself begins.
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

/// The lzma format has no mark; what it has is told by liblzma's own rules for guessing: the usual
/// properties, a dictionary of a size that encoders choose, and a plausible length.
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

/// Tells whether a skippable frame is followed by a frame whose mark begins with `next`.
fn is_skippable(head: &[u8], next: u8) -> bool {
    let mut rest = head;
    let mut is_any = false;
    while let Some(&[low, 0x2a, 0x4d, 0x18, a, b, c, d]) = rest.first_chunk::<8>() {
        if low & 0xf0 != 0x50 {
            return false;
        }
        let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        // A frame that reaches beyond the head is taken for zstd's, which has them more often.
        let Some(after) = rest.get(8..).and_then(|it| it.get(len..)) else { return next == 0x28 };
        rest = after;
        is_any = true;
    }
    is_any && rest.first() == Some(&next)
}

/// Tells whether a zip may stand behind this beginning, so that the end is worth a look: programs,
/// scripts, and whatever else is no text.
#[must_use]
pub fn may_end_as_zip(head: &[u8]) -> bool {
    is_program(head) || memchr::memchr(0, &head[..head.len().min(512)]).is_some()
}

/// Tells whether this is the beginning of a program or a script, which archives are put behind.
#[must_use]
pub fn is_program(head: &[u8]) -> bool {
    let marks: [&[u8]; 5] = [b"#!", b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"];
    // Java's classes share the mark of macOS's programs for several processors; in theirs a version of
    // 45 or more follows, in these the number of processors.
    let is_fat = head.starts_with(b"\xca\xfe\xba\xbe\0\0\0") && head.get(7) < Some(&45);
    is_fat || marks.iter().any(|mark| head.starts_with(mark))
}

/// A byte that the end of every zip has, and text has not.
pub const END_OF_ZIP: u8 = super::zip_directory::END[2];

/// Returns what the first [`HEAD`] bytes of a file look like, whatever its name.
#[must_use]
pub fn archive_hint(head: &[u8]) -> ArchiveHint {
    if detect(head, Path::new("")).is_some() {
        return ArchiveHint::Archive;
    }
    if may_end_as_zip(head) { ArchiveHint::PerhapsAtEnd } else { ArchiveHint::None }
}

/// Tells whether bytes that are the whole of a file seem to end as a zip does.
#[must_use]
pub fn ends_as_zip(bytes: &[u8]) -> bool {
    let tail = &bytes[bytes.len().saturating_sub(super::zip_directory::END_REACH)..];
    memchr::memmem::rfind(tail, super::zip_directory::END).is_some()
}
