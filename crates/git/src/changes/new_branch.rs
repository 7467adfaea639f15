//! Finds the base of a new branch or tag, for which git names none.
//!
//! Input: the heads of the branch. Output: the commits of the other side: those of the remote-tracking
//! references in a clone, otherwise those of all references. References that contain a head are excluded,
//! since they would hide the content of the branch. The number of processes does not depend on the number
//! of references.

use super::super::commits::links;
use super::super::repo::{Ref, RepoError, Repository};
use super::super::store::Store;
use ddpatrol_pack::{ObjectId, Reader};
use ddpatrol_scan::quantity::count;
use std::collections::{HashMap, HashSet};

/// The commits of the other side.
pub(super) struct OtherBranches {
    pub(super) commits: Vec<ObjectId>,
    /// The objects to which its references point, which may be tags.
    pub(super) base_objects: Vec<ObjectId>,
    /// The commit whose policy judges the branch.
    pub(super) policy_base: Option<ObjectId>,
    /// A note for the user.
    pub(super) note: String,
}

pub(super) fn find(
    repository: &Repository,
    store: &Store,
    heads: &[ObjectId],
) -> Result<OtherBranches, RepoError> {
    let refs = repository.refs()?;
    let (head, refs) = (refs.head, refs.list);
    let is_remote = |it: &&Ref| it.name.starts_with(b"refs/remotes/");
    let is_clone = refs.iter().any(|it| is_remote(&it));
    // A stash and the HEADs of work trees are never pushed.
    let is_shared =
        |it: &&Ref| it.name.starts_with(b"refs/") && !it.name.starts_with(b"refs/stash");
    let is_base = |it: &&Ref| if is_clone { is_remote(it) } else { is_shared(it) };
    let mut commits: Vec<ObjectId> =
        refs.iter().filter(is_base).filter_map(|it| it.commit).collect();
    commits.sort_unstable();
    commits.dedup();
    commits.retain(|other| !heads.contains(other));
    let introduced: HashSet<ObjectId> = repository.commits(heads, &commits)?.into_iter().collect();
    if !heads.iter().all(|head| introduced.contains(head)) {
        let containing = containing(repository, store, heads, &commits)?;
        commits.retain(|other| !containing.contains(other));
    }
    let kind = if is_clone { "remote-tracking reference" } else { "other reference" };
    let count = match commits.len() {
        0 => format!("no {kind}"),
        len => count(len, kind),
    };
    let note = format!("BASE is all zeros, a new branch: it is compared with {count}");
    let taken: HashSet<ObjectId> = commits.iter().copied().collect();
    let is_taken = |it: &&Ref| it.commit.is_some_and(|commit| taken.contains(&commit));
    // The default branch of the other side has its policy.
    let remote_head = || {
        let head = refs.iter().find(|it| is_remote(it) && it.name.ends_with(b"/HEAD"));
        head.and_then(|it| it.commit)
    };
    let main = if is_clone { remote_head() } else { head };
    let policy_base = main.filter(|commit| taken.contains(commit)).or(commits.first().copied());
    let base_objects = refs.iter().filter(is_base).filter(is_taken).map(|it| it.target).collect();
    Ok(OtherBranches { commits, base_objects, policy_base, note })
}

/// Finds the commits that contain a head, among them those of `others`.
///
/// One walk lists the commits that the others reach above the heads. A commit of that list contains a
/// head if it descends from one.
fn containing(
    repository: &Repository,
    store: &Store,
    heads: &[ObjectId],
    others: &[ObjectId],
) -> Result<HashSet<ObjectId>, RepoError> {
    let mut wanted = others.to_vec();
    let not = if let [head] = heads {
        vec![*head]
    } else {
        // One of the others may be between two heads, so the walk ends at the common ancestors of all
        // heads.
        wanted.extend_from_slice(heads);
        let common = repository.common_ancestors(heads).into_iter();
        common.flat_map(|commit| parents(store, &commit)).collect()
    };
    let mut children: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for (commit, parents) in repository.commits_with_parents(&wanted, &not)? {
        parents.into_iter().for_each(|it| children.entry(it).or_default().push(commit));
    }
    let mut containing = HashSet::new();
    let mut open = heads.to_vec();
    while let Some(commit) = open.pop() {
        let above = children.get(&commit).into_iter().flatten();
        open.extend(above.filter(|it| containing.insert(**it)));
    }
    Ok(containing)
}

/// Lists the parents of a commit that exist in the store.
fn parents(store: &Store, commit: &ObjectId) -> Vec<ObjectId> {
    let read = store.read(commit, &mut Reader::default()).ok();
    let links = read.and_then(|(_, bytes)| links(&bytes));
    let parents = links.map(|it| it.parents).unwrap_or_default();
    parents.into_iter().filter(|it| store.has(it)).collect()
}
