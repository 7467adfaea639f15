//! Paths of tree entries, as reports show them.
//!
//! Input: the folder of a repository, and bytes of a tree. Output: a path below the folder. No file is
//! read.

use ddpatrol_scan::label::inside;
use ddpatrol_scan::place::Place;
use std::path::PathBuf;

/// Joins the path of a tree entry to the folder of the repository, as the user named it. Trees can hold
/// any name, so the result stays below the folder whatever the path is.
pub(super) fn join(root: &Place, path: &[u8]) -> Place {
    root.join(below(path))
}

/// Returns the path of a tree entry below the folder of the repository.
pub(super) fn below(path: &[u8]) -> PathBuf {
    let path = inside(path);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        std::ffi::OsStr::from_bytes(&path).into()
    }
    #[cfg(not(unix))]
    String::from_utf8_lossy(&path).into_owned().into()
}
