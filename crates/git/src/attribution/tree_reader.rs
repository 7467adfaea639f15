//! Reads the trees that may hold tokens again, and keeps the entries that may lead to one.
//!
//! Input: the objects that hold tokens. Output: [`CandidateTrees`]. Trees that are not marked are skipped.

use super::super::numbers::ObjectNo;
use super::super::trees::{self, Copied, Entries, EntryKind, KnownEntries, Starts, TreeEntry};
use super::attributor::Attributor;
use super::candidate_trees::{Candidate, CandidateTrees, Child, WorkerTrees};
use super::held::{BlobSightings, NameMatch, NameSightings};
use super::marks::{Marks, marked};
use ddpatrol_pack::{
    DeltaForest, Fault, Kind, Kinds, Object, ObjectId, PackError, Piece, Reader, Visitor,
    WalkOptions,
};
use std::io::{self, Read};

/// Finds the trees that lead to `blobs` or are among `trees`.
pub(super) fn find(
    attributor: &Attributor<'_>,
    blobs: &BlobSightings<'_>,
    trees: &NameSightings,
) -> CandidateTrees {
    let objects = attributor.objects;
    let marks = marked(objects, blobs.blobs().chain(trees.keys().copied()));
    let shared =
        Shared { attributor, marks: &marks, blobs, trees, bloom: Bloom::new(attributor, blobs) };
    let mut parts = Vec::new();
    for (forest, first) in &objects.packs {
        parts.append(&mut shared.walk(forest, *first));
    }
    parts.push(shared.read_loose());
    CandidateTrees::new(parts, objects.index.len())
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
    blobs: &'a BlobSightings<'a>,
    trees: &'a NameSightings,
    bloom: Bloom,
}

impl Shared<'_> {
    fn part(&self, first: ObjectNo) -> TreeVisitor<'_> {
        TreeVisitor { shared: self, first, part: WorkerTrees::default(), failed: Vec::new() }
    }

    fn walk(&self, forest: &DeltaForest, first: ObjectNo) -> Vec<WorkerTrees> {
        let is_unmarked = |position: u32| !self.marks.has(first.plus(position));
        let options = WalkOptions {
            kinds: Kinds::of(&[Kind::Tree]),
            pool: self.attributor.resources.workers.pool(),
            budget: self.attributor.resources.budget,
            skip: Some(&is_unmarked),
        };
        let visitors = forest.walk(&options, &|| self.part(first));
        let mut again = self.part(first);
        let mut reader = Reader::default();
        for id in visitors.iter().flat_map(|visitor| &visitor.failed) {
            // Another copy may be intact, as in the first walk.
            let number = self.attributor.objects.index.find(id.as_bytes());
            if let (Some(number), Ok((Kind::Tree, bytes))) =
                (number, self.attributor.store.read(id, &mut reader))
            {
                again.tree(number, TreeBytes::alone(&bytes, *id), None);
            }
        }
        visitors.into_iter().chain([again]).map(|visitor| visitor.part).collect()
    }

    fn read_loose(&self) -> WorkerTrees {
        let mut visitor = self.part(ObjectNo::FIRST);
        let mut reader = Reader::default();
        for &(number, id) in &self.attributor.objects.loose {
            if !self.marks.has(number) {
                continue;
            }
            if let Ok((Kind::Tree, bytes)) = self.attributor.store.read(&id, &mut reader) {
                visitor.tree(number, TreeBytes::alone(&bytes, id), None);
            }
        }
        visitor.part
    }
}

struct TreeVisitor<'a> {
    shared: &'a Shared<'a>,
    first: ObjectNo,
    part: WorkerTrees,
    /// Trees that cannot be read from the pack.
    failed: Vec<ObjectId>,
}

/// The state of a tree that is kept while its deltas are visited.
struct ScannedTree {
    starts: Starts,
    /// The entries that may lead to a token, each with where it begins.
    candidates: Vec<(u32, Candidate)>,
}

/// The bytes of a tree, and how they were assembled from its delta base.
struct TreeBytes<'a> {
    bytes: &'a [u8],
    /// The pieces; empty if there is no delta base.
    pieces: &'a [Piece],
    /// The length of an id in bytes.
    id_len: usize,
}

impl<'a> TreeBytes<'a> {
    /// Takes a tree without its delta base.
    fn alone(bytes: &'a [u8], id: ObjectId) -> Self {
        Self { bytes, pieces: &[], id_len: id.as_bytes().len() }
    }
}

impl TreeVisitor<'_> {
    /// Finds the entries of a tree that may lead to a token. Entries that are copied from the delta base
    /// are candidates if they were candidates there. Returns `None` if the tree is broken.
    fn tree(
        &mut self,
        number: ObjectNo,
        source: TreeBytes<'_>,
        base: Option<&ScannedTree>,
    ) -> Option<ScannedTree> {
        // If names of the tree hold tokens, every entry is visited.
        let base = base.filter(|_| !self.shared.trees.contains_key(&number));
        let mut candidates: Vec<(u32, Candidate)> = Vec::new();
        let TreeBytes { bytes, pieces, id_len } = source;
        let known = KnownEntries { pieces, base: base.map(|base| &base.starts) };
        let starts =
            trees::walk(&mut trees::Tree::Whole(bytes), known, id_len, |entries| match entries {
                Entries::Fresh(entry) => self.entry(number, &entry, &mut candidates),
                Entries::Copied(Copied { from, to, at }) => {
                    let there = base.map_or(&[][..], |base| &base.candidates);
                    let first = there.partition_point(|(start, _)| *start < from);
                    let copied = there[first..].iter().take_while(|(start, _)| *start < to);
                    // Names with tokens are found in each tree itself.
                    let copied = copied.filter(|(_, it)| !matches!(it.child, Child::Name(_)));
                    candidates.extend(copied.map(|(start, it)| (start - from + at, *it)));
                }
            })?;
        if !candidates.is_empty() {
            self.part.add(number, candidates.iter().map(|(_, entry)| *entry));
        }
        Some(ScannedTree { starts, candidates })
    }

    /// Adds an entry if it may lead to a token.
    fn entry(
        &mut self,
        tree: ObjectNo,
        entry: &TreeEntry<'_>,
        candidates: &mut Vec<(u32, Candidate)>,
    ) {
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
        let start = entry.start as u32;
        if let Some(child) = child {
            let name = self.part.name(entry.name);
            candidates.push((start, Candidate { name, child }));
        }
        let Some(held) = self.shared.trees.get(&tree) else { return };
        let own = entry.start as u32..entry.end as u32;
        let first = held.partition_point(|it| it.offset < own.start);
        for found in held[first..].iter().take_while(|it| it.offset < own.end) {
            let name = self.part.name(entry.name);
            let found = NameMatch { offset: found.offset - entry.name_start() as u32, ..*found };
            candidates.push((start, Candidate { name, child: Child::Name(found) }));
        }
    }
}

impl Visitor for TreeVisitor<'_> {
    type BaseData = Option<ScannedTree>;

    fn visit(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&Option<ScannedTree>>,
    ) -> Result<Option<ScannedTree>, Fault> {
        let number = self.first.plus(object.position());
        let id_len = object.id().as_bytes().len();
        let (bytes, pieces) = object.assemble_with_pieces()?;
        let source = TreeBytes { bytes, pieces, id_len };
        Ok(self.tree(number, source, base.and_then(Option::as_ref)))
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
