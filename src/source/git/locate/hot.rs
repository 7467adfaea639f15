//! The trees below which a token stands, and the entries that lead to it.

use super::super::catalog::NONE;
use super::super::objects::Objects;
use super::super::trees::{self, Copied, Entries, EntryKind, Starts, TreeEntry};
use super::{ByObject, ByTree, Locator};
use ddpatrol_pack::{
    Families, Fault, Kind, Kinds, Object, ObjectId, PackError, Piece, Reader, Visitor, WalkOptions,
};
use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::ops::Range;

/// A set of objects, by number.
#[derive(Clone, Debug)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    #[inline]
    pub(super) fn has(&self, number: u32) -> bool {
        self.0[number as usize >> 6] >> (number & 63) & 1 == 1
    }

    /// Adds a number; tells whether it is new.
    #[inline]
    fn add(&mut self, number: u32) -> bool {
        let is_new = !self.has(number);
        self.0[number as usize >> 6] |= 1 << (number & 63);
        is_new
    }
}

/// Marks objects and every tree that may hold one of them, at any depth.
///
/// The links know of a tree only the entries that its delta base does not have, so a tree is marked
/// with its base: too many are marked, never too few.
pub(super) fn marked(objects: &Objects, seeds: impl Iterator<Item = u32>) -> Marks {
    let mut marks = Marks::new(objects.catalog.len());
    seeds.for_each(|seed| {
        marks.add(seed);
    });
    for &(child, parent) in objects.links.blobs.iter().flatten() {
        if marks.has(child) {
            marks.add(parent);
        }
    }
    let mut grows = true;
    while grows {
        grows = false;
        for &(child, parent) in objects.links.subtrees.iter().flatten() {
            if marks.has(child) {
                grows |= marks.add(parent);
            }
        }
        for (families, first) in &objects.packs {
            for (position, base) in families.deltas(Kind::Tree) {
                if marks.has(first + base) {
                    grows |= marks.add(first + position);
                }
            }
        }
    }
    marks
}

/// What an entry that leads to a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Child {
    /// A tree below which a token stands.
    Tree(u32),
    /// A blob that holds tokens.
    Blob(u32),
    /// The name itself, which holds this token at this offset.
    Name { token: u32, offset: u32 },
}

/// An entry that leads to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HotEntry {
    pub(super) name: u32,
    pub(super) child: Child,
}

/// All trees below which tokens stand.
#[derive(Debug, Default)]
pub(super) struct Hot {
    trees: HashMap<u32, Range<usize>>,
    entries: Vec<HotEntry>,
    names: Vec<Vec<u8>>,
}

impl Hot {
    /// Finds them.
    pub(super) fn find(locator: &Locator<'_>, blobs: &ByObject, trees: &ByTree) -> Self {
        let objects = locator.objects;
        let marks = marked(objects, blobs.keys().chain(trees.keys()).copied());
        let shared =
            Shared { locator, marks: &marks, blobs, trees, bloom: Bloom::new(locator, blobs) };
        let mut parts = Vec::new();
        for (families, first) in &objects.packs {
            parts.append(&mut shared.walk(families, *first));
        }
        parts.push(shared.read_loose());
        let mut hot = Self::default();
        let mut names: HashMap<Vec<u8>, u32> = HashMap::new();
        for part in parts {
            let numbers: Vec<u32> = part
                .names
                .into_iter()
                .map(|name| {
                    let next = names.len() as u32;
                    *names.entry(name).or_insert(next)
                })
                .collect();
            for (tree, range) in part.trees {
                let start = hot.entries.len();
                let entries = part.entries[range].iter();
                hot.entries
                    .extend(entries.map(|it| HotEntry { name: numbers[it.name as usize], ..*it }));
                hot.trees.insert(tree, start..hot.entries.len());
            }
        }
        hot.names = vec![Vec::new(); names.len()];
        names.into_iter().for_each(|(name, at)| hot.names[at as usize] = name);
        hot.prune(objects.catalog.len());
        hot
    }

