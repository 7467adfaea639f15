//! The entries of all trees, each tree recorded as changes to its delta base.
//!
//! Input: trees in the order of a walk. Output: records, from which attribution derives the entries of any
//! tree without reading it. Only the names of subtrees are kept. No object is read here.

use crate::numbers::ObjectNo;
use crate::trees::{Copied, EntryKind, TreeEntry};
use std::collections::HashMap;
use std::num::NonZeroU32;

/// The trees that one worker has read.
#[derive(Debug, Default)]
pub(crate) struct TreeRecords {
    trees: Vec<ObjectNo>,
    /// For each tree: the distance to the record of its delta base, or 0; then its runs.
    runs: Vec<u8>,
    fresh: Vec<FreshEntry>,
    names: Names,
}

/// An entry that the delta base of its tree does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FreshEntry {
    /// The object; `None` if it is missing, or in a submodule.
    pub(crate) child: Option<ObjectNo>,
    /// The name, if the object is a tree.
    pub(crate) name: Option<NameNo>,
}

/// The number of a name among those of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameNo(NonZeroU32);

/// Entries copied from the delta base, and the fresh entries after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeRun {
    /// The index of the first copied entry in the base.
    pub(crate) first: u32,
    /// The number of copied entries.
    pub(crate) copied: u32,
    /// The number of fresh entries.
    pub(crate) fresh: u32,
}

/// The record of one tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeRecord {
    pub(crate) tree: ObjectNo,
    /// The index of the record of the delta base.
    pub(crate) base: Option<u32>,
    /// The index of its first fresh entry.
    fresh: u32,
    fresh_len: u32,
    /// The offset of its first run.
    runs: u32,
    runs_len: u32,
}

/// A tree that is being recorded.
#[derive(Debug, Default)]
pub(crate) struct OpenRecord {
    runs: Vec<TreeRun>,
}

impl OpenRecord {
    /// Adds copied entries.
    #[inline]
    pub(super) fn copied(&mut self, Copied { first, len }: Copied) {
        match self.runs.last_mut() {
            Some(last) if last.fresh == 0 && last.first + last.copied == first => {
                last.copied += len;
            }
            _ => self.runs.push(TreeRun { first, copied: len, fresh: 0 }),
        }
    }

    /// Adds a fresh entry.
    #[inline]
    fn fresh(&mut self) {
        match self.runs.last_mut() {
            Some(last) => last.fresh += 1,
            None => self.runs.push(TreeRun { fresh: 1, ..TreeRun::default() }),
        }
    }
}

/// Whether a tree could be parsed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Whole,
    Broken,
}

impl TreeRecords {
    /// Adds a fresh entry to the open tree, and returns its index.
    #[inline]
    pub(super) fn add_fresh(&mut self, open: &mut OpenRecord, entry: &TreeEntry<'_>) -> usize {
        open.fresh();
        let name = (entry.kind == EntryKind::Tree).then(|| self.names.number(entry.name));
        self.fresh.push(FreshEntry { child: None, name });
        self.fresh.len() - 1
    }

    /// Sets the object of a fresh entry.
    #[inline]
    pub(super) fn set_child(&mut self, slot: usize, child: ObjectNo) {
        self.fresh[slot].child = Some(child);
    }

    /// Adds the open tree, and empties it; returns the index of its record. A broken tree has no entries.
    pub(super) fn close(
        &mut self,
        tree: ObjectNo,
        base: Option<u32>,
        open: &mut OpenRecord,
        parsed: Parsed,
    ) -> u32 {
        let record = self.trees.len() as u32;
        self.trees.push(tree);
        write(&mut self.runs, base.map_or(0, |base| record - base));
        let fresh: u32 = open.runs.iter().map(|run| run.fresh).sum();
        if parsed == Parsed::Broken {
            open.runs.clear();
        }
        write(&mut self.runs, fresh);
        write(&mut self.runs, open.runs.len() as u32);
        let mut end = 0;
        for TreeRun { first, copied, fresh } in open.runs.drain(..) {
            write(&mut self.runs, zigzag(first.wrapping_sub(end) as i32));
            write(&mut self.runs, copied);
            write(&mut self.runs, fresh);
            end = first + copied;
        }
        record
    }

