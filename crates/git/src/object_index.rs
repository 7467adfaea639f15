//! Numbers the objects of a store, and finds objects by id.
//!
//! Input: packs and ids of loose objects. Output: numbers. No object is read here.

use super::numbers::ObjectNo;
use ddpatrol_pack::{ObjectId, Pack};
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of leading bits of an id that select an entry of a pack's table.
const MOST_BITS: u32 = 22;

/// The objects of a store.
#[derive(Debug, Default)]
pub(super) struct ObjectIndex {
    packs: Vec<Part>,
    loose: HashMap<ObjectId, ObjectNo>,
    loose_ids: Vec<(ObjectNo, ObjectId)>,
    len: u32,
}

/// A pack. Its objects are numbered from `first` on, in the order of its index.
#[derive(Debug)]
struct Part {
    pack: Arc<Pack>,
    first: ObjectNo,
    /// For every value of the leading bits: the position of the first id that is not smaller.
    table: Vec<u32>,
    bits: u32,
}

impl Part {
    fn new(pack: Arc<Pack>, first: ObjectNo) -> Self {
        let index = pack.index();
        let bits = (index.len().max(1).ilog2() + 1).min(MOST_BITS);
        let mut table = Vec::with_capacity((1 << bits) + 1);
        for position in 0..index.len() {
            let Some(id) = index.id(position) else { break };
            let slot = slot(id.as_bytes(), bits);
            while table.len() <= slot {
                table.push(position);
            }
        }
        table.resize((1 << bits) + 1, index.len());
        Self { pack, first, table, bits }
    }

    #[inline]
    fn find(&self, id: &[u8]) -> Option<ObjectNo> {
        let slot = slot(id, self.bits);
        let position =
            self.pack.index().find_between(id, self.table[slot], self.table[slot + 1])?;
        Some(self.first.plus(position))
    }

    /// Looks up the ids that are not found yet. Each step reads memory for all ids, and the reads of a
    /// step do not depend on each other, so cache misses overlap.
    fn find_all<'a>(&self, ids: impl Iterator<Item = &'a [u8]> + Clone, lookups: &mut [Lookup]) {
        let index = self.pack.index();
        for (id, lookup) in ids.clone().zip(&mut *lookups) {
            let slot = slot(id, self.bits);
            (lookup.low, lookup.high) = (self.table[slot], self.table[slot + 1]);
        }
        for lookup in &mut *lookups {
            lookup.first = index.key(lookup.low);
        }
        for (id, lookup) in ids.zip(lookups) {
            if lookup.found.is_some() || lookup.low == lookup.high {
                continue;
            }
            let is_first = lookup.first == id.first_chunk().copied().map(u64::from_be_bytes);
            let position = match is_first && index.is_at(lookup.low, id) {
                true => Some(lookup.low),
                false => index.find_between(id, lookup.low, lookup.high),
            };
            lookup.found = position.map(|position| self.first.plus(position));
        }
    }
}

#[inline]
fn slot(id: &[u8], bits: u32) -> usize {
    let first = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
    (u64::from(first) >> (32 - bits)) as usize
}

impl ObjectIndex {
    /// Adds a pack and returns the number of its first object.
    pub(super) fn add_pack(&mut self, pack: Arc<Pack>) -> ObjectNo {
        let first = ObjectNo::new(self.len);
        self.len += pack.index().len();
        self.packs.push(Part::new(pack, first));
        first
    }

    /// Adds a loose object; `None` if the index has it already.
    pub(super) fn add_loose(&mut self, id: ObjectId) -> Option<ObjectNo> {
        if self.find(id.as_bytes()).is_some() {
            return None;
        }
        let number = ObjectNo::new(self.len);
        self.len += 1;
        self.loose.insert(id, number);
        self.loose_ids.push((number, id));
        Some(number)
    }

