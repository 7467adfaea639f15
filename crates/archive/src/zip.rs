//! zip: jar, war, apk, whl, nupkg, docx, xlsx, ipa; also appended to a program or script.
//!
//! Input: seekable bytes. Output: the entries of the central directory, to the walker, including several of
//! one name. Without a directory the entries are read in file order, and an issue is reported. Bytes that
//! the directory does not cover are read in file order too: they hold deleted entries, or another zip
//! before this one. Methods: stored, deflate, deflate64, bzip2, lzma, zstd, xz. Encrypted entries are
//! reported.

use super::bytes::{Bytes, fill, skip};
use super::decode_error::DecodeError;
use super::fault::Fault;
use super::member_path::MemberPlace;
use super::slice_reader::{CoveredRanges, SliceReader};
use super::stream::MEMORY;
use super::walker::Walker;
use super::zip_directory::{Directory, find_directory, u16_at, u32_at, u64_at};
use crc32fast::Hasher;
use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit, Damage, Unsupported};
use std::io::{self, BufRead, BufReader, Read, SeekFrom};
use std::ops::Range;

const ENTRY_LEN: usize = 46;
/// Maximum number of directories in one file: zips may be concatenated.
const MAX_DIRECTORIES: usize = 1_000;
/// Bytes of the directory held at a time; the longest entry has 46 + 3 * 65,535 bytes.
const PART: usize = 256 << 10;

/// An entry, from its central or local header.
#[derive(Debug)]
struct ZipEntry {
    flags: u16,
    method: u16,
    crc: Option<u32>,
    packed: u64,
    len: u64,
    offset: u64,
    name: Vec<u8>,
}

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    let len = bytes.seek(SeekFrom::End(0))?;
    let (mut open, mut directories) = (Vec::new(), 0);
    open.push(0..len);
    while let Some(range) = open.pop() {
        walker.account().check().map_err(|_| Fault::Stopped)?;
        let is_whole = range == (0..len);
        let (start, part_len) = (range.start, range.end - range.start);
        let mut part = SliceReader::new(bytes, range)?;
        // In a part, an empty directory may be a constant of a program that writes zips.
        let found = find_directory(&mut part)?.filter(|it| is_whole || it.start < it.end);
        let Some(directory) = found else {
            if is_whole {
                walker.account().report(place, Damage::ZipDirectoryMissing);
            }
            let signature = if is_whole { Signature::Certain } else { Signature::Possible };
            read_in_order(walker, place, &mut part, signature)?;
            continue;
        };
        directories += 1;
        if directories > MAX_DIRECTORIES {
            return Err(ArchiveLimit::ZipDirectories(MAX_DIRECTORIES).into());
        }
        let mut covered = CoveredRanges::default();
        read_directory(walker, place, &mut part, directory, &mut covered)?;
        covered.add(directory.start..directory.after);
        open.extend(covered.gaps(part_len).into_iter().map(|it| start + it.start..start + it.end));
    }
    Ok(())
}

/// Reads the entries of the directory, and adds their ranges to `covered`.
fn read_directory(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
    directory: Directory,
    covered: &mut CoveredRanges,
) -> Result<(), Fault> {
    let mut at = directory.start;
    let mut part = Vec::new();
    while at < directory.end {
        bytes.seek(SeekFrom::Start(at))?;
        let want = usize::try_from(directory.end - at).unwrap_or(PART).min(PART);
        part.resize(want, 0);
        let len = fill(bytes, &mut part)?;
        part.truncate(len);
        let mut used = 0;
        while let Some((entry, len)) = parse_entry(&part[used..]) {
            used += len;
            if let Some(range) = read_entry(walker, place, bytes, &entry, directory.base)? {
                covered.add(range);
            }
        }
        if used == 0 {
            walker.account().report(place, Damage::ZipDirectory);
            covered.add(0..directory.start);
            return read_in_order(walker, place, bytes, Signature::Certain);
        }
        at += used as u64;
    }
    Ok(())
}

/// Parses an entry of the directory; `None` if there is no complete one.
fn parse_entry(part: &[u8]) -> Option<(ZipEntry, usize)> {
    let fixed = part.get(..ENTRY_LEN).filter(|it| it.starts_with(b"PK\x01\x02"))?;
    let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(fixed, at)));
    let len = ENTRY_LEN + name + extra + comment;
    let rest = part.get(ENTRY_LEN..len)?;
    let mut entry = ZipEntry {
        flags: u16_at(fixed, 8),
        method: u16_at(fixed, 10),
        crc: Some(u32_at(fixed, 16)),
        packed: u64::from(u32_at(fixed, 20)),
        len: u64::from(u32_at(fixed, 24)),
        offset: u64::from(u32_at(fixed, 42)),
        name: rest[..name].to_vec(),
    };
    entry.widen(&rest[name..name + extra]);
    Some((entry, len))
}

