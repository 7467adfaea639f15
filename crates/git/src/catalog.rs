//! Gives every object of a store a number, and finds objects by id.

use ddpatrol_pack::{ObjectId, Pack};
use std::collections::HashMap;
use std::sync::Arc;

/// No object.
pub(super) const NONE: u32 = u32::MAX;
/// How many bits of an id the finer tables of large packs go by, at the most.
const MOST_BITS: u32 = 22;

/// The objects of a store.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    packs: Vec<Part>,
    loose: HashMap<ObjectId, u32>,
    loose_ids: Vec<(u32, ObjectId)>,
    len: u32,
}

/// One pack: its objects have the numbers from `first` on, in the order of its index.
#[derive(Debug)]
struct Part {
    pack: Arc<Pack>,
    first: u32,
    /// For every beginning of an id the position of the first that is not smaller.
    table: Vec<u32>,
    bits: u32,
}

impl Part {
    fn new(pack: Arc<Pack>, first: u32) -> Self {
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
    fn find(&self, id: &[u8]) -> Option<u32> {
        let slot = slot(id, self.bits);
        let position =
            self.pack.index().find_between(id, self.table[slot], self.table[slot + 1])?;
        Some(self.first + position)
    }

    /// Finds those that are not found yet. Each step touches memory for all of them, and none of what
    /// it reads decides what the next one reads: so the processor need not wait for one by one.
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
            lookup.found = position.map(|position| self.first + position);
        }
    }
}

#[inline]
fn slot(id: &[u8], bits: u32) -> usize {
    let first = u32::from_be_bytes([id[0], id[1], id[2], id[3]]);
    (u64::from(first) >> (32 - bits)) as usize
}

impl Catalog {
    /// Adds a pack and returns the number of its first object.
    pub(super) fn add_pack(&mut self, pack: Arc<Pack>) -> u32 {
        let first = self.len;
        self.len += pack.index().len();
        self.packs.push(Part::new(pack, first));
        first
    }

    /// Adds a loose object; `None` if it is there already.
    pub(super) fn add_loose(&mut self, id: ObjectId) -> Option<u32> {
        if self.find(id.as_bytes()).is_some() {
            return None;
        }
        let number = self.len;
        self.len += 1;
        self.loose.insert(id, number);
        self.loose_ids.push((number, id));
        Some(number)
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Finds the number of an object: that in the first pack that has it.
    #[inline]
    pub(super) fn find(&self, id: &[u8]) -> Option<u32> {
        if let Some(number) = self.packs.iter().find_map(|part| part.find(id)) {
            return Some(number);
        }
        self.find_loose(id)
    }

    /// Finds the numbers of many objects. Where the tables are larger than the processor's caches, a
    /// look-up alone mostly waits for memory; many at a time wait together.
    pub(super) fn find_all<'a>(
        &'a self,
        ids: impl Iterator<Item = &'a [u8]> + Clone,
        lookups: &'a mut Vec<Lookup>,
    ) -> impl Iterator<Item = Option<u32>> {
        lookups.clear();
        lookups.extend(ids.clone().map(|_| Lookup::default()));
        for part in &self.packs {
            part.find_all(ids.clone(), lookups);
        }
        ids.zip(lookups).map(|(id, lookup)| lookup.found.or_else(|| self.find_loose(id)))
    }

    fn find_loose(&self, id: &[u8]) -> Option<u32> {
        if self.loose.is_empty() {
            return None;
        }
        self.loose.get(&ObjectId::from_bytes(id).ok()?).copied()
    }

    /// Tells whether an object of the pack with that first number lies in an earlier pack too.
    pub(super) fn is_earlier(&self, first: u32, id: &ObjectId) -> bool {
        let earlier = self.packs.iter().take_while(|part| part.first < first);
        earlier.into_iter().any(|part| part.find(id.as_bytes()).is_some())
    }

    /// Returns the id of an object.
    pub(super) fn id(&self, number: u32) -> Option<ObjectId> {
        let after = self.packs.partition_point(|part| part.first <= number);
        // Loose objects may have been added between packs.
        if let Some(part) = after.checked_sub(1).map(|at| &self.packs[at])
            && number - part.first < part.pack.index().len()
        {
            return part.pack.index().id(number - part.first);
        }
        let at = self.loose_ids.binary_search_by_key(&number, |&(number, _)| number).ok()?;
        Some(self.loose_ids[at].1)
    }
}

/// Entries of trees whose objects are to be looked up.
#[derive(Debug)]
pub(super) struct Pending {
    id_len: usize,
    ids: Vec<u8>,
    /// The tree of each, and whether it names a tree.
    from: Vec<(u32, bool)>,
    lookups: Vec<Lookup>,
}

/// How far the look-up of one id has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lookup {
    low: u32,
    high: u32,
    first: Option<u64>,
    found: Option<u32>,
}

/// So many entries are looked up at a time.
const TOGETHER: usize = 256;

impl Pending {
    pub(super) fn new(id_len: usize) -> Self {
        Self { id_len, ids: Vec::new(), from: Vec::new(), lookups: Vec::new() }
    }

    /// Adds an entry of the tree with that number; tells whether there are enough to look them up.
    #[inline]
    pub(super) fn add(&mut self, id: &[u8], tree: u32, is_tree: bool) -> bool {
        debug_assert_eq!(id.len(), self.id_len);
        self.ids.extend_from_slice(id);
        self.from.push((tree, is_tree));
        self.from.len() >= TOGETHER
    }

    /// Looks all up, and calls `on_entry` with the id of each, its tree, whether it names a tree, and
    /// its number, if it is there.
    pub(super) fn resolve(
        &mut self,
        catalog: &Catalog,
        mut on_entry: impl FnMut(&[u8], u32, bool, Option<u32>),
    ) {
        let ids = self.ids.chunks_exact(self.id_len);
        let found = catalog.find_all(ids.clone(), &mut self.lookups);
        for ((id, &(tree, is_tree)), found) in ids.zip(&self.from).zip(found) {
            on_entry(id, tree, is_tree, found);
        }
        self.ids.clear();
        self.from.clear();
    }
}
