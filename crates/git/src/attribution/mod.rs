//! Finds which commit introduced a token at which path, and which commits removed it.
//!
//! Input: sightings of tokens in objects, and the links between objects. A commit introduces a token at
//! a path if its tree has such a blob there and no parent's tree does; it removes the token if a
//! parent's tree has one and its own does not. The records of trees show which entries lead to such
//! blobs ([`tree_reader`]), and only these are compared between commits and their parents
//! ([`compare`]). Output: [`Placement`]s. Tokens are not searched for here.

mod attributor;
mod candidate_trees;
mod compare;
mod held;
mod history;
mod marks;
mod placements;
mod trace;
mod tree_places;
mod tree_reader;

pub(super) use attributor::Attributor;

use super::cache::KnownGap;
use super::commits::describe;
use super::numbers::{CommitNo, ObjectNo};
use compare::Compare;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::Issue;
use ddpatrol_scan::finding::Part;
use ddpatrol_scan::issue::{GitIssue, NamedBy};
use ddpatrol_scan::issue_object::{IssuePlace, PlacesByObject};
use ddpatrol_scan::sighting::{Holder, Placement, Sighting, TokenNo};
use held::{BlobSightings, NameMatch, NameSightings};
use history::CommitHistory;
use marks::TreeTable;
use placements::Placer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trace::Tracer;

/// Whether a repository promises objects that it has not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partial {
    Yes,
    No,
}

/// Maximum number of missing objects that the issue names.
const MOST_NAMED: usize = 3;

