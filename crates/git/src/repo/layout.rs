//! Locates the parts of a repository.
//!
//! Input: a path. Output: folders and configuration. Only files are read; neither git nor libgit2 is used.

use super::config::Config;
use super::error::RepoError;
use super::files::{self, absent, read_some};
use ddpatrol_pack::HashKind;
use std::path::{Path, PathBuf};

/// The parts of a repository, and its configuration.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) git_dir: PathBuf,
    pub(super) common_dir: PathBuf,
    pub(super) work_tree: Option<PathBuf>,
    pub(super) hash: HashKind,
    pub(super) config: Config,
}

/// The location of a repository's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectsFolder {
    /// In the repository.
    Own,
    /// In a folder that the environment names.
    Environment,
}

impl Layout {
    /// Finds the repository whose git directory or top of the work tree is `path`.
    pub(super) fn at(path: &Path, objects: ObjectsFolder) -> Result<Option<Self>, RepoError> {
        let path = &std::path::absolute(path)
            .map_err(|source| RepoError::Read { path: path.to_path_buf(), source })?;
        let dot_git = path.join(".git");
        match std::fs::symlink_metadata(&dot_git) {
            Ok(_) => {
                let mut layout = Self::open(follow(&dot_git)?, None, objects)?;
                layout.set_work_tree(path.clone());
                return Ok(Some(layout));
            }
            Err(error) if absent(&error) => {}
            Err(source) => return Err(RepoError::Read { path: dot_git, source }),
        }
        match check(path, None, objects) {
            Ok(_) => {}
            Err(RepoError::Broken { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut layout = Self::open(path.clone(), None, objects)?;
        if layout.is_linked() {
            // The git directory of a linked work tree contains the path of the `.git` file.
            let link = read_line(&path.join("gitdir"))?;
            layout.work_tree = path.join(link).parent().map(Path::to_path_buf);
        } else if path.file_name().is_some_and(|name| name == ".git") {
            layout.set_work_tree(path.parent().unwrap_or(path).to_path_buf());
        } else {
            layout.work_tree = layout.configured_work_tree();
        }
        Ok(Some(layout))
    }

    /// Opens a git directory, without setting the work tree.
    pub(super) fn open(
        git_dir: PathBuf,
        common_dir: Option<PathBuf>,
        objects: ObjectsFolder,
    ) -> Result<Self, RepoError> {
        let common_dir = check(&git_dir, common_dir, objects)?;
        let mut config = Config::read(&common_dir.join("config"))?;
        if config.is_true("extensions.worktreeconfig") {
            config.append(Config::read(&git_dir.join("config.worktree"))?);
        }
        let hash = match config.get("extensions.objectformat") {
            None | Some(b"sha1") => HashKind::Sha1,
            Some(b"sha256") => HashKind::Sha256,
            Some(other) => {
                let why = format!("its object format {} is unknown", other.escape_ascii());
                return Err(RepoError::Broken { path: git_dir, why });
            }
        };
        Ok(Self { git_dir, common_dir, work_tree: None, hash, config })
    }

    /// Sets the work tree to `implicit`, unless the configuration overrides it.
    pub(super) fn set_work_tree(&mut self, implicit: PathBuf) {
        self.work_tree = if self.is_linked() {
            Some(implicit)
        } else if self.config.is_true("core.bare") {
            None
        } else {
            Some(self.configured_work_tree().unwrap_or(implicit))
        };
    }

    fn configured_work_tree(&self) -> Option<PathBuf> {
        self.config.get("core.worktree").map(|value| self.git_dir.join(files::path(value)))
    }

    fn is_linked(&self) -> bool {
        self.git_dir.join("commondir").is_file()
    }
}

/// Returns `dot_git` if it is a folder, or the git directory that it names if it is a file.
pub(super) fn follow(dot_git: &Path) -> Result<PathBuf, RepoError> {
    let broken = |why: String| RepoError::Broken { path: dot_git.to_path_buf(), why };
    match std::fs::metadata(dot_git) {
        Ok(metadata) if metadata.is_dir() => return Ok(dot_git.to_path_buf()),
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(broken("it is neither a folder nor a file".to_owned())),
        Err(error) if absent(&error) => return Err(broken("it does not exist".to_owned())),
        Err(source) => return Err(RepoError::Read { path: dot_git.to_path_buf(), source }),
    }
    let text = read_some(dot_git)?;
    let Some(target) = text.strip_prefix(b"gitdir:") else {
        return Err(broken("it is a file that does not begin with \"gitdir:\"".to_owned()));
    };
    let target = files::path(target.trim_ascii());
    let git_dir = dot_git.parent().unwrap_or(dot_git).join(&target);
    if git_dir.is_dir() {
        Ok(git_dir)
    } else {
        let why = if git_dir.exists() { "is not a folder" } else { "was moved or removed" };
        Err(broken(format!("it names {}, which {why}", target.display())))
    }
}

/// Checks that a folder is a git directory; returns the common directory of its work trees.
fn check(
    git_dir: &Path,
    common_dir: Option<PathBuf>,
    objects: ObjectsFolder,
) -> Result<PathBuf, RepoError> {
    let broken = |why: String| RepoError::Broken { path: git_dir.to_path_buf(), why };
    let head = git_dir.join("HEAD");
    let symbolic = std::fs::read_link(&head).is_ok_and(|target| target.starts_with("refs"));
    if !symbolic {
        let text = match read_some(&head) {
            Err(RepoError::Read { source, .. }) if absent(&source) => {
                return Err(broken("it has no HEAD".to_owned()));
            }
            text => text?,
        };
        let id = text.trim_ascii_end();
        let id = matches!(id.len(), 40 | 64) && id.iter().all(u8::is_ascii_hexdigit);
        if !id && !text.starts_with(b"ref:") {
            return Err(broken("its HEAD contains neither a branch nor a commit".to_owned()));
        }
    }
    let shared = git_dir.join("commondir");
    let common_dir = match common_dir {
        Some(common_dir) => common_dir,
        None if shared.is_file() => git_dir.join(read_line(&shared)?),
        None => git_dir.to_path_buf(),
    };
    for (name, needed) in [("objects", objects == ObjectsFolder::Own), ("refs", true)] {
        let folder = common_dir.join(name);
        if needed && !folder.is_dir() {
            return Err(broken(format!("{} is missing or not a folder", folder.display())));
        }
    }
    Ok(common_dir)
}

/// Reads a file that consists of a path.
fn read_line(file: &Path) -> Result<PathBuf, RepoError> {
    let text = read_some(file)?;
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    Ok(files::path(line.strip_suffix(b"\r").unwrap_or(line)))
}
