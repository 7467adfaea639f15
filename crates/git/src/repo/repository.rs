//! A repository: the paths of its parts, and its own configuration.
//!
//! Only files are read. Requests that need git or libgit2 are in the modules about refs, revisions and the
//! index.

use super::config::Config;
use super::error::RepoError;
use super::files::{self, MAX_LISTED, absent, entries};
use super::guard::{self, SpecialFile};
use super::ids::id;
use super::layout::{Layout, ObjectsFolder};
use super::remote::{self, Tracking};
use ddpatrol_pack::{HashKind, ObjectId};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::regular::{self, Links};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A git repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The git directory: `.git`, the bare repository, or the git directory of a linked work tree.
    pub git_dir: PathBuf,
    /// The directory that all work trees share. It is `git_dir`, except in linked work trees.
    pub common_dir: PathBuf,
    /// The top of the work tree; `None` if the repository is bare. The folder need not exist.
    pub work_tree: Option<PathBuf>,
    /// The hash function of object ids.
    pub hash: HashKind,
    pub(super) config: Config,
    pub(super) overrides: Overrides,
    reported_path: Option<Place>,
    checked: Arc<Checked>,
}

/// The setting `core.excludesFile` of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExcludesFile {
    /// It is not set, so the user's own setting applies.
    Unset,
    /// It is empty: there is no file.
    None,
    /// The file.
    File(PathBuf),
}

/// The results of the checks for named pipes and devices, once they were made.
#[derive(Debug, Default)]
struct Checked {
    files: OnceLock<Result<(), Box<SpecialFile>>>,
    refs: OnceLock<Result<(), Box<SpecialFile>>>,
}

/// The paths that the environment overrides. They are absolute.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides {
    pub(super) common_dir: bool,
    pub(super) index_file: Option<PathBuf>,
    pub(super) objects: Option<PathBuf>,
    pub(super) alternates: Vec<PathBuf>,
}

impl Repository {
    /// Opens the repository whose git directory or top of the work tree is `path`; `None` if `path` is
    /// neither. Only files are read. A `.git` file is followed.
    ///
    /// # Errors
    /// Fails if `.git` is not a repository, or files cannot be read.
    pub fn at(path: &Path) -> Result<Option<Self>, RepoError> {
        let layout = Layout::at(path, ObjectsFolder::Own)?;
        Ok(layout.map(|layout| Self::new(layout, Overrides::default())))
    }

    pub(super) fn new(layout: Layout, overrides: Overrides) -> Self {
        let Layout { git_dir, common_dir, work_tree, hash, config } = layout;
        let checked = Arc::default();
        Self {
            git_dir,
            common_dir,
            work_tree,
            hash,
            config,
            overrides,
            reported_path: None,
            checked,
        }
    }

    /// Returns the same repository with another git directory, such as that of a linked work tree.
    pub(super) fn with_git_dir(&self, git_dir: PathBuf) -> Self {
        Self { git_dir, ..self.clone() }
    }

    /// Sets the place of its git directory in reports, for repositories that were extracted to a temporary
    /// folder.
    #[must_use]
    pub fn reported_as(self, path: Place) -> Self {
        Self { reported_path: Some(path), ..self }
    }

    /// Returns the place of its git directory in reports.
    #[must_use]
    pub fn reported_path(&self) -> Place {
        self.reported_path.clone().unwrap_or_else(|| self.git_dir.clone().into())
    }

    /// Checks, once, that none of its files is a named pipe or a device, on which git and libgit2 would
    /// block.
    pub(super) fn check(&self) -> Result<(), Box<SpecialFile>> {
        let check = || guard::check(&self.git_dir, &self.common_dir, &self.object_folders());
        self.checked.files.get_or_init(|| check().map_err(Box::new)).clone()
    }

    /// As [`Repository::check`], for the files of references.
    pub(super) fn check_refs(&self) -> Result<(), Box<SpecialFile>> {
        let check = || guard::check_refs(&self.git_dir, &self.common_dir);
        self.checked.refs.get_or_init(|| check().map_err(Box::new)).clone()
    }

    /// Returns the folder of its objects.
    #[must_use]
    pub fn objects_dir(&self) -> PathBuf {
        self.overrides.objects.clone().unwrap_or_else(|| self.common_dir.join("objects"))
    }

