//! The places of issues in git objects.
//!
//! A scan reports an issue in a git object with a synthetic path, before the commits of the object are
//! known: `git/blob/ID!/a.zip`. Input: such a path, and the places of the object. Output: the path of the
//! object in the tree of a commit, and that commit. Nothing is read here.

use crate::finding::Trace;
use ddpatrol_pack::{Kind, ObjectId};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Maximum number of further paths that are kept for an object.
const MAX_PATHS: usize = 50;

/// The places of objects, by their ids.
pub type PlacesByObject = HashMap<ObjectId, Vec<IssuePlace>>;

/// One place of a git object.
#[derive(Clone, Debug)]
pub struct IssuePlace {
    /// The path; `None` if no commit contains the object, and for commits and tags.
    pub path: Option<PathBuf>,
    /// The commits that introduced and removed it; `None` for uncommitted content.
    pub trace: Option<Arc<Trace>>,
}

/// The git object that an issue concerns, with its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueObject {
    /// The object.
    pub id: ObjectId,
    /// The synthetic path of the content: `git/blob/ID!/a.zip`.
    pub synthetic: PathBuf,
    /// The commits that introduced and removed it at its first path; `None` for uncommitted content.
    pub trace: Option<Arc<Trace>>,
    /// Further paths of the content.
    pub other_paths: Vec<PathBuf>,
}

impl IssueObject {
    /// Returns the object that a synthetic path names.
    #[must_use]
    pub fn parse(synthetic: &Path) -> Option<(ObjectId, Kind)> {
        let (kind, id, _) = split(synthetic)?;
        Some((id.parse().ok()?, kind))
    }

    /// Returns the first path of content in an object, and the object; `synthetic` names the content.
    /// Returns `None` if it does not name an object.
    pub(crate) fn new(synthetic: &Path, places: &[IssuePlace]) -> Option<(PathBuf, Self)> {
        let (_, id, member) = split(synthetic)?;
        let id = id.parse().ok()?;
        let mut places: Vec<&IssuePlace> = places.iter().collect();
        places.sort_by_key(|place| {
            let trace = place.trace.as_deref();
            (place.path.is_none(), trace.map_or(0, |trace| trace.date), &place.path)
        });
        let trace = places.first().and_then(|place| place.trace.clone());
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in places.iter().filter_map(|place| place.path.as_deref()) {
            let path = with_suffix(path, member);
            if !paths.contains(&path) && paths.len() <= MAX_PATHS {
                paths.push(path);
            }
        }
        let other_paths = paths.split_off(paths.len().min(1));
        let first = paths.pop().unwrap_or_else(|| synthetic.to_owned());
        let synthetic = synthetic.to_owned();
        Some((first, Self { id, synthetic, trace, other_paths }))
    }
}

/// Splits a synthetic path into the kind, the id, and the rest that names a member of an archive.
fn split(synthetic: &Path) -> Option<(Kind, &str, &[u8])> {
    let bytes = synthetic.as_os_str().as_encoded_bytes().strip_prefix(b"git/")?;
    let slash = memchr::memchr(b'/', bytes)?;
    let kind = Kind::from_name(&bytes[..slash])?;
    let rest = &bytes[slash + 1..];
    let end = memchr::memchr(b'!', rest).unwrap_or(rest.len());
    Some((kind, str::from_utf8(&rest[..end]).ok()?, &rest[end..]))
}

/// Appends the part of a path that names a member of an archive.
#[cfg(unix)]
fn with_suffix(path: &Path, suffix: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let mut path = path.as_os_str().to_owned();
    path.push(std::ffi::OsStr::from_bytes(suffix));
    path.into()
}

/// Appends the part of a path that names a member of an archive.
#[cfg(not(unix))]
fn with_suffix(path: &Path, suffix: &[u8]) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(String::from_utf8_lossy(suffix).as_ref());
    path.into()
}