    /// Keeps only what really leads to a token.
    fn prune(&mut self, len: usize) {
        let mut marks = Marks::new(len);
        let mut grows = true;
        while grows {
            grows = false;
            for (&tree, range) in &self.trees {
                let leads = |entry: &HotEntry| match entry.child {
                    Child::Tree(child) => marks.has(child),
                    Child::Blob(_) | Child::Name { .. } => true,
                };
                if !marks.has(tree) && self.entries[range.clone()].iter().any(leads) {
                    grows |= marks.add(tree);
                }
            }
        }
        let mut entries = Vec::new();
        let mut trees = HashMap::new();
        for (&tree, range) in self.trees.iter().filter(|(tree, _)| marks.has(**tree)) {
            let start = entries.len();
            let leads = |entry: &&HotEntry| match entry.child {
                Child::Tree(child) => marks.has(child),
                Child::Blob(_) | Child::Name { .. } => true,
            };
            entries.extend(self.entries[range.clone()].iter().filter(leads));
            entries[start..].sort_unstable();
            trees.insert(tree, start..entries.len());
        }
        (self.entries, self.trees) = (entries, trees);
    }

    /// The entries of a tree that lead to a token, by name.
    pub(super) fn entries(&self, tree: u32) -> &[HotEntry] {
        self.trees.get(&tree).map_or(&[], |range| &self.entries[range.clone()])
    }

    pub(super) fn has(&self, tree: u32) -> bool {
        self.trees.contains_key(&tree)
    }

    pub(super) fn name(&self, name: u32) -> &[u8] {
        &self.names[name as usize]
    }

    /// Tells of objects whether none of the root trees `roots` leads to them.
    pub(super) fn lone(&self, roots: &[u32]) -> impl Fn(u32) -> bool {
        let mut reached = HashSet::new();
        let mut open: Vec<u32> = roots.iter().copied().filter(|&it| it != NONE).collect();
        while let Some(tree) = open.pop() {
            if !self.has(tree) || !reached.insert(tree) {
                continue;
            }
            for entry in self.entries(tree) {
                match entry.child {
                    Child::Tree(child) => open.push(child),
                    Child::Blob(blob) => {
                        reached.insert(blob);
                    }
                    Child::Name { .. } => {}
                }
            }
        }
        move |number| !reached.contains(&number)
    }
}

/// Tells quickly of most blobs that they hold nothing.
struct Bloom(Vec<u64>);

const BLOOM_BITS: u32 = 20;

impl Bloom {
    fn new(locator: &Locator<'_>, blobs: &ByObject) -> Self {
        let mut bits = vec![0; 1 << (BLOOM_BITS - 6)];
        for id in blobs.keys().filter_map(|&number| locator.objects.catalog.id(number)) {
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
    locator: &'a Locator<'a>,
    marks: &'a Marks,
    blobs: &'a ByObject,
    trees: &'a ByTree,
    bloom: Bloom,
}

impl Shared<'_> {
    fn part(&self, first: u32) -> TreeVisitor<'_> {
        TreeVisitor { shared: self, first, part: Part::default(), failed: Vec::new() }
    }

    fn walk(&self, families: &Families, first: u32) -> Vec<Part> {
        let is_cold = |position: u32| !self.marks.has(first + position);
        let options = WalkOptions {
            kinds: Kinds::of(&[Kind::Tree]),
            threads: self.locator.means.threads,
            budget: self.locator.means.budget,
            skip: Some(&is_cold),
        };
        let visitors = families.walk(&options, &|| self.part(first));
        let mut again = self.part(first);
        let mut reader = Reader::default();
        for id in visitors.iter().flat_map(|visitor| &visitor.failed) {
            // Another copy may be whole, as it was for those who looked for tokens.
            let number = self.locator.objects.catalog.find(id.as_bytes());
            if let (Some(number), Ok((Kind::Tree, bytes))) =
                (number, self.locator.store.read(id, &mut reader))
            {
                again.tree(number, (&bytes, &[]), None, id.as_bytes().len());
            }
        }
        visitors.into_iter().chain([again]).map(|visitor| visitor.part).collect()
    }

    fn read_loose(&self) -> Part {
        let mut visitor = self.part(0);
        let mut reader = Reader::default();
        for &(number, id) in &self.locator.objects.loose {
            if !self.marks.has(number) {
                continue;
            }
            if let Ok((Kind::Tree, bytes)) = self.locator.store.read(&id, &mut reader) {
                visitor.tree(number, (&bytes, &[]), None, id.as_bytes().len());
            }
        }
        visitor.part
    }
}

