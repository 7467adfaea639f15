//! Pack indices, versions 1 and 2.
//!
//! Input: an index file. Output: the offset of each object. Git's `gitformat-pack(5)` describes the tables.
//! Their lengths are checked against the length of the file once; lookups use the fanout table only if it
//! is sorted. Offsets are not checked against the pack.

use crate::map::{be32, be64, map, prefetch};
use crate::{Fault, HashKind, ObjectId, PackError};
use memmap2::Mmap;
use std::path::Path;

const MAGIC: &[u8] = b"\xfftOc";
const FANOUT: usize = 256 * 4;

/// The index of one pack.
#[derive(Debug)]
pub struct Index {
    map: Mmap,
    hash: HashKind,
    version: u32,
    count: u32,
    fanout: usize,
    is_sorted: bool,
}

impl Index {
    /// Maps an index and checks its tables against its length.
    ///
    /// # Errors
    /// [`PackError`] if the file cannot be mapped or its tables do not match its length.
    pub fn open(path: &Path, hash: HashKind) -> Result<Self, PackError> {
        let map = map(path)?;
        Self::new(map, hash).map_err(|fault| PackError {
            path: path.to_owned(),
            offset: None,
            id: None,
            fault,
        })
    }

    fn new(map: Mmap, hash: HashKind) -> Result<Self, Fault> {
        let (version, fanout) = if map.starts_with(MAGIC) {
            match be32(&map, 4).ok_or(Fault::Truncated)? {
                2 => (2, 8),
                other => return Err(Fault::Version("index", other)),
            }
        } else {
            (1, 0)
        };
        let count = be32(&map, fanout + FANOUT - 4).ok_or(Fault::Truncated)?;
        let (n, hash_len) = (u64::from(count), hash.len() as u64);
        let head = (fanout + FANOUT) as u64;
        let len = map.len() as u64;
        let fits = if version == 1 {
            len == head + n * (hash_len + 4) + 2 * hash_len
        } else {
            let least = head + n * (hash_len + 8) + 2 * hash_len;
            (least..=least + 8 * n.saturating_sub(1)).contains(&len)
        };
        if !fits {
            return Err(Fault::IndexLength);
        }
        let mut index = Self { map, hash, version, count, fanout, is_sorted: false };
        let steps: Vec<u32> = (0..256).map(|at| index.fan(at)).collect();
        index.is_sorted = steps.is_sorted() && steps.last() == Some(&count);
        Ok(index)
    }

    /// Returns the number of objects in the index.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Returns `true` if the index lists no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the id at a position, below [`Index::len`].
    #[must_use]
    #[inline]
    pub fn id(&self, position: u32) -> Option<ObjectId> {
        ObjectId::from_bytes(self.name(position)?).ok()
    }

    /// Returns the first eight bytes of the id at a position, most significant first. They are nearly always
    /// unique.
    #[must_use]
    #[inline]
    pub fn key(&self, position: u32) -> Option<u64> {
        self.name(position)?.first_chunk().copied().map(u64::from_be_bytes)
    }

    /// Returns `true` if `id` is at a position.
    #[must_use]
    #[inline]
    pub fn is_at(&self, position: u32, id: &[u8]) -> bool {
        let Some(name) = self.name(position) else { return false };
        match (name.split_first_chunk::<8>(), id.split_first_chunk::<8>()) {
            (Some((name, name_rest)), Some((id, rest))) if name == id => {
                match (words(name_rest), words(rest)) {
                    (Some(name), Some(rest)) => name == rest,
                    _ => name_rest == rest,
                }
            }
            _ => false,
        }
    }

    /// Prefetches the id at a position.
    #[inline]
    pub(crate) fn prefetch(&self, position: u32) {
        prefetch(&self.map, self.place(position));
    }

    /// Returns the offset of the object at a position; `None` if the tables do not contain it.
    #[must_use]
    #[inline]
    pub fn offset(&self, position: u32) -> Option<u64> {
        let (n, at) = (self.count as usize, position as usize);
        if position >= self.count {
            return None;
        }
        if self.version == 1 {
            return be32(&self.map, FANOUT + at * (self.hash.len() + 4)).map(u64::from);
        }
        let table = self.fanout + FANOUT + n * (self.hash.len() + 4);
        let low = be32(&self.map, table + at * 4)?;
        if low & 0x8000_0000 == 0 {
            return Some(u64::from(low));
        }
        let large = table + n * 4 + (low & 0x7fff_ffff) as usize * 8;
        // Like git, read up to the end of the file, including the trailer.
        be64(&self.map, large)
    }

    /// Finds the position of an object.
    #[must_use]
    #[inline]
    pub fn find(&self, id: &[u8]) -> Option<u32> {
        let first = usize::from(*id.first()?);
        if !self.is_sorted {
            return self.find_between(id, 0, self.count);
        }
        let low = if first == 0 { 0 } else { self.fan(first - 1) };
        self.find_between(id, low, self.fan(first))
    }

    /// Finds the position of an object in `low..high`, for callers with a finer table than the fanout.
    #[must_use]
    #[inline]
    pub fn find_between(&self, id: &[u8], mut low: u32, mut high: u32) -> Option<u32> {
        if id.len() != self.hash.len() {
            return None;
        }
        // The first eight bytes, which nearly always decide, are compared at once.
        let (key, rest) = id.split_first_chunk::<8>()?;
        let key = u64::from_be_bytes(*key);
        while low < high {
            let middle = low + (high - low) / 2;
            let (name, name_rest) = self.name(middle)?.split_first_chunk::<8>()?;
            let name = u64::from_be_bytes(*name);
            let others = || match (words(name_rest), words(rest)) {
                (Some(name), Some(rest)) => name.cmp(&rest),
                _ => name_rest.cmp(rest),
            };
            match name.cmp(&key).then_with(others) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// Returns the checksum of the pack that the index was made for.
    #[must_use]
    pub fn pack_checksum(&self) -> &[u8] {
        let (len, hash) = (self.map.len(), self.hash.len());
        &self.map[len - 2 * hash..len - hash]
    }

    #[inline]
    fn fan(&self, at: usize) -> u32 {
        be32(&self.map, self.fanout + at * 4).unwrap_or(0)
    }

    #[inline]
    fn name(&self, position: u32) -> Option<&[u8]> {
        if position >= self.count {
            return None;
        }
        let start = self.place(position);
        self.map.get(start..start + self.hash.len())
    }

    /// Returns the offset in the index of the id at a position.
    #[inline]
    fn place(&self, position: u32) -> usize {
        let (hash, at) = (self.hash.len(), position as usize);
        match self.version {
            1 => FANOUT + at * (hash + 4) + 4,
            _ => self.fanout + FANOUT + at * hash,
        }
    }
}

/// Reads the last 12 bytes of a SHA-1 id, most significant first, to compare them without a function call.
#[inline]
fn words(rest: &[u8]) -> Option<(u64, u32)> {
    let (first, last) = rest.split_first_chunk::<8>()?;
    let last: [u8; 4] = last.try_into().ok()?;
    Some((u64::from_be_bytes(*first), u32::from_be_bytes(last)))
}
