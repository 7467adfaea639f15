//! Reports the locations at which commits introduced tokens, with the commits that removed them.
//!
//! Input: the changes of all commits. Output: locations, to the visitors. Nothing is compared here.

use super::super::EntryFinder;
use super::super::catalog::NONE;
use super::super::commits::describe;
use super::super::lfs::Content;
use super::super::tree_path::join;
use super::super::trees::{self, EntryKind};
use super::compare::{Change, Changes, Key};
use super::history::History;
use super::holders::{ByObject, ByTree, offsets};
use super::hot::Hot;
use super::locator::Locator;
use super::trace::Tracer;
use crate::commit::Commit;
use crate::finding::{Part, Removed, Trace};
use crate::source::{Code, Gap, Traced};
use ddpatrol_pack::{Kind, Reader};
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of commits named that removed a token from a path.
const MOST_REMOVED: usize = 50;

/// Reports locations.
pub(super) struct Placer<'a> {
    pub(super) locator: &'a Locator<'a>,
    pub(super) changes: &'a Changes,
    pub(super) hot: &'a Hot,
    pub(super) history: &'a History,
    pub(super) blobs: &'a ByObject,
}

/// Commits as people know them, each read once, and lists of them, each made once.
#[derive(Default)]
struct Described {
    commits: HashMap<u32, Arc<Commit>>,
    removed: HashMap<Key, Removed>,
}

/// What is known of the commits that brought tokens.
struct Wanted<'a> {
    /// The commits, in ascending order.
    commits: &'a [u32],
    /// The references that reach each.
    lists: &'a [Vec<u32>],
    described: &'a mut Described,
}

impl Placer<'_> {
    /// Adds all places.
    pub(super) fn run(&self, reader: &mut Reader) {
        let mut wanted: Vec<u32> = self.changes.introduced.iter().map(|it| it.commit).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let lists = self.history.graph.reached_by(&wanted, &self.history.tips);
        let mut described = Described::default();
        // Places in one blob follow each other, so that it is read once.
        let mut introduced: Vec<&Change> = self.changes.introduced.iter().collect();
        introduced.sort_by_key(|it| (it.holder, it.name, it.path, it.token, it.commit));
        for same in introduced.chunk_by(|a, b| (a.holder, a.is_name) == (b.holder, b.is_name)) {
            let mut wanted = Wanted { lists: &lists, commits: &wanted, described: &mut described };
            self.place_all(same, &mut wanted, reader);
        }
    }

    /// Places what changes have brought that have their holder in common.
    fn place_all(&self, changes: &[&Change], wanted: &mut Wanted<'_>, reader: &mut Reader) {
        let Some(first) = changes.first() else { return };
        let Some(id) = self.locator.objects.catalog.id(first.holder) else { return };
        let bytes = if first.is_name {
            Content::Blob(Vec::new())
        } else {
            let Locator { lfs, store, .. } = self.locator;
            match lfs.read(&id, store, reader) {
                Ok(content) => content,
                Err(error) => {
                    let root = Some(self.locator.root.to_owned());
                    self.locator.run.report(
                        Gap::Unread,
                        Code::ObjectUnreadable,
                        root,
                        error.to_string(),
                    );
                    return;
                }
            }
        };
        let mut content = self.locator.visitors.open(&bytes);
        for change in changes {
            if self.locator.run.is_interrupted() {
                return;
            }
            let list = wanted.commits.binary_search(&change.commit);
            let list = list.map_or(&[][..], |at| &wanted.lists[at]);
            let Some(trace) = self.trace(change, list, wanted.described, reader) else { continue };
            let path = join(self.locator.root, &self.changes.spell(change.path, self.hot));
            let (path, trace) = (Some(&*path), Some(&trace));
            if change.is_name {
                let place = Traced { path, part: Part::Name, trace, standing: None };
                let mut name = self.locator.visitors.open(self.hot.name(change.name));
                name.place(change.token, &[change.offset], &place);
                continue;
            }
            let place = Traced { path, part: Part::Content, trace, standing: None };
            let tokens = self.blobs.get(&change.holder).map_or(&[][..], Vec::as_slice);
            let found = tokens.binary_search_by_key(&change.token, |(token, _)| *token);
            if let Ok(at) = found {
                content.place(change.token, &offsets(&tokens[at].1), &place);
            }
        }
    }

    fn trace(
        &self,
        change: &Change,
        tips: &[u32],
        described: &mut Described,
        reader: &mut Reader,
    ) -> Option<Arc<Trace>> {
        let id = self.locator.objects.catalog.id(change.holder)?;
        let kind = if change.is_name { Kind::Tree } else { Kind::Blob };
        let tracer = self.tracer();
        let mut trace = tracer.new_trace(id, kind);
        trace.introduced = described.get(self, change.commit, reader);
        tracer.fill(&mut trace, change.commit, tips);
        trace.at_boundary |= self.lacks_parents(change, reader);
        let key = (change.token, change.path, change.is_name);
        trace.in_head = self.changes.in_head.contains(&key);
        trace.removed = self.removed(key, described, reader);
        Some(Arc::new(trace))
    }

    /// Returns the commits that removed a token from a path, the same list for each location there.
    fn removed(&self, key: Key, described: &mut Described, reader: &mut Reader) -> Removed {
        let Some(commits) = self.changes.removed.get(&key) else { return Removed::default() };
        if let Some(known) = described.removed.get(&key) {
            return known.clone();
        }
        let mut commits = commits.clone();
        commits.sort_by_key(|&it| (self.history.graph.dates[it as usize], it));
        let total = commits.len();
        let first = commits.into_iter().take(MOST_REMOVED);
        let first = first.filter_map(|it| described.get(self, it, reader)).collect();
        let removed = Removed { first: Arc::new(first), total };
        described.removed.insert(key, removed.clone());
        removed
    }

    /// Returns `true` if a parent's object at that path is missing, as in a partial clone.
    fn lacks_parents(&self, change: &Change, reader: &mut Reader) -> bool {
        let Locator { objects, .. } = self.locator;
        if objects.links.missing.is_empty() {
            return false;
        }
        let path = self.changes.spell(change.path, self.hot);
        let graph = &self.history.graph;
        let parents = graph.parents(change.commit).iter();
        parents.map(|&parent| graph.trees[parent as usize]).any(|tree| {
            let mut at = Some(tree).filter(|&tree| tree != NONE);
            for name in path.split(|&byte| byte == b'/') {
                let Some(id) = at.and_then(|number| objects.catalog.id(number)) else {
                    return true;
                };
                let Ok((Kind::Tree, bytes)) = self.locator.store.read(&id, reader) else {
                    return false;
                };
                let mut start = 0;
                let found = loop {
                    let Some(entry) = trees::entry(&bytes, start, id.as_bytes().len()) else {
                        return false;
                    };
                    if entry.name == name {
                        break entry;
                    }
                    start = entry.end;
                };
                if found.kind == EntryKind::Submodule {
                    return false;
                }
                at = objects.catalog.find(found.id);
            }
            at.is_none()
        })
    }
}