impl ZipEntry {
    /// Replaces values that do not fit 32 bits by those of the zip64 extra field.
    fn widen(&mut self, mut extra: &[u8]) {
        while let Some(head) = extra.get(..4) {
            let (id, len) = (u16_at(head, 0), usize::from(u16_at(head, 2)));
            let Some(field) = extra.get(4..4 + len) else { return };
            extra = &extra[4 + len..];
            if id != 1 {
                continue;
            }
            let mut wide = field.chunks_exact(8).map(|it| u64_at(it, 0));
            for value in [&mut self.len, &mut self.packed, &mut self.offset] {
                if *value == u64::from(u32::MAX) {
                    *value = wide.next().unwrap_or(*value);
                }
            }
        }
    }

    /// Returns `true` if the content can be decoded.
    fn is_readable(&self) -> bool {
        !self.is_encrypted() && matches!(self.method, 0 | 8 | 9 | 12 | 14 | 93 | 95)
    }

    fn is_encrypted(&self) -> bool {
        self.flags & 0x2041 != 0 || self.method == 99
    }
}

/// Reads one entry of the directory; returns its range.
fn read_entry(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
    entry: &ZipEntry,
    base: u64,
) -> Result<Option<Range<u64>>, Fault> {
    let is_folder = entry.name.ends_with(b"/") && entry.len == 0;
    let mut local = [0; 30];
    let at = entry.offset.checked_add(base);
    let found = match at {
        Some(at) => bytes.seek(SeekFrom::Start(at)).is_ok() && fill(bytes, &mut local)? == 30,
        None => false,
    };
    let start = at.filter(|_| found && local.starts_with(b"PK\x03\x04"));
    let Some(start) = start.filter(|_| !is_folder) else {
        walker.account().name(place, &entry.name)?;
        if start.is_none() && !is_folder {
            walker.account().report(&place.member(&entry.name), Damage::ZipEntryMisplaced);
        }
        return Ok(start.map(|start| start..start.saturating_add(local_len(&local))));
    };
    let skipped = local_len(&local) - 30;
    bytes.seek_relative(i64::try_from(skipped).unwrap_or_default())?;
    let mut packed = BufReader::with_capacity(16 << 10, bytes.take(entry.packed));
    content(walker, place, entry, &mut packed)?;
    // Other entries may begin right after the bytes that were consumed, whatever the recorded length.
    let left = packed.get_ref().limit() + packed.buffer().len() as u64;
    let taken = if entry.is_readable() { entry.packed - left } else { entry.packed };
    Ok(Some(start..start.saturating_add(30 + skipped).saturating_add(taken)))
}

/// Returns the length of a local header, with name and extra fields.
fn local_len(local: &[u8; 30]) -> u64 {
    30 + u64::from(u16_at(local, 26)) + u64::from(u16_at(local, 28))
}

/// Reads the content of an entry.
fn content(
    walker: &Walker<'_>,
    place: &MemberPlace,
    entry: &ZipEntry,
    packed: &mut dyn BufRead,
) -> Result<(), Fault> {
    let report = |fault: Fault| {
        walker.account().name(place, &entry.name)?;
        walker.account().report(&place.member(&entry.name), fault);
        Ok(())
    };
    if entry.is_encrypted() {
        return report(ArchiveIssue::Encrypted.into());
    }
    let decoder: Box<dyn Read + '_> = match entry.method {
        0 => Box::new(packed),
        8 => Box::new(flate2::bufread::DeflateDecoder::new(packed)),
        9 => Box::new(deflate64::Deflate64Decoder::with_buffer(packed)),
        12 => Box::new(bzip2::bufread::BzDecoder::new(packed)),
        14 => match lzma(packed, entry.len) {
            Ok(decoder) => decoder,
            Err(error) => return report(error.into()),
        },
        93 => Box::new(super::stream::zstd(packed)),
        95 => Box::new(super::stream::xz(packed)),
        method => return report(Unsupported::ZipMethod(method).into()),
    };
    let mut checked = Checked { decoder, crc: entry.crc, hash: Hasher::new(), len: 0 };
    walker.member(place, &entry.name, &mut checked)
}

/// Opens an lzma stream of a zip: a version, the properties with their length, then the data.
fn lzma<'a>(packed: &'a mut dyn BufRead, len: u64) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = [0; 9];
    packed.read_exact(&mut head)?;
    if u16_at(&head, 2) != 5 {
        return Err(DecodeError::LzmaProperties.into());
    }
    let dictionary = u32_at(&head, 5);
    if dictionary > MEMORY {
        return Err(DecodeError::LzmaDictionary.into());
    }
    let mut reader =
        lzma_rust2::LzmaReader::new_with_props(packed, len, head[4], dictionary, None)?;
    reader.set_defer_errors(true);
    Ok(Box::new(reader))
}

