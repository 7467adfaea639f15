//! Programs and scripts with an archive behind them: self-extractors and AppImages.
//!
//! Input: the headers of a program, and the bytes behind it. Output: the range to search, and the format and
//! offset of the archive. Programs that unpack archives contain the signatures too, so the fields after a
//! signature are checked, with their checksums where the format has them.

use super::format::{Format, detect};
use super::header::is_cab;
use super::unopened::{Unopened, is_squashfs};
use super::zip_directory::{u16_at, u32_at, u64_at};
use memchr::memmem;
use std::ops::Range;
use std::path::Path;

/// Number of bytes behind a program, or of a script, in which an archive may begin.
const SEARCHED: u64 = 1 << 20;

/// An archive in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProgramPayload {
    pub(super) format: Format,
    pub(super) offset: u64,
}

/// Returns the range in which an archive may begin; `None` if nothing follows a program.
pub(super) fn payload_range(headers: &[u8], len: u64) -> Option<Range<u64>> {
    let end = match headers {
        [0x7f, b'E', b'L', b'F', ..] => elf_end(headers),
        [b'M', b'Z', ..] => pe_end(headers),
        _ => None,
    };
    // Of a program that is cut off, or of an unknown layout, the beginning is searched.
    let start = end.filter(|end| *end <= len).unwrap_or(0);
    (start < len).then(|| start..len.min(start + SEARCHED))
}

/// Returns the end of an ELF file, from the tables of its sections and segments.
fn elf_end(head: &[u8]) -> Option<u64> {
    let head = head.get(..64)?;
    if head[5] != 1 {
        return None;
    }
    let is_64 = head[4] == 2;
    let word = |at: usize| if is_64 { u64_at(head, at) } else { u64::from(u32_at(head, at)) };
    let (offset, size_at) = if is_64 { (word(40), 58) } else { (word(32), 46) };
    let [size, count] = [size_at, size_at + 2].map(|at| u64::from(u16_at(head, at)));
    // Without sections the end is not in the first bytes.
    (offset > 0).then(|| offset.checked_add(size * count)).flatten()
}

/// Returns the end of a PE file, from its sections and the signature behind them.
fn pe_end(head: &[u8]) -> Option<u64> {
    let at = usize::try_from(u32_at(head.get(60..64)?, 0)).ok()?;
    let header = head.get(at..)?.strip_prefix(b"PE\0\0")?;
    let fixed = header.get(..20)?;
    let [count, optional_len] = [2, 16].map(|at| usize::from(u16_at(fixed, at)));
    let sections = header.get(20 + optional_len..)?.get(..40 * count)?;
    let ends =
        sections.chunks_exact(40).map(|it| u64::from(u32_at(it, 16)) + u64::from(u32_at(it, 20)));
    ends.max()
}

/// Finds an archive in the bytes from `start`, which follow a program or contain a script.
pub(super) fn find_payload(bytes: &[u8], start: u64) -> Option<ProgramPayload> {
    let at =
        |offset: usize, format: Format| ProgramPayload { format, offset: start + offset as u64 };
    if bytes.starts_with(b"#!") {
        return find_in_script(bytes).map(|(offset, format)| at(offset, format));
    }
    if start > 0
        && let Some(format) = detect(bytes, Path::new(""))
    {
        return Some(at(0, format));
    }
    EMBEDDED
        .iter()
        .filter_map(|it| {
            let mut places = memmem::find_iter(bytes, it.signature);
            places.find(|&place| (it.is_valid)(&bytes[place..])).map(|place| at(place, it.format))
        })
        .min_by_key(|it| it.offset)
}

/// Finds the first line of a script that begins as an archive.
fn find_in_script(script: &[u8]) -> Option<(usize, Format)> {
    // Text contains none of these bytes, and almost every archive contains one.
    memchr::memchr3(0, 0x1f, 0xfd, script)?;
    memchr::memchr_iter(b'\n', script).map(|end| end + 1).find_map(|line| {
        let rest = &script[line..];
        let format = detect(&rest[..rest.len().min(super::HEAD)], Path::new(""))?;
        // Of these the signature is too short to be searched for.
        let is_long = !matches!(format, Format::Lzma | Format::Loose | Format::Cpio);
        is_long.then_some((line, format))
    })
}

/// An archive that programs contain.
struct Embedded {
    signature: &'static [u8],
    format: Format,
    is_valid: fn(&[u8]) -> bool,
}

const EMBEDDED: &[Embedded] = &[
    Embedded { signature: b"7z\xbc\xaf\x27\x1c\0", format: Format::SevenZ, is_valid: is_sevenz },
    Embedded {
        signature: b"Rar!\x1a\x07",
        format: Format::Unopened(Unopened::Rar),
        is_valid: is_rar,
    },
    Embedded { signature: b"MSCF\0\0\0\0", format: Format::Cab, is_valid: is_cab },
    Embedded {
        signature: b"hsqs",
        format: Format::Unopened(Unopened::Squashfs),
        is_valid: is_squashfs_4,
    },
    Embedded {
        signature: b"\xef\xbe\xad\xdeNullsoftInst",
        format: Format::Unopened(Unopened::Nsis),
        is_valid: |_| true,
    },
    Embedded {
        signature: b"Inno Setup Setup Data (",
        format: Format::Unopened(Unopened::InnoSetup),
        is_valid: |bytes| bytes.get(23).is_some_and(u8::is_ascii_digit),
    },
    Embedded {
        signature: b"MEI\x0c\x0b\x0a\x0b\x0e",
        format: Format::Unopened(Unopened::PyInstaller),
        is_valid: |_| true,
    },
];

/// Checks the checksum of the start header.
fn is_sevenz(bytes: &[u8]) -> bool {
    bytes.get(12..32).is_some_and(|start| crc32fast::hash(start) == u32_at(bytes, 8))
}

/// Checks the checksum of the first header.
fn is_rar(bytes: &[u8]) -> bool {
    let header = match bytes.get(6..) {
        Some([0, header @ ..]) => header,
        Some([1, 0, header @ ..]) => return is_rar5_header(header),
        _ => return false,
    };
    // The lower half of a CRC-32 of the main header, after itself.
    let Some(fixed) = header.get(..7).filter(|it| it[2] == 0x73) else { return false };
    let len = usize::from(u16_at(fixed, 5));
    header.get(2..len).is_some_and(|it| crc32fast::hash(it) & 0xffff == u32::from(u16_at(fixed, 0)))
}

fn is_rar5_header(header: &[u8]) -> bool {
    let Some(&[_, _, _, _, len, ..]) = header.first_chunk::<7>() else { return false };
    len < 0x80
        && header
            .get(4..5 + usize::from(len))
            .is_some_and(|it| crc32fast::hash(it) == u32_at(header, 0))
}

/// Checks the block size against its logarithm, and the compression.
fn is_squashfs_4(bytes: &[u8]) -> bool {
    let Some(block) = bytes.get(..96) else { return false };
    is_squashfs(block)
        && 1_u32.checked_shl(u32::from(u16_at(block, 22))) == Some(u32_at(block, 12))
        && matches!(u16_at(block, 20), 1..=6)
}
