//! Finds the path and the commit of trees in which something was not scanned, such as a tree that cannot be read.
//!
//! Input: the ids of trees, and the links between objects. Output: for each tree its path in the first commit
//! that contains it. Trees above it are read.

use super::super::commits::describe;
use super::super::numbers::{CommitNo, ObjectNo};
use super::super::tree_path::join;
use super::super::trees::{self, EntryKind};
use super::attributor::Attributor;
use super::history::CommitHistory;
use super::marks::{Marks, TreeTable};
use super::trace::Tracer;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::issue_object::{IssuePlace, PlacesByObject};
use std::collections::HashSet;
use std::sync::Arc;

/// Maximum number of trees whose places are searched: each search inspects the records of all trees.
const MOST_TREES: usize = 50;

/// Maximum number of nested folders.
const MOST_DEPTH: usize = 1000;

impl Attributor<'_> {
    /// Adds the places of trees.
    pub(super) fn place_trees(&self, ids: &[ObjectId], places: &mut PlacesByObject) {
        if ids.is_empty() {
            return;
        }
        let history = CommitHistory::new(self);
        let table = TreeTable::new(self.objects);
        let mut commits: Vec<CommitNo> =
            (0..history.graph.len() as u32).map(CommitNo::new).collect();
        let key = |it: &CommitNo| (!history.reachable[it.index()], history.graph.dates[it.index()]);
        commits.sort_by_key(|it| (key(it), *it));
        for id in ids.iter().take(MOST_TREES) {
            let Some(number) = self.number(id) else { continue };
            if self.run.is_interrupted() {
                return;
            }
            let marks = table.marked(self.objects.index.len(), std::iter::once(number));
            let search = TreeSearch { attributor: self, history: &history, marks, target: number };
            if let Some(place) = search.place(*id, &commits) {
                places.entry(*id).or_default().push(place);
            }
        }
    }
}

/// The search for one tree.
struct TreeSearch<'a> {
    attributor: &'a Attributor<'a>,
    history: &'a CommitHistory,
    /// The trees that may contain it.
    marks: Marks,
    target: ObjectNo,
}

/// The state of the way down from a commit.
#[derive(Default)]
struct Descent {
    path: Vec<u8>,
    depth: usize,
    /// The trees that do not contain the target.
    without: HashSet<ObjectNo>,
    reader: Reader,
}

impl TreeSearch<'_> {
    /// Returns the place in the first of `commits` that contains the tree.
    fn place(&self, id: ObjectId, commits: &[CommitNo]) -> Option<IssuePlace> {
        let Self { attributor, history, .. } = self;
        let mut descent = Descent::default();
        let found = commits.iter().find_map(|&it| Some((it, self.path_in(it, &mut descent)?)));
        let (commit, path) = found?;
        let tracer = Tracer { attributor, history };
        let mut trace = tracer.new_trace(id, Kind::Tree);
        let tips = history.graph.reached_by(&[commit], &history.tips);
        tracer.fill(&mut trace, commit, tips.first().map_or(&[][..], |it| it));
        let commit_id = attributor.objects.index.id(history.graph.numbers[commit.index()])?;
        let (_, bytes) = attributor.store.read(&commit_id, &mut descent.reader).ok()?;
        trace.introduced = Some(Arc::new(describe(commit_id, &bytes)));
        let in_head = history.head.and_then(|head| self.path_in(head, &mut descent));
        trace.in_head = in_head.is_some_and(|it| it == path);
        let path = Some(join(attributor.root, &path));
        Some(IssuePlace { path, trace: Some(Arc::new(trace)) })
    }

    /// Returns the path of the target in a commit.
    fn path_in(&self, commit: CommitNo, descent: &mut Descent) -> Option<Vec<u8>> {
        let root = self.history.graph.trees[commit.index()]?;
        let is_found = self.descend(root, descent);
        let path = std::mem::take(&mut descent.path);
        is_found.then_some(path)
    }

    /// Extends the path to the target below a tree; returns `false` if the tree does not contain it.
    fn descend(&self, tree: ObjectNo, descent: &mut Descent) -> bool {
        if tree == self.target {
            return true;
        }
        let is_marked = self.marks.has(tree) && descent.depth < MOST_DEPTH;
        if !is_marked || !descent.without.insert(tree) {
            return false;
        }
        let Attributor { objects, store, .. } = self.attributor;
        let Some(id) = objects.index.id(tree) else { return false };
        let Ok((Kind::Tree, bytes)) = store.read(&id, &mut descent.reader) else { return false };
        let before = descent.path.len();
        descent.depth += 1;
        let mut start = 0;
        let mut is_found = false;
        while let Some(entry) = trees::entry(&bytes, start, id.as_bytes().len()) {
            start = entry.end;
            let child = Some(entry.id).filter(|_| entry.kind == EntryKind::Tree);
            let Some(child) = child.and_then(|id| objects.index.find(id)) else { continue };
            descent.path.extend((before > 0).then_some(b'/'));
            descent.path.extend_from_slice(entry.name);
            if self.descend(child, descent) {
                descent.without.remove(&tree);
                is_found = true;
                break;
            }
            descent.path.truncate(before);
        }
        descent.depth -= 1;
        is_found
    }
}
