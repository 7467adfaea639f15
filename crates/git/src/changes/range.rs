//! Ranges of commits: every object that the head reaches and the base does not.
//!
//! Input: revisions, or the commits of a push. Output: the parts of the change. Blobs are read in `blobs`.

use super::super::commits;
use super::super::repo::{RepoError, Repository};
use super::super::store::{Store, StoreError};
use super::diff::Trees;
use super::introduced::RangeReader;
use super::new_branch;
use super::part::{Change, ChangePart, FETCH_ALL, PartSource};
use super::revisions::{RangeError, Revisions, is_zeros, split};
use super::set::{ChangeSet, Item, NamedRef, Scope};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::workers::Workers;
use ddpatrol_scan::{Run, Sinks};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::sync::Arc;

/// Options for reading a range.
#[derive(Clone, Debug)]
pub struct RangeOptions {
    /// The workers of the scan.
    pub workers: Arc<Workers>,
}

/// A range of commits as a source.
#[derive(Debug)]
pub struct Range {
    pub(super) repository: Repository,
    pub(super) store: Store,
    /// Folders and packs of the store that cannot be used.
    problems: Vec<Arc<StoreError>>,
    pub(super) commits: Vec<ObjectId>,
    /// The bases that the user named.
    pub(super) bases: Vec<ObjectId>,
    /// Further commits of the other side, or tags of them.
    pub(super) also: Vec<ObjectId>,
    /// Whether each commit is compared with its own parents only.
    are_single: bool,
    /// The objects that the heads name, which may be tags.
    pub(super) head_objects: Vec<ObjectId>,
    /// The objects that the bases name.
    pub(super) base_objects: Vec<ObjectId>,
    /// Blobs and trees that references name without a commit.
    pub(super) bare: Vec<BareObject>,
    pub(super) names: Vec<NamedRef>,
    pub(super) scope: Scope,
    options: RangeOptions,
    /// The commit whose policy judges the range: the base that the user named, or a substitute.
    pub(super) policy_base: Option<ObjectId>,
    /// Notes for the user about the interpretation of the range.
    pub notes: Vec<String>,
}

/// A blob or tree that a reference names without a commit.
#[derive(Clone, Debug)]
pub(super) struct BareObject {
    pub(super) id: ObjectId,
    pub(super) kind: Kind,
    /// The name of the reference, which is used as the path.
    pub(super) name: Vec<u8>,
}

/// Maximum number of revisions in a command.
const MOST_REVISIONS: usize = 4;

const MISSING: &str = " (a shallow clone fetches it with `git fetch --unshallow`, GitHub's checkout \
                       action by `fetch-depth: 0`)";

impl Range {
    /// Opens a repository, with an empty range.
    pub(super) fn open(repository: Repository, options: RangeOptions) -> Self {
        let mut problems = Vec::new();
        let store = Store::of(&repository, &mut |problem| problems.push(Arc::new(problem)));
        Self {
            repository,
            store,
            problems,
            commits: Vec::new(),
            bases: Vec::new(),
            also: Vec::new(),
            are_single: false,
            head_objects: Vec::new(),
            base_objects: Vec::new(),
            bare: Vec::new(),
            names: Vec::new(),
            scope: Scope::Judged,
            options,
            policy_base: None,
            notes: Vec::new(),
        }
    }

    /// Resolves revisions to commits.
    ///
    /// # Errors
    /// [`RangeError`] if a revision names no commit or the commits cannot be listed.
    pub fn new(
        repository: Repository,
        revisions: &Revisions,
        options: RangeOptions,
    ) -> Result<Self, RangeError> {
        let mut range = Self::open(repository, options);
        range.names.clone_from(&revisions.names);
        let (mut heads, mut singles, mut is_new_branch) = (Vec::new(), Vec::new(), false);
        for revision in &revisions.list {
            if let Some((base, head)) = split(revision) {
                if is_zeros(&head) {
                    range
                        .notes
                        .push("HEAD is all zeros: a deleted branch introduces nothing".into());
                    continue;
                }
                heads.push(range.take_head(&head)?);
                is_new_branch |= !range.take_base(&base)?;
            } else if let Some(base) = revision.to_str().and_then(|text| text.strip_prefix('^')) {
                is_new_branch |= !range.take_base(OsStr::new(base))?;
            } else {
                singles.push(range.take_head(revision)?);
            }
        }
        for base in &revisions.not {
            is_new_branch |= !range.take_base(base)?;
        }
        if revisions.list.is_empty() {
            return Err(RangeError::Empty);
        }
        range.are_single = heads.is_empty() && range.bases.is_empty() && !is_new_branch;
        heads.append(&mut singles);
        if heads.is_empty() {
            return if range.notes.is_empty() { Err(RangeError::OnlyBases) } else { Ok(range) };
        }
        if range.are_single {
            range.policy_base = range.parent_of(heads[0]);
            range.commits = heads;
            return Ok(range);
        }
        range.policy_base = range.bases.first().copied();
        if is_new_branch {
            range.take_other_branches(&heads)?;
        }
        range.list_commits(&heads)?;
        range.note_surprises(&heads);
        Ok(range)
    }

