//! Finds the entries of trees that may lead to a token.
//!
//! Input: the objects that hold tokens, and the records of all trees. Output: [`CandidateTrees`]. Only trees
//! that have such a blob and their delta base does not, and trees with tokens in names, are read again: the
//! records do not contain these names. The entries of all other trees follow from the records.

use super::super::numbers::ObjectNo;
use super::super::trees::{self, Entries, EntryKind, KnownEntries, TreeEntry};
use super::attributor::Attributor;
use super::candidate_trees::{Candidate, CandidateTrees, Child, TreesBuilder};
use super::held::{BlobSightings, NameMatch, NameSightings};
use super::marks::{Marks, TreeTable};
use ddpatrol_pack::{
    DeltaForest, Fault, Kind, Kinds, Object, ObjectId, PackError, Reader, Visitor, WalkOptions,
};
use std::collections::HashMap;
use std::io::{self, Read};

/// If a pack has at least this number of objects for each tree to read, reading these trees one by one is
/// faster than planning a walk.
const OBJECTS_PER_READ: usize = 20_000;

/// Finds the trees that lead to `blobs` or are among `trees`.
pub(super) fn find(
    attributor: &Attributor<'_>,
    blobs: &BlobSightings<'_>,
    trees: &NameSightings,
) -> CandidateTrees {
    let objects = attributor.objects;
    let len = objects.index.len();
    let table = TreeTable::new(objects);
    let marks = table.marked(len, blobs.blobs().chain(trees.keys().copied()));
    let wanted = wanted(&table, len, blobs, trees);
    let shared = Shared {
        attributor,
        marks: &marks,
        wanted: &wanted,
        blobs,
        trees,
        bloom: Bloom::new(attributor, blobs),
    };
    let mut read = ReadTrees::new();
    for (forest, first) in &objects.packs {
        read.extend(shared.walk(forest, *first));
    }
    read.extend(shared.read_loose());
    CandidateTrees::new(derive(&table, &marks, &read), len)
}

/// Marks the trees to read: those among `trees`, and those with a fresh entry among `blobs`.
fn wanted(
    table: &TreeTable<'_>,
    len: usize,
    blobs: &BlobSightings<'_>,
    trees: &NameSightings,
) -> Marks {
    let mut is_blob = Marks::new(len);
    let mut wanted = Marks::new(len);
    blobs.blobs().for_each(|blob| {
        is_blob.add(blob);
    });
    trees.keys().for_each(|&tree| {
        wanted.add(tree);
    });
    for (records, list) in &table.0 {
        for record in list {
            let mut children = records.fresh(record).iter().filter_map(|entry| entry.child);
            if children.any(|child| is_blob.has(child)) {
                wanted.add(record.tree);
            }
        }
    }
    wanted
}

/// The entries that may lead to a token of each tree that was read.
type ReadTrees = HashMap<ObjectNo, Vec<ReadEntry>>;

/// An entry of a tree that was read.
struct ReadEntry {
    /// Its index in the tree.
    at: u32,
    name: Vec<u8>,
    child: Child,
}

/// Collects the entries of all marked trees: of the trees that were read, and of all others from their
/// records.
fn derive(table: &TreeTable<'_>, marks: &Marks, read: &ReadTrees) -> TreesBuilder {
    let mut builder = TreesBuilder::default();
    for (records, list) in &table.0 {
        // For each record: its candidates, each with its index in the tree.
        let mut found: Vec<(u32, Candidate)> = Vec::new();
        let mut ranges = vec![0..0; list.len()];
        for (record, number) in list.iter().zip(0..).filter(|(it, _)| marks.has(it.tree)) {
            let start = found.len();
            if let Some(entries) = read.get(&record.tree) {
                found.extend(entries.iter().map(|ReadEntry { at, name, child }| {
                    (*at, Candidate { name: builder.name(name), child: *child })
                }));
            } else {
                let base = record.base.map_or(0..0, |base| ranges[base as usize].clone());
                let (mut at, mut fresh) = (0, records.fresh(record).iter());
                for run in records.runs(record) {
                    let first = base.start
                        + found[base.clone()].partition_point(|(index, _)| *index < run.first);
                    for copied in first..base.end {
                        let (index, candidate) = found[copied];
                        if index >= run.first + run.copied {
                            break;
                        }
                        // Names with tokens are found in each tree itself.
                        if candidate.child.in_name().is_none() {
                            found.push((index - run.first + at, candidate));
                        }
                    }
                    at += run.copied;
                    for entry in fresh.by_ref().take(run.fresh as usize) {
                        if let (Some(child), Some(name)) = (entry.child, entry.name)
                            && marks.has(child)
                        {
                            let name = builder.name(records.name(name));
                            found.push((at, Candidate { name, child: Child::Tree(child) }));
                        }
                        at += 1;
                    }
                }
            }
            builder.add(record.tree, found[start..].iter().map(|(_, entry)| *entry));
            ranges[number] = start..found.len();
        }
    }
    builder
}

/// A filter that excludes most blobs without tokens at the cost of one memory access.
struct Bloom(Vec<u64>);

const BLOOM_BITS: u32 = 20;

impl Bloom {
    fn new(attributor: &Attributor<'_>, blobs: &BlobSightings<'_>) -> Self {
        let mut bits = vec![0; 1 << (BLOOM_BITS - 6)];
        for id in blobs.blobs().filter_map(|number| attributor.objects.index.id(number)) {
            let at = Self::slot(id.as_bytes());
            bits[at >> 6] |= 1 << (at & 63);
        }
        Self(bits)
    }

    #[inline]
    fn slot(id: &[u8]) -> usize {
        (u32::from_be_bytes([id[0], id[1], id[2], id[3]]) >> (32 - BLOOM_BITS)) as usize
    }

