//! Reads the small files of a git directory and lists its folders. It interprets no content.

use super::error::RepoError;
use ddpatrol_scan::regular::{self, Links};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Size limit for files that are read whole, such as HEAD or a ref, in bytes.
const SMALL_FILE: u64 = 64 << 10;

/// Size limit for the lists of ids that git keeps in one file (`packed-refs`, `shallow`), in bytes.
pub(super) const MAX_LISTED: u64 = 512 << 20;

/// Reads at most the first [`SMALL_FILE`] bytes of a regular file.
pub(super) fn read_some(path: &Path) -> Result<Vec<u8>, RepoError> {
    let failed = |source| RepoError::Read { path: path.to_path_buf(), source };
    let mut text = Vec::new();
    let file = regular::open(path, Links::Follow).map_err(failed)?;
    file.take(SMALL_FILE).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

/// Returns the sorted entries of a folder; an empty list if it does not exist.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, RepoError> {
    let failed = |source| RepoError::Read { path: folder.to_path_buf(), source };
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let paths: Result<Vec<PathBuf>, _> = listed.map(|entry| entry.map(|e| e.path())).collect();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// Returns `true` if an error means that a path does not exist.
pub(super) fn absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Converts bytes from git to a path.
#[cfg(unix)]
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// Converts bytes from git to a path; on this platform they are UTF-8.
#[cfg(not(unix))]
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
