//! Issues of a history: what its repository lacks, and objects that were not read.
//!
//! Input: an opened history. Output: issues, to the run. Nothing is pushed here.

use super::{History, OpenHistory};
use crate::lfs::{FoundPointer, Lfs, Pointer};
use crate::repo::{Problem, Refs};
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::Run;
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::issue_object::PlacesByObject;
use ddpatrol_scan::place::Place;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of commits that the issue of a shallow clone names.
const MOST_NAMED: usize = 3;

impl History {
    /// Lists the commits at which a shallow clone ends, and reports the shallow clone.
    pub(super) fn read_shallow(&self, run: &Run) -> Vec<ObjectId> {
        let shallow = self.repository.shallow_commits().unwrap_or_else(|error| {
            self.report(run, GitIssue::RepositoryUnreadable { source: error.into() });
            Vec::new()
        });
        if shallow.is_empty() {
            return shallow;
        }
        let first = shallow.iter().take(MOST_NAMED).copied().collect();
        self.report(run, GitIssue::ShallowClone { count: shallow.len(), first });
        shallow
    }

    /// Lists the references, and reports broken ones.
    pub(super) fn read_refs(&self, run: &Run) -> Refs {
        let refs = self.repository.refs().unwrap_or_else(|error| {
            self.report(run, GitIssue::RefsUnreadable { source: error.into() });
            Refs::default()
        });
        for broken in &refs.broken {
            // A name without an object, such as that of a remote's former HEAD, loses no content.
            let (name, source) = (broken.name.clone(), broken.problem.clone().into());
            let issue = match broken.problem {
                Problem::Dangling(_) => GitIssue::RefDangling { name, source },
                Problem::Missing { target, .. } => {
                    GitIssue::RefBroken { name, target: Some(target), source }
                }
                Problem::Unreadable(_) => GitIssue::RefBroken { name, target: None, source },
            };
            self.report(run, issue);
        }
        refs
    }
}

impl OpenHistory<'_> {
    /// Reports objects that could not be read, blobs and trees at their first paths.
    pub(super) fn report_broken(&mut self, places: &PlacesByObject) {
        let broken = std::mem::take(&mut self.objects.broken);
        let broken: BTreeMap<_, _> =
            broken.into_iter().map(|error| ((error.id(), error.to_string()), error)).collect();
        for ((object, _), error) in broken {
            let issue = GitIssue::ObjectUnreadable { object, source: error.into() };
            let first = object.and_then(|id| places.get(&id)?.iter().find(|it| it.path.is_some()));
            let kind = first.and_then(|it| it.trace.as_ref()).map(|trace| trace.kind);
            match object.zip(kind) {
                Some((id, kind)) => self.run.report(issue, Some(Place::Object(id, kind))),
                None => self.report(issue),
            }
        }
    }

    /// Reports references to objects that were not read.
    pub(super) fn report_unread_refs(&self) {
        let Self { refs, objects, .. } = self;
        for reference in &refs.list {
            let id = &reference.target;
            let is_broken = || objects.broken.iter().any(|it| it.id() == Some(*id));
            if objects.index.find(id.as_bytes()).is_none() && !is_broken() {
                let name = reference.name.clone();
                self.report(GitIssue::RefNotRead { name, target: *id });
            }
        }
    }

    /// Lists the Git LFS pointers in the history.
    pub(super) fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.objects.links.pointers.iter().map(|it| &it.pointer)
    }

    /// Lists the missing Git LFS objects to which the history points, at their pointers.
    pub(super) fn missing_lfs(&self) -> Vec<(GitIssue, Place)> {
        let repository = &self.history.repository;
        let store = Lfs::new(repository);
        let found: BTreeSet<&FoundPointer> = self.objects.links.pointers.iter().collect();
        let lost = found.into_iter().filter(|it| store.path(&it.pointer).is_none());
        let mut unplaced: BTreeSet<&Pointer> = BTreeSet::new();
        let mut issues = Vec::new();
        for FoundPointer { pointer, blob } in lost {
            match blob.or_else(|| pointer.blob_id(repository.hash)) {
                Some(id) if self.store.has(&id) => {
                    let issue = GitIssue::LfsObjectMissing { oid: pointer.oid().to_owned() };
                    issues.push((issue, Place::Object(id, Kind::Blob)));
                }
                _ => {
                    unplaced.insert(pointer);
                }
            }
        }
        if let Some(first) = unplaced.first() {
            let first = first.oid().to_owned();
            let issue = GitIssue::LfsObjectsMissing { count: unplaced.len(), first };
            issues.push((issue, self.history.root.clone()));
        }
        issues
    }
}