    /// Returns the object folders that the environment adds, without those of `info/alternates`.
    #[must_use]
    pub fn alternates(&self) -> &[PathBuf] {
        &self.overrides.alternates
    }

    /// Returns the folder of its objects and those that the environment adds.
    pub(crate) fn object_folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.objects_dir()];
        folders.extend_from_slice(self.alternates());
        folders
    }

    /// Returns the folder of Git LFS, which need not exist: `lfs.storage`, relative to the common
    /// directory, or `lfs` there.
    #[must_use]
    pub fn lfs_storage(&self) -> PathBuf {
        let configured = self.config.get("lfs.storage").filter(|value| !value.is_empty());
        self.common_dir.join(configured.map_or_else(|| "lfs".into(), files::path))
    }

    /// Returns the index file, which need not exist.
    #[must_use]
    pub fn index_file(&self) -> PathBuf {
        self.overrides.index_file.clone().unwrap_or_else(|| self.git_dir.join("index"))
    }

    /// Returns the repository's own `core.excludesFile`, which may be relative to a home folder.
    #[must_use]
    pub fn excludes_file(&self, home: Option<&Path>) -> ExcludesFile {
        let Some(value) = self.config.get("core.excludesfile") else { return ExcludesFile::Unset };
        if value.is_empty() {
            return ExcludesFile::None;
        }
        match (value.strip_prefix(b"~/"), home) {
            (Some(below), Some(home)) => ExcludesFile::File(home.join(files::path(below))),
            _ => {
                let top = self.work_tree.as_ref().unwrap_or(&self.git_dir);
                ExcludesFile::File(top.join(files::path(value)))
            }
        }
    }

    /// Returns `true` if `core.ignoreCase` is set: paths that differ only in case are one file.
    #[must_use]
    pub fn ignores_case(&self) -> bool {
        self.config.is_true("core.ignorecase")
    }

    /// Returns the commits whose parents a shallow clone lacks; an empty list if it is not shallow.
    ///
    /// # Errors
    /// Fails if the list cannot be read, or contains anything but ids.
    pub fn shallow_commits(&self) -> Result<Vec<ObjectId>, RepoError> {
        let path = self.common_dir.join("shallow");
        let text = match regular::read(&path, Links::Follow, MAX_LISTED) {
            Ok(text) => text,
            Err(error) if absent(&error) => return Ok(Vec::new()),
            Err(source) => return Err(RepoError::Read { path, source }),
        };
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let ids: Option<Vec<ObjectId>> = lines.map(|line| id(line.trim_ascii_end())).collect();
        let why = "it does not consist of object ids".to_owned();
        ids.ok_or(RepoError::Broken { path, why })
    }

    /// Returns `true` if objects may be missing because a remote promises them.
    ///
    /// # Errors
    /// Fails if the folder of packs cannot be read.
    pub fn is_partial(&self) -> Result<bool, RepoError> {
        if self.config.has_promisor() {
            return Ok(true);
        }
        let packs = entries(&self.objects_dir().join("pack"))?;
        Ok(packs.iter().any(|path| path.extension().is_some_and(|end| end == "promisor")))
    }

    /// Opens the other work trees of the repository, sorted by their git directories. Work trees that cannot be
    /// opened are left out.
    #[must_use]
    pub fn other_work_trees(&self) -> Vec<Self> {
        let linked = entries(&self.common_dir.join("worktrees")).unwrap_or_default();
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (own, common) = (real(&self.git_dir), real(&self.common_dir));
        let git_dirs = std::iter::once(self.common_dir.clone()).chain(linked);
        let others = git_dirs.filter(|it| real(it) != own).filter_map(|it| Self::at(&it).ok()?);
        others.filter(|it| it.work_tree.is_some() && real(&it.common_dir) == common).collect()
    }

    /// Returns the git directories of submodules, including nested ones, sorted. They exist even if the
    /// submodule is not checked out. Links are not followed.
    ///
    /// # Errors
    /// Fails if a folder cannot be read.
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

    /// Returns the URLs of its remotes, which may contain credentials: those of `origin` first, then by the
    /// name of the remote.
    #[must_use]
    pub fn remote_urls(&self) -> Vec<Vec<u8>> {
        remote::urls(&self.config)
    }

    /// Returns the references that track the remote with this name and URL.
    #[must_use]
    pub fn tracking(&self, name: &str, url: Option<&str>) -> Tracking {
        Tracking::new(&self.config, name, url)
    }
}
