//! Files that git tracks although ignore rules match them; git treats them like other tracked files.
//!
//! Input: the folders that a walk was given, and the work trees that it finds. Output: the paths in the
//! indexes of their repositories that the walk has not visited.

pub(super) use crate::source::git::repo::TrackedKind;
use crate::source::git::repo::{Environment, Repository, TrackedPath};
use crate::source::{Issue, Run};
use ddpatrol_scan::lock::lock;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Records a walk to find the tracked files that it did not visit.
#[derive(Debug)]
pub(super) struct Tracked {
    trees: Mutex<Vec<WorkTree>>,
    visited: Mutex<HashSet<u64>>,
    /// Repositories below the walked paths whose files are not read as files.
    stores: Mutex<HashSet<PathBuf>>,
    hasher: RandomState,
}

/// A work tree, or the part of it that is walked.
#[derive(Debug)]
struct WorkTree {
    /// The path of its top, or of the walked part, as in the walk.
    path: PathBuf,
    /// Depth of that path below the named path.
    depth: usize,
    /// Path of the part relative to the top.
    part: PathBuf,
    repository: Repository,
}

impl Tracked {
    /// Records the work trees that contain the walked paths.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let trees = paths.iter().filter(|path| path.is_dir()).filter_map(|path| {
            let repository = Repository::discover(path, &Environment::default()).ok()?;
            let top = repository.work_tree.as_ref()?.canonicalize().ok()?;
            let part = path.canonicalize().ok()?.strip_prefix(top).ok()?.to_owned();
            Some(WorkTree { path: path.clone(), depth: 0, part, repository })
        });
        Self {
            trees: Mutex::new(trees.collect()),
            visited: Mutex::default(),
            stores: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// Records the top of a work tree that the walk entered.
    pub(super) fn add(&self, top: &Path, depth: usize) {
        let nothing = Environment::default();
        if let Ok(repository) = Repository::discover(top, &nothing) {
            let part = PathBuf::new();
            let tree = WorkTree { path: top.to_owned(), depth, part, repository };
            lock(&self.trees).push(tree);
        }
    }

    /// Records the folder of a repository that was not walked.
    pub(super) fn skip(&self, store: &Path) {
        lock(&self.stores).insert(store.to_owned());
    }

    /// Returns the key of a path in the set of visited paths.
    pub(super) fn key(&self, path: &Path) -> u64 {
        self.hasher.hash_one(path)
    }

    /// Marks paths as visited.
    pub(super) fn mark_visited(&self, keys: &[u64]) {
        lock(&self.visited).extend(keys);
    }

    /// Calls `on_path` with every tracked path that the walk did not visit and the folders above it, with their
    /// depth below the named folder; and with every submodule.
    pub(super) fn each_unvisited(
        &self,
        run: &Run,
        on_path: &mut dyn FnMut(&Path, usize, TrackedKind),
    ) {
        let trees = std::mem::take(&mut *lock(&self.trees));
        let mut visited = std::mem::take(&mut *lock(&self.visited));
        let stores = std::mem::take(&mut *lock(&self.stores));
        for tree in trees {
            let paths = match tree.repository.tracked() {
                Ok(paths) => paths,
                Err(error) => {
                    let issue = Issue::IndexUnreadable { source: error.into() };
                    run.report(issue, Some(tree.repository.index_file()));
                    continue;
                }
            };
            for TrackedPath { path, kind, .. } in &paths {
                if run.is_interrupted() {
                    return;
                }
                let path = path_of(path);
                let Ok(below) = path.strip_prefix(&tree.part) else { continue };
                if *kind == TrackedKind::Submodule {
                    let depth = tree.depth + below.iter().count();
                    on_path(&tree.path.join(below), depth, *kind);
                    continue;
                }
                // If a file was visited, so were the folders above it.
                if visited.contains(&self.key(&tree.path.join(below))) {
                    continue;
                }
                let mut depth = tree.depth;
                let mut path = tree.path.clone();
                for part in below {
                    // The target of a link is not tracked by git at this path.
                    if path.is_symlink() && depth > 0 || stores.contains(&path) {
                        break;
                    }
                    (path, depth) = (path.join(part), depth + 1);
                    if visited.insert(self.key(&path)) {
                        on_path(&path, depth, TrackedKind::File);
                    }
                }
            }
        }
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
