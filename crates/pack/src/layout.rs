//! The entries of a pack and their delta trees, in walk order.
//!
//! Input: a pack and its index. Output: entries, each with its base, kind and children, and errors for
//! broken ones. It reads headers only and inflates nothing.

use crate::entry::EntryKind;
use crate::pack::DeltaBase;
use crate::{Fault, Kind, Pack, PackError};
use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::collections::BTreeSet;
use std::ops::Range;

/// Number of headers between the one that is read and the one that is prefetched.
const AHEAD: usize = 16;
/// Number of bytes that are mapped at once.
const POPULATED: u64 = 4 << 20;

/// The number of an entry in a layout. Not its position in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryNo(u32);

impl EntryNo {
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Stands for `None` in an [`Entry`]: there are millions of entries, and `Option<u32>` takes eight bytes.
const NONE: u32 = u32::MAX;

/// The kind of an entry, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The kind of its base, which is not known yet.
    Unknown,
    /// The bases are being followed.
    Followed,
    /// The kind.
    Known(Kind),
    /// The header is broken, or the base is not in the pack.
    BrokenHeader,
    /// A delta base is broken.
    BrokenBase,
    /// The delta chain is a cycle.
    Cycle,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    /// The number of the base, or [`NONE`].
    base: u32,
    /// The position in the index, or [`NONE`].
    position: u32,
    /// The stated inflated length, at most `u32::MAX`: a weight, not a size.
    pub(crate) weight: u32,
    state: State,
}

const _: () = assert!(size_of::<Entry>() == 24);

impl Entry {
    /// Returns the number of the base, if the entry is a delta.
    #[inline]
    pub(crate) fn base(&self) -> Option<EntryNo> {
        (self.base != NONE).then_some(EntryNo(self.base))
    }

    /// Returns the position in the index; `None` for an entry that only other entries refer to.
    #[inline]
    pub(crate) fn position(&self) -> Option<u32> {
        (self.position != NONE).then_some(self.position)
    }

    /// Returns the kind of the root; `None` if the entry or one of its bases is broken.
    #[inline]
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self.state {
            State::Known(kind) => Some(kind),
            _ => None,
        }
    }
}

/// An offset in the pack, and its position in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct EntryOffset {
    offset: u64,
    /// `None` if the index does not list the entry.
    position: Option<u32>,
}

/// Children of an entry: a range of the list of all children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Children {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Children {
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// The children of all entries.
#[derive(Debug)]
struct Tree {
    /// For each entry the start of its children in `children`; then the end of the last range.
    first: Vec<u32>,
    children: Vec<EntryNo>,
}

/// The entries and their forest.
#[derive(Debug)]
pub(crate) struct Layout {
    entries: Vec<Entry>,
    tree: Tree,
}

/// The headers of some entries.
#[derive(Debug, Default)]
struct Headers {
    entries: Vec<Entry>,
    /// The offsets of bases that are not entries yet.
    missing: Vec<u64>,
}

impl Layout {
    /// Reads the header of every entry; `failed` receives those that are broken.
    pub(crate) fn new(
        pack: &Pack,
        pool: Option<&ThreadPool>,
        failed: &mut dyn FnMut(PackError),
    ) -> Self {
        let mut offsets = offsets(pack, failed);
        let Headers { mut entries, missing } = headers(pack, &offsets, pool);
        if !missing.is_empty() {
            // The index does not list some delta bases. Git does not notice that either.
            let unlisted = closure(pack, &offsets, missing).into_iter();
            offsets.extend(unlisted.map(|offset| EntryOffset { offset, position: None }));
            offsets.sort_unstable();
            entries = headers(pack, &offsets, pool).entries;
        }
        follow(pack, &mut entries, failed);
        let order = bases_first(&entries, &Tree::new(&entries));
        let mut numbers = vec![NONE; entries.len()];
        (0..).zip(&order).for_each(|(new, old)| numbers[old.index()] = new);
        let renumber = |old: &EntryNo| {
            let entry = entries[old.index()];
            let base = entry.base().map_or(NONE, |base| numbers[base.index()]);
            Entry { base, ..entry }
        };
        let entries: Vec<Entry> = order.iter().map(renumber).collect();
        let tree = Tree::new(&entries);
        Self { entries, tree }
    }

