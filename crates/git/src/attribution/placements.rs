//! Creates the placements of the tokens that commits introduced, with the commits that removed them.
//!
//! Input: the changes of all commits. Output: placements. Nothing is compared here.

use super::super::commits::describe;
use super::super::numbers::{CommitNo, ObjectNo};
use super::super::tree_names::EntryFinder;
use super::super::tree_path::join;
use super::super::trees::{self, EntryKind};
use super::attributor::Attributor;
use super::candidate_trees::CandidateTrees;
use super::compare::{Changes, IntroducedToken, Key};
use super::held::{BlobSightings, NameMatch, NameSightings};
use super::history::CommitHistory;
use super::trace::Tracer;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::commit::Commit;
use ddpatrol_scan::finding::{Part, Removed, Trace};
use ddpatrol_scan::sighting::{EncodedSpan, Holder, Placement};
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of commits named that removed a token from a path.
const MOST_REMOVED: usize = 50;

/// Creates placements.
pub(super) struct Placer<'a> {
    pub(super) attributor: &'a Attributor<'a>,
    pub(super) changes: &'a Changes,
    pub(super) trees: &'a CandidateTrees,
    pub(super) history: &'a CommitHistory,
    pub(super) blobs: &'a BlobSightings<'a>,
}

/// Descriptions of commits, each read once, and lists of them, each built once.
#[derive(Default)]
struct Described {
    commits: HashMap<CommitNo, Arc<Commit>>,
    removed: HashMap<Key, Removed>,
}

impl Placer<'_> {
    /// Adds the placements of all tokens that commits introduced.
    pub(super) fn place_introduced(&self, reader: &mut Reader, placements: &mut Vec<Placement>) {
        let mut commits: Vec<CommitNo> =
            self.changes.introduced.iter().map(|it| it.commit).collect();
        commits.sort_unstable();
        commits.dedup();
        let tips = self.history.graph.reached_by(&commits, &self.history.tips);
        let mut described = Described::default();
        // Placements in the same blob are consecutive, so that the blob is read once.
        let mut introduced: Vec<&IntroducedToken> = self.changes.introduced.iter().collect();
        introduced.sort_by_key(|it| (it.holder, it.name, it.path, it.token, it.commit));
        for change in introduced {
            if self.attributor.run.is_interrupted() {
                return;
            }
            let at = commits.binary_search(&change.commit);
            let tips = at.map_or(&[][..], |at| &tips[at]);
            let Some(trace) = self.trace(change, tips, &mut described, reader) else { continue };
            let path = self.changes.path_bytes(change.path, self.trees);
            let path = Some(join(self.attributor.root, &path));
            let placement = match &change.in_name {
                Some(found) => {
                    let name = self.trees.name(change.name);
                    placement_in_name(found, trace.object, name)
                }
                None => match self.blobs.find(change.holder, change.token) {
                    Some(sighting) => Placement::of(sighting, Part::Content),
                    None => continue,
                },
            };
            placements.push(Placement { path, trace: Some(trace), ..placement });
        }
    }

    fn trace(
        &self,
        change: &IntroducedToken,
        tips: &[u32],
        described: &mut Described,
        reader: &mut Reader,
    ) -> Option<Arc<Trace>> {
        let id = self.attributor.objects.index.id(change.holder)?;
        let kind = if change.in_name.is_some() { Kind::Tree } else { Kind::Blob };
        let tracer = self.tracer();
        let mut trace = tracer.new_trace(id, kind);
        trace.introduced = described.get(self, change.commit, reader);
        tracer.fill(&mut trace, change.commit, tips);
        trace.at_boundary |= self.lacks_parents(change, reader);
        let key = change.key();
        trace.in_head = self.changes.in_head.contains(&key);
        trace.removed = self.removed(key, described, reader);
        Some(Arc::new(trace))
    }

    /// Returns the commits that removed a token from a path. All locations at the path share the list.
    fn removed(&self, key: Key, described: &mut Described, reader: &mut Reader) -> Removed {
        let Some(commits) = self.changes.removed.get(&key) else { return Removed::default() };
        if let Some(known) = described.removed.get(&key) {
            return known.clone();
        }
        let mut commits = commits.clone();
        commits.sort_by_key(|&it| (self.history.graph.dates[it.index()], it));
        let total = commits.len();
        let first = commits.into_iter().take(MOST_REMOVED);
        let first = first.filter_map(|it| described.get(self, it, reader)).collect();
        let removed = Removed { first: Arc::new(first), total };
        described.removed.insert(key, removed.clone());
        removed
    }

    /// Returns `true` if a parent's object at that path is missing, as in a partial clone.
    fn lacks_parents(&self, change: &IntroducedToken, reader: &mut Reader) -> bool {
        let Attributor { objects, .. } = self.attributor;
        if objects.links.missing.is_empty() {
            return false;
        }
        let path = self.changes.path_bytes(change.path, self.trees);
        let graph = &self.history.graph;
        let parents = graph.parents(change.commit).iter();
        parents.map(|&parent| graph.trees[parent.index()]).any(|tree| {
            let mut at = tree;
            for name in path.split(|&byte| byte == b'/') {
                let Some(id) = at.and_then(|number| objects.index.id(number)) else {
                    return true;
                };
                let Ok((Kind::Tree, bytes)) = self.attributor.store.read(&id, reader) else {
                    return false;
                };
                let Some(found) = trees::find(&bytes, name, id.as_bytes().len()) else {
                    return false;
                };
                if found.kind == EntryKind::Submodule {
                    return false;
                }
                at = objects.index.find(found.id);
            }
            at.is_none()
        })
    }
}