    /// Releases what is needed only while trees are added.
    pub(super) fn finish(&mut self) {
        self.names.numbers = HashMap::new();
        self.names.recent = Vec::new();
        self.trees.shrink_to_fit();
        self.runs.shrink_to_fit();
        self.fresh.shrink_to_fit();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Lists the records. The record of a delta base comes before those of the deltas on it.
    pub(crate) fn records(&self) -> Vec<TreeRecord> {
        let (mut at, mut fresh) = (0, 0);
        let record = |(record, &tree): (u32, &ObjectNo)| {
            let distance = read(&self.runs, &mut at);
            let fresh_len = read(&self.runs, &mut at);
            let runs_len = read(&self.runs, &mut at);
            let this = TreeRecord {
                tree,
                base: (distance > 0).then(|| record - distance),
                fresh,
                fresh_len,
                runs: at as u32,
                runs_len,
            };
            fresh += fresh_len;
            (0..3 * runs_len).for_each(|_| {
                read(&self.runs, &mut at);
            });
            this
        };
        (0..).zip(&self.trees).map(record).collect()
    }

    /// Returns the fresh entries of a tree.
    #[inline]
    pub(crate) fn fresh(&self, record: &TreeRecord) -> &[FreshEntry] {
        let start = record.fresh as usize;
        &self.fresh[start..start + record.fresh_len as usize]
    }

    /// Lists the runs of a tree.
    pub(crate) fn runs(&self, record: &TreeRecord) -> impl Iterator<Item = TreeRun> {
        let (mut at, mut end) = (record.runs as usize, 0_u32);
        (0..record.runs_len).map(move |_| {
            let first = end.wrapping_add(unzigzag(read(&self.runs, &mut at)) as u32);
            let copied = read(&self.runs, &mut at);
            let fresh = read(&self.runs, &mut at);
            end = first.wrapping_add(copied);
            TreeRun { first, copied, fresh }
        })
    }

    /// Returns the bytes of a name.
    pub(crate) fn name(&self, name: NameNo) -> &[u8] {
        &self.names.list[name.0.get() as usize - 1]
    }
}

/// The names of subtrees, each once.
#[derive(Debug, Default)]
struct Names {
    list: Vec<Box<[u8]>>,
    numbers: HashMap<Box<[u8]>, NameNo>,
    /// The last name found in each slot, to avoid most lookups in the map.
    recent: Vec<Option<NameNo>>,
}

/// The number of slots for recent names, as a power of two.
const RECENT_BITS: u32 = 10;

impl Names {
    #[inline]
    fn number(&mut self, name: &[u8]) -> NameNo {
        if self.recent.is_empty() {
            self.recent.resize(1 << RECENT_BITS, None);
        }
        let mut first = [0; 8];
        let len = name.len().min(8);
        first[..len].copy_from_slice(&name[..len]);
        let key = u64::from_le_bytes(first) ^ (name.len() as u64) << 56;
        let key = key ^ u64::from(name.last().copied().unwrap_or_default()) << 48;
        let slot = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECENT_BITS)) as usize;
        if let Some(number) = self.recent[slot]
            && *self.list[number.0.get() as usize - 1] == *name
        {
            return number;
        }
        let number = self.look_up(name);
        self.recent[slot] = Some(number);
        number
    }

    fn look_up(&mut self, name: &[u8]) -> NameNo {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        self.list.push(name.into());
        let number = NameNo(NonZeroU32::MIN.saturating_add(self.list.len() as u32 - 1));
        self.numbers.insert(name.into(), number);
        number
    }
}

/// Appends a number, 7 bits a byte, the lowest first.
#[inline]
fn write(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number that [`write()`] has written.
#[inline]
fn read(bytes: &[u8], at: &mut usize) -> u32 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
        shift += 7;
    }
}

/// Maps numbers near zero to small numbers.
fn zigzag(number: i32) -> u32 {
    (number << 1 ^ number >> 31) as u32
}

fn unzigzag(number: u32) -> i32 {
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8], kind: EntryKind) -> TreeEntry<'_> {
        TreeEntry { start: 0, kind, name, id: &[], end: 0 }
    }

    #[test]
    fn runs_and_fresh_entries_of_trees_are_read_as_they_were_written() {
        let (mut records, mut open) = (TreeRecords::default(), OpenRecord::default());
        let no = ObjectNo::new;
        let slot = records.add_fresh(&mut open, &entry(b"src", EntryKind::Tree));
        records.add_fresh(&mut open, &entry(b"key", EntryKind::Blob));
        records.set_child(slot, no(7));
        let base = records.close(no(1), None, &mut open, Parsed::Whole);
        // Copies that continue each other are one run; copies may go back.
        open.copied(Copied { first: 200, len: 100 });
        open.copied(Copied { first: 300, len: 1 });
        records.add_fresh(&mut open, &entry(b"src", EntryKind::Tree));
        open.copied(Copied { first: 0, len: 3 });
        records.close(no(2), Some(base), &mut open, Parsed::Whole);
        records.add_fresh(&mut open, &entry(b"lib", EntryKind::Tree));
        records.close(no(3), None, &mut open, Parsed::Broken);
        records.add_fresh(&mut open, &entry(b"lib", EntryKind::Tree));
        records.close(no(4), None, &mut open, Parsed::Whole);
        records.finish();

        let all = records.records();
        let runs = |at: usize| records.runs(&all[at]).collect::<Vec<_>>();
        assert_eq!(all.iter().map(|it| it.base).collect::<Vec<_>>(), [None, Some(0), None, None]);
        assert_eq!(runs(0), [TreeRun { first: 0, copied: 0, fresh: 2 }]);
        let (there, back) = (
            TreeRun { first: 200, copied: 101, fresh: 1 },
            TreeRun { first: 0, copied: 3, fresh: 0 },
        );
        assert_eq!(runs(1), [there, back]);
        assert_eq!((runs(2), runs(3).len()), (vec![], 1));
        let [src, key] = records.fresh(&all[0]) else { panic!("two entries") };
        assert_eq!((src.child, key.child, key.name), (Some(no(7)), None, None));
        assert_eq!(records.fresh(&all[1])[0].name, src.name);
        assert_eq!(records.name(records.fresh(&all[3])[0].name.unwrap()), b"lib");
    }
}