/// What one worker found.
#[derive(Default)]
struct Part {
    trees: Vec<(u32, Range<usize>)>,
    entries: Vec<HotEntry>,
    names: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Part {
    fn name(&mut self, name: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_vec());
        self.numbers.insert(name.to_vec(), number);
        number
    }
}

struct TreeVisitor<'a> {
    shared: &'a Shared<'a>,
    first: u32,
    part: Part,
    /// Trees that cannot be read from the pack.
    failed: Vec<ObjectId>,
}

/// What is remembered of a tree while its deltas are looked at.
struct Kept {
    starts: Starts,
    /// The entries that may lead to a token, each with where it begins.
    hot: Vec<(u32, HotEntry)>,
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
        // The names of a tree that holds tokens in them are looked at one by one.
        let base = base.filter(|_| !self.shared.trees.contains_key(&number));
        let mut hot: Vec<(u32, HotEntry)> = Vec::new();
        let known = (pieces, base.map(|base| &base.starts));
        let starts =
            trees::walk(&mut trees::Tree::Whole(bytes), known, id_len, |entries| match entries {
                Entries::Fresh(entry) => self.entry(number, &entry, &mut hot),
                Entries::Copied(Copied { from, to, at }) => {
                    let there = base.map_or(&[][..], |base| &base.hot);
                    let first = there.partition_point(|(start, _)| *start < from);
                    let copied = there[first..].iter().take_while(|(start, _)| *start < to);
                    // A name that holds a token is its own tree's.
                    let copied = copied.filter(|(_, it)| !matches!(it.child, Child::Name { .. }));
                    hot.extend(copied.map(|(start, it)| (start - from + at, *it)));
                }
            })?;
        if !hot.is_empty() {
            let start = self.part.entries.len();
            self.part.entries.extend(hot.iter().map(|(_, entry)| *entry));
            self.part.trees.push((number, start..self.part.entries.len()));
        }
        Some(Kept { starts, hot })
    }

    /// Adds an entry if it may lead to a token.
    fn entry(&mut self, tree: u32, entry: &TreeEntry<'_>, hot: &mut Vec<(u32, HotEntry)>) {
        let catalog = &self.shared.locator.objects.catalog;
        let child = match entry.kind {
            EntryKind::Tree => catalog
                .find(entry.id)
                .filter(|&child| self.shared.marks.has(child))
                .map(Child::Tree),
            EntryKind::Blob if self.shared.bloom.may_have(entry.id) => catalog
                .find(entry.id)
                .filter(|child| self.shared.blobs.contains_key(child))
                .map(Child::Blob),
            EntryKind::Blob | EntryKind::Submodule => None,
        };
        let start = entry.start as u32;
        if let Some(child) = child {
            let name = self.part.name(entry.name);
            hot.push((start, HotEntry { name, child }));
        }
        let Some(held) = self.shared.trees.get(&tree) else { return };
        let own = entry.start as u64..entry.end as u64;
        let first = held.partition_point(|(offset, _)| *offset < own.start);
        for &(offset, token) in held[first..].iter().take_while(|(offset, _)| *offset < own.end) {
            let name = self.part.name(entry.name);
            let offset = (offset - entry.name_start() as u64) as u32;
            hot.push((start, HotEntry { name, child: Child::Name { token, offset } }));
        }
    }
}

impl Visitor for TreeVisitor<'_> {
    type Kept = Option<Kept>;

    fn visit(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&Option<Kept>>,
    ) -> Result<Option<Kept>, Fault> {
        let number = self.first + object.position();
        let id_len = object.id().as_bytes().len();
        let whole = object.whole_with_pieces()?;
        Ok(self.tree(number, whole, base.and_then(Option::as_ref), id_len))
    }

    fn stream(&mut self, _: ObjectId, _: u64, _: &mut dyn Read) -> io::Result<()> {
        Ok(())
    }

    fn failed(&mut self, error: PackError) {
        // The first walk has told of it.
        self.failed.extend(error.id);
    }

    fn is_stopped(&self) -> bool {
        self.shared.locator.run.is_interrupted()
    }
}
