//! What a range of commits brings: every object that its head reaches and its base does not.

use super::super::commits::{self, describe};
use super::super::repo::{RepoError, Repository};
use super::super::store::{ReadError, Store};
use super::diff::Trees;
use super::{ChangeSet, Item, Judge, open_store, sorted_base};
use crate::finding::{Part, Standing, Trace};
use crate::source::{Gap, Run, Source, Traced, Visitors, add};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

/// Revisions as the user wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revisions {
    /// `BASE..HEAD`, `HEAD`, `^BASE`.
    pub list: Vec<OsString>,
    /// Further bases.
    pub not: Vec<OsString>,
}

/// How to read a range.
#[derive(Clone, Copy, Debug)]
pub struct RangeOptions {
    /// How many workers.
    pub threads: usize,
}

/// A range that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    /// A revision names no commit.
    #[error("{revision}: {source}{hint}", revision = revision.display())]
    Revision {
        /// What was asked for.
        revision: OsString,
        /// What else may help.
        hint: &'static str,
        /// Why.
        source: Box<RepoError>,
    },
    /// The repository cannot be read.
    #[error(transparent)]
    Repository(Box<RepoError>),
    /// Nothing was asked for.
    #[error("no revision is given: write BASE..HEAD, a commit, or HEAD --not BASE")]
    Empty,
    /// There is only what is to be left out.
    #[error("only bases are given: name the commit whose changes are to be looked at, too")]
    OnlyBases,
}

impl From<RepoError> for RangeError {
    fn from(error: RepoError) -> Self {
        Self::Repository(Box::new(error))
    }
}

/// Commits as a source: those of a range.
#[derive(Debug)]
pub struct Range {
    repository: Repository,
    commits: Vec<ObjectId>,
    /// What the range is held against; empty: the parents of each single commit.
    bases: Vec<ObjectId>,
    options: RangeOptions,
    /// What the user should know of how the range was understood.
    pub notes: Vec<String>,
}

const MISSING: &str = "; it is not in this clone: fetch it (a shallow clone: \
                       `git fetch --unshallow`, in GitHub's checkout action `fetch-depth: 0`)";

/// Tells whether a revision is spelled as all zeros, as git does where there is no commit.
fn is_zeros(revision: &OsStr) -> bool {
    let bytes = revision.as_encoded_bytes();
    matches!(bytes.len(), 40 | 64) && bytes.iter().all(|&byte| byte == b'0')
}

/// Cuts `A..B` or `A...B`; an empty side is HEAD.
fn split(revision: &OsStr) -> Option<(OsString, OsString)> {
    let text = revision.to_str()?;
    let (base, head) = text.split_once("...").or_else(|| text.split_once(".."))?;
    let side = |text: &str| OsString::from(if text.is_empty() { "HEAD" } else { text });
    Some((side(base), side(head)))
}

impl Range {
    /// Resolves revisions to the commits that they mean.
    ///
    /// # Errors
    /// [`RangeError`] if a revision names no commit or the commits cannot be listed.
    pub fn new(
        repository: Repository,
        revisions: &Revisions,
        options: RangeOptions,
    ) -> Result<Self, RangeError> {
        let mut range =
            Self { repository, commits: Vec::new(), bases: Vec::new(), options, notes: Vec::new() };
        let (mut heads, mut singles, mut is_new_branch) = (Vec::new(), Vec::new(), false);
        for revision in &revisions.list {
            let bytes = revision.as_encoded_bytes();
            if let Some((base, head)) = split(revision) {
                if is_zeros(&head) {
                    range.notes.push("HEAD is all zeros: a deleted branch brings nothing".into());
                    continue;
                }
                heads.push(range.resolve(&head)?);
                is_new_branch |= is_zeros(&base);
                if !is_zeros(&base) {
                    range.bases.push(range.resolve(&base)?);
                }
            } else if let [b'^', ..] = bytes {
                let name = revision.to_str().and_then(|text| text.strip_prefix('^'));
                range.bases.push(range.resolve(OsStr::new(name.unwrap_or_default()))?);
            } else {
                singles.push(range.resolve(revision)?);
            }
        }
        for base in &revisions.not {
            range.bases.push(range.resolve(base)?);
        }
        if revisions.list.is_empty() {
            return Err(RangeError::Empty);
        }
        if range.bases.is_empty() && !is_new_branch {
            range.commits = singles;
            if range.commits.is_empty() && range.notes.is_empty() {
                return Err(RangeError::OnlyBases);
            }
            return Ok(range);
        }
        heads.append(&mut singles);
        if heads.is_empty() {
            return if range.notes.is_empty() { Err(RangeError::OnlyBases) } else { Ok(range) };
        }
        if is_new_branch {
            range.take_other_branches(&heads)?;
        }
        range.commits = range.repository.commits(&heads, &range.bases)?;
        range.tell(&heads);
        Ok(range)
    }