    /// Returns the entry with this number.
    #[inline]
    pub(crate) fn entry(&self, number: EntryNo) -> &Entry {
        &self.entries[number.index()]
    }

    /// Lists the numbers of the entries. A base comes before the deltas on it.
    pub(crate) fn numbers(
        &self,
    ) -> impl DoubleEndedIterator<Item = EntryNo> + ExactSizeIterator + use<> {
        (0..self.entries.len() as u32).map(EntryNo)
    }

    /// Returns the children of an entry.
    #[inline]
    pub(crate) fn children(&self, number: EntryNo) -> Children {
        let first = &self.tree.first;
        Children { start: first[number.index()], end: first[number.index() + 1] }
    }

    /// Returns the entry at an index of the list of all children.
    #[inline]
    pub(crate) fn child(&self, index: u32) -> EntryNo {
        self.tree.children[index as usize]
    }
}

impl Tree {
    /// Lists the children of all entries.
    fn new(entries: &[Entry]) -> Self {
        let n = entries.len();
        let mut first = vec![0_u32; n + 1];
        let base = |entry: &Entry| entry.kind().and(entry.base());
        for base in entries.iter().filter_map(base) {
            first[base.index() + 1] += 1;
        }
        for at in 0..n {
            first[at + 1] += first[at];
        }
        let mut children = vec![EntryNo(0); first[n] as usize];
        let mut next = first.clone();
        for (number, entry) in (0..).zip(entries) {
            if let Some(base) = base(entry) {
                let slot = &mut next[base.index()];
                children[*slot as usize] = EntryNo(number);
                *slot += 1;
            }
        }
        Self { first, children }
    }

    fn children(&self, entry: EntryNo) -> &[EntryNo] {
        let range = self.first[entry.index()] as usize..self.first[entry.index() + 1] as usize;
        &self.children[range]
    }
}

/// Lists the entries in walk order, the broken ones at the end: each tree from its root down, so that the
/// next entry of a walk is the next one in memory.
fn bases_first(entries: &[Entry], tree: &Tree) -> Vec<EntryNo> {
    let mut order = Vec::with_capacity(entries.len());
    let mut open = Vec::new();
    let numbered = || (0..).map(EntryNo).zip(entries);
    let is_root = |entry: &Entry| entry.base().is_none() && entry.kind().is_some();
    for (root, _) in numbered().filter(|(_, entry)| is_root(entry)) {
        open.push(root);
        while let Some(at) = open.pop() {
            order.push(at);
            open.extend(tree.children(at).iter().rev());
        }
    }
    order.extend(numbered().filter(|(_, entry)| entry.kind().is_none()).map(|(at, _)| at));
    order
}

/// Lists the offsets in the index, in ascending order, with their positions.
fn offsets(pack: &Pack, failed: &mut dyn FnMut(PackError)) -> Vec<EntryOffset> {
    let index = pack.index();
    let end = pack.entries().len() as u64;
    let mut offsets = Vec::with_capacity(index.len() as usize);
    for position in 0..index.len() {
        match index.offset(position) {
            Some(offset) if offset >= 12 && offset < end => {
                offsets.push(EntryOffset { offset, position: Some(position) });
            }
            offset => failed(pack.error(offset, index.id(position), Fault::Offset)),
        }
    }
    offsets.sort_unstable();
    offsets
}

/// Lists the offsets of all bases that are not in the index, including bases of such bases.
fn closure(pack: &Pack, offsets: &[EntryOffset], missing: Vec<u64>) -> BTreeSet<u64> {
    let mut known = BTreeSet::new();
    let mut open = missing;
    while let Some(offset) = open.pop() {
        let is_entry = offsets.binary_search_by_key(&offset, |it| it.offset).is_ok();
        if offset < 12 || is_entry || !known.insert(offset) {
            continue;
        }
        if let Ok(header) = pack.header(offset)
            && let DeltaBase::At(base) = pack.delta_base(offset, &header)
        {
            open.push(base);
        }
    }
    known
}

