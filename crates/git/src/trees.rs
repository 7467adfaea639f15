//! Trees: parses entries, and finds those that the delta base does not have.
//!
//! Input: the bytes of a tree, and how they are assembled from its delta base. Output: entries. No object
//! is read here.

use ddpatrol_pack::{Object, Piece, PieceSource};

/// One entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TreeEntry<'a> {
    /// The offset of the entry in the tree.
    pub(super) start: usize,
    pub(super) kind: EntryKind,
    pub(super) name: &'a [u8],
    /// The id's bytes.
    pub(super) id: &'a [u8],
    /// The offset after the entry.
    pub(super) end: usize,
}

/// The kind of object that an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Tree,
    /// A file or symbolic link.
    Blob,
    /// A commit of a submodule, which is in another repository.
    Submodule,
}

impl TreeEntry<'_> {
    /// Returns the offset of the name in the tree.
    pub(super) fn name_start(&self) -> usize {
        self.end - self.id.len() - 1 - self.name.len()
    }
}

/// Reads the entry at `start` of a tree whose ids have `id_len` bytes; `None` if it is broken.
#[inline]
pub(super) fn entry(tree: &[u8], start: usize, id_len: usize) -> Option<TreeEntry<'_>> {
    shape(tree, start, id_len).map(|shape| shape.entry(tree, id_len))
}

/// Finds the entry with a name; `None` if there is none, or an entry before is broken.
pub(super) fn find<'a>(tree: &'a [u8], name: &[u8], id_len: usize) -> Option<TreeEntry<'a>> {
    let mut start = 0;
    loop {
        let entry = entry(tree, start, id_len)?;
        if entry.name == name {
            return Some(entry);
        }
        start = entry.end;
    }
}

/// The offsets of the parts of an entry.
struct Shape {
    kind: EntryKind,
    start: usize,
    name: usize,
    id: usize,
}

impl Shape {
    /// Returns the entry in `bytes`, from which the shape was parsed.
    #[inline]
    fn entry(self, bytes: &[u8], id_len: usize) -> TreeEntry<'_> {
        let Self { kind, start, name, id } = self;
        let end = id + id_len;
        TreeEntry { start, kind, name: &bytes[name..id - 1], id: &bytes[id..end], end }
    }
}

#[inline]
fn shape(bytes: &[u8], start: usize, id_len: usize) -> Option<Shape> {
    let rest = bytes.get(start..)?;
    let zero = memchr::memchr(0, rest)?;
    // A mode has five or six digits.
    let space = memchr::memchr(b' ', rest.get(..zero.min(8))?)?;
    rest.get(zero + 1..zero + 1 + id_len)?;
    let kind = match &rest[..space] {
        b"40000" | b"040000" => EntryKind::Tree,
        b"160000" => EntryKind::Submodule,
        _ => EntryKind::Blob,
    };
    Some(Shape { kind, start, name: start + space + 1, id: start + zero + 1 })
}

/// The offsets at which the entries of a tree begin, and the offset at which the last one ends.
pub(super) type Starts = Vec<u32>;

/// Consecutive entries that are copied from the delta base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    /// The index of the first entry in the base.
    pub(super) first: u32,
    /// The number of entries.
    pub(super) len: u32,
}

/// Entries of a tree: one that is fresh, or some that are copied from the delta base.
pub(super) enum Entries<'a> {
    Fresh(TreeEntry<'a>),
    Copied(Copied),
}

/// A tree to parse.
pub(super) enum Tree<'a> {
    /// The whole tree.
    Whole(&'a [u8]),
    /// A delta that is no base of others. Only its fresh parts are read, into a window.
    Version(&'a Object<'a>, Window),
}

/// A part of a delta.
#[derive(Debug, Default)]
pub(super) struct Window {
    start: usize,
    bytes: Vec<u8>,
}

/// The number of bytes read at a time, enough for several entries.
const WINDOW: usize = 320;

impl Tree<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Whole(tree) => tree.len(),
            Self::Version(object, _) => object.len() as usize,
        }
    }

    /// Reads the entry at `start`; `None` if it is broken.
    #[inline]
    fn entry(&mut self, start: usize, id_len: usize) -> Option<TreeEntry<'_>> {
        match self {
            Self::Whole(tree) => entry(tree, start, id_len),
            Self::Version(object, window) => {
                let own = start.checked_sub(window.start);
                let shape = match own.and_then(|own| shape(&window.bytes, own, id_len)) {
                    Some(shape) => shape,
                    None => window.fill(object, start, id_len)?,
                };
                let found = shape.entry(&window.bytes, id_len);
                let end = found.end + window.start;
                Some(TreeEntry { start, end, ..found })
            }
        }
    }
}

impl Window {
    /// Clears the window, for another delta.
    pub(super) fn emptied(mut self) -> Self {
        self.bytes.clear();
        self
    }

    /// Reads from `start` in growing steps until the window contains an entry, since names may have any
    /// length.
    fn fill(&mut self, object: &Object<'_>, start: usize, id_len: usize) -> Option<Shape> {
        let (len, mut end) = (object.len() as usize, start);
        self.start = start;
        self.bytes.clear();
        while end < len {
            let next = len.min(end + WINDOW.max(end - start));
            object.read(end..next, &mut self.bytes);
            if let found @ Some(_) = shape(&self.bytes, 0, id_len) {
                return found;
            }
            end = next;
        }
        None
    }
}

/// The entries of a delta base, and how a tree is assembled from it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KnownEntries<'a> {
    /// The pieces of the tree; not read without a base.
    pub(super) pieces: &'a [Piece],
    /// The entries of the base; `None` if every entry is fresh.
    pub(super) base: Option<&'a Starts>,
}

