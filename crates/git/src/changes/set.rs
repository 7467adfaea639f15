//! What a change introduces and what its base has, as data.
//!
//! Nothing is read here.

use ddpatrol_pack::ObjectId;
use ddpatrol_scan::finding::{ChangeStatus, Trace};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// A version of a path that a change introduces.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) path: Vec<u8>,
    /// The blob; `None` for what is only named.
    pub(super) blob: Option<ObjectId>,
    /// The versions of the path that this one follows: one for each parent that has the path.
    pub(super) before: Vec<ObjectId>,
    /// The path that this one had in the base, if it was renamed.
    pub(super) renamed_from: Option<Vec<u8>>,
    /// Whether the path is new.
    pub(super) is_new: bool,
    /// The commit that introduces it; `None` for what is staged.
    pub(super) commit: Option<usize>,
}

/// What a change introduces.
#[derive(Debug, Default)]
pub(super) struct ChangeSet {
    pub(super) items: Vec<Item>,
    /// The traces of the commits.
    pub(super) commits: Vec<Arc<Trace>>,
    /// The traces of the tags.
    pub(super) tags: Vec<Arc<Trace>>,
    /// The commits around the change: the parents outside of it, and the bases that were named.
    pub(super) bases: BTreeSet<ObjectId>,
}

/// What the base of a change has.
#[derive(Debug, Default)]
pub struct Base {
    /// Its versions of the changed paths.
    pub(super) versions: Vec<(Vec<u8>, ObjectId)>,
    /// Its trees.
    pub(super) roots: Vec<ObjectId>,
    /// The paths with tokens in their names that it has.
    pub(super) names: HashSet<Vec<u8>>,
    /// The tags that it has, if the change has a tag with a token.
    pub(super) tags: HashSet<ObjectId>,
}

/// Whether new tokens in a change fail the check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    #[default]
    Judged,
    /// They are listed only: the change is not part of what is pushed.
    AlsoUnpushed,
}

impl Scope {
    /// Returns how a token counts, given its status relative to the base.
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

/// Sorts versions of paths, each once.
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

/// A text in a change that is no git object.
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
