//! What will be committed: the index against HEAD, whatever lies in the work tree.

use super::super::repo::{Change, Repository, Status};
use super::{ChangeSet, Item, Judge, open_store, sorted_base};
use crate::source::{Gap, Run, Source, Visitors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The staged content as a source.
#[derive(Debug)]
pub struct Staged {
    repository: Repository,
    changes: Vec<Change>,
    threads: usize,
}

impl Staged {
    /// Prepares to read what `repository` has staged: `changes`.
    #[must_use]
    pub fn new(repository: Repository, changes: Vec<Change>, threads: usize) -> Self {
        Self { repository, changes, threads }
    }
}

impl Source for Staged {
    fn visit(&self, visitors: &dyn Visitors, run: &Run) {
        let mut set = ChangeSet::default();
        let mut base: BTreeMap<Vec<u8>, Vec<_>> = BTreeMap::new();
        for change in &self.changes {
            let blob = |entry: &Option<_>| entry.filter(super::super::repo::Entry::is_blob);
            let old = blob(&change.old).map(|entry| entry.id);
            let old_path = change.old_path.as_ref().unwrap_or(&change.path);
            if let Some(old) = old {
                base.entry(old_path.clone()).or_default().push(old);
            }
            if change.new.is_none() {
                continue;
            }
            if let Status::Conflicted(_) = change.status {
                let message = "it is in conflict: all its versions are looked at";
                let path = super::join(Path::new(""), &change.path);
                run.report(Gap::Opaque, Some(path), message);
            }
            let is_rename = change.status == Status::Renamed;
            set.items.push(Item {
                path: change.path.clone(),
                blob: blob(&change.new).map(|entry| entry.id),
                before: old.into_iter().collect(),
                renamed_from: change.old_path.clone().filter(|_| is_rename),
                is_new: change.old.is_none() || change.old_path.is_some(),
                commit: None,
            });
        }
        set.base = sorted_base(base);
        let store = open_store(&self.repository, run);
        let root = PathBuf::new();
        Judge {
            repository: &self.repository,
            store: &store,
            visitors,
            run,
            threads: self.threads,
            set: &set,
            root: &root,
        }
        .judge();
    }
}