    #[inline]
    fn may_have(&self, id: &[u8]) -> bool {
        let at = Self::slot(id);
        self.0[at >> 6] >> (at & 63) & 1 == 1
    }
}

struct Shared<'a> {
    attributor: &'a Attributor<'a>,
    marks: &'a Marks,
    /// The trees to read.
    wanted: &'a Marks,
    blobs: &'a BlobSightings<'a>,
    trees: &'a NameSightings,
    bloom: Bloom,
}

impl Shared<'_> {
    fn visitor(&self, first: ObjectNo) -> TreeVisitor<'_> {
        TreeVisitor { shared: self, first, read: ReadTrees::new(), failed: Vec::new() }
    }

    fn walk(&self, forest: &DeltaForest, first: ObjectNo) -> ReadTrees {
        let len = forest.pack().index().len();
        let wanted = || (0..len).map(|at| first.plus(at)).filter(|it| self.wanted.has(*it));
        let few = len as usize / OBJECTS_PER_READ;
        if wanted().nth(few).is_none() {
            return self.read_each(wanted());
        }
        let is_unwanted = |position: u32| !self.wanted.has(first.plus(position));
        let options = WalkOptions {
            kinds: Kinds::of(&[Kind::Tree]),
            pool: self.attributor.resources.workers.pool(),
            budget: self.attributor.resources.budget,
            skip: Some(&is_unwanted),
        };
        let visitors = forest.walk(&options, &|| self.visitor(first));
        let mut again = self.visitor(first);
        let mut reader = Reader::default();
        for id in visitors.iter().flat_map(|visitor| &visitor.failed) {
            // Another copy may be intact, as in the first walk.
            let number = self.attributor.objects.index.find(id.as_bytes());
            if let (Some(number), Ok((Kind::Tree, bytes))) =
                (number, self.attributor.store.read(id, &mut reader))
            {
                again.tree(number, &bytes, id.as_bytes().len());
            }
        }
        visitors.into_iter().chain([again]).flat_map(|visitor| visitor.read).collect()
    }

    fn read_loose(&self) -> ReadTrees {
        let loose = self.attributor.objects.loose.iter().map(|&(number, _)| number);
        self.read_each(loose.filter(|number| self.wanted.has(*number)))
    }

    fn read_each(&self, trees: impl Iterator<Item = ObjectNo>) -> ReadTrees {
        let mut visitor = self.visitor(ObjectNo::FIRST);
        let mut reader = Reader::default();
        for tree in trees {
            if let Some(id) = self.attributor.objects.index.id(tree)
                && let Ok((Kind::Tree, bytes)) = self.attributor.store.read(&id, &mut reader)
            {
                visitor.tree(tree, &bytes, id.as_bytes().len());
            }
        }
        visitor.read
    }
}

struct TreeVisitor<'a> {
    shared: &'a Shared<'a>,
    first: ObjectNo,
    read: ReadTrees,
    /// Trees that cannot be read from the pack.
    failed: Vec<ObjectId>,
}

impl TreeVisitor<'_> {
    /// Finds the entries of a tree that may lead to a token. A broken tree has none.
    fn tree(&mut self, number: ObjectNo, bytes: &[u8], id_len: usize) {
        let (mut found, mut at) = (Vec::new(), 0);
        let tree = &mut trees::Tree::Whole(bytes);
        let whole = trees::walk(tree, KnownEntries::default(), id_len, |entries| {
            if let Entries::Fresh(entry) = entries {
                self.entry(number, &entry, &mut |child| {
                    found.push(ReadEntry { at, name: entry.name.to_vec(), child });
                });
                at += 1;
            }
        });
        if whole.is_none() {
            found.clear();
        }
        self.read.insert(number, found);
    }

    /// Yields the child of an entry if it may lead to a token, and the tokens in its name.
    fn entry(&self, tree: ObjectNo, entry: &TreeEntry<'_>, on_child: &mut dyn FnMut(Child)) {
        let index = &self.shared.attributor.objects.index;
        let child = match entry.kind {
            EntryKind::Tree => {
                index.find(entry.id).filter(|&child| self.shared.marks.has(child)).map(Child::Tree)
            }
            EntryKind::Blob if self.shared.bloom.may_have(entry.id) => {
                index.find(entry.id).filter(|child| self.shared.blobs.has(*child)).map(Child::Blob)
            }
            EntryKind::Blob | EntryKind::Submodule => None,
        };
        child.into_iter().for_each(&mut *on_child);
        let Some(held) = self.shared.trees.get(&tree) else { return };
        let own = entry.start as u32..entry.end as u32;
        let first = held.partition_point(|it| it.offset < own.start);
        for found in held[first..].iter().take_while(|it| it.offset < own.end) {
            let found = NameMatch { offset: found.offset - entry.name_start() as u32, ..*found };
            on_child(Child::Name(found));
        }
    }
}

impl Visitor for TreeVisitor<'_> {
    type BaseData = ();

    fn visit(&mut self, object: &mut Object<'_>, _: Option<&()>) -> Result<(), Fault> {
        let number = self.first.plus(object.position());
        let id_len = object.id().as_bytes().len();
        self.tree(number, object.assemble()?, id_len);
        Ok(())
    }

    fn stream(&mut self, _: ObjectId, _: u64, _: &mut dyn Read) -> io::Result<()> {
        Ok(())
    }

    fn failed(&mut self, error: PackError) {
        // The first walk has reported it.
        self.failed.extend(error.id);
    }

    fn is_stopped(&self) -> bool {
        self.shared.attributor.run.is_interrupted()
    }
}