/// Calls `on_entries` with the entries that are copied whole from the delta base and with each other
/// entry, in order. Returns the offsets of all entries, or only the end of the last one for a
/// [`Tree::Version`]; `None` if the tree is broken.
pub(super) fn walk(
    tree: &mut Tree<'_>,
    known: KnownEntries<'_>,
    id_len: usize,
    mut on_entries: impl FnMut(Entries<'_>),
) -> Option<Starts> {
    let KnownEntries { pieces, base } = known;
    let is_base = matches!(tree, Tree::Whole(_));
    let mut starts = Starts::with_capacity(base.filter(|_| is_base).map_or(0, Vec::len));
    let (mut at, mut piece, mut last) = (0, 0, 0);
    let len = tree.len();
    while at < len {
        if let Some(base) = base {
            while pieces[piece].end() as usize <= at {
                piece += 1;
            }
            let copied = copied(&pieces[piece], at, base, &mut last);
            if !copied.is_empty() {
                // An entry is copied whole if the next one begins in the piece or at its end. Its offset may be
                // lower than in the base.
                let shift = (at as u32).wrapping_sub(copied[0]);
                let whole = copied.len() - 1;
                if whole > 0 {
                    let first = (last - whole) as u32;
                    on_entries(Entries::Copied(Copied { first, len: whole as u32 }));
                }
                if is_base {
                    starts.extend(copied[..whole].iter().map(|start| start.wrapping_add(shift)));
                }
                at = copied[whole].wrapping_add(shift) as usize;
                if whole > 0 {
                    continue;
                }
            }
        }
        let entry = tree.entry(at, id_len)?;
        let end = entry.end;
        on_entries(Entries::Fresh(entry));
        if is_base {
            starts.push(at as u32);
        }
        at = end;
    }
    starts.push(at as u32);
    Some(starts)
}

/// Returns the offsets of entries of the base within a piece or at its end, beginning with the entry
/// that is at `at` in the result; empty if no entry is there. `last` is the index at which the previous
/// search in the base ended.
#[inline]
fn copied<'a>(piece: &Piece, at: usize, base: &'a Starts, last: &mut usize) -> &'a [u32] {
    let PieceSource::Base(from) = piece.from else { return &[] };
    let here = from + (at as u32 - piece.at);
    let end = from + piece.len;
    // In most cases the search moves forward by few entries.
    let first = match base.get(*last) {
        Some(&start) if start <= here => *last + before(&base[*last..], |start| start < here),
        _ => base.partition_point(|&start| start < here),
    };
    *last = first;
    if base.get(first) != Some(&here) {
        return &[];
    }
    let len = before(&base[first..], |start| start <= end);
    *last = first + len - 1;
    &base[first..first + len]
}

/// Counts the leading elements of ascending `starts` for which `is` returns `true`, in growing steps.
#[inline]
fn before(starts: &[u32], is: impl Fn(u32) -> bool) -> usize {
    let (mut low, mut step) = (0, 4);
    while let Some(&start) = starts.get(low + step)
        && is(start)
    {
        low += step;
        step *= 2;
    }
    let high = starts.len().min(low + step);
    low + starts[low..high].partition_point(|&start| is(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, u8)]) -> Vec<u8> {
        let encode =
            |(name, id): &(&str, u8)| [format!("100644 {name}\0").as_bytes(), &[*id; 20]].concat();
        entries.iter().flat_map(encode).collect()
    }

    /// Returns the names of the fresh entries, and the offsets of all.
    fn fresh(tree: &[u8], known: KnownEntries<'_>) -> Option<(Vec<Vec<u8>>, Starts)> {
        let mut fresh = Vec::new();
        let starts = walk(&mut Tree::Whole(tree), known, 20, |entries| {
            if let Entries::Fresh(entry) = entries {
                fresh.push(entry.name.to_vec());
            }
        })?;
        Some((fresh, starts))
    }

    #[test]
    fn entries_copied_whole_are_not_fresh_and_all_others_are() {
        let base = tree(&[("a", 1), ("b", 2), ("c", 3)]);
        let all = [Piece { at: 0, len: base.len() as u32, from: PieceSource::Fresh(0) }];
        let (names, base_starts) =
            fresh(&base, KnownEntries { pieces: &all, base: None }).expect("it is whole");
        assert_eq!(names, [b"a", b"b", b"c"]);
        assert_eq!(base_starts, [0, 29, 58, 87]);
        // The id of b differs; the pieces are cut at different places within the entry of b.
        let result = tree(&[("a", 1), ("b", 9), ("c", 3)]);
        for (before, after) in [(38, 58), (40, 60), (29, 58), (33, 70)] {
            let pieces = [
                Piece { at: 0, len: before, from: PieceSource::Base(0) },
                Piece { at: before, len: after - before, from: PieceSource::Fresh(0) },
                Piece { at: after, len: 87 - after, from: PieceSource::Base(after) },
            ];
            let known = KnownEntries { pieces: &pieces, base: Some(&base_starts) };
            let (names, starts) = fresh(&result, known).expect("it is whole");
            assert_eq!(starts, base_starts);
            let expected: &[&[u8]] = if after > 58 { &[b"b", b"c"] } else { &[b"b"] };
            assert_eq!(names, expected, "{before} {after}");
        }
    }

    #[test]
    fn a_broken_tree_is_an_error() {
        let whole = tree(&[("a", 1)]);
        for cut in 1..whole.len() {
            let all = [Piece { at: 0, len: cut as u32, from: PieceSource::Fresh(0) }];
            let known = KnownEntries { pieces: &all, base: None };
            assert_eq!(fresh(&whole[..cut], known), None, "{cut}");
        }
    }
}