    fn resolve(&self, revision: &OsStr) -> Result<ObjectId, RangeError> {
        self.repository.resolve(revision).map_err(|source| {
            let bytes = revision.as_encoded_bytes();
            let is_id = bytes.len() >= 7 && bytes.iter().all(u8::is_ascii_hexdigit);
            let is_shallow = self.repository.shallow_commits().is_ok_and(|it| !it.is_empty());
            let hint = if is_id || is_shallow { MISSING } else { "" };
            let (revision, source) = (revision.to_owned(), Box::new(source));
            RangeError::Revision { revision, hint, source }
        })
    }

    /// For a new branch, takes as base every reference that does not contain it.
    fn take_other_branches(&mut self, heads: &[ObjectId]) -> Result<(), RangeError> {
        let mut bases: Vec<ObjectId> =
            self.repository.refs()?.list.iter().filter_map(|it| it.commit).collect();
        bases.sort_unstable();
        bases.dedup();
        bases.retain(|other| !heads.contains(other));
        // One that contains the branch would hide what the branch brings.
        let brings = |others: &[ObjectId]| -> Result<bool, RepoError> {
            let brought = self.repository.commits(heads, others)?;
            Ok(heads.iter().all(|head| brought.contains(head)))
        };
        if !brings(&bases)? {
            let mut kept = Vec::new();
            for other in bases {
                if brings(&[other])? {
                    kept.push(other);
                }
            }
            bases = kept;
        }
        let count = match bases.len() {
            1 => "1 other reference".to_owned(),
            len => format!("{len} other references"),
        };
        self.notes.push(format!("BASE is all zeros, a new branch: it is held against {count}"));
        self.bases.append(&mut bases);
        Ok(())
    }

    /// Says what may surprise.
    fn tell(&mut self, heads: &[ObjectId]) {
        if heads.iter().all(|head| self.bases.contains(head)) {
            self.notes
                .push("BASE and HEAD are the same commit: there is nothing to look at".into());
        } else if self.commits.is_empty() {
            self.notes.push("BASE contains HEAD: HEAD brings nothing that BASE lacks".into());
        }
    }

