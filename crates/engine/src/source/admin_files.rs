//! Administrative files of a repository that may contain tokens: the configuration, which can contain remote
//! URLs with passwords, `FETCH_HEAD`, reflogs, hooks, ignore lists, and Git LFS objects.
//!
//! Input: a repository. Output: these files as [`Files`]. Git objects and references are read elsewhere.

use crate::source::files::{Files, FilesOptions};
use ddpatrol_scan::path::lexical;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Transient files of Git: `FETCH_HEAD`, reflogs with the arguments of `git pull`, and unfinished messages.
const TRANSIENT: [&str; 6] =
    ["FETCH_HEAD", "logs", "COMMIT_EDITMSG", "MERGE_MSG", "SQUASH_MSG", "TAG_EDITMSG"];

/// The administrative files of a repository.
pub struct AdminFiles<'a> {
    pub(super) common: PathBuf,
    /// The path by which the repository was reached.
    pub(super) root: PathBuf,
    /// How to read them.
    pub(super) options: &'a FilesOptions,
}

impl AdminFiles<'_> {
    /// Returns the files that exist, without the Git LFS objects in `read`, which were scanned with the history.
    #[must_use]
    pub fn list(&self, read: &HashSet<String>) -> Option<Files> {
        let options = self.options;
        let top = display_path(&self.common, &self.root);
        let mut paths: Vec<PathBuf> =
            ["config", "config.worktree"].map(|name| top.join(name)).into();
        paths.extend(TRANSIENT.map(|name| top.join(name)));
        paths.extend(entries(&top.join("info")));
        let is_sample = |path: &PathBuf| path.extension().is_some_and(|it| it == "sample");
        paths.extend(entries(&top.join("hooks")).filter(|path| !is_sample(path)));
        // Hooks that existed before `ddpatrol hook install`.
        paths.extend(entries(&top.join("hooks.before-ddpatrol")));
        for linked in entries(&top.join("worktrees")) {
            paths.push(linked.join("config.worktree"));
            paths.extend(TRANSIENT.map(|name| linked.join(name)));
        }
        paths.extend(lfs_objects(top.join("lfs/objects"), read));
        let is_excluded = |path: &Path| {
            let whole = |path: &Path| lexical(&options.here.join(path));
            options.configured.has_below(&whole(path), &whole(&self.root))
        };
        paths.retain(|path| path.exists() && !is_excluded(path));
        // There are no exclusions, so no glob can be invalid.
        Files::new(FilesOptions {
            paths,
            exclude: Vec::new(),
            no_ignore: true,
            repositories: None,
            is_store: true,
            ..options.clone()
        })
        .ok()
    }
}

/// Returns the unread files of a Git LFS store, or the store itself if none of its files was read.
fn lfs_objects(store: PathBuf, read: &HashSet<String>) -> Vec<PathBuf> {
    if read.is_empty() {
        return vec![store];
    }
    let (mut files, mut folders) = (Vec::new(), vec![store]);
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            let name = path.file_name().and_then(|name| name.to_str());
            if is_folder {
                folders.push(path);
            } else if !name.is_some_and(|name| read.contains(name)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Returns a repository's git directory by the path that the user named, if it is located there.
fn display_path(common: &Path, root: &Path) -> PathBuf {
    let is_same = |path: &Path| match (path.canonicalize(), common.canonicalize()) {
        (Ok(path), Ok(common)) => path == common,
        _ => false,
    };
    let inner = root.join(".git");
    let displayed = [&*inner, root].into_iter().find(|path| is_same(path));
    displayed.unwrap_or(common).to_owned()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
    // Links to files are followed, since hooks are often links; links to folders are not.
    paths.retain(|path| !path.is_symlink() || path.is_file());
    paths.sort();
    paths.into_iter()
}
