//! Paths of tree entries, as reports show them.
//!
//! Input: the folder of a repository, and bytes of a tree. Output: a path below the folder. No file is
//! read.

use ddpatrol_scan::label::inside;
use std::path::{Path, PathBuf};

/// Joins the path of a tree entry to the folder of the repository, as the user named it. Trees can hold
/// any name, so the result stays below the folder whatever the path is.
pub(super) fn join(root: &Path, path: &[u8]) -> PathBuf {
    let path = inside(path);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        root.join(std::ffi::OsStr::from_bytes(&path))
    }
    #[cfg(not(unix))]
    root.join(String::from_utf8_lossy(&path).as_ref())
}
