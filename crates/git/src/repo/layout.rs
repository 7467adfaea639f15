//! Where a repository's parts are: a path in, folders out. Files are read; git is not asked.

use super::config::Config;
use super::error::RepoError;
use super::files::{self, absent, read_some};
use ddpatrol_pack::HashKind;
use std::path::{Path, PathBuf};

/// Where the parts of a repository are, and what its configuration says.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) git_dir: PathBuf,
    pub(super) common_dir: PathBuf,
    pub(super) work_tree: Option<PathBuf>,
    pub(super) hash: HashKind,
    pub(super) config: Config,
}

impl Layout {
    /// Finds the repository whose work tree's top or git directory is `path`. `elsewhere` is `true` if
    /// the environment names the folder of objects.
    pub(super) fn at(path: &Path, elsewhere: bool) -> Result<Option<Self>, RepoError> {
        let path = &std::path::absolute(path)
            .map_err(|source| RepoError::Read { path: path.to_path_buf(), source })?;
        let dot_git = path.join(".git");
        match std::fs::symlink_metadata(&dot_git) {
            Ok(_) => {
                let mut layout = Self::open(follow(&dot_git)?, None, elsewhere)?;
                layout.set_work_tree(path.clone());
                return Ok(Some(layout));
            }
            Err(error) if absent(&error) => {}
            Err(source) => return Err(RepoError::Read { path: dot_git, source }),
        }
        match check(path, None, elsewhere) {
            Ok(_) => {}
            Err(RepoError::Broken { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut layout = Self::open(path.clone(), None, elsewhere)?;
        if layout.is_linked() {
            // A linked work tree's git directory names the `.git` file that names it.
            let link = read_line(&path.join("gitdir"))?;
            layout.work_tree = path.join(link).parent().map(Path::to_path_buf);
        } else if path.file_name().is_some_and(|name| name == ".git") {
            layout.set_work_tree(path.parent().unwrap_or(path).to_path_buf());
        } else {
            layout.work_tree = layout.configured_work_tree();
        }
        Ok(Some(layout))
    }

    /// Opens a git directory; the work tree is left open.
    pub(super) fn open(
        git_dir: PathBuf,
        common_dir: Option<PathBuf>,
        elsewhere: bool,
    ) -> Result<Self, RepoError> {
        let common_dir = check(&git_dir, common_dir, elsewhere)?;
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

    /// Sets the work tree to `implicit` unless the configuration says otherwise.
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

/// Returns the git directory that `dot_git` is or, as a file, names.
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
        Err(broken(format!("it names {}, which is no folder", target.display())))
    }
}

/// Checks that a folder is a git directory; returns the directory it shares with its kin.
fn check(
    git_dir: &Path,
    common_dir: Option<PathBuf>,
    elsewhere: bool,
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
            return Err(broken("its HEAD holds neither a branch nor a commit".to_owned()));
        }
    }
    let shared = git_dir.join("commondir");
    let common_dir = match common_dir {
        Some(common_dir) => common_dir,
        None if shared.is_file() => git_dir.join(read_line(&shared)?),
        None => git_dir.to_path_buf(),
    };
    for (name, needed) in [("objects", !elsewhere), ("refs", true)] {
        let folder = common_dir.join(name);
        if needed && !folder.is_dir() {
            return Err(broken(format!("{} is missing or no folder", folder.display())));
        }
    }
    Ok(common_dir)
}

/// Reads the path that a file's only line is.
fn read_line(file: &Path) -> Result<PathBuf, RepoError> {
    let text = read_some(file)?;
    let line = text.strip_suffix(b"\n").unwrap_or(&text);
    Ok(files::path(line.strip_suffix(b"\r").unwrap_or(line)))
}
