//! Tells the places at which commits brought tokens in, with what became of each.

use super::super::catalog::NONE;
use super::super::commits::{Commit, describe};
use super::super::history::join;
use super::super::lfs::Content;
use super::super::trees::{self, EntryKind};
use super::compare::{Change, Changes};
use super::hot::Hot;
use super::{ByObject, History, Locator};
use crate::finding::{Part, Trace};
use crate::source::{Gap, Traced};
use ddpatrol_pack::{Kind, Reader};
use std::collections::HashMap;
use std::sync::Arc;

/// What is needed to tell places.
pub(super) struct Placer<'a> {
    pub(super) locator: &'a Locator<'a>,
    pub(super) changes: &'a Changes,
    pub(super) hot: &'a Hot,
    pub(super) history: &'a History,
    pub(super) blobs: &'a ByObject,
}

/// Commits as people know them, each read once.
#[derive(Default)]
struct Described(HashMap<u32, Arc<Commit>>);

impl Placer<'_> {
    /// Tells all places.
    pub(super) fn run(&self, reader: &mut Reader) {
        let mut wanted: Vec<u32> = self.changes.introduced.iter().map(|it| it.commit).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let lists = self.history.graph.reached_by(&wanted, &self.history.tips);
        let mut described = Described::default();
        // Places in one blob follow each other, so that it is read once.
        let mut introduced: Vec<&Change> = self.changes.introduced.iter().collect();
        introduced.sort_by_key(|it| (it.holder, it.name, it.token, it.commit));
        let mut content: Option<(u32, Content)> = None;
        for change in introduced {
            if self.locator.run.is_interrupted() {
                return;
            }
            let list = wanted.binary_search(&change.commit).map_or(&[][..], |at| &lists[at]);
            let Some(trace) = self.trace(change, list, &mut described, reader) else { continue };
            if change.is_name {
                let name = self.hot.name(change.name);
                self.place(change, (name, change.offset), Part::Name, &trace);
                continue;
            }
            if content.as_ref().is_none_or(|(number, _)| *number != change.holder) {
                let Locator { lfs, store, .. } = self.locator;
                content = lfs.read(&trace.object, store, reader).map_or_else(
                    |error| {
                        let root = Some(self.locator.root.to_owned());
                        self.locator.run.report(Gap::Unread, root, error.to_string());
                        None
                    },
                    |bytes| Some((change.holder, bytes)),
                );
            }
            let Some((_, bytes)) = &content else { continue };
            let offsets = self.blobs.get(&change.holder).into_iter().flatten();
            for &(_, offset) in offsets.filter(|(token, _)| *token == change.token) {
                self.place(change, (bytes, offset), Part::Content, &trace);
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
        let mut trace = self.locator.trace(id, kind);
        trace.introduced = described.get(self, change.commit, reader);
        self.locator.fill(&mut trace, change.commit, tips, self.history);
        trace.at_boundary |= self.lacks_parents(change, reader);
        let key = (change.token, change.path, change.is_name);
        trace.in_head = self.changes.in_head.contains(&key);
        let mut removed = self.changes.removed.get(&key).cloned().unwrap_or_default();
        removed.sort_by_key(|&it| (self.history.graph.dates[it as usize], it));
        trace.removed =
            removed.into_iter().filter_map(|it| described.get(self, it, reader)).collect();
        Some(Arc::new(trace))
    }

    /// Tells whether what a parent has at that path is not here, as in a partial clone.
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

    fn place(
        &self,
        change: &Change,
        (bytes, offset): (&[u8], u64),
        part: Part,
        trace: &Arc<Trace>,
    ) {
        let path = join(self.locator.root, &self.changes.spell(change.path, self.hot));
        let (path, trace) = (Some(&*path), Some(trace));
        let place = Traced { bytes, offset, path, part, trace, standing: None };
        self.locator.visitors.place(change.token, &place);
    }
}

impl Described {
    fn get(
        &mut self,
        placer: &Placer<'_>,
        commit: u32,
        reader: &mut Reader,
    ) -> Option<Arc<Commit>> {
        if let Some(known) = self.0.get(&commit) {
            return Some(Arc::clone(known));
        }
        let number = placer.history.graph.numbers[commit as usize];
        let id = placer.locator.objects.catalog.id(number)?;
        let (_, bytes) = placer.locator.store.read(&id, reader).ok()?;
        let described = Arc::new(describe(id, &bytes));
        self.0.insert(commit, Arc::clone(&described));
        Some(described)
    }
}
