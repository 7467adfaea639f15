//! The entries of a pack and the families that their deltas make, in the order in which they are walked.

use crate::entry::EntryKind;
use crate::{Fault, Pack, PackError};
use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::collections::BTreeSet;

/// No entry, no position.
pub(crate) const NONE: u32 = u32::MAX;
/// What marks an entry whose header or base is broken, in place of its kind.
const BROKEN: u8 = 0x10;
/// What marks an entry whose kind is being followed.
const FOLLOWED: u8 = 0x20;
/// How many headers ahead one is fetched.
const AHEAD: usize = 16;
/// How many bytes are mapped at one go.
const POPULATED: u64 = 4 << 20;
/// What an entry costs beside its bytes, in bytes: a call of the inflater and of the visitor.
const OVERHEAD: u64 = 400;

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    /// The index of its base among the entries, or [`NONE`].
    pub(crate) base: u32,
    /// Its position in the index; [`NONE`] for an entry that only others refer to.
    pub(crate) position: u32,
    /// Its length when inflated, as claimed, as far as 32 bits hold it: a weight, no size.
    weight: u32,
    /// 1 to 4, that of its root; 0 while it is not known.
    pub(crate) kind: u8,
}

/// The entries and their families.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) entries: Vec<Entry>,
    /// Where the deltas on each entry begin in `children`, and where the last one's end.
    first: Vec<u32>,
    children: Vec<u32>,
}

/// What one walk visits: the wanted entries, cut into jobs.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    layout: &'a Layout,
    nodes: Vec<Node>,
    pub(crate) jobs: Vec<Job>,
}

/// What a walk needs to know of an entry.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    /// The places of the children that are walked with it: as in the layout, without those that belong
    /// to a job of their own.
    first: u32,
    end: u32,
    is_wanted: bool,
    /// Whether it or one below it is wanted.
    has_wanted: bool,
}

/// A part of a family that one worker walks at a stretch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// The entry to begin at.
    pub(crate) entry: u32,
    /// Its children to be walked, a range of [`Plan::child`].
    pub(crate) children: (u32, u32),
    /// Whether the entry itself is walked, or only needed for its children.
    pub(crate) own: bool,
    /// About how much work it is.
    pub(crate) weight: u64,
}

/// The least weight that is worth a job of its own.
const LEAST_JOB: u64 = 4 << 20;

impl Layout {
    /// Reads the header of every entry. What is broken is told to `failed` and left out.
    pub(crate) fn new(
        pack: &Pack,
        pool: Option<&ThreadPool>,
        failed: &mut dyn FnMut(PackError),
    ) -> Self {
        let mut places = places(pack, failed);
        let (mut entries, missing) = headers(pack, &places, pool);
        if !missing.is_empty() {
            // The index lacks entries that others are made from; git would not notice either.
            places.extend(closure(pack, &places, missing).into_iter().map(|it| (it, NONE)));
            places.sort_unstable();
            entries = headers(pack, &places, pool).0;
        }
        follow(pack, &mut entries, failed);
        let (first, children) = families(&entries);
        let order = bases_first(&entries, &first, &children);
        let mut places = vec![NONE; entries.len()];
        (0..).zip(&order).for_each(|(new, &old)| places[old as usize] = new);
        let renumber = |&old: &u32| {
            let entry = entries[old as usize];
            let base = places.get(entry.base as usize).copied().unwrap_or(NONE);
            Entry { base, ..entry }
        };
        let entries: Vec<Entry> = order.iter().map(renumber).collect();
        let (first, children) = families(&entries);
        Self { entries, first, children }
    }
}

/// Lists the children of all entries, and where those of each begin and the last one's end.
fn families(entries: &[Entry]) -> (Vec<u32>, Vec<u32>) {
    let n = entries.len();
    let mut first = vec![0_u32; n + 1];
    let is_child = |entry: &&Entry| entry.base != NONE && entry.kind < BROKEN;
    for entry in entries.iter().filter(is_child) {
        first[entry.base as usize + 1] += 1;
    }
    for at in 0..n {
        first[at + 1] += first[at];
    }
    let mut children = vec![0; first[n] as usize];
    let mut next = first.clone();
    for (at, entry) in entries.iter().enumerate() {
        if is_child(&entry) {
            let slot = &mut next[entry.base as usize];
            children[*slot as usize] = at as u32;
            *slot += 1;
        }
    }
    (first, children)
}