impl Attributor<'_> {
    /// Reports missing objects that other objects refer to; returns the issues for the state.
    pub(super) fn missing(&self, is_partial: Partial) -> Vec<KnownGap> {
        let is_missing = |(id, _): &&(ObjectId, ObjectNo)| {
            self.number(id).is_none() && !self.objects.broken.iter().any(|it| it.id() == Some(*id))
        };
        let mut from: BTreeMap<ObjectId, Vec<ObjectNo>> = BTreeMap::new();
        for &(id, parent) in self.objects.links.missing.iter().filter(is_missing) {
            from.entry(id).or_default().push(parent);
        }
        // A shallow clone names the parents of the commits where it begins.
        let boundary: BTreeSet<ObjectNo> =
            self.shallow.iter().filter_map(|id| self.number(id)).collect();
        from.retain(|_, parents| !parents.iter().all(|parent| boundary.contains(parent)));
        if from.is_empty() {
            return Vec::new();
        }
        let named_by = if is_partial == Partial::Yes {
            NamedBy::PartialClone
        } else if self.is_reachable(from.values().flatten().copied()) {
            NamedBy::Reachable
        } else {
            NamedBy::Unreachable
        };
        let first = from.keys().take(MOST_NAMED).copied().collect();
        let issue = Issue::Git(GitIssue::ObjectsMissing { count: from.len(), first, named_by });
        let recorded = KnownGap::new(&issue);
        self.run.report(issue, Some(self.root));
        vec![recorded]
    }

    /// Returns `true` if a reference may reach one of these objects.
    fn is_reachable(&self, objects: impl Iterator<Item = ObjectNo>) -> bool {
        let marks = TreeTable::new(self.objects).marked(self.objects.index.len(), objects);
        let CommitHistory { graph, reachable, .. } = CommitHistory::new(self);
        let is_marked = |number: ObjectNo| marks.has(number);
        (0..graph.len()).any(|at| {
            reachable[at]
                && (is_marked(graph.numbers[at]) || graph.trees[at].is_some_and(is_marked))
        }) || self.refs.list.iter().any(|it| self.number(&it.target).is_some_and(is_marked))
    }

    /// Returns the places of all sightings in objects, and those of `objects`, in which something was not
    /// scanned.
    ///
    /// An object without a token has the same places as a token that no other object contains.
    pub(super) fn attribute(
        &self,
        sightings: &[Sighting],
        objects: &BTreeSet<(ObjectId, Kind)>,
    ) -> (Vec<Placement>, PlacesByObject) {
        // Tokens in names are found by their offsets in a tree, and an issue has none.
        let (trees, objects): (Vec<_>, Vec<_>) =
            objects.iter().copied().partition(|(_, kind)| *kind == Kind::Tree);
        let first = sightings.iter().map(|it| it.token.0 + 1).max().unwrap_or_default();
        let substitutes = (first..).zip(objects).map(|(number, (id, kind))| Sighting {
            token: TokenNo(number),
            holder: Holder::Object(id, kind),
            spans: Arc::new([]),
            is_in_members: false,
        });
        let substitutes: Vec<Sighting> = substitutes.collect();
        let mut places = PlacesByObject::new();
        let placements = match substitutes.is_empty() {
            true => self.place(sightings),
            false => self.place(&[sightings, &substitutes].concat()),
        };
        let (tokens, issues): (Vec<Placement>, Vec<Placement>) =
            placements.into_iter().partition(|it| it.token.0 < first);
        for Placement { holder, path, trace, .. } in issues {
            if let Some(id) = holder.id() {
                places.entry(id).or_default().push(IssuePlace { path, trace });
            }
        }
        // An object that cannot be read may be a blob, too.
        let has_path = |id: &ObjectId| {
            places.get(id).is_some_and(|places| places.iter().any(|it| it.path.is_some()))
        };
        let trees: Vec<ObjectId> =
            trees.into_iter().map(|(id, _)| id).filter(|id| !has_path(id)).collect();
        self.place_trees(&trees, &mut places);
        (tokens, places)
    }

    fn place(&self, sightings: &[Sighting]) -> Vec<Placement> {
        if sightings.is_empty() {
            return Vec::new();
        }
        let history = CommitHistory::new(self);
        let tracer = Tracer { attributor: self, history: &history };
        let (mut blobs, mut trees) = (BlobSightings::default(), NameSightings::new());
        for sighting in sightings {
            let Some(number) = sighting.holder.id().and_then(|id| self.number(&id)) else {
                continue;
            };
            match sighting.holder {
                Holder::Lfs(_) | Holder::Object(_, Kind::Blob) => blobs.add(number, sighting),
                Holder::Object(_, Kind::Tree) => {
                    let names = sighting.spans.iter().map(|span| NameMatch {
                        offset: span.offset as u32,
                        token: sighting.token,
                        len: span.len as u32,
                        encoding: span.encoding,
                    });
                    trees.entry(number).or_default().extend(names);
                }
                Holder::Object(_, Kind::Commit | Kind::Tag) | Holder::Text(_) => {}
            }
        }
        trees.values_mut().for_each(|names| names.sort_unstable());
        let reader = &mut Reader::default();
        let mut placements = self.place_messages(sightings, tracer, reader);
        if blobs.is_empty() && trees.is_empty() {
            return placements;
        }
        let candidates = tree_reader::find(self, &blobs, &trees);
        let changes = Compare::new(&candidates, &history.graph, &blobs).run(history.head);
        let placer = Placer {
            attributor: self,
            changes: &changes,
            trees: &candidates,
            history: &history,
            blobs: &blobs,
        };
        placer.place_introduced(reader, &mut placements);
        placer.place_unreachable(&trees, reader, &mut placements);
        placements
    }

    /// Places the sightings in commits and tags.
    fn place_messages(
        &self,
        sightings: &[Sighting],
        tracer: Tracer<'_>,
        reader: &mut Reader,
    ) -> Vec<Placement> {
        let history = tracer.history;
        let mut messages: BTreeMap<(ObjectId, Kind), Vec<&Sighting>> = BTreeMap::new();
        for sighting in sightings {
            if let Holder::Object(id, kind @ (Kind::Commit | Kind::Tag)) = sighting.holder {
                messages.entry((id, kind)).or_default().push(sighting);
            }
        }
        let commit_of = |id: &ObjectId| history.graph.find(self.number(id)?);
        let mut commits: Vec<CommitNo> =
            messages.keys().filter_map(|(id, _)| commit_of(id)).collect();
        commits.sort_unstable();
        let lists = history.graph.reached_by(&commits, &history.tips);
        let head = history.head.filter(|_| !commits.is_empty());
        let in_head = head.map(|head| history.graph.reachable([head])).unwrap_or_default();
        let mut placements = Vec::new();
        for ((id, kind), sightings) in messages {
            if self.run.is_interrupted() {
                break;
            }
            let Ok((_, bytes)) = self.store.read(&id, reader) else { continue };
            let described = Arc::new(describe(id, &bytes));
            let mut trace = tracer.new_trace(id, kind);
            let part = if kind == Kind::Commit {
                let commit = commit_of(&id);
                if let Some((commit, at)) =
                    commit.zip(commit.and_then(|it| commits.binary_search(&it).ok()))
                {
                    tracer.fill(&mut trace, commit, &lists[at]);
                    trace.in_head = in_head.get(commit.index()).is_some_and(|it| *it);
                }
                trace.introduced = Some(described);
                Part::Commit
            } else {
                tracer.name_tags(&mut trace, id);
                trace.order = described.committer.time;
                Part::Tag
            };
            let trace = Arc::new(trace);
            placements.extend(sightings.into_iter().map(|sighting| Placement {
                trace: Some(Arc::clone(&trace)),
                ..Placement::of(sighting, part)
            }));
        }
        placements
    }
}
