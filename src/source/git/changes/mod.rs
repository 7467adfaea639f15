//! What a change brings: the staged content against HEAD, or a range of commits against its base.
//!
//! A token is *new* if none of the base's versions of the changed paths holds it; *moved* if one at
//! another path does; else it was *already there*. Only what changed is read: the cost grows with
//! the change, not with the repository.

mod brought;
mod content;
mod diff;
mod judge;
mod new_branch;
mod push;
mod range;
mod snapshot;
mod staged;

pub use push::{Has, Push, Update};
pub use range::{NamedRef, Range, RangeError, RangeOptions, Revisions};
pub use snapshot::Snapshot;
pub use staged::Staged;

use super::repo::Repository;
use super::store::Store;
use crate::finding::{Standing, Trace};
use crate::source::{Code, Gap, Run};
use ddpatrol_pack::ObjectId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A version of a path that a change brings.
#[derive(Clone, Debug)]
struct Item {
    path: Vec<u8>,
    /// The blob; `None` for what is only named.
    blob: Option<ObjectId>,
    /// The versions of the path that this one follows: one for each parent that has the path.
    before: Vec<ObjectId>,
    /// The path that this one had in the base, if it was renamed.
    renamed_from: Option<Vec<u8>>,
    /// Whether the path is new.
    is_new: bool,
    /// The commit that brings it; `None` for what is staged.
    commit: Option<usize>,
}

/// What a change brings.
#[derive(Debug, Default)]
struct ChangeSet {
    items: Vec<Item>,
    /// The traces of the commits.
    commits: Vec<Arc<Trace>>,
    /// The commits around the change: the parents outside of it, and the bases that were named.
    bases: BTreeSet<ObjectId>,
}

/// What the base of a change has.
#[derive(Debug, Default)]
struct Base {
    /// Its versions of the changed paths.
    versions: Vec<(Vec<u8>, ObjectId)>,
    /// Its trees.
    roots: Vec<ObjectId>,
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
    fn apply(self, standing: Standing) -> Standing {
        match (self, standing) {
            (Self::AlsoUnpushed, Standing::New | Standing::Moved(_)) => Standing::AlsoUnpushed,
            (_, standing) => standing,
        }
    }
}

/// Sorts versions of paths, each once.
fn sorted_base(base: BTreeMap<Vec<u8>, BTreeSet<ObjectId>>) -> Vec<(Vec<u8>, ObjectId)> {
    let each = |(path, ids): (Vec<u8>, BTreeSet<ObjectId>)| {
        ids.into_iter().map(move |id| (path.clone(), id))
    };
    base.into_iter().flat_map(each).collect()
}

/// Opens the objects of a repository, with those that the environment adds.
fn open_store(repository: &Repository, run: &Run) -> Store {
    open_store_with(repository, &mut |problem| {
        run.report(Gap::Unread, Code::StoreUnreadable, Some(repository.git_dir.clone()), problem);
    })
}

fn open_store_with(repository: &Repository, problem: &mut dyn FnMut(String)) -> Store {
    Store::open(&repository.object_folders(), repository.hash, &mut |error| {
        problem(error.to_string());
    })
}