/// Reads all headers.
fn headers(pack: &Pack, offsets: &[EntryOffset], pool: Option<&ThreadPool>) -> Headers {
    let Some(pool) = pool else { return read_headers(pack, offsets, 0..offsets.len()) };
    let share = offsets.len().div_ceil(pool.current_num_threads()).max(1);
    let shares: Vec<Range<usize>> = (0..offsets.len())
        .step_by(share)
        .map(|start| start..offsets.len().min(start + share))
        .collect();
    let read = |range| read_headers(pack, offsets, range);
    let parts: Vec<Headers> = pool.install(|| shares.into_par_iter().map(read).collect());
    let mut all = Headers { entries: Vec::with_capacity(offsets.len()), missing: Vec::new() };
    for part in parts {
        all.entries.extend(part.entries);
        all.missing.extend(part.missing);
    }
    all
}

fn read_headers(pack: &Pack, offsets: &[EntryOffset], range: Range<usize>) -> Headers {
    let mut headers = Headers { entries: Vec::with_capacity(range.len()), missing: Vec::new() };
    let mut populated = 0;
    for at in range {
        let EntryOffset { offset, position } = offsets[at];
        if offset >= populated {
            populated = offset + POPULATED;
            pack.populate(offset, POPULATED as usize);
        }
        if let Some(ahead) = offsets.get(at + AHEAD) {
            pack.prefetch(ahead.offset);
        }
        let position = position.unwrap_or(NONE);
        let state = State::BrokenHeader;
        let mut entry = Entry { offset, base: NONE, position, weight: 0, state };
        if let Ok(header) = pack.header(offset) {
            entry.weight = u32::try_from(header.size).unwrap_or(u32::MAX);
            match (header.kind, pack.delta_base(offset, &header)) {
                (EntryKind::Whole(kind), _) => entry.state = State::Known(kind),
                (_, DeltaBase::At(base)) if base >= 12 && base < pack.entries().len() as u64 => {
                    match find(offsets, at, base) {
                        Some(base) => (entry.base, entry.state) = (base.0, State::Unknown),
                        None => headers.missing.push(base),
                    }
                }
                _ => {}
            }
        }
        headers.entries.push(entry);
    }
    headers
}

/// Finds the entry at an offset; the entries shortly before `near` are tried first, in growing steps,
/// since most bases are close.
#[inline]
fn find(offsets: &[EntryOffset], near: usize, offset: u64) -> Option<EntryNo> {
    let (mut low, mut high, mut step) = (0, offsets.len(), 16);
    if offsets[near].offset > offset {
        high = near;
        while step < near {
            if offsets[near - step].offset <= offset {
                low = near - step;
                break;
            }
            high = near - step;
            step *= 4;
        }
    }
    let at = offsets[low..high].binary_search_by_key(&offset, |it| it.offset).ok()?;
    u32::try_from(low + at).ok().map(EntryNo)
}

/// Sets the kind of every delta to that of its root, and reports entries without a kind to `failed`.
fn follow(pack: &Pack, entries: &mut [Entry], failed: &mut dyn FnMut(PackError)) {
    let mut chain = Vec::new();
    for start in 0..entries.len() {
        let mut at = start;
        while entries[at].state == State::Unknown {
            entries[at].state = State::Followed;
            chain.push(at);
            at = entries[at].base as usize;
        }
        let state = match entries[at].state {
            State::Known(kind) => State::Known(kind),
            State::Followed | State::Cycle => State::Cycle,
            State::Unknown | State::BrokenHeader | State::BrokenBase => State::BrokenBase,
        };
        chain.drain(..).for_each(|at| entries[at].state = state);
    }
    for entry in &*entries {
        let fault = match entry.state {
            State::Known(_) => continue,
            State::Cycle => Fault::Cycle,
            State::BrokenBase => Fault::BaseBroken,
            State::Unknown | State::Followed | State::BrokenHeader => {
                header_error(pack, entry.offset)
            }
        };
        let id = entry.position().and_then(|position| pack.index().id(position));
        failed(pack.error(Some(entry.offset), id, fault));
    }
}

/// Returns the error in the header of an entry.
fn header_error(pack: &Pack, offset: u64) -> Fault {
    match pack.header(offset) {
        Err(fault) => fault,
        Ok(header) => match pack.delta_base(offset, &header) {
            DeltaBase::Missing(id) => Fault::BaseMissing(id),
            DeltaBase::None | DeltaBase::At(_) => Fault::BaseOffset,
        },
    }
}
