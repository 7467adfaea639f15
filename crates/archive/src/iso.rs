//! ISO 9660, the file system of CDs and of images to boot from.
//!
//! Input: seekable bytes. Output: the files of the first volume, to the walker, by their Rock Ridge names if
//! there are any. Files are contiguous and not compressed, so opening one serves the archives among them.

use super::bytes::{Bytes, fill};
use super::fault::Fault;
use super::header::{ISO_DESCRIPTOR, is_iso_descriptor};
use super::member_path::MemberPlace;
use super::walker::Walker;
use super::zip_directory::{u16_at, u32_at};
use ddpatrol_scan::issue::Damage;
use std::collections::{HashSet, VecDeque};
use std::io::{self, Read, SeekFrom};
use std::ops::Range;

/// The length of a sector, in bytes.
const SECTOR: usize = 2_048;
/// Maximum length of one folder, in bytes.
const MAX_FOLDER: usize = 64 << 20;
/// Maximum length of a path, in bytes.
const MAX_PATH: usize = 4_096;

/// A folder to read, or a file.
struct Entry {
    name: Vec<u8>,
    extents: VecDeque<Range<u64>>,
    is_folder: bool,
    /// More extents of the file follow in the next record.
    has_more: bool,
}

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    let Some((root, block)) = root(bytes)? else { return Err(Damage::HeaderMissing.into()) };
    let mut folders = vec![root];
    let mut known = HashSet::new();
    while let Some(folder) = folders.pop() {
        // Of a folder that contains itself, the second one is skipped.
        let Some(range) = folder.extents.front().filter(|it| known.insert(it.start)) else {
            continue;
        };
        for mut entry in entries(bytes, range, block)? {
            walker.account().check().map_err(|_| Fault::Stopped)?;
            if folder.name.len() + entry.name.len() > MAX_PATH {
                walker.account().report(place, Damage::NameLength);
                continue;
            }
            if !folder.name.is_empty() {
                entry.name.splice(..0, [&folder.name[..], b"/"].concat());
            }
            if entry.is_folder {
                walker.account().name(place, &entry.name)?;
                folders.push(entry);
                continue;
            }
            let mut content = Extents { bytes, extents: entry.extents };
            walker.member(place, &entry.name, &mut content)?;
        }
    }
    Ok(())
}

/// Returns the root folder of the first volume and the length of a block.
fn root(bytes: &mut dyn Bytes) -> io::Result<Option<(Entry, u64)>> {
    let mut sector = [0; SECTOR];
    for number in 0..16 {
        bytes.seek(SeekFrom::Start(ISO_DESCRIPTOR + number * SECTOR as u64))?;
        if fill(bytes, &mut sector)? < SECTOR || !is_iso_descriptor(&sector) || sector[0] == 255 {
            break;
        }
        let block = u64::from(u16_at(&sector, 128));
        if sector[0] == 1 && block.is_power_of_two() && block >= 512 {
            return Ok(parse_record(&sector[156..190], block).map(|it| (it.with_name(b""), block)));
        }
    }
    Ok(None)
}

impl Entry {
    fn with_name(self, name: &[u8]) -> Self {
        Self { name: name.to_vec(), ..self }
    }
}

/// Reads the records of a folder, and joins those of one file.
fn entries(bytes: &mut dyn Bytes, range: &Range<u64>, block: u64) -> io::Result<Vec<Entry>> {
    let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(MAX_FOLDER);
    let (mut entries, mut sector) = (Vec::<Entry>::new(), [0; SECTOR]);
    bytes.seek(SeekFrom::Start(range.start))?;
    for _ in 0..len.div_ceil(SECTOR) {
        let filled = fill(bytes, &mut sector)?;
        let mut rest = &sector[..filled];
        // A record does not cross the end of a sector.
        while let Some(&size) = rest.first().filter(|size| **size >= 34) {
            let Some(record) = rest.get(..usize::from(size)) else { break };
            rest = &rest[record.len()..];
            // The first two are the folder itself and the one above.
            if matches!(record[32..34], [1, 0 | 1]) {
                continue;
            }
            let Some(entry) = parse_record(record, block) else { continue };
            match entries.last_mut().filter(|last| last.has_more) {
                Some(last) => {
                    last.extents.extend(entry.extents);
                    last.has_more = entry.has_more;
                }
                None => entries.push(entry),
            }
        }
        if filled < SECTOR {
            break;
        }
    }
    Ok(entries)
}

/// Parses the record of a file or folder.
fn parse_record(record: &[u8], block: u64) -> Option<Entry> {
    let name_len = usize::from(*record.get(32)?);
    let name = record.get(33..33 + name_len)?;
    // The system use area begins at an even offset.
    let system = record.get(33 + name_len + usize::from(name_len % 2 == 0)..).unwrap_or_default();
    let start = (u64::from(u32_at(record, 2)) + u64::from(record[1])) * block;
    let len = u64::from(u32_at(record, 10));
    let name = rock_ridge_name(system).unwrap_or_else(|| plain_name(name));
    let (is_folder, has_more) = (record[25] & 2 != 0, record[25] & 0x80 != 0);
    let extents = std::iter::once(start..start + len).collect();
    Some(Entry { name, extents, is_folder, has_more })
}

/// Returns a name without its version.
fn plain_name(name: &[u8]) -> Vec<u8> {
    let end = memchr::memrchr(b';', name).unwrap_or(name.len());
    let name = &name[..end];
    name.strip_suffix(b".").unwrap_or(name).to_vec()
}

/// Returns the name in the fields of Rock Ridge.
fn rock_ridge_name(mut fields: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    while let Some(&[a, b, len, _]) = fields.first_chunk::<4>() {
        let Some(field) = fields.get(..usize::from(len)).filter(|it| it.len() >= 4) else { break };
        if [a, b] == *b"NM" {
            name.extend_from_slice(field.get(5..).unwrap_or_default());
        }
        fields = &fields[field.len()..];
    }
    (!name.is_empty()).then_some(name)
}

/// The content of a file.
struct Extents<'a> {
    bytes: &'a mut dyn Bytes,
    extents: VecDeque<Range<u64>>,
}

impl Read for Extents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(extent) = self.extents.front_mut() {
            let left = usize::try_from(extent.end - extent.start).unwrap_or(usize::MAX);
            if left == 0 {
                self.extents.pop_front();
                continue;
            }
            let most = left.min(buffer.len());
            self.bytes.seek(SeekFrom::Start(extent.start))?;
            let len = self.bytes.read(&mut buffer[..most])?;
            if len == 0 && most > 0 {
                return Err(super::decode_error::DecodeError::CutOff.into());
            }
            extent.start += len as u64;
            return Ok(len);
        }
        Ok(0)
    }
}
