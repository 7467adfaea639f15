//! A repository: where it is, what its refs point to, what is staged, which commits a range has.
//!
//! A path comes in; ids go out. Objects in bulk are read elsewhere. Two programs answer: libgit2,
//! and `git` where libgit2 cannot open the repository or is slower. If neither can, the answer is
//! an error that holds both their words, never an empty list.

mod config;
mod environment;
pub(in crate::source::git) mod guard;
mod layout;
mod open;
mod peel;
mod program;
mod progress;
mod range;
mod refs;
mod remote;
mod staged;
#[cfg(test)]
mod tests;
mod tracked;

pub use environment::Environment;
pub use guard::SpecialFile;
pub use open::LibraryError;
pub use program::{ProgramError, stop_programs};
pub use progress::{Operation, Progress};
pub use refs::{BrokenRef, Problem, Ref, Refs, Targets};
pub use remote::Tracking;
pub use staged::{Change, Entry, Mode, Status};
pub use tracked::{TrackedKind, TrackedPath};

use crate::regular::{self, Links};
use config::Config;
use ddpatrol_pack::{HashKind, ObjectId};
use layout::{Layout, absent};
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// No file that is read whole here is meant to be larger than this: HEAD, a ref, a path.
const SMALL_FILE: u64 = 64 << 10;

/// Size limit for the lists of ids that git keeps in one file (`packed-refs`, `shallow`), in bytes.
const MAX_LISTED: u64 = 512 << 20;

/// A git repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The git directory: `.git`, the bare repository, or a linked work tree's own part of it.
    pub git_dir: PathBuf,
    /// The directory that all work trees of the repository share; mostly `git_dir`.
    pub common_dir: PathBuf,
    /// The top of the work tree, if it has one. It need not exist.
    pub work_tree: Option<PathBuf>,
    /// How its objects are named.
    pub hash: HashKind,
    config: Config,
    overrides: Overrides,
    told: Option<PathBuf>,
    checked: Arc<Checked>,
}

/// What a repository says about `core.excludesFile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExcludesFile {
    /// Nothing: the user's own setting holds.
    Unset,
    /// There is no such file.
    None,
    /// This file.
    File(PathBuf),
}

/// Whether a repository's files were checked for named pipes and devices, and the first there is.
#[derive(Debug, Default)]
struct Checked {
    files: OnceLock<Result<(), Box<SpecialFile>>>,
    refs: OnceLock<Result<(), Box<SpecialFile>>>,
}

/// What the environment says other than the repository's layout does. Paths are absolute.
#[derive(Clone, Debug, Default)]
struct Overrides {
    common_dir: bool,
    index_file: Option<PathBuf>,
    objects: Option<PathBuf>,
    alternates: Vec<PathBuf>,
}

impl Repository {
    /// Opens the repository whose work tree's top or git directory is `path`; `None` if `path` is
    /// neither. Only files are read. A `.git` file is followed.
    ///
    /// # Errors
    /// A `.git` that is no repository, and files that cannot be read.
    pub fn at(path: &Path) -> Result<Option<Self>, RepoError> {
        let layout = Layout::at(path, false)?;
        Ok(layout.map(|layout| Self::new(layout, Overrides::default())))
    }

    /// Finds the repository for a command started in `start`: the one the environment names, else
    /// the nearest at or above `start`.
    ///
    /// # Errors
    /// There is none, it is broken, or files cannot be read.
    pub fn discover(start: &Path, environment: &Environment) -> Result<Self, RepoError> {
        environment::discover(start, environment)
    }

    fn new(layout: Layout, overrides: Overrides) -> Self {
        let Layout { git_dir, common_dir, work_tree, hash, config } = layout;
        let checked = Arc::default();
        Self { git_dir, common_dir, work_tree, hash, config, overrides, told: None, checked }
    }

    /// Has its git directory told as another path: one that was unpacked lies where nobody looks.
    #[must_use]
    pub fn told_as(self, path: PathBuf) -> Self {
        Self { told: Some(path), ..self }
    }

    /// Returns what its git directory is told as.
    #[must_use]
    pub fn told(&self) -> &Path {
        self.told.as_deref().unwrap_or(&self.git_dir)
    }

    /// Checks, once, that git and libgit2 would not wait for a file of it that is a named pipe, nor
    /// read a device.
    fn check(&self) -> Result<(), Box<SpecialFile>> {
        self.checked.files.get_or_init(|| guard::check(self).map_err(Box::new)).clone()
    }

    /// As [`Repository::check`], for the files of references.
    fn check_refs(&self) -> Result<(), Box<SpecialFile>> {
        self.checked.refs.get_or_init(|| guard::check_refs(self).map_err(Box::new)).clone()
    }

