//! One worker: pushes objects to its sink, and collects their links. It searches nothing.

use super::links::ObjectLinks;
use super::resources::WalkResources;
use super::tree_records::{OpenRecord, Parsed, TreeRecords};
use crate::commits::{self, Node};
use crate::lfs::Pointer;
use crate::numbers::ObjectNo;
use crate::object_index::{Lookup, ObjectIndex, Pending, PendingEntry};
use crate::store::Store;
use crate::trees::{self, Entries, EntryKind, KnownEntries, Starts, Tree, Window};
use ddpatrol_pack::{Fault, Kind, Object, ObjectId, PackError, Piece, Visitor};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::window::{End, Windows};
use ddpatrol_scan::{Run, ScannedObject, Sink, add};
use std::io::{self, Read};

/// The number of objects after which a worker updates the shared counts.
const FLUSH: u64 = 256;

/// The first bytes of nearly every Git LFS pointer.
const POINTER_HEAD: &[u8] = b"version ";

/// The number of commits whose links are looked up at a time.
const COMMITS: usize = 128;

/// One worker.
pub(super) struct Worker<'a> {
    /// Receives the objects; `None` if only links are collected.
    sink: Option<Box<dyn Sink + 'a>>,
    run: &'a Run,
    resources: WalkResources<'a>,
    index: &'a ObjectIndex,
    first: ObjectNo,
    window: Window,
    /// Commits whose links are not resolved yet.
    commits: Vec<(ObjectNo, commits::CommitLinks)>,
    lookups: Vec<Lookup>,
    /// Entries of trees that are not resolved yet.
    pending: Option<Pending>,
    trees: TreeRecords,
    open_tree: OpenRecord,
    links: ObjectLinks,
    /// The bytes of a small blob.
    small: Vec<u8>,
    /// The errors of objects that cannot be read.
    pub(super) failed: Vec<PackError>,
    /// Numbers of objects and bytes that the shared counts do not include yet.
    counted: (u64, u64),
}

/// The state of an object that is kept while its deltas are visited.
pub(super) struct ObjectState {
    seen: ScannedObject,
    tree: Option<TreeState>,
}

/// The state of a tree that is kept while its deltas are visited.
struct TreeState {
    starts: Starts,
    /// The index of its record.
    record: u32,
}

/// The delta base of a tree, and how the tree is assembled from it.
#[derive(Clone, Copy, Default)]
struct TreeBase<'a> {
    /// The pieces of the tree; not read without a base.
    pieces: &'a [Piece],
    /// The state of the base; `None` if every entry is fresh.
    state: Option<&'a TreeState>,
}

impl<'a> Worker<'a> {
    /// Creates a worker; `first` is the number of the first object of the walked pack. Without a sink it
    /// only collects links.
    pub(super) fn new(
        sink: Option<Box<dyn Sink + 'a>>,
        run: &'a Run,
        resources: WalkResources<'a>,
        index: &'a ObjectIndex,
        first: ObjectNo,
    ) -> Self {
        Self {
            sink,
            run,
            resources,
            index,
            first,
            window: Window::default(),
            commits: Vec::new(),
            lookups: Vec::new(),
            pending: None,
            trees: TreeRecords::default(),
            open_tree: OpenRecord::default(),
            links: ObjectLinks::default(),
            small: Vec::new(),
            failed: Vec::new(),
            counted: (0, 0),
        }
    }

    fn count(&mut self, len: u64) {
        self.counted.0 += 1;
        self.counted.1 += len;
        if self.counted.0 == FLUSH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        add(&self.run.tally.objects, self.counted.0);
        add(&self.run.tally.bytes, self.counted.1);
        self.counted = (0, 0);
    }

    /// Updates the shared counts; returns the links.
    pub(super) fn finish(mut self) -> ObjectLinks {
        self.flush();
        self.resolve_commits();
        if let Some(pending) = &mut self.pending {
            self.links.add(pending, &mut self.trees, self.index);
        }
        if !self.trees.is_empty() {
            self.trees.finish();
            self.links.trees.push(self.trees);
        }
        self.links
    }

    fn commit(&mut self, number: ObjectNo, bytes: &[u8]) {
        self.commits.extend(commits::links(bytes).map(|links| (number, links)));
        if self.commits.len() >= COMMITS {
            self.resolve_commits();
        }
    }

    /// Resolves the links of commits.
    fn resolve_commits(&mut self) {
        let ids = self.commits.iter().flat_map(|(_, links)| links.ids());
        let mut found = self.index.find_all(ids, &mut self.lookups);
        let missing = &mut self.links.missing;
        for (number, links) in &self.commits {
            let missing = &mut |id| missing.push((id, *number));
            self.links.nodes.push(Node::new(*number, links, &mut found, missing));
        }
        drop(found);
        self.commits.clear();
    }

    fn tag(&mut self, number: ObjectNo, bytes: &[u8]) {
        if let Some(target) = commits::tag_target(bytes) {
            self.links.tags.push((number, target));
            if self.index.find(target.as_bytes()).is_none() {
                self.links.missing.push((target, number));
            }
        }
    }

    /// Pushes an object that was read whole, and collects its links.
    pub(super) fn whole(&mut self, number: ObjectNo, id: ObjectId, kind: Kind, bytes: &[u8]) {
        if let Some(sink) = &mut self.sink {
            sink.blob(&Blob::whole(Origin::Object(id, kind), bytes));
            self.count(bytes.len() as u64);
            if kind == Kind::Blob {
                self.links.add_pointer(id, bytes);
            }
        }
        self.links_of(number, id, kind, bytes);
    }

