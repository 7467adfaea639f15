//! Reads the content that commits introduce: tags, messages, and the versions of paths that no parent has.
//!
//! Input: ids of commits. Output: a [`ChangeSet`], and messages pushed to the sinks. Blobs are read in
//! `blobs`.

use super::super::commits::{self, describe};
use super::super::repo::Repository;
use super::super::store::{LONGEST_TAGS, ReadError, Store};
use super::diff::Trees;
use super::part::not_fetched;
use super::set::{Base, ChangeSet, Item, Replaced, sorted_base};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::finding::Trace;
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::{Run, Sink, Sinks, add};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Reads the commits and tags of a range.
pub(super) struct RangeReader<'a> {
    pub(super) repository: &'a Repository,
    pub(super) store: &'a Store,
    /// The command that fetches the objects of the range into a partial clone.
    pub(super) fetch: Option<&'a str>,
    /// The commits, trees and tags that a partial clone lacks.
    pub(super) not_fetched: RefCell<BTreeSet<ObjectId>>,
    /// The commits whose parents a shallow clone lacks.
    pub(super) shallow: Vec<ObjectId>,
    /// The bases that the user named.
    pub(super) bases: &'a [ObjectId],
    /// Further commits of the other side, mostly of other branches.
    pub(super) also: &'a [ObjectId],
    pub(super) sinks: &'a dyn Sinks,
    pub(super) run: &'a Run,
}

/// The state of reading some commits.
struct Reading<'a> {
    sink: Box<dyn Sink + 'a>,
    set: ChangeSet,
    trees: Trees<'a>,
    reader: Reader,
    /// The commits of the range.
    inside: HashSet<ObjectId>,
    /// The commits of the range that have a child in it.
    parents: HashSet<ObjectId>,
}

