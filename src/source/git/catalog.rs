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

/// Remembers the objects that one worker found last: neighbouring versions of a folder name the
/// same things.
#[derive(Debug, Default)]
pub(super) struct Cache(Vec<(ObjectId, u32)>);

const CACHE_LEN: usize = 4096;

impl Cache {
    #[inline]
    pub(super) fn find(&mut self, catalog: &Catalog, id: &[u8]) -> Option<u32> {
        let id = ObjectId::from_bytes(id).ok()?;
        if self.0.is_empty() {
            self.0 = vec![(id, NONE); CACHE_LEN];
        }
        let bytes = id.as_bytes();
        let slot = usize::from(u16::from_le_bytes([bytes[0], bytes[1]])) % CACHE_LEN;
        let entry = &mut self.0[slot];
        if entry.1 != NONE && entry.0 == id {
            return Some(entry.1);
        }
        let number = catalog.find(id.as_bytes())?;
        *entry = (id, number);
        Some(number)
    }
}