    /// Returns the folder of its objects.
    #[must_use]
    pub fn objects_dir(&self) -> PathBuf {
        self.overrides.objects.clone().unwrap_or_else(|| self.common_dir.join("objects"))
    }

    /// Returns the object folders that the environment adds. Those of `info/alternates` are not
    /// among them.
    #[must_use]
    pub fn alternates(&self) -> &[PathBuf] {
        &self.overrides.alternates
    }

    /// Returns the folder of Git LFS, which need not exist: `lfs.storage`, which counts from the
    /// common directory, or `lfs` there.
    #[must_use]
    pub fn lfs_storage(&self) -> PathBuf {
        let configured = self.config.get("lfs.storage").filter(|value| !value.is_empty());
        self.common_dir.join(configured.map_or_else(|| "lfs".into(), layout::path))
    }

    /// Returns the index file, which need not exist.
    #[must_use]
    pub fn index_file(&self) -> PathBuf {
        self.overrides.index_file.clone().unwrap_or_else(|| self.git_dir.join("index"))
    }

    /// Returns what the repository itself says about `core.excludesFile`, which may count from a home
    /// folder.
    #[must_use]
    pub fn excludes_file(&self, home: Option<&Path>) -> ExcludesFile {
        let Some(value) = self.config.get("core.excludesfile") else { return ExcludesFile::Unset };
        if value.is_empty() {
            return ExcludesFile::None;
        }
        match (value.strip_prefix(b"~/"), home) {
            (Some(below), Some(home)) => ExcludesFile::File(home.join(layout::path(below))),
            _ => {
                let top = self.work_tree.as_ref().unwrap_or(&self.git_dir);
                ExcludesFile::File(top.join(layout::path(value)))
            }
        }
    }

    /// Returns `true` if `core.ignoreCase` is set: paths that differ only in case are one file.
    #[must_use]
    pub fn ignores_case(&self) -> bool {
        self.config.is_true("core.ignorecase")
    }

    /// Returns the commits whose parents a shallow clone left out; none if it is not shallow.
    ///
    /// # Errors
    /// The list cannot be read, or holds something else than ids.
    pub fn shallow_commits(&self) -> Result<Vec<ObjectId>, RepoError> {
        let path = self.common_dir.join("shallow");
        let text = match regular::read(&path, Links::Follow, MAX_LISTED) {
            Ok(text) => text,
            Err(error) if absent(&error) => return Ok(Vec::new()),
            Err(source) => return Err(RepoError::Read { path, source }),
        };
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let ids: Option<Vec<ObjectId>> = lines.map(|line| id(line.trim_ascii_end())).collect();
        let why = "it holds something else than object ids".to_owned();
        ids.ok_or(RepoError::Broken { path, why })
    }

    /// Tells whether objects may be missing because a remote promises them.
    ///
    /// # Errors
    /// The folder of packs cannot be read.
    pub fn is_partial(&self) -> Result<bool, RepoError> {
        if self.config.has_promisor() {
            return Ok(true);
        }
        let packs = entries(&self.objects_dir().join("pack"))?;
        Ok(packs.iter().any(|path| path.extension().is_some_and(|end| end == "promisor")))
    }