impl RangeReader<'_> {
    /// Pushes the tags that heads name and bases do not, and the tags to which they point. Returns their
    /// traces.
    pub(super) fn push_tags(&self, brought: &[ObjectId], had: &[ObjectId]) -> Vec<Arc<Trace>> {
        let had: HashSet<ObjectId> = had.iter().copied().collect();
        let mut known = HashSet::new();
        let mut traces = Vec::new();
        let mut sink = self.sinks.sink();
        for (id, bytes) in self.tags(brought) {
            if !had.contains(&id) && known.insert(id) {
                sink.blob(&Blob::whole(Origin::Object(id, Kind::Tag), &bytes));
                traces.push(Arc::new(self.trace(id, Kind::Tag, 0)));
            }
        }
        traces
    }

    /// Returns the tags at `had`, and the tags to which they point.
    pub(super) fn tags_below(&self, had: &[ObjectId]) -> HashSet<ObjectId> {
        let had: Vec<ObjectId> = had.iter().copied().filter(|id| self.store.has(id)).collect();
        self.tags(&had).into_iter().map(|(id, _)| id).collect()
    }

    fn tags(&self, ids: &[ObjectId]) -> Vec<(ObjectId, Vec<u8>)> {
        let mut reader = Reader::default();
        let mut tags = Vec::new();
        for id in ids {
            let mut next = Some(*id);
            // Ids are not verified, so crafted tags can form a cycle.
            for _ in 0..LONGEST_TAGS {
                let Some(id) = next.take() else { break };
                match self.store.read(&id, &mut reader) {
                    Ok((Kind::Tag, bytes)) => {
                        next = commits::tag_target(&bytes);
                        tags.push((id, bytes));
                    }
                    Ok(_) => {}
                    Err(error) => self.report(error),
                }
            }
        }
        tags
    }

    /// Lists the content that commits introduce. Children come before their parents in `commits`, and
    /// `rank` commits were read before. A commit that cannot be read is reported and skipped.
    pub(super) fn read(&self, commits: &[ObjectId], rank: usize) -> ChangeSet {
        let mut reading = Reading {
            sink: self.sinks.sink(),
            set: ChangeSet::default(),
            trees: Trees::new(self.store),
            reader: Reader::default(),
            inside: commits.iter().copied().collect(),
            parents: HashSet::new(),
        };
        reading.set.bases.extend(self.bases);
        for (at, id) in commits.iter().rev().enumerate() {
            if self.run.is_interrupted() {
                break;
            }
            if let Err(error) = self.read_commit(id, rank + at, &mut reading) {
                self.report(error);
            }
        }
        let Reading { mut set, parents, .. } = reading;
        let commits = set.commits.iter().zip(&set.trees);
        let heads = commits.filter(|(commit, _)| !parents.contains(&commit.object));
        set.heads = heads.map(|(_, tree)| *tree).collect();
        set
    }

    fn read_commit(
        &self,
        id: &ObjectId,
        rank: usize,
        reading: &mut Reading<'_>,
    ) -> Result<(), ReadError> {
        let (_, bytes) = self.store.read(id, &mut reading.reader)?;
        add(&self.run.tally.objects, 1);
        add(&self.run.tally.bytes, bytes.len() as u64);
        let nameless = || ReadError::Broken { id: *id, cause: "the commit names no tree".into() };
        let links = commits::links(&bytes).ok_or_else(nameless)?;
        let introduced = Some(Arc::new(describe(*id, &bytes)));
        let trace = self.trace(*id, Kind::Commit, rank);
        let trace = Arc::new(Trace { introduced, in_head: true, ..trace });
        reading.sink.blob(&Blob::whole(Origin::Object(*id, Kind::Commit), &bytes));
        let is_boundary = self.shallow.contains(id);
        if is_boundary {
            let issue = GitIssue::ShallowRange { commit: *id };
            self.run.report(issue, Some(self.repository.git_dir.clone()));
        }
        if links.parents.is_empty() && !(self.bases.is_empty() && self.also.is_empty()) {
            self.run.note(format!(
                "the range reaches the root commit {id}: BASE has no history in common with it"
            ));
        }
        let mut parents = Vec::new();
        for parent in links.parents.iter().filter(|_| !is_boundary) {
            let (_, bytes) = self.store.read(parent, &mut reading.reader)?;
            parents.extend(commits::links(&bytes).map(|links| links.tree));
            // Content below the range is or was in the base, so it is not new.
            if reading.inside.contains(parent) {
                reading.parents.insert(*parent);
            } else {
                reading.set.bases.insert(*parent);
            }
        }
        let commit = reading.set.commits.len();
        reading.set.commits.push(trace);
        reading.set.trees.push(links.tree);
        for it in reading.trees.differing(&links.tree, &parents)? {
            reading.set.items.push(Item {
                path: it.path,
                blob: it.blob,
                before: it.others,
                renamed_from: None,
                is_new: it.is_new,
                commit: Some(commit),
            });
        }
        for parent in &parents {
            for it in reading.trees.differing(parent, &[links.tree])? {
                let (was, now) = (it.blob, it.others.first().copied());
                reading.set.replaced.push(Replaced { path: it.path, was, now, commit });
            }
        }
        Ok(())
    }

    /// Reads the versions of the changed paths in the bases of a change. Further commits of the other side
    /// are read at the paths `holders` only, since there can be thousands of branches.
    pub(super) fn read_base(&self, set: &ChangeSet, holders: &BTreeSet<&[u8]>) -> Base {
        let mut trees = Trees::new(self.store);
        let mut reader = Reader::default();
        let mut versions: BTreeMap<Vec<u8>, BTreeSet<ObjectId>> = BTreeMap::new();
        let mut roots = Vec::new();
        let mut seen = HashSet::new();
        // Removed paths count as changed, since a token may have moved from there.
        let removed = set.replaced.iter().map(|it| &it.path[..]);
        let changed: BTreeSet<&[u8]> =
            set.items.iter().map(|item| &item.path[..]).chain(removed).collect();
        let around = set.bases.iter().map(|commit| (commit, &changed));
        for (commit, paths) in around.chain(self.also.iter().map(|commit| (commit, holders))) {
            if self.run.is_interrupted() {
                break;
            }
            let mut read = || -> Result<(), ReadError> {
                let (commit, kind) = self.store.peel(commit, &mut reader)?;
                if kind != Kind::Commit {
                    return Ok(());
                }
                let (_, bytes) = self.store.read(&commit, &mut reader)?;
                let Some(links) = commits::links(&bytes) else { return Ok(()) };
                if !seen.insert(links.tree) {
                    return Ok(());
                }
                roots.push(links.tree);
                for path in paths {
                    if let Some(blob) = trees.blob_at(&links.tree, path)? {
                        versions.entry(path.to_vec()).or_default().insert(blob);
                    }
                }
                Ok(())
            };
            match read() {
                // A reference to a missing object is no base.
                Err(ReadError::Missing(id)) if id == *commit && self.also.contains(commit) => {}
                Err(error) => self.report(error),
                Ok(()) => {}
            }
        }
        Base { versions: sorted_base(versions), roots, ..Base::default() }
    }

    pub(super) fn report(&self, error: ReadError) {
        let issue = match error {
            ReadError::Missing(id) if self.fetch.is_some() => {
                self.not_fetched.borrow_mut().insert(id);
                return;
            }
            ReadError::Missing(object) => GitIssue::ObjectMissing { object, source: error.into() },
            ReadError::Broken { id, .. } => {
                GitIssue::ObjectUnreadable { object: Some(id), source: error.into() }
            }
        };
        self.run.report(issue, Some(self.repository.git_dir.clone()));
    }

    /// Reports the objects that a partial clone lacks.
    pub(super) fn report_not_fetched(&self) {
        let ids: Vec<ObjectId> = self.not_fetched.take().into_iter().collect();
        if let (Some(command), Some(_)) = (self.fetch, ids.first()) {
            let place = self.repository.git_dir.clone();
            self.run.report(not_fetched(&ids, command), Some(place));
        }
    }

    pub(super) fn trace(&self, object: ObjectId, kind: Kind, rank: usize) -> Trace {
        let trace = Trace::new(self.repository.reported_path(), object, kind);
        Trace { reachable: true, order: rank as i64, ..trace }
    }
}