impl Placer<'_> {
    fn tracer(&self) -> Tracer<'_> {
        Tracer { locator: self.locator, history: self.history }
    }

    /// Adds the locations in objects that no commit contains.
    pub(super) fn run_lone(&self, trees: &ByTree, reader: &mut Reader) {
        let lone = self.hot.lone(&self.history.graph.trees);
        for (&number, tokens) in self.blobs.iter().filter(|(number, _)| lone(**number)) {
            let Some((bytes, trace)) = self.read_lone(number, Kind::Blob, reader) else { continue };
            let (part, trace) = (Part::Content, Some(&trace));
            let place = Traced { path: None, part, trace, standing: None };
            let mut opened = self.locator.visitors.open(&bytes);
            for (token, spans) in tokens {
                opened.place(*token, &offsets(spans), &place);
            }
        }
        for (&number, names) in trees.iter().filter(|(number, _)| lone(**number)) {
            let Some((bytes, trace)) = self.read_lone(number, Kind::Tree, reader) else { continue };
            let (part, trace) = (Part::Name, Some(&trace));
            let place = Traced { path: None, part, trace, standing: None };
            let mut entries = EntryFinder::new(&bytes, self.locator.repository.hash.len());
            for &(offset, token) in names {
                let Some(entry) = entries.around(offset as usize) else { continue };
                let offset = offset - entry.name_start() as u64;
                self.locator.visitors.open(entry.name).place(token, &[offset], &place);
            }
        }
    }

    /// Reads an object that no commit contains, and builds its trace.
    fn read_lone(
        &self,
        number: u32,
        kind: Kind,
        reader: &mut Reader,
    ) -> Option<(Content, Arc<Trace>)> {
        let id = self.locator.objects.catalog.id(number)?;
        let bytes = self.locator.lfs.read(&id, self.locator.store, reader).ok()?;
        let tracer = self.tracer();
        let mut trace = tracer.new_trace(id, kind);
        tracer.name_tags(&mut trace, id);
        Some((bytes, Arc::new(trace)))
    }
}

impl Described {
    fn get(
        &mut self,
        placer: &Placer<'_>,
        commit: u32,
        reader: &mut Reader,
    ) -> Option<Arc<Commit>> {
        if let Some(known) = self.commits.get(&commit) {
            return Some(Arc::clone(known));
        }
        let number = placer.history.graph.numbers[commit as usize];
        let id = placer.locator.objects.catalog.id(number)?;
        let (_, bytes) = placer.locator.store.read(&id, reader).ok()?;
        let described = Arc::new(describe(id, &bytes));
        self.commits.insert(commit, Arc::clone(&described));
        Some(described)
    }
}
