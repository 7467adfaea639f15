//! Paths without the file system.

use std::path::{Component, Path, PathBuf};

/// Resolves `.` and `..` without the file system: paths of a history may no longer exist.
pub fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