    /// Returns the git directories of submodules, theirs included, sorted. They are kept whether
    /// or not the submodule is checked out. Folders that links lead to are not looked into.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn submodule_git_dirs(&self) -> Result<Vec<PathBuf>, RepoError> {
        let mut found = Vec::new();
        let mut folders = vec![self.common_dir.join("modules")];
        for work_tree in entries(&self.common_dir.join("worktrees"))? {
            folders.push(work_tree.join("modules"));
        }
        while let Some(folder) = folders.pop() {
            for path in entries(&folder)? {
                if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    continue;
                }
                if path.join("HEAD").is_file() {
                    folders.push(path.join("modules"));
                    found.push(path);
                } else {
                    folders.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Lists what its refs point to.
    ///
    /// # Errors
    /// The refs cannot be listed. A single ref that is broken is in [`Refs::broken`].
    pub fn refs(&self) -> Result<Refs, RepoError> {
        refs::list(self)
    }

    /// Lists what its refs point to, without looking at the objects: a tag is not followed, and a
    /// missing object is not noticed. Much cheaper than [`Repository::refs`].
    ///
    /// # Errors
    /// The refs cannot be listed.
    pub fn targets(&self) -> Result<Targets, RepoError> {
        refs::targets(self)
    }

    /// Finds the references that track the remote that git calls `name`, at `url`.
    #[must_use]
    pub fn tracking(&self, name: &str, url: Option<&str>) -> Tracking {
        Tracking::new(&self.config, name, url)
    }

    /// Returns the merge, cherry-pick, revert or rebase that the next commit ends.
    ///
    /// # Errors
    /// A file of the operation cannot be read, or holds something else than ids.
    pub fn progress(&self) -> Result<Progress, RepoError> {
        progress::read(self)
    }

    /// Lists what the index has other than HEAD's commit; other than nothing before the first
    /// commit. Renames are found at half similarity. What `git add --intent-to-add` promised is
    /// not staged. Sorted by path.
    ///
    /// # Errors
    /// Neither `git` nor libgit2 can compare them.
    pub fn staged(&self) -> Result<Vec<Change>, RepoError> {
        staged::changes(self)
    }

    /// Returns the commit that a revision names, by git's rules.
    ///
    /// # Errors
    /// It names none.
    pub fn resolve(&self, revision: &OsStr) -> Result<ObjectId, RepoError> {
        self.commit(revision, self.object(revision)?)
    }

    /// Returns the commit that a revision stands for, whose object is known.
    ///
    /// # Errors
    /// The object is no commit, nor a tag of one.
    pub fn commit(&self, revision: &OsStr, object: ObjectId) -> Result<ObjectId, RepoError> {
        range::commit(self, revision, object)
    }

    /// Returns the object that a revision names, which may be a tag.
    ///
    /// # Errors
    /// It names none.
    pub fn object(&self, revision: &OsStr) -> Result<ObjectId, RepoError> {
        range::object(self, revision)
    }

    /// Returns the commits that can be reached from `wanted` and not from `not`, children before
    /// their parents. Tags stand for their commits. A shallow clone's history ends where it was
    /// cut.
    ///
    /// # Errors
    /// A commit is missing, or an id is no commit's.
    pub fn commits(
        &self,
        wanted: &[ObjectId],
        not: &[ObjectId],
    ) -> Result<Vec<ObjectId>, RepoError> {
        range::commits(self, wanted, not)
    }

    /// As [`Repository::commits`], in no particular order, and with the parents of each.
    ///
    /// # Errors
    /// A commit is missing, or an id is no commit's.
    pub fn commits_with_parents(
        &self,
        wanted: &[ObjectId],
        not: &[ObjectId],
    ) -> Result<Vec<(ObjectId, Vec<ObjectId>)>, RepoError> {
        range::commits_with_parents(self, wanted, not)
    }

    /// Returns the best common ancestors of all these commits; none if there are none, or they
    /// cannot be found.
    #[must_use]
    pub fn common_ancestors(&self, commits: &[ObjectId]) -> Vec<ObjectId> {
        range::common_ancestors(self, commits)
    }
}

/// What can be wrong with a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// There is no repository.
    #[error("no git repository at {} or above it: start inside one, or set GIT_DIR", start.display())]
    NotFound {
        /// Where the search began.
        start: PathBuf,
    },
    /// Something that should be a repository, or a part of one, is not.
    #[error("{} is a broken part of a git repository: {why}; repair or remove it", path.display())]
    Broken {
        /// The part.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A configuration file is malformed.
    #[error("{}: line {line} is no git configuration: correct it", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file or folder cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A revision names no commit.
    #[error(
        "no commit is called {revision:?} in {} ({words}): correct the name or fetch the commit",
        git_dir.display()
    )]
    Revision {
        /// What was asked for.
        revision: String,
        /// The repository.
        git_dir: PathBuf,
        /// What git says.
        words: String,
    },
    /// `git` cannot do it.
    #[error("cannot {task} of {}: {program}", git_dir.display())]
    Program {
        /// What was to be done.
        task: &'static str,
        /// The repository.
        git_dir: PathBuf,
        /// Why not.
        program: ProgramError,
    },
    /// Neither `git` nor libgit2 can do it.
    #[error("cannot {task} of {}: git: {program}; libgit2: {library}", git_dir.display())]
    Neither {
        /// What was to be done.
        task: &'static str,
        /// The repository.
        git_dir: PathBuf,
        /// Why the program cannot.
        program: ProgramError,
        /// Why the library cannot.
        library: LibraryError,
    },
}

/// Reads an id from its hexadecimal digits.
fn id(hex: &[u8]) -> Option<ObjectId> {
    std::str::from_utf8(hex).ok()?.parse().ok()
}

/// Reads at most the first [`SMALL_FILE`] bytes of a regular file.
fn read_some(path: &Path) -> Result<Vec<u8>, RepoError> {
    let failed = |source| RepoError::Read { path: path.to_path_buf(), source };
    let mut text = Vec::new();
    let file = regular::open(path, Links::Follow).map_err(failed)?;
    file.take(SMALL_FILE).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

/// Lists a folder, sorted; one that does not exist is empty.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, RepoError> {
    let failed = |source| RepoError::Read { path: folder.to_path_buf(), source };
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let paths: Result<Vec<PathBuf>, _> = listed.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}