    /// Lists the commits that `heads` reach and the other side does not.
    pub(super) fn list_commits(&mut self, heads: &[ObjectId]) -> Result<(), RepoError> {
        let mut not: Vec<ObjectId> = self.bases.iter().chain(&self.also).copied().collect();
        not.sort_unstable();
        not.dedup();
        let listed = self.repository.commits(heads, &not);
        self.commits = listed.or_else(|error| {
            // A reference to a missing object would fail the whole list.
            let mut reader = Reader::default();
            let before = not.len();
            not.retain(|id| self.store.peel(id, &mut reader).is_ok_and(|it| it.1 == Kind::Commit));
            if not.len() == before {
                return Err(error);
            }
            self.repository.commits(heads, &not)
        })?;
        Ok(())
    }

    /// Returns the commit whose policy judges the range: its base; `None` if everything in the range is
    /// new.
    #[must_use]
    pub fn policy_base(&self) -> Option<ObjectId> {
        self.policy_base
    }

    /// Returns the newest commit of the range; `None` if the range is empty.
    #[must_use]
    pub fn head(&self) -> Option<ObjectId> {
        self.commits.first().copied()
    }

    /// Returns the repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    fn parent_of(&self, commit: ObjectId) -> Option<ObjectId> {
        let (_, bytes) = self.store.read(&commit, &mut Reader::default()).ok()?;
        let parent = commits::links(&bytes)?.parents.first().copied()?;
        let is_cut = self.repository.shallow_commits().is_ok_and(|it| it.contains(&commit));
        (!is_cut && self.store.has(&parent)).then_some(parent)
    }

    fn take_head(&mut self, revision: &OsStr) -> Result<ObjectId, RangeError> {
        let (object, commit) = self.resolve(revision)?;
        self.head_objects.push(object);
        Ok(commit)
    }

    /// Adds a base; returns `false` if it is all zeros.
    fn take_base(&mut self, revision: &OsStr) -> Result<bool, RangeError> {
        if is_zeros(revision) {
            return Ok(false);
        }
        let (object, commit) = self.resolve(revision)?;
        self.bases.push(commit);
        self.base_objects.push(object);
        Ok(true)
    }

    /// Finds the object that a revision names, and its commit. A full id needs no process.
    fn resolve(&self, revision: &OsStr) -> Result<(ObjectId, ObjectId), RangeError> {
        let id = revision.to_str().and_then(|text| text.parse::<ObjectId>().ok());
        let object = match id.filter(|id| id.kind() == self.repository.hash) {
            Some(id) => id,
            None => {
                self.repository.object(revision).map_err(|cause| self.unknown(revision, cause))?
            }
        };
        let words = match self.store.peel(&object, &mut Reader::default()) {
            Ok((commit, Kind::Commit)) => return Ok((object, commit)),
            Ok((_, kind)) => format!("it names a {}", kind.name()),
            Err(error) => error.to_string(),
        };
        let git_dir = self.repository.git_dir.clone();
        let name = revision.to_string_lossy().into_owned();
        Err(self.unknown(revision, RepoError::Revision { revision: name, git_dir, words }))
    }

    pub(super) fn unknown(&self, revision: &OsStr, cause: RepoError) -> RangeError {
        let bytes = revision.as_encoded_bytes();
        let is_id = bytes.len() >= 7 && bytes.iter().all(u8::is_ascii_hexdigit);
        let is_shallow = self.repository.shallow_commits().is_ok_and(|it| !it.is_empty());
        let hint = if is_id || is_shallow { MISSING } else { "" };
        RangeError::Revision { hint, cause: Box::new(cause) }
    }

    /// Uses the commits of the other side as the base of a new branch; see [`new_branch`].
    fn take_other_branches(&mut self, heads: &[ObjectId]) -> Result<(), RangeError> {
        let mut found = new_branch::find(&self.repository, &self.store, heads)?;
        self.notes.push(found.note);
        self.policy_base = self.policy_base.or(found.policy_base);
        self.base_objects.append(&mut found.base_objects);
        self.also.append(&mut found.commits);
        Ok(())
    }

    /// Returns the command that fetches the objects of the range into a partial clone; `None` in other
    /// repositories.
    #[must_use]
    pub fn fetch_command(&self) -> Option<String> {
        if !self.repository.is_partial().unwrap_or(false) {
            return None;
        }
        let heads = self.head_objects.iter().map(ObjectId::to_string);
        let bases = self.base_objects.iter().map(|id| format!("^{id}"));
        let revisions: Vec<String> = heads.chain(bases).collect();
        if revisions.len() > MOST_REVISIONS || revisions.is_empty() {
            return Some(FETCH_ALL.to_owned());
        }
        Some(format!("git rev-list --objects --quiet {}", revisions.join(" ")))
    }

    /// Adds notes if the range is empty.
    fn note_surprises(&mut self, heads: &[ObjectId]) {
        if heads.iter().all(|head| self.bases.contains(head)) {
            self.notes.push("BASE and HEAD are the same commit: there is nothing to scan".into());
        } else if self.commits.is_empty() {
            self.notes.push("BASE contains HEAD: HEAD has no commit that BASE lacks".into());
        }
    }
}

