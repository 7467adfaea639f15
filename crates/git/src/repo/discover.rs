//! Finds the repository of a folder, as git does.
//!
//! Input: a folder, and the values of git's environment variables; the library reads no variables itself.
//! Output: a [`Repository`].

use super::error::RepoError;
use super::files;
use super::layout::{self, Layout, ObjectsFolder};
use super::repository::{Overrides, Repository};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The `GIT_*` variables that locate the parts of a repository. Git sets them for hooks.
///
/// Relative `GIT_DIR`, `GIT_WORK_TREE` and `GIT_COMMON_DIR` are resolved against the current folder. The
/// others are resolved against the top of the work tree if the current folder is inside it, because git
/// changes to it before it reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `GIT_DIR`.
    pub git_dir: Option<PathBuf>,
    /// `GIT_WORK_TREE`.
    pub work_tree: Option<PathBuf>,
    /// `GIT_COMMON_DIR`.
    pub common_dir: Option<PathBuf>,
    /// `GIT_INDEX_FILE`.
    pub index_file: Option<PathBuf>,
    /// `GIT_OBJECT_DIRECTORY`: in `pre-receive`, the quarantine.
    pub object_directory: Option<PathBuf>,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`.
    pub alternates: Vec<PathBuf>,
}

impl Environment {
    /// Reads the values with a function such as [`std::env::var_os`]. Empty values are ignored.
    #[must_use]
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let value = |name| variable(name).filter(|value| !value.is_empty());
        let path = |name| value(name).map(PathBuf::from);
        let alternates = value("GIT_ALTERNATE_OBJECT_DIRECTORIES");
        Self {
            git_dir: path("GIT_DIR"),
            work_tree: path("GIT_WORK_TREE"),
            common_dir: path("GIT_COMMON_DIR"),
            index_file: path("GIT_INDEX_FILE"),
            object_directory: path("GIT_OBJECT_DIRECTORY"),
            alternates: alternates.map(|list| split(&list)).unwrap_or_default(),
        }
    }
}

/// Splits a list of folders as git does: an element in double quotes may contain the separator.
fn split(list: &OsStr) -> Vec<PathBuf> {
    let separator = if cfg!(windows) { b';' } else { b':' };
    let mut rest = list.as_encoded_bytes();
    let mut paths = Vec::new();
    while !rest.is_empty() {
        let mut element = Vec::new();
        if rest[0] == b'"' {
            let mut bytes = rest[1..].iter();
            while let Some(&byte) = bytes.next() {
                match byte {
                    b'"' => break,
                    b'\\' => element.extend(bytes.next()),
                    byte => element.push(byte),
                }
            }
            rest = bytes.as_slice();
        } else {
            let end = memchr::memchr(separator, rest).unwrap_or(rest.len());
            element.extend(&rest[..end]);
            rest = &rest[end..];
        }
        rest = rest.strip_prefix(&[separator]).unwrap_or(rest);
        if !element.is_empty() {
            paths.push(files::path(&element));
        }
    }
    paths
}

/// Joins folders to a list that [`split`] and git can split.
pub(super) fn join(paths: &[PathBuf]) -> OsString {
    let separator = if cfg!(windows) { ";" } else { ":" };
    let mut list = OsString::new();
    for path in paths {
        if !list.is_empty() {
            list.push(separator);
        }
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.contains(&separator.as_bytes()[0]) || bytes.first() == Some(&b'"') {
            let quoted: Vec<u8> = bytes
                .iter()
                .flat_map(|&byte| {
                    let escape = matches!(byte, b'"' | b'\\').then_some(b'\\');
                    escape.into_iter().chain([byte])
                })
                .collect();
            list.push("\"");
            list.push(files::path(&quoted));
            list.push("\"");
        } else {
            list.push(path);
        }
    }
    list
}

impl Repository {
    /// Finds the repository of a command that is started in `start`: the one that the environment names,
    /// otherwise the nearest at or above `start`.
    ///
    /// # Errors
    /// Fails if there is none, if it is broken, or if files cannot be read.
    pub fn discover(start: &Path, environment: &Environment) -> Result<Self, RepoError> {
        // Git searches the parents of the real folder, not of links to it. On Windows, programs cannot be
        // started in a canonicalized path.
        let real = if cfg!(windows) { std::path::absolute(start) } else { start.canonicalize() };
        let start = real.map_err(|source| RepoError::Read { path: start.to_path_buf(), source })?;
        let objects = match &environment.object_directory {
            Some(_) => ObjectsFolder::Environment,
            None => ObjectsFolder::Own,
        };
        let (mut layout, implicit) = match &environment.git_dir {
            Some(named) => {
                let common_dir = environment.common_dir.as_ref().map(|path| start.join(path));
                let git_dir = layout::follow(&start.join(named))?;
                let layout = Layout::open(git_dir, common_dir, objects)?;
                (layout, Some(start.clone()))
            }
            None => (walk_up(&start, objects)?, None),
        };
        if let Some(implicit) = implicit {
            layout.set_work_tree(implicit);
        }
        if let Some(work_tree) = &environment.work_tree {
            layout.work_tree = Some(start.join(work_tree));
        }
        let inside = |top: &PathBuf| top.canonicalize().is_ok_and(|top| start.starts_with(top));
        let base = layout.work_tree.clone().filter(inside).unwrap_or(start);
        let overrides = Overrides {
            common_dir: environment.git_dir.is_some() && environment.common_dir.is_some(),
            index_file: environment.index_file.as_ref().map(|path| base.join(path)),
            objects: environment.object_directory.as_ref().map(|path| base.join(path)),
            alternates: environment.alternates.iter().map(|path| base.join(path)).collect(),
        };
        Ok(Self::new(layout, overrides))
    }
}

/// Searches each folder from `start` to the root.
fn walk_up(start: &Path, objects: ObjectsFolder) -> Result<Layout, RepoError> {
    // Git skips a `.git` folder that is not a repository, but not such a file.
    let mut passed = None;
    for folder in start.ancestors() {
        match Layout::at(folder, objects) {
            Ok(Some(layout)) => return Ok(layout),
            Ok(None) => {}
            Err(error @ RepoError::Broken { .. }) if folder.join(".git").is_dir() => {
                passed.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(passed.unwrap_or(RepoError::NotFound { start: start.to_path_buf() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_list_of_folders_is_split_and_joined_as_git_does() {
        let paths = split(OsStr::new("/a:\"/b:c\\\"d\":/e::\"/f\""));
        assert_eq!(paths, ["/a", "/b:c\"d", "/e", "/f"].map(PathBuf::from));
        assert_eq!(join(&paths), OsString::from("/a:\"/b:c\\\"d\":/e:/f"));
        assert_eq!(split(&join(&paths)), paths);
    }

    #[test]
    fn empty_variables_are_ignored() {
        let environment = Environment::read(|_| Some(OsString::new()));
        assert_eq!(environment, Environment::default());
    }
}
