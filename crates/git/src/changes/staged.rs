//! Staged content: the index against HEAD. The work tree is not read.
//!
//! During a merge, content that any parent has at a path is not new there. During a cherry-pick or rebase,
//! the content of the applied commit is not new either, and during a revert that of the parents of the
//! reverted commit: the repository already has that content.

use super::super::commits;
use super::super::repo::{self, Progress, Repository, Status};
use super::super::store::{ReadError, Store};
use super::diff::Trees;
use super::part::{Change, ChangePart, PartSource};
use super::set::{Base, ChangeSet, Item, Scope, sorted_base};
use ddpatrol_pack::{ObjectId, Reader};
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::workers::Workers;
use ddpatrol_scan::{Run, Sinks};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::sync::Arc;

/// The staged content as a source.
#[derive(Debug)]
pub struct Staged {
    repository: Repository,
    changes: Vec<repo::StagedChange>,
    progress: Progress,
    workers: Arc<Workers>,
}

impl Staged {
    /// Creates a source of the staged `changes` of a repository.
    #[must_use]
    pub fn new(
        repository: Repository,
        changes: Vec<repo::StagedChange>,
        workers: Arc<Workers>,
    ) -> Self {
        Self { repository, changes, progress: Progress::default(), workers }
    }

    /// Sets the operation that the commit ends.
    #[must_use]
    pub fn during(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }
}

/// The commits besides HEAD from which the index takes content.
struct Others<'a> {
    roots: Vec<ObjectId>,
    trees: Trees<'a>,
    /// The errors from reading them, by their messages.
    errors: BTreeMap<String, ReadError>,
}

impl<'a> Others<'a> {
    fn new(progress: &Progress, store: &'a Store) -> Self {
        let mut reader = Reader::default();
        let mut links = |id: &ObjectId| -> Result<commits::CommitLinks, ReadError> {
            let (_, bytes) = store.read(id, &mut reader)?;
            let cause = || "the commit names no tree".into();
            commits::links(&bytes).ok_or_else(|| ReadError::Broken { id: *id, cause: cause() })
        };
        let mut errors = BTreeMap::new();
        let mut commits = progress.sources.clone();
        for id in &progress.reverted {
            match links(id) {
                Ok(links) => commits.extend(links.parents),
                Err(error) => drop(errors.insert(error.to_string(), error)),
            }
        }
        let mut roots = Vec::new();
        for id in commits {
            match links(&id) {
                Ok(links) => roots.push(links.tree),
                Err(error) => drop(errors.insert(error.to_string(), error)),
            }
        }
        Self { roots, trees: Trees::new(store), errors }
    }

    /// Returns their blobs at a path, and whether any of them has an entry there.
    fn at(&mut self, path: &[u8]) -> (Vec<ObjectId>, bool) {
        let (mut blobs, mut is_any) = (Vec::new(), false);
        for root in &self.roots {
            match self.trees.has(root, path).and_then(|has| {
                is_any |= has;
                self.trees.blob_at(root, path)
            }) {
                Ok(blob) => blobs.extend(blob),
                Err(error) => drop(self.errors.insert(error.to_string(), error)),
            }
        }
        (blobs, is_any)
    }
}

impl Staged {
    /// Adds all versions that the others have and HEAD does not. If one side has renamed a folder, the
    /// index has their content at other paths.
    fn base(
        &self,
        others: &[ObjectId],
        store: &Store,
        mut versions: Vec<(Vec<u8>, ObjectId)>,
    ) -> Base {
        let mut roots: Vec<ObjectId> = head_tree(&self.repository, store).into_iter().collect();
        let mut trees = Trees::new(store);
        for root in others {
            // Trees that cannot be read were reported when the changed paths were looked up.
            let differing = trees.differing(root, &roots[..roots.len().min(1)]);
            let differing = differing.unwrap_or_default().into_iter();
            versions.extend(differing.filter_map(|it| Some((it.path, it.blob?))));
        }
        versions.sort_unstable();
        versions.dedup();
        roots.extend_from_slice(others);
        Base { versions, roots, ..Base::default() }
    }

    /// Lists the changes, and the versions that HEAD and the others have at their paths.
    fn list(&self, others: &mut Others<'_>, run: &Run) -> (ChangeSet, Vec<(Vec<u8>, ObjectId)>) {
        let mut set = ChangeSet::default();
        let mut base: BTreeMap<Vec<u8>, BTreeSet<ObjectId>> = BTreeMap::new();
        let mut conflicted = BTreeSet::new();
        for change in &self.changes {
            let blob = |entry: &Option<_>| entry.filter(super::super::repo::Entry::is_blob);
            let old = blob(&change.old).map(|entry| entry.id);
            let old_path = change.old_path.as_ref().unwrap_or(&change.path);
            base.entry(old_path.clone()).or_default().extend(old);
            let (theirs, is_theirs) = others.at(&change.path);
            base.entry(change.path.clone()).or_default().extend(&theirs);
            if change.new.is_none() {
                continue;
            }
            let new = blob(&change.new).map(|entry| entry.id);
            if let Status::Conflicted(stage) = change.status {
                let path = String::from_utf8_lossy(&change.path);
                conflicted.insert(format!("{path} is in conflict: all its versions are scanned"));
                // Our version is that of HEAD.
                if let (2, Some(ours)) = (stage, new) {
                    base.entry(change.path.clone()).or_default().insert(ours);
                }
            }
            // A version that another parent has at this path is not a change.
            if new.is_some_and(|new| theirs.contains(&new)) {
                continue;
            }
            let is_rename = change.status == Status::Renamed;
            set.items.push(Item {
                path: change.path.clone(),
                blob: new,
                before: old.into_iter().chain(theirs).collect(),
                renamed_from: change.old_path.clone().filter(|_| is_rename),
                is_new: !is_theirs && (change.old.is_none() || change.old_path.is_some()),
                commit: None,
            });
        }
        conflicted.into_iter().for_each(|note| run.note(note));
        (set, sorted_base(base))
    }
}

impl Change for Staged {
    fn read(&self, _: &dyn Sinks, run: &Run, on_part: &mut dyn FnMut(&ChangePart<'_>)) {
        if self.changes.is_empty() {
            run.note("nothing is staged");
        }
        let store = Store::reporting(&self.repository, run, &self.repository.reported_path());
        let mut others = Others::new(&self.progress, &store);
        let (set, versions) = self.list(&mut others, run);
        for (_, error) in std::mem::take(&mut others.errors) {
            let object = Some(error.id());
            let issue = GitIssue::ObjectUnreadable { object, source: error.into() };
            run.report(issue, Some(self.repository.git_dir.clone()));
        }
        let base = |_: &BTreeSet<&[u8]>| self.base(&others.roots, &store, versions.clone());
        let source = PartSource {
            repository: &self.repository,
            store: &store,
            run,
            workers: &self.workers,
            fetch: None,
            base: &base,
            old_tags: &HashSet::new,
        };
        on_part(&ChangePart::new(source, &set, &[], Scope::Judged));
    }
}

/// Returns the tree of HEAD; `None` before the first commit.
fn head_tree(repository: &Repository, store: &Store) -> Option<ObjectId> {
    let head = repository.resolve(OsStr::new("HEAD")).ok()?;
    let (_, bytes) = store.read(&head, &mut Reader::default()).ok()?;
    commits::links(&bytes).map(|links| links.tree)
}
