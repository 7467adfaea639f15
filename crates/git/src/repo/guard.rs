//! Finds named pipes and devices among a repository's own files, on which git and libgit2 would block.
//!
//! Input: the folders of a repository. Output: the first such file. Loose objects are not checked here,
//! since there may be many of them; [`Store::special`](crate::store::Store::special) does.

use ddpatrol_scan::regular;
use std::fs::{DirEntry, FileType};
use std::path::{Path, PathBuf};

/// A file of a repository that is a named pipe or a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is {kind} instead of a file; remove it", path.display())]
pub struct SpecialFile {
    /// The file.
    pub path: PathBuf,
    /// The kind of file: `a named pipe`.
    pub kind: &'static str,
}

/// Checks the files that git and libgit2 read for any request, except for references.
pub(super) fn check(
    git_dir: &Path,
    common_dir: &Path,
    object_folders: &[PathBuf],
) -> Result<(), SpecialFile> {
    let mut folders = vec![git_dir.to_owned(), common_dir.join("info")];
    if git_dir != common_dir {
        folders.push(common_dir.to_owned());
    }
    for objects in object_folders {
        folders.extend(["info", "info/commit-graphs", "pack"].map(|name| objects.join(name)));
    }
    folders.iter().try_for_each(|folder| check_folder(folder, &mut |_| ()))
}

/// Checks the files of references, which git reads to resolve a name.
pub(super) fn check_refs(git_dir: &Path, common_dir: &Path) -> Result<(), SpecialFile> {
    let mut folders = vec![common_dir.join("refs"), git_dir.join("refs")];
    while let Some(folder) = folders.pop() {
        check_folder(&folder, &mut |below| folders.push(below))?;
    }
    Ok(())
}

/// Checks the files of a folder, and calls `on_folder` with each folder in it. A folder that cannot be
/// listed is reported by the code that reads it.
pub(crate) fn check_folder(
    folder: &Path,
    on_folder: &mut dyn FnMut(PathBuf),
) -> Result<(), SpecialFile> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_file() {
            continue;
        }
        if kind.is_dir() {
            on_folder(entry.path());
            continue;
        }
        let target = if kind.is_symlink() { target(&entry) } else { Some(kind) };
        if let Some(kind) = target.filter(|kind| blocks(*kind)) {
            let kind = regular::special_kind(kind);
            return Err(SpecialFile { path: entry.path(), kind });
        }
    }
    Ok(())
}

fn target(link: &DirEntry) -> Option<FileType> {
    std::fs::metadata(link.path()).ok().map(|metadata| metadata.file_type())
}

/// Returns `true` for types of files that block a reader or have no end. Sockets are allowed: opening one
/// fails immediately, and git's file monitor has one.
#[cfg(unix)]
fn blocks(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_fifo() || kind.is_char_device() || kind.is_block_device()
}

#[cfg(not(unix))]
fn blocks(_: FileType) -> bool {
    false
}
