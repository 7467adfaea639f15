//! Issues of a history: what its repository lacks, and objects that were not read.
//!
//! Input: an opened history. Output: issues, to the run. Nothing is pushed here.

use super::{History, OpenHistory};
use crate::lfs::{Lfs, Pointer};
use crate::repo::{Problem, Refs};
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::Run;
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::issue_object::{IssuePlace, PlacesByObject};
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
    /// Reports objects that could not be read, blobs at their first paths.
    pub(super) fn report_broken(&mut self, places: &PlacesByObject) {
        let broken = std::mem::take(&mut self.objects.broken);
        let broken: BTreeMap<_, _> =
            broken.into_iter().map(|error| ((error.id(), error.to_string()), error)).collect();
        for ((object, _), error) in broken {
            let issue = GitIssue::ObjectUnreadable { object, source: error.into() };
            let has_path = |it: &Vec<IssuePlace>| it.iter().any(|place| place.path.is_some());
            match object.filter(|id| places.get(id).is_some_and(has_path)) {
                Some(id) => self.run.report(issue, Some(Place::Object(id, Kind::Blob))),
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

    /// Reports missing Git LFS objects to which the history points; returns `true` if there are
    /// any.
    pub(super) fn report_missing_lfs(&self) -> bool {
        let store = Lfs::new(&self.history.repository);
        let pointers: BTreeSet<&Pointer> = self.objects.links.pointers.iter().collect();
        let lost: Vec<&Pointer> =
            pointers.into_iter().filter(|it| store.path(it).is_none()).collect();
        let Some(first) = lost.first() else { return false };
        let first = first.oid().to_owned();
        self.report(GitIssue::LfsObjectsMissing { count: lost.len(), first });
        true
    }
}