/// Lists the entries in the order in which they are walked, the broken ones at the end: each family from
/// its base down, so that what is entered next is next in memory.
fn bases_first(entries: &[Entry], first: &[u32], children: &[u32]) -> Vec<u32> {
    let mut order = Vec::with_capacity(entries.len());
    let mut open = Vec::new();
    let is_root = |entry: &Entry| entry.base == NONE && entry.kind < BROKEN;
    for (root, _) in (0..).zip(entries).filter(|(_, entry)| is_root(entry)) {
        open.push(root);
        while let Some(at) = open.pop() {
            order.push(at);
            let (start, end) = (first[at as usize] as usize, first[at as usize + 1] as usize);
            open.extend(children[start..end].iter().rev());
        }
    }
    order.extend((0..).zip(entries).filter(|(_, entry)| entry.kind >= BROKEN).map(|(at, _)| at));
    order
}

impl<'a> Plan<'a> {
    /// The entry at a place among the children of all.
    #[inline]
    pub(crate) fn child(&self, at: u32) -> u32 {
        self.layout.children[at as usize]
    }

    /// The places of an entry's children that are walked with it.
    #[inline]
    pub(crate) fn children(&self, entry: u32) -> (u32, u32) {
        let node = &self.nodes[entry as usize];
        (node.first, node.end)
    }

    #[inline]
    pub(crate) fn is_wanted(&self, entry: u32) -> bool {
        self.nodes[entry as usize].is_wanted
    }

    /// Tells whether an entry or one below it is wanted.
    #[inline]
    pub(crate) fn has_wanted(&self, entry: u32) -> bool {
        self.nodes[entry as usize].has_wanted
    }

    /// Cuts what is wanted into jobs of about equal weight, in the order of the pack.
    pub(crate) fn new(
        layout: &'a Layout,
        threads: usize,
        is_wanted: &dyn Fn(&Entry) -> bool,
    ) -> Self {
        let n = layout.entries.len();
        let node = |(entry, range): (&Entry, &[u32])| {
            let is_wanted = entry.kind < BROKEN && is_wanted(entry);
            Node { first: range[0], end: range[1], is_wanted, has_wanted: is_wanted }
        };
        let nodes = layout.entries.iter().zip(layout.first.windows(2)).map(node).collect();
        let mut plan = Self { layout, nodes, jobs: Vec::new() };
        // From the leaves up: bases come first.
        for at in (0..n as u32).rev() {
            let base = layout.entries[at as usize].base;
            if base != NONE && plan.has_wanted(at) {
                plan.nodes[base as usize].has_wanted = true;
            }
        }
        let weigh = |at: u32| match plan.has_wanted(at) {
            true => u64::from(layout.entries[at as usize].weight) + OVERHEAD,
            false => 0,
        };
        let weights: Vec<u64> = (0..n as u32).map(weigh).collect();
        let most = weights.iter().sum::<u64>() / (threads as u64 * 24);
        plan.cut(weights, most.max(LEAST_JOB));
        plan.jobs.sort_unstable_by_key(|job| (job.entry, job.children));
        plan
    }

    /// From the leaves up, makes whatever exceeds `most` a job of its own.
    fn cut(&mut self, mut weights: Vec<u64>, most: u64) {
        for at in (0..self.nodes.len() as u32).rev() {
            let (first, end) = self.children(at);
            let (mut start, mut sum) = (first, 0);
            for child in first..end {
                sum += weights[self.child(child) as usize];
                if sum > most {
                    let children = (start, child + 1);
                    self.jobs.push(Job { entry: at, children, own: false, weight: sum });
                    (start, sum) = (child + 1, 0);
                }
            }
            self.nodes[at as usize].first = start;
            weights[at as usize] += sum;
            if self.layout.entries[at as usize].base == NONE && self.has_wanted(at) {
                let weight = weights[at as usize];
                self.jobs.push(Job { entry: at, children: (start, end), own: true, weight });
            }
        }
    }
}

/// Lists offsets and positions, sorted by offset.
fn places(pack: &Pack, failed: &mut dyn FnMut(PackError)) -> Vec<(u64, u32)> {
    let index = pack.index();
    let end = pack.entries().len() as u64;
    let mut places = Vec::with_capacity(index.len() as usize);
    for position in 0..index.len() {
        match index.offset(position) {
            Some(offset) if offset >= 12 && offset < end => places.push((offset, position)),
            offset => failed(pack.error(offset, index.id(position), Fault::Offset)),
        }
    }
    places.sort_unstable();
    places
}

/// Follows the bases that are no entries to those that are, and lists all of them.
fn closure(pack: &Pack, places: &[(u64, u32)], missing: Vec<u64>) -> BTreeSet<u64> {
    let mut known = BTreeSet::new();
    let mut open = missing;
    while let Some(offset) = open.pop() {
        let is_entry = places.binary_search_by_key(&offset, |place| place.0).is_ok();
        if offset < 12 || is_entry || !known.insert(offset) {
            continue;
        }
        let header = pack.header(offset).ok();
        if let Some(Ok(base)) = header.and_then(|header| pack.base_offset(offset, &header)) {
            open.push(base);
        }
    }
    known
}