    /// Returns the number of objects, counting copies in several packs separately.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Returns the number of an object in the first pack that contains it.
    #[inline]
    pub(super) fn find(&self, id: &[u8]) -> Option<ObjectNo> {
        if let Some(number) = self.packs.iter().find_map(|part| part.find(id)) {
            return Some(number);
        }
        self.find_loose(id)
    }

    /// Returns the numbers of many objects. Lookups are batched to overlap cache misses, since the tables
    /// of large packs exceed the processor's caches.
    pub(super) fn find_all<'a>(
        &'a self,
        ids: impl Iterator<Item = &'a [u8]> + Clone,
        lookups: &'a mut Vec<Lookup>,
    ) -> impl Iterator<Item = Option<ObjectNo>> {
        lookups.clear();
        lookups.extend(ids.clone().map(|_| Lookup::default()));
        for part in &self.packs {
            part.find_all(ids.clone(), lookups);
        }
        ids.zip(lookups).map(|(id, lookup)| lookup.found.or_else(|| self.find_loose(id)))
    }

    fn find_loose(&self, id: &[u8]) -> Option<ObjectNo> {
        if self.loose.is_empty() {
            return None;
        }
        self.loose.get(&ObjectId::from_bytes(id).ok()?).copied()
    }

    /// Returns `true` if an earlier pack than the one at `first` contains the object, too.
    pub(super) fn is_earlier(&self, first: ObjectNo, id: &ObjectId) -> bool {
        let earlier = self.packs.iter().take_while(|part| part.first < first);
        earlier.into_iter().any(|part| part.find(id.as_bytes()).is_some())
    }

    /// Returns the id of an object.
    pub(super) fn id(&self, number: ObjectNo) -> Option<ObjectId> {
        let after = self.packs.partition_point(|part| part.first <= number);
        // Loose objects may have been added between packs.
        if let Some(part) = after.checked_sub(1).map(|at| &self.packs[at])
            && let position = (number.index() - part.first.index()) as u32
            && position < part.pack.index().len()
        {
            return part.pack.index().id(position);
        }
        let at = self.loose_ids.binary_search_by_key(&number, |&(number, _)| number).ok()?;
        Some(self.loose_ids[at].1)
    }
}

/// Entries of trees whose objects will be looked up.
#[derive(Debug)]
pub(super) struct Pending {
    id_len: usize,
    ids: Vec<u8>,
    entries: Vec<PendingEntry>,
    lookups: Vec<Lookup>,
}

/// An entry of a tree whose object is to be looked up.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingEntry {
    /// The number of the tree that has the entry.
    pub(super) tree: ObjectNo,
    /// The index of the entry among the fresh entries of its worker.
    pub(super) slot: usize,
}

/// The state of the lookup of one id.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lookup {
    low: u32,
    high: u32,
    first: Option<u64>,
    found: Option<ObjectNo>,
}

/// The number of entries that are looked up at a time.
const TOGETHER: usize = 256;

impl Pending {
    pub(super) fn new(id_len: usize) -> Self {
        Self { id_len, ids: Vec::new(), entries: Vec::new(), lookups: Vec::new() }
    }

    /// Adds an entry with its id; returns `true` if there are enough to look them up.
    #[inline]
    pub(super) fn add(&mut self, id: &[u8], entry: PendingEntry) -> bool {
        debug_assert_eq!(id.len(), self.id_len);
        self.ids.extend_from_slice(id);
        self.entries.push(entry);
        self.entries.len() >= TOGETHER
    }

    /// Looks up all entries, and calls `on_entry` with the id of each, the entry, and the number of the
    /// object, if it exists.
    pub(super) fn resolve(
        &mut self,
        index: &ObjectIndex,
        mut on_entry: impl FnMut(&[u8], PendingEntry, Option<ObjectNo>),
    ) {
        let ids = self.ids.chunks_exact(self.id_len);
        let found = index.find_all(ids.clone(), &mut self.lookups);
        for ((id, entry), found) in ids.zip(&self.entries).zip(found) {
            on_entry(id, *entry, found);
        }
        self.ids.clear();
        self.entries.clear();
    }
}