    pub(super) fn links_of(&mut self, number: ObjectNo, id: ObjectId, kind: Kind, bytes: &[u8]) {
        match kind {
            Kind::Commit => self.commit(number, bytes),
            Kind::Tag => self.tag(number, bytes),
            Kind::Tree => {
                let id_len = id.as_bytes().len();
                self.tree(number, &mut Tree::Whole(bytes), TreeBase::default(), id_len);
            }
            Kind::Blob => {}
        }
    }

    /// Records a tree; returns its state, or `None` if it is broken.
    fn tree(
        &mut self,
        number: ObjectNo,
        tree: &mut Tree<'_>,
        base: TreeBase<'_>,
        id_len: usize,
    ) -> Option<TreeState> {
        let Self { pending, index, links, trees, open_tree, .. } = self;
        let pending = pending.get_or_insert_with(|| Pending::new(id_len));
        let TreeBase { pieces, state } = base;
        let known = KnownEntries { pieces, base: state.map(|state| &state.starts) };
        let starts = trees::walk(tree, known, id_len, |entries| {
            let entry = match entries {
                Entries::Fresh(entry) => entry,
                Entries::Copied(copied) => return open_tree.copied(copied),
            };
            let slot = trees.add_fresh(open_tree, &entry);
            if entry.kind != EntryKind::Submodule
                && pending.add(entry.id, PendingEntry { tree: number, slot })
            {
                links.add(pending, trees, index);
            }
        });
        let parsed = if starts.is_some() { Parsed::Whole } else { Parsed::Broken };
        let record = trees.close(number, state.map(|state| state.record), open_tree, parsed);
        starts.map(|starts| TreeState { starts, record })
    }

    /// Reads a loose object; returns `false` if it no longer exists.
    pub(super) fn loose(
        &mut self,
        store: &Store,
        number: ObjectNo,
        id: ObjectId,
    ) -> io::Result<bool> {
        let Some(mut loose) = store.open_loose(&id)? else { return Ok(false) };
        let (kind, len) = (loose.kind, loose.len);
        if kind == Kind::Blob && len > self.resources.large {
            self.windows(id, &mut loose)?;
            return Ok(true);
        }
        let mut bytes = Vec::new();
        loose.read_to_end(&mut bytes)?;
        self.whole(number, id, kind, &bytes);
        Ok(true)
    }

    /// Records a small blob that is a Git LFS pointer.
    fn note_pointer(&mut self, object: &Object<'_>) {
        let len = object.len() as usize;
        self.small.clear();
        object.read(0..POINTER_HEAD.len().min(len), &mut self.small);
        if self.small == POINTER_HEAD {
            self.small.clear();
            object.read(0..len, &mut self.small);
            self.links.add_pointer(object.id(), &self.small);
        }
    }

    fn windows(&mut self, id: ObjectId, reader: &mut dyn Read) -> io::Result<()> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let origin = Origin::Object(id, Kind::Blob);
        let mut windows = Windows::new(self.resources.context);
        match windows.push_all(origin, reader, &mut **sink, self.run) {
            End::Whole(_) => {
                self.counted.0 += 1;
                Ok(())
            }
            End::Interrupted => Ok(()),
            End::Failed(error) => Err(error),
        }
    }
}

impl Visitor for Worker<'_> {
    type BaseData = ObjectState;

    fn visit(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&ObjectState>,
    ) -> Result<ObjectState, Fault> {
        let seen = match &mut self.sink {
            Some(sink) => sink.object(object, base.map(|base| &base.seen))?,
            None => ScannedObject::default(),
        };
        let number = self.first.plus(object.position());
        let mut tree_state = None;
        match object.kind() {
            Kind::Blob if self.sink.is_some() && object.len() < Pointer::MAX_LEN as u64 => {
                self.note_pointer(object);
            }
            Kind::Blob => {}
            Kind::Commit => self.commit(number, object.assemble()?),
            Kind::Tag => self.tag(number, object.assemble()?),
            Kind::Tree => {
                let id_len = object.id().as_bytes().len();
                let state = base.and_then(|base| base.tree.as_ref());
                if object.is_base() || state.is_none() {
                    let (bytes, pieces) = object.assemble_with_pieces()?;
                    let base = TreeBase { pieces, state };
                    tree_state = self.tree(number, &mut Tree::Whole(bytes), base, id_len);
                } else {
                    let window = std::mem::take(&mut self.window);
                    let mut tree = Tree::Version(object, window.emptied());
                    let base = TreeBase { pieces: object.pieces(), state };
                    self.tree(number, &mut tree, base, id_len);
                    if let Tree::Version(_, window) = tree {
                        self.window = window;
                    }
                }
            }
        }
        if self.sink.is_some() {
            self.count(object.len());
        }
        Ok(ObjectState { seen, tree: tree_state })
    }

    fn stream(&mut self, id: ObjectId, _: u64, content: &mut dyn Read) -> io::Result<()> {
        self.windows(id, content)
    }

    fn failed(&mut self, error: PackError) {
        self.failed.push(error);
    }

    fn is_stopped(&self) -> bool {
        self.run.is_interrupted()
    }
}