impl Placer<'_> {
    fn tracer(&self) -> Tracer<'_> {
        Tracer { attributor: self.attributor, history: self.history }
    }

    /// Adds the placements in objects that no commit contains.
    pub(super) fn place_unreachable(
        &self,
        trees: &NameSightings,
        reader: &mut Reader,
        placements: &mut Vec<Placement>,
    ) {
        let is_unreachable = self.trees.unreachable(&self.history.graph.trees);
        let mut blobs: Vec<ObjectNo> =
            self.blobs.blobs().filter(|&it| is_unreachable(it)).collect();
        blobs.sort_unstable();
        for blob in blobs {
            let Some(trace) = self.trace_unreachable(blob, Kind::Blob) else { continue };
            placements.extend(self.blobs.of(blob).iter().map(|sighting| Placement {
                trace: Some(Arc::clone(&trace)),
                ..Placement::of(sighting, Part::Content)
            }));
        }
        let mut unreachable: Vec<(&ObjectNo, &Vec<NameMatch>)> =
            trees.iter().filter(|(tree, _)| is_unreachable(**tree)).collect();
        unreachable.sort_unstable();
        for (&tree, names) in unreachable {
            let Some(trace) = self.trace_unreachable(tree, Kind::Tree) else { continue };
            let Ok((_, bytes)) = self.attributor.store.read(&trace.object, reader) else {
                continue;
            };
            let mut entries = EntryFinder::new(&bytes, self.attributor.repository.hash.len());
            for found in names {
                let Some(entry) = entries.around(found.offset as usize) else { continue };
                let offset = found.offset - entry.name_start() as u32;
                let found = NameMatch { offset, ..*found };
                placements.push(Placement {
                    trace: Some(Arc::clone(&trace)),
                    ..placement_in_name(&found, trace.object, entry.name)
                });
            }
        }
    }

    /// Creates the trace of an object that no commit contains.
    fn trace_unreachable(&self, number: ObjectNo, kind: Kind) -> Option<Arc<Trace>> {
        let id = self.attributor.objects.index.id(number)?;
        let tracer = self.tracer();
        let mut trace = tracer.new_trace(id, kind);
        tracer.name_tags(&mut trace, id);
        Some(Arc::new(trace))
    }
}

/// Creates the placement of a token in the name of a tree entry, without path and trace.
fn placement_in_name(found: &NameMatch, tree: ObjectId, name: &[u8]) -> Placement {
    let &NameMatch { offset, token, len, encoding } = found;
    let span = EncodedSpan { offset: offset.into(), len: len.into(), encoding };
    Placement {
        token,
        holder: Holder::Object(tree, Kind::Tree),
        name: Some(name.to_vec()),
        spans: Arc::new([span]),
        is_in_members: false,
        path: None,
        part: Part::Name,
        trace: None,
        change_status: None,
    }
}

impl Described {
    fn get(
        &mut self,
        placer: &Placer<'_>,
        commit: CommitNo,
        reader: &mut Reader,
    ) -> Option<Arc<Commit>> {
        if let Some(known) = self.commits.get(&commit) {
            return Some(Arc::clone(known));
        }
        let number = placer.history.graph.numbers[commit.index()];
        let id = placer.attributor.objects.index.id(number)?;
        let (_, bytes) = placer.attributor.store.read(&id, reader).ok()?;
        let described = Arc::new(describe(id, &bytes));
        self.commits.insert(commit, Arc::clone(&described));
        Some(described)
    }
}
