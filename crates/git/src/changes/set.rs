//! The content of a change and of its base, as data. Nothing is read here.

use ddpatrol_pack::ObjectId;
use ddpatrol_scan::finding::{ChangeStatus, Trace};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// A version of a path that a change introduces.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) path: Vec<u8>,
    /// The blob; `None` for submodules.
    pub(super) blob: Option<ObjectId>,
    /// The previous versions of the path: one for each parent that has the path.
    pub(super) before: Vec<ObjectId>,
    /// The path in the base, if the file was renamed.
    pub(super) renamed_from: Option<Vec<u8>>,
    /// Whether the path is new.
    pub(super) is_new: bool,
    /// The commit that introduces the version; `None` for staged content.
    pub(super) commit: Option<usize>,
}

/// A version of a path that a commit replaces or removes.
#[derive(Clone, Debug)]
pub(super) struct Replaced {
    pub(super) path: Vec<u8>,
    /// The blob of a parent; `None` for submodules.
    pub(super) was: Option<ObjectId>,
    /// The blob of the commit; `None` if the commit has no file at the path.
    pub(super) now: Option<ObjectId>,
    /// The commit.
    pub(super) commit: usize,
}

impl Replaced {
    /// Returns `true` if it is at a path or below it.
    pub(super) fn is_at(&self, path: &[u8]) -> bool {
        let below = self.path.strip_prefix(path);
        below.is_some_and(|below| below.is_empty() || below.starts_with(b"/"))
    }
}

/// The content that a change introduces.
#[derive(Debug, Default)]
pub(super) struct ChangeSet {
    pub(super) items: Vec<Item>,
    /// The versions of paths that the commits replace, in the order of the commits.
    pub(super) replaced: Vec<Replaced>,
    /// The traces of the commits.
    pub(super) commits: Vec<Arc<Trace>>,
    /// The trees of the commits.
    pub(super) trees: Vec<ObjectId>,
    /// The trees of the commits that no other commit of the change has as a parent.
    pub(super) heads: Vec<ObjectId>,
    /// The traces of the tags.
    pub(super) tags: Vec<Arc<Trace>>,
    /// The bases: the parents outside of the change, and the bases that the user named.
    pub(super) bases: BTreeSet<ObjectId>,
}

/// The content of the base of a change.
#[derive(Debug, Default)]
pub struct Base {
    /// Its versions of the changed paths.
    pub(super) versions: Vec<(Vec<u8>, ObjectId)>,
    /// Its trees.
    pub(super) roots: Vec<ObjectId>,
    /// Its paths with tokens in their names.
    pub(super) names: HashSet<Vec<u8>>,
    /// Its tags, if the change has a tag with a token.
    pub(super) tags: HashSet<ObjectId>,
}

/// Whether new tokens in a change fail the check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// New tokens fail the check.
    #[default]
    Judged,
    /// New tokens are listed only: the commits are not pushed.
    AlsoUnpushed,
}

impl Scope {
    /// Returns the status to report, given the status relative to the base.
    pub(super) fn apply(self, change_status: ChangeStatus) -> ChangeStatus {
        match (self, change_status) {
            (Self::AlsoUnpushed, ChangeStatus::New | ChangeStatus::Moved(_)) => {
                ChangeStatus::AlsoUnpushed
            }
            (_, change_status) => change_status,
        }
    }
}

/// Lists a path and the folders above it.
pub(super) fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| &path[..end])
}

/// Returns the last component of a path.
pub(super) fn last_name(path: &[u8]) -> &[u8] {
    let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    &path[start..]
}

/// Flattens versions of paths to a sorted list without duplicates.
pub(super) fn sorted_base(base: BTreeMap<Vec<u8>, BTreeSet<ObjectId>>) -> Vec<(Vec<u8>, ObjectId)> {
    let each = |(path, ids): (Vec<u8>, BTreeSet<ObjectId>)| {
        ids.into_iter().map(move |id| (path.clone(), id))
    };
    base.into_iter().flat_map(each).collect()
}

/// The name of a reference, which is searched like content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRef {
    /// The full name, such as `refs/heads/main`.
    pub name: Vec<u8>,
    /// Whether the other side has a reference of this name.
    pub change_status: ChangeStatus,
}

/// A text in a change that is not a git object.
#[derive(Debug)]
pub(super) enum ChangeText {
    /// The name of new files or folders.
    Name(Vec<u8>),
    /// The name of a reference.
    Ref(NamedRef),
}

impl ChangeText {
    /// Returns the bytes that are searched.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Name(name) => name,
            Self::Ref(reference) => &reference.name,
        }
    }
}