    /// Lists what the commits bring.
    fn read(
        &self,
        store: &Store,
        run: &Run,
        visitors: &dyn Visitors,
    ) -> Result<ChangeSet, ReadError> {
        let mut set = ChangeSet::default();
        let mut reader = Reader::default();
        let mut trees = Trees::new(store);
        let shallow = self.repository.shallow_commits().unwrap_or_default();
        let mut bases = self.bases.clone();
        // The oldest first, so that the first that brings a token leads.
        for (rank, id) in self.commits.iter().rev().enumerate() {
            if run.is_interrupted() {
                break;
            }
            let (_, bytes) = store.read(id, &mut reader)?;
            add(&run.tally.objects, 1);
            add(&run.tally.bytes, bytes.len() as u64);
            let links = commits::links(&bytes).ok_or_else(|| ReadError::Broken {
                id: *id,
                cause: "the commit names no tree".into(),
            })?;
            let trace = Arc::new(self.trace(*id, &bytes, rank));
            self.search_message(&bytes, &trace, visitors);
            let is_boundary = shallow.contains(id);
            if is_boundary {
                let message = format!(
                    "the shallow clone begins at commit {id}, within the range: everything in it \
                     counts as brought by it"
                );
                run.report(Gap::Opaque, Some(self.repository.git_dir.clone()), message);
            }
            if links.parents.is_empty() && !self.bases.is_empty() {
                run.note(format!(
                    "the range reaches the root commit {id}: BASE has no history in common with it"
                ));
            }
            let mut parents = Vec::new();
            for parent in links.parents.iter().filter(|_| !is_boundary) {
                let (_, bytes) = store.read(parent, &mut reader)?;
                parents.extend(commits::links(&bytes).map(|links| links.tree));
                if self.bases.is_empty() {
                    bases.push(*parent);
                }
            }
            let commit = set.commits.len();
            set.commits.push(trace);
            for it in trees.differing(&links.tree, &parents)? {
                set.items.push(Item {
                    path: it.path,
                    blob: it.blob,
                    before: it.others,
                    renamed_from: None,
                    is_new: it.is_new,
                    commit: Some(commit),
                });
            }
            // What a commit takes away is changed, too: a token may have moved from there.
            for parent in &parents {
                for it in trees.differing(parent, &[links.tree])? {
                    set.items.push(Item {
                        path: it.path,
                        blob: None,
                        before: Vec::new(),
                        renamed_from: None,
                        is_new: false,
                        commit: Some(commit),
                    });
                }
            }
        }
        set.base = self.base(&mut trees, &set, &bases, store)?;
        Ok(set)
    }

    /// Finds the base's versions of the changed paths.
    fn base(
        &self,
        trees: &mut Trees<'_>,
        set: &ChangeSet,
        bases: &[ObjectId],
        store: &Store,
    ) -> Result<Vec<(Vec<u8>, ObjectId)>, ReadError> {
        let paths: HashSet<&[u8]> = set.items.iter().map(|item| &item.path[..]).collect();
        let mut known: HashSet<ObjectId> = HashSet::new();
        let mut base: BTreeMap<Vec<u8>, Vec<ObjectId>> = BTreeMap::new();
        let mut reader = Reader::default();
        for commit in bases.iter().filter(|commit| known.insert(**commit)) {
            let (_, bytes) = store.read(commit, &mut reader)?;
            let Some(links) = commits::links(&bytes) else { continue };
            for path in &paths {
                if let Some(blob) = trees.blob_at(&links.tree, path)? {
                    base.entry(path.to_vec()).or_default().push(blob);
                }
            }
        }
        Ok(sorted_base(base))
    }

    fn trace(&self, id: ObjectId, bytes: &[u8], rank: usize) -> Trace {
        Trace {
            repository: self.repository.git_dir.clone(),
            object: id,
            kind: Kind::Commit,
            introduced: Some(Arc::new(describe(id, bytes))),
            at_boundary: false,
            removed: Vec::new(),
            in_head: false,
            reachable: true,
            refs: Vec::new(),
            refs_total: 0,
            date: rank as i64,
        }
    }

    fn search_message(&self, bytes: &[u8], trace: &Arc<Trace>, visitors: &dyn Visitors) {
        for (token, offset) in visitors.find(bytes) {
            let place = Traced {
                bytes,
                offset,
                path: None,
                part: Part::Commit,
                trace: Some(trace),
                standing: Some(&Standing::New),
            };
            visitors.place(token, &place);
        }
    }
}

impl Source for Range {
    fn visit(&self, visitors: &dyn Visitors, run: &Run) {
        let store = open_store(&self.repository, run);
        let set = match self.read(&store, run, visitors) {
            Ok(set) => set,
            Err(error) => {
                let path = Some(self.repository.git_dir.clone());
                return run.report(Gap::Unread, path, error.to_string());
            }
        };
        let root = PathBuf::new();
        Judge {
            repository: &self.repository,
            store: &store,
            visitors,
            run,
            threads: self.options.threads,
            set: &set,
            root: &root,
        }
        .judge();
    }
}
