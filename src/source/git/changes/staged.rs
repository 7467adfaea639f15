//! What will be committed: the index against HEAD, whatever lies in the work tree.

use super::super::commits;
use super::super::repo::{Change, Repository, Status};
use super::super::store::Store;
use super::{ChangeSet, Item, Judge, open_store, sorted_base};
use crate::source::{Run, Source, Visitors};
use ddpatrol_pack::{ObjectId, Reader};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::PathBuf;

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
        let mut conflicted = BTreeSet::new();
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
            if let Status::Conflicted(stage) = change.status {
                let path = String::from_utf8_lossy(&change.path);
                conflicted.insert(format!("{path} is in conflict: all its versions are looked at"));
                // Ours is HEAD's.
                if let (2, Some(ours)) = (stage, blob(&change.new)) {
                    base.entry(change.path.clone()).or_default().push(ours.id);
                }
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
        if self.changes.is_empty() {
            run.note("nothing is staged");
        }
        conflicted.into_iter().for_each(|note| run.note(note));
        let store = open_store(&self.repository, run);
        set.roots = head_tree(&self.repository, &store).into_iter().collect();
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

/// Finds HEAD's tree; before the first commit there is none.
fn head_tree(repository: &Repository, store: &Store) -> Option<ObjectId> {
    let head = repository.resolve(OsStr::new("HEAD")).ok()?;
    let (_, bytes) = store.read(&head, &mut Reader::default()).ok()?;
    commits::links(&bytes).map(|links| links.tree)
}
