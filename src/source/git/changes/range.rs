//! What a range of commits brings: every object that its head reaches and its base does not.

use super::super::repo::{Ref, RepoError, Repository};
use super::brought::History;
use super::{Judge, open_store};
use crate::report::text::count;
use crate::source::{Run, Source, Visitors};
use ddpatrol_pack::ObjectId;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

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
    #[error("{cause}{hint}")]
    Revision {
        /// What else may help.
        hint: &'static str,
        /// Why.
        cause: Box<RepoError>,
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
    /// What the range is held against, beside the parents that lie outside of it.
    bases: Vec<ObjectId>,
    /// Whether each commit is judged alone.
    are_single: bool,
    /// The objects that the heads name, which may be tags.
    brought: Vec<ObjectId>,
    /// The objects that the bases name.
    had: Vec<ObjectId>,
    options: RangeOptions,
    /// The base that was named, or that stands for the one that was not.
    ground: Option<ObjectId>,
    /// What the user should know of how the range was understood.
    pub notes: Vec<String>,
}

const MISSING: &str = " (a shallow clone gets it by `git fetch --unshallow`, GitHub's checkout \
                       action by `fetch-depth: 0`)";

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
        let mut range = Self {
            repository,
            commits: Vec::new(),
            bases: Vec::new(),
            are_single: false,
            brought: Vec::new(),
            had: Vec::new(),
            options,
            ground: None,
            notes: Vec::new(),
        };
        let (mut heads, mut singles, mut is_new_branch) = (Vec::new(), Vec::new(), false);
        for revision in &revisions.list {
            if let Some((base, head)) = split(revision) {
                if is_zeros(&head) {
                    range.notes.push("HEAD is all zeros: a deleted branch brings nothing".into());
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
            range.ground = range.parent_of(heads[0]);
            range.commits = heads;
            return Ok(range);
        }
        range.ground = range.bases.first().copied();
        if is_new_branch {
            range.take_other_branches(&heads)?;
        }
        range.commits = range.repository.commits(&heads, &range.bases)?;
        range.tell(&heads);
        Ok(range)
    }

    /// Returns the commit by whose configuration the range is judged: its base; `None` if everything
    /// in the range is new.
    #[must_use]
    pub fn ground(&self) -> Option<ObjectId> {
        self.ground
    }

    /// Returns the newest commit that the range brings; `None` if it brings none.
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
        self.repository.resolve(OsStr::new(&format!("{commit}~1"))).ok()
    }

    fn take_head(&mut self, revision: &OsStr) -> Result<ObjectId, RangeError> {
        let (object, commit) = self.resolve(revision)?;
        self.brought.push(object);
        Ok(commit)
    }

    /// Takes a base; `false` if it is all zeros.
    fn take_base(&mut self, revision: &OsStr) -> Result<bool, RangeError> {
        if is_zeros(revision) {
            return Ok(false);
        }
        let (object, commit) = self.resolve(revision)?;
        self.bases.push(commit);
        self.had.push(object);
        Ok(true)
    }

    /// Finds the object that a revision names, and its commit.
    fn resolve(&self, revision: &OsStr) -> Result<(ObjectId, ObjectId), RangeError> {
        let object = self.repository.object(revision);
        let both = object.and_then(|it| Ok((it, self.repository.commit(revision, it)?)));
        both.map_err(|cause| {
            let bytes = revision.as_encoded_bytes();
            let is_id = bytes.len() >= 7 && bytes.iter().all(u8::is_ascii_hexdigit);
            let is_shallow = self.repository.shallow_commits().is_ok_and(|it| !it.is_empty());
            let hint = if is_id || is_shallow { MISSING } else { "" };
            RangeError::Revision { hint, cause: Box::new(cause) }
        })
    }

    /// For a new branch, takes as base what the other side has: in a clone the remote-tracking
    /// references, else every reference; none that contains the branch.
    fn take_other_branches(&mut self, heads: &[ObjectId]) -> Result<(), RangeError> {
        let refs = self.repository.refs()?;
        let (head, refs) = (refs.head, refs.list);
        let is_remote = |it: &&Ref| it.name.starts_with(b"refs/remotes/");
        let is_clone = refs.iter().any(|it| is_remote(&it));
        // A stash and the HEADs of work trees were never pushed anywhere.
        let is_shared =
            |it: &&Ref| it.name.starts_with(b"refs/") && !it.name.starts_with(b"refs/stash");
        let is_base = |it: &&Ref| if is_clone { is_remote(it) } else { is_shared(it) };
        let mut bases: Vec<ObjectId> =
            refs.iter().filter(is_base).filter_map(|it| it.commit).collect();
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
        let kind = if is_clone { "remote-tracking reference" } else { "other reference" };
        let count = match bases.len() {
            0 => format!("no {kind}"),
            len => count(len, kind),
        };
        self.notes.push(format!("BASE is all zeros, a new branch: it is held against {count}"));
        let is_taken = |it: &&Ref| it.commit.is_some_and(|commit| bases.contains(&commit));
        // The branch that the other side calls its own says best what holds there.
        let remote_head = refs
            .iter()
            .find(|it| is_remote(it) && it.name.ends_with(b"/HEAD"))
            .and_then(|it| it.commit);
        let main = if is_clone { remote_head } else { head };
        self.ground = self
            .ground
            .or(main.filter(|commit| bases.contains(commit)))
            .or_else(|| bases.first().copied());
        self.had.extend(refs.iter().filter(is_base).filter(is_taken).map(|it| it.target));
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
}

impl Source for Range {
    fn visit(&self, visitors: &dyn Visitors, run: &Run) {
        let store = open_store(&self.repository, run);
        let history = History {
            repository: &self.repository,
            store: &store,
            shallow: self.repository.shallow_commits().unwrap_or_default(),
            bases: &self.bases,
            visitors,
            run,
        };
        history.search_tags(&self.brought, &self.had);
        let size = if self.are_single { 1 } else { self.commits.len().max(1) };
        let root = PathBuf::new();
        // The oldest first, so that the first that brings a token leads.
        for (at, commits) in self.commits.rchunks(size).enumerate() {
            let set = history.read(commits, at * size);
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
}