impl Range {
    /// Lists the blobs and trees that references name without a commit, as new files at the names of the
    /// references.
    fn bare_set(&self, reader: &RangeReader<'_>) -> ChangeSet {
        let mut set = ChangeSet::default();
        let mut trees = Trees::new(&self.store);
        for BareObject { id, kind, name } in &self.bare {
            let commit = Some(set.commits.len());
            set.commits.push(Arc::new(reader.trace(*id, *kind, 0)));
            let mut add = |path: Vec<u8>, blob| {
                let (before, renamed_from) = (Vec::new(), None);
                set.items.push(Item { path, blob, before, renamed_from, is_new: true, commit });
            };
            if *kind == Kind::Blob {
                add(name.clone(), Some(*id));
                continue;
            }
            match trees.differing(id, &[]) {
                Ok(files) => {
                    files
                        .into_iter()
                        .for_each(|it| add([name, &b"/"[..], &it.path].concat(), it.blob));
                }
                Err(error) => reader.report(error),
            }
        }
        set
    }

    /// Passes a part of the range to `on_part`.
    fn part(
        &self,
        reader: &RangeReader<'_>,
        set: &ChangeSet,
        refs: &[NamedRef],
        on_part: &mut dyn FnMut(&ChangePart<'_>),
    ) {
        let source = PartSource {
            repository: &self.repository,
            store: &self.store,
            run: reader.run,
            workers: &self.options.workers,
            fetch: reader.fetch,
            base: &|holders| reader.read_base(set, holders),
            old_tags: &|| reader.tags_below(&self.base_objects),
        };
        on_part(&ChangePart::new(source, set, refs, self.scope));
    }
}

impl Change for Range {
    fn read(&self, sinks: &dyn Sinks, run: &Run, on_part: &mut dyn FnMut(&ChangePart<'_>)) {
        for problem in &self.problems {
            let issue = GitIssue::StoreUnreadable { source: Arc::clone(problem).into() };
            run.report(issue, Some(self.repository.git_dir.clone()));
        }
        let fetch = self.fetch_command();
        let reader = RangeReader {
            repository: &self.repository,
            store: &self.store,
            fetch: fetch.as_deref(),
            not_fetched: RefCell::default(),
            shallow: self.repository.shallow_commits().unwrap_or_default(),
            bases: &self.bases,
            also: &self.also,
            sinks,
            run,
        };
        let mut first = self.bare_set(&reader);
        first.tags = reader.push_tags(&self.head_objects, &self.base_objects);
        self.part(&reader, &first, &self.names, on_part);
        let size = if self.are_single { 1 } else { self.commits.len().max(1) };
        // The oldest commits come first, so that the first commit that introduces a token is reported.
        for (at, commits) in self.commits.rchunks(size).enumerate() {
            self.part(&reader, &reader.read(commits, at * size), &[], on_part);
        }
        reader.report_not_fetched();
    }
}
