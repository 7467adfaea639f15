//! SQLite: values that are too long for one page and continue on overflow pages.
//!
//! Input: the bytes of a database. Output: each payload that overflows, reassembled, as a member to the
//! walker. Values within one page, free pages and the write-ahead log are covered by the raw search only.

use super::bytes::{Bytes, fill};
use super::decode_error::DecodeError;
use super::fault::Fault;
use super::member_path::MemberPlace;
use super::walker::Walker;
use ddpatrol_scan::issue::Damage;
use std::io::{self, Read, SeekFrom};

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    let len = bytes.seek(SeekFrom::End(0))?;
    bytes.seek(SeekFrom::Start(0))?;
    let mut head = [0; 100];
    if fill(bytes, &mut head)? < head.len() {
        return Err(Damage::OwnHeaderCut.into());
    }
    let size = match u16_at(&head, 16) {
        1 => 65_536,
        size => usize::from(size),
    };
    if !size.is_power_of_two() || size < 512 {
        return Err(Damage::PageSize.into());
    }
    let usable = size - usize::from(head[20]);
    if usable < 480 {
        return Err(Damage::PageSize.into());
    }
    let pages = len / size as u64;
    let file = Database { size, usable, pages };
    let mut page = vec![0; size];
    for number in 1..=pages {
        walker.account().check().map_err(|_| Fault::Stopped)?;
        bytes.seek(SeekFrom::Start((number - 1) * size as u64))?;
        if fill(bytes, &mut page)? < size {
            break;
        }
        for (at, cell) in file.cells(&page, number).into_iter().enumerate() {
            let name = format!("page {number}, cell {}", at + 1);
            let mut payload = Payload::new(&file, &page, bytes, cell);
            walker.member(place, name.as_bytes(), &mut payload)?;
        }
    }
    Ok(())
}

struct Database {
    size: usize,
    usable: usize,
    pages: u64,
}

/// The kind of a b-tree. Table cells have a row number and longer payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tree {
    Table,
    Index,
}

/// A payload that overflows: its total length, and the range of its first part in the page.
struct OverflowCell {
    len: u64,
    start: usize,
    end: usize,
}

impl Database {
    /// Lists the payloads of a page that overflow.
    fn cells(&self, page: &[u8], number: u64) -> Vec<OverflowCell> {
        let header = if number == 1 { 100 } else { 0 };
        let (pointers, lead, tree) = match page[header] {
            // The leaf of a table: the length, the row, the payload.
            0x0d => (header + 8, 0, Tree::Table),
            // The leaf of an index, and its inner pages, whose cells begin with a page number.
            0x0a => (header + 8, 0, Tree::Index),
            0x02 => (header + 12, 4, Tree::Index),
            _ => return Vec::new(),
        };
        let count = usize::from(u16_at(page, header + 3));
        let cell = |at: usize| {
            let pointer = page.get(pointers + 2 * at..pointers + 2 * at + 2)?;
            let start = usize::from(u16_at(pointer, 0)) + lead;
            self.cell(page, start, tree)
        };
        (0..count.min(self.size / 2)).filter_map(cell).collect()
    }

    /// Parses a cell; `None` unless it overflows.
    fn cell(&self, page: &[u8], start: usize, tree: Tree) -> Option<OverflowCell> {
        let (len, mut start) = varint(page, start)?;
        if tree == Tree::Table {
            start = varint(page, start)?.1;
        }
        let usable = self.usable as u64;
        let most = match tree {
            Tree::Table => usable - 35,
            Tree::Index => (usable - 12) * 64 / 255 - 23,
        };
        if len <= most || len / usable > self.pages {
            return None;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let local = least + (len - least) % (usable - 4);
        let local = usize::try_from(if local <= most { local } else { least }).ok()?;
        let end = start.checked_add(local)?;
        (end + 4 <= page.len()).then_some(OverflowCell { len, start, end })
    }
}

/// Reads a payload across its overflow pages.
struct Payload<'a> {
    file: &'a Database,
    bytes: &'a mut dyn Bytes,
    part: Vec<u8>,
    at: usize,
    next: u64,
    left: u64,
}

impl<'a> Payload<'a> {
    fn new(file: &'a Database, page: &[u8], bytes: &'a mut dyn Bytes, cell: OverflowCell) -> Self {
        let part = page[cell.start..cell.end].to_vec();
        let next = u64::from(u32_at(page, cell.end));
        let left = cell.len - part.len() as u64;
        Self { file, bytes, part, at: 0, next, left }
    }
}

impl Read for Payload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.part.len() {
            // Each page reduces `left`, so a cyclic chain of pages ends.
            if self.left == 0 {
                return Ok(0);
            }
            if self.next == 0 || self.next > self.file.pages {
                return Err(DecodeError::SqlitePage.into());
            }
            let most = u64::try_from(self.file.usable - 4).unwrap_or_default();
            let len = usize::try_from(self.left.min(most)).unwrap_or_default();
            self.bytes.seek(SeekFrom::Start((self.next - 1) * self.file.size as u64))?;
            self.part.resize(len + 4, 0);
            if fill(self.bytes, &mut self.part)? < len + 4 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.next = u64::from(u32_at(&self.part, 0));
            self.at = 4;
            self.left -= len as u64;
        }
        let len = buffer.len().min(self.part.len() - self.at);
        buffer[..len].copy_from_slice(&self.part[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

/// Parses a variable-length integer of one to nine bytes; returns it and the offset of its end.
fn varint(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for at in 0..9 {
        let byte = *bytes.get(start.checked_add(at)?)?;
        if at == 8 {
            return Some((value << 8 | u64::from(byte), start + 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, start + at + 1));
        }
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) << 16 | u32::from(u16_at(bytes, at + 2))
}
