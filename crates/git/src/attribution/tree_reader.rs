//! Reads the trees that may hold tokens again, and keeps the entries that may lead to one.
//!
//! Input: the objects that hold tokens. Output: [`CandidateTrees`]. Trees that are not marked are skipped.

use super::super::trees::{self, Copied, Entries, EntryKind, Starts, TreeEntry};
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
    CandidateTrees::new(parts, objects.catalog.len())
}

/// A filter that excludes most blobs without tokens at the cost of one memory access.
struct Bloom(Vec<u64>);

const BLOOM_BITS: u32 = 20;

impl Bloom {
    fn new(attributor: &Attributor<'_>, blobs: &BlobSightings<'_>) -> Self {
        let mut bits = vec![0; 1 << (BLOOM_BITS - 6)];
        for id in blobs.blobs().filter_map(|number| attributor.objects.catalog.id(number)) {
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
    fn part(&self, first: u32) -> TreeVisitor<'_> {
        TreeVisitor { shared: self, first, part: WorkerTrees::default(), failed: Vec::new() }
    }

    fn walk(&self, forest: &DeltaForest, first: u32) -> Vec<WorkerTrees> {
        let is_unmarked = |position: u32| !self.marks.has(first + position);
        let options = WalkOptions {
            kinds: Kinds::of(&[Kind::Tree]),
            pool: self.attributor.means.workers.pool(),
            budget: self.attributor.means.budget,
            skip: Some(&is_unmarked),
        };
        let visitors = forest.walk(&options, &|| self.part(first));
        let mut again = self.part(first);
        let mut reader = Reader::default();
        for id in visitors.iter().flat_map(|visitor| &visitor.failed) {
            // Another copy may be intact, as in the first walk.
            let number = self.attributor.objects.catalog.find(id.as_bytes());
            if let (Some(number), Ok((Kind::Tree, bytes))) =
                (number, self.attributor.store.read(id, &mut reader))
            {
                again.tree(number, (&bytes, &[]), None, id.as_bytes().len());
            }
        }
        visitors.into_iter().chain([again]).map(|visitor| visitor.part).collect()
    }

    fn read_loose(&self) -> WorkerTrees {
        let mut visitor = self.part(0);
        let mut reader = Reader::default();
        for &(number, id) in &self.attributor.objects.loose {
            if !self.marks.has(number) {
                continue;
            }
            if let Ok((Kind::Tree, bytes)) = self.attributor.store.read(&id, &mut reader) {
                visitor.tree(number, (&bytes, &[]), None, id.as_bytes().len());
            }
        }
        visitor.part
    }
}

struct TreeVisitor<'a> {
    shared: &'a Shared<'a>,
    first: u32,
    part: WorkerTrees,
    /// Trees that cannot be read from the pack.
    failed: Vec<ObjectId>,
}

/// The state of a tree that is kept while its deltas are visited.
struct Kept {
    starts: Starts,
    /// The entries that may lead to a token, each with where it begins.
    candidates: Vec<(u32, Candidate)>,
}

impl TreeVisitor<'_> {
    /// Finds the entries of a tree that may lead to a token: among those that it has from its delta
    /// base, those that did there; `None` if the tree is broken.
    fn tree(
        &mut self,
        number: u32,
        (bytes, pieces): (&[u8], &[Piece]),
        base: Option<&Kept>,
        id_len: usize,
    ) -> Option<Kept> {
        // If names of the tree hold tokens, every entry is visited.
        let base = base.filter(|_| !self.shared.trees.contains_key(&number));
        let mut candidates: Vec<(u32, Candidate)> = Vec::new();
        let known = (pieces, base.map(|base| &base.starts));
        let starts =
            trees::walk(&mut trees::Tree::Whole(bytes), known, id_len, |entries| match entries {
                Entries::Fresh(entry) => self.entry(number, &entry, &mut candidates),
                Entries::Copied(Copied { from, to, at }) => {
                    let there = base.map_or(&[][..], |base| &base.candidates);
                    let first = there.partition_point(|(start, _)| *start < from);
                    let copied = there[first..].iter().take_while(|(start, _)| *start < to);
                    // A name that holds a token is its own tree's.
                    let copied = copied.filter(|(_, it)| !matches!(it.child, Child::Name(_)));
                    candidates.extend(copied.map(|(start, it)| (start - from + at, *it)));
                }
            })?;
        if !candidates.is_empty() {
            self.part.add(number, candidates.iter().map(|(_, entry)| *entry));
        }
        Some(Kept { starts, candidates })
    }

    /// Adds an entry if it may lead to a token.
    fn entry(&mut self, tree: u32, entry: &TreeEntry<'_>, candidates: &mut Vec<(u32, Candidate)>) {
        let catalog = &self.shared.attributor.objects.catalog;
        let child = match entry.kind {
            EntryKind::Tree => catalog
                .find(entry.id)
                .filter(|&child| self.shared.marks.has(child))
                .map(Child::Tree),
            EntryKind::Blob if self.shared.bloom.may_have(entry.id) => catalog
                .find(entry.id)
                .filter(|child| self.shared.blobs.has(*child))
                .map(Child::Blob),
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
    type BaseData = Option<Kept>;

    fn visit(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&Option<Kept>>,
    ) -> Result<Option<Kept>, Fault> {
        let number = self.first + object.position();
        let id_len = object.id().as_bytes().len();
        let whole = object.assemble_with_pieces()?;
        Ok(self.tree(number, whole, base.and_then(Option::as_ref), id_len))
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
