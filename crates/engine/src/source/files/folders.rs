//! Builds the parallel walk over folders, and recognizes the folders that it does not enter.
//!
//! Input: paths, or an entry. Output: a walk, or whether to skip the entry. This file applies no ignore rules.

use ignore::{DirEntry, WalkBuilder};
use std::fs::DirEntry as DirItem;
use std::path::PathBuf;

/// Returns a walk over files and folders, or `None` for no paths. It does not follow links or apply ignore
/// rules.
pub(super) fn walk(paths: &[PathBuf], threads: usize) -> Option<WalkBuilder> {
    let (first, rest) = paths.split_first()?;
    let mut builder = WalkBuilder::new(first);
    rest.iter().for_each(|path| {
        builder.add(path);
    });
    builder.standard_filters(false).follow_links(false).threads(useful_threads(paths, threads));
    Some(builder)
}

/// Returns the number of threads that can have work, at most `threads`: the unit of work is a file or the
/// entries of a folder. To start a thread takes a thirtieth of the time of a scan of an empty folder.
fn useful_threads(paths: &[PathBuf], threads: usize) -> usize {
    let mut files = 0;
    for path in paths {
        if files >= threads {
            return threads;
        }
        let Ok(entries) = std::fs::read_dir(path) else {
            files += 1;
            continue;
        };
        for entry in entries.take(threads) {
            let is_folder = |entry: DirItem| entry.file_type().map_or(true, |kind| kind.is_dir());
            if entry.map_or(true, is_folder) {
                return threads;
            }
            files += 1;
        }
    }
    threads.min(files.max(1))
}

/// Returns `true` for a `.git` folder or a bare repository, unless the user named it.
pub(super) fn is_git_folder(entry: &DirEntry) -> bool {
    let is_folder = entry.depth() > 0 && entry.file_type().is_some_and(|kind| kind.is_dir());
    let has = |name: &str| entry.path().join(name).exists();
    let is_bare = || has("HEAD") && has("objects") && has("refs");
    let name = entry.file_name().as_encoded_bytes();
    is_folder && (name == b".git" || is_bare())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, write};

    #[test]
    fn a_walk_has_no_more_threads_than_files_unless_there_are_folders() {
        let top = tempfile::tempdir().expect("a folder");
        let folder = top.path().join("folder");
        create_dir(&folder).expect("a folder");
        let paths = [folder.clone()];
        assert_eq!(useful_threads(&paths, 4), 1);
        for count in 1..=5 {
            write(folder.join(format!("{count}")), "").expect("a file");
            assert_eq!(useful_threads(&paths, 4), count.min(4));
        }
        let file = folder.join("1");
        assert_eq!(useful_threads(&[file.clone(), file], 4), 2);
        assert_eq!(useful_threads(&[top.path().to_owned()], 4), 4);
        assert_eq!(useful_threads(&[top.path().join("missing")], 4), 1);
    }
}