/// Reads content and compares its checksum at the end.
struct Checked<R> {
    decoder: R,
    crc: Option<u32>,
    hash: Hasher,
    len: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let len = self.decoder.read(buffer)?;
        self.hash.update(&buffer[..len]);
        self.len += len as u64;
        if len == 0 && self.crc.is_some_and(|crc| crc != self.hash.clone().finalize()) {
            self.crc = None;
            return Err(DecodeError::Checksum.into());
        }
        Ok(len)
    }
}

/// Whether the signature of an entry proves that one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signature {
    Certain,
    /// The signature may also be a constant of a program that reads zips.
    Possible,
}

/// Reads the entries that are found by their signatures, in file order: all those of a zip without a
/// directory, else those that the directory does not list.
fn read_in_order(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
    signature: Signature,
) -> Result<(), Fault> {
    bytes.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(64 << 10, bytes);
    while seek_local(&mut reader)? {
        walker.account().check().map_err(|_| Fault::Stopped)?;
        let mut fixed = [0; 26];
        if fill(&mut reader, &mut fixed)? < fixed.len() {
            return Ok(());
        }
        let [name_len, extra_len] = [22, 24].map(|at| u64::from(u16_at(&fixed, at)));
        let name = match signature {
            Signature::Certain => {
                let mut name = Vec::new();
                (&mut reader).take(name_len).read_to_end(&mut name)?;
                Some(name)
            }
            Signature::Possible => likely_name(&mut reader, &fixed)?,
        };
        let Some(name) = name else { continue };
        let mut extra = Vec::new();
        (&mut reader).take(extra_len).read_to_end(&mut extra)?;
        let flags = u16_at(&fixed, 2);
        let is_known = flags & 8 == 0;
        let mut entry = ZipEntry {
            flags,
            method: u16_at(&fixed, 4),
            crc: is_known.then(|| u32_at(&fixed, 10)),
            packed: u64::from(u32_at(&fixed, 14)),
            len: u64::from(u32_at(&fixed, 18)),
            offset: 0,
            name,
        };
        entry.widen(&extra);
        if is_known {
            let mut packed = (&mut reader).take(entry.packed);
            content(walker, place, &entry, &mut packed)?;
            let left = packed.limit();
            skip(&mut reader, left)?;
        } else if matches!(entry.method, 8 | 9 | 12) {
            // Streams of these methods mark their own end.
            content(walker, place, &entry, &mut reader)?;
        } else {
            walker.account().report(&place.member(&entry.name), Damage::ZipEntryUnsized);
        }
    }
    Ok(())
}

/// Reads the name of a possible entry. If the name is implausible, returns `None` and seeks back to just
/// after the signature, since an entry may begin within the bytes read.
fn likely_name(
    reader: &mut BufReader<&mut dyn Bytes>,
    fixed: &[u8; 26],
) -> Result<Option<Vec<u8>>, Fault> {
    let is_known = matches!(u16_at(fixed, 4), 0 | 1 | 6 | 8..=10 | 12 | 14 | 20 | 93..=99);
    let len = usize::from(u16_at(fixed, 22));
    let mut name = vec![0; len];
    let (mut read, mut is_likely) = (0, is_known && fixed[0] < 64 && len > 0);
    while is_likely && read < len {
        // In pieces: a signature contains bytes that names do not, so reading stops soon after one.
        let to = len.min(read + 64);
        let filled = fill(reader, &mut name[read..to])?;
        is_likely = filled == to - read && !name[read..to].iter().any(u8::is_ascii_control);
        read += filled;
    }
    if is_likely {
        return Ok(Some(name));
    }
    reader.seek_relative(-i64::try_from(fixed.len() + read).unwrap_or_default())?;
    Ok(None)
}

/// Seeks to just after the signature of the next entry; returns `false` if there is none.
fn seek_local(reader: &mut dyn BufRead) -> io::Result<bool> {
    const MARK: &[u8; 4] = b"PK\x03\x04";
    let mut seen = 0;
    while seen < MARK.len() {
        let part = reader.fill_buf()?;
        let Some(&byte) = part.first() else { return Ok(false) };
        let mut used = 1;
        if seen == 0 {
            let next = memchr::memchr(MARK[0], part);
            used = next.map_or(part.len(), |at| at + 1);
            seen = usize::from(next.is_some());
        } else if byte == MARK[seen] {
            seen += 1;
        } else {
            seen = usize::from(byte == MARK[0]);
        }
        reader.consume(used);
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