/// Reads all headers; returns also the offsets of bases that are no entries yet.
fn headers(
    pack: &Pack,
    places: &[(u64, u32)],
    pool: Option<&ThreadPool>,
) -> (Vec<Entry>, Vec<u64>) {
    let Some(pool) = pool else { return read_headers(pack, places, 0..places.len()) };
    let share = places.len().div_ceil(pool.current_num_threads()).max(1);
    let shares: Vec<_> = (0..places.len())
        .step_by(share)
        .map(|start| start..places.len().min(start + share))
        .collect();
    let read = |range| read_headers(pack, places, range);
    let parts: Vec<_> = pool.install(|| shares.into_par_iter().map(read).collect());
    let mut entries = Vec::with_capacity(places.len());
    let mut missing = Vec::new();
    for (part, lacking) in parts {
        entries.extend(part);
        missing.extend(lacking);
    }
    (entries, missing)
}

fn read_headers(
    pack: &Pack,
    places: &[(u64, u32)],
    range: std::ops::Range<usize>,
) -> (Vec<Entry>, Vec<u64>) {
    let mut entries = Vec::with_capacity(range.len());
    let mut missing = Vec::new();
    let mut populated = 0;
    for at in range {
        if places[at].0 >= populated {
            populated = places[at].0 + POPULATED;
            pack.populate(places[at].0, POPULATED as usize);
        }
        if let Some(&(offset, _)) = places.get(at + AHEAD) {
            pack.prefetch(offset);
        }
        let (offset, position) = places[at];
        let mut entry = Entry { offset, base: NONE, position, weight: 0, kind: BROKEN };
        if let Ok(header) = pack.header(offset) {
            entry.weight = u32::try_from(header.size).unwrap_or(u32::MAX);
            match (header.kind, pack.base_offset(offset, &header)) {
                (EntryKind::Whole(kind), _) => entry.kind = kind,
                (_, Some(Ok(base))) if base >= 12 && base < pack.entries().len() as u64 => {
                    match find(places, at, base) {
                        Some(base) => (entry.base, entry.kind) = (base, 0),
                        None => missing.push(base),
                    }
                }
                _ => {}
            }
        }
        entries.push(entry);
    }
    (entries, missing)
}

/// Finds the entry at an offset; those shortly before `near` are tried with growing steps first,
/// since most bases are close.
#[inline]
fn find(places: &[(u64, u32)], near: usize, offset: u64) -> Option<u32> {
    let (mut low, mut high, mut step) = (0, places.len(), 16);
    if places[near].0 > offset {
        high = near;
        while step < near {
            if places[near - step].0 <= offset {
                low = near - step;
                break;
            }
            high = near - step;
            step *= 4;
        }
    }
    let at = places[low..high].binary_search_by_key(&offset, |place| place.0).ok()?;
    u32::try_from(low + at).ok()
}

/// Gives every delta the kind of its root, and tells what has none.
fn follow(pack: &Pack, entries: &mut [Entry], failed: &mut dyn FnMut(PackError)) {
    let mut chain = Vec::new();
    for start in 0..entries.len() {
        let mut at = start;
        let kind = loop {
            match entries[at].kind {
                0 => {
                    entries[at].kind = FOLLOWED;
                    chain.push(at);
                    at = entries[at].base as usize;
                }
                kind => break kind,
            }
        };
        let kind = if kind == FOLLOWED { FOLLOWED | BROKEN } else { kind };
        for at in chain.drain(..) {
            entries[at].kind = if kind < BROKEN { kind } else { kind & FOLLOWED | BROKEN | 1 };
        }
    }
    for entry in entries.iter().filter(|entry| entry.kind >= BROKEN) {
        let id = (entry.position != NONE).then(|| pack.index().id(entry.position)).flatten();
        let fault = if entry.kind & FOLLOWED != 0 {
            Fault::Cycle
        } else if entry.kind != BROKEN {
            Fault::BaseBroken
        } else {
            why(pack, entry.offset)
        };
        failed(pack.error(Some(entry.offset), id, fault));
    }
}

/// Says why an entry's header cannot be used.
fn why(pack: &Pack, offset: u64) -> Fault {
    match pack.header(offset) {
        Err(fault) => fault,
        Ok(header) => match pack.base_offset(offset, &header) {
            Some(Err(id)) => Fault::BaseMissing(id),
            _ => Fault::BaseOffset,
        },
    }
}
