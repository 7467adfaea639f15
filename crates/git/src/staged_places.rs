//! Finds blobs with tokens that are staged and not committed.
//!
//! Input: placements, and the indexes of all work trees of a repository. Output: placements with the paths in
//! the indexes. An index that cannot be read changes nothing here: the scan of its work tree reports it.

use super::repo::{Repository, TrackedKind};
use super::tree_path::join;
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::finding::{Staged, Trace};
use ddpatrol_scan::path::lexical;
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{Holder, Placement};
use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A path of a blob in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StagedPlace {
    path: Place,
    staged: Staged,
}

/// The paths of blobs in indexes.
type StagedPlaces = HashMap<ObjectId, Vec<StagedPlace>>;

/// Marks the placements in unreachable blobs that an index contains, and gives those without a path their
/// paths in the index. `root` is the folder of the repository.
///
/// A blob that is also in a reachable commit is not staged: the index has it because the commit does.
pub(super) fn mark(repository: &Repository, root: &Place, placements: &mut Vec<Placement>) {
    let mut wanted: HashSet<ObjectId> = placements.iter().filter_map(unreachable_blob).collect();
    for placement in &*placements {
        let is_reachable = placement.trace.as_deref().is_some_and(|trace| trace.reachable);
        if let (true, Holder::Object(id, Kind::Blob)) = (is_reachable, placement.holder) {
            wanted.remove(&id);
        }
    }
    if wanted.is_empty() {
        return;
    }
    let mut places = StagedPlaces::new();
    add_index(repository, root, &wanted, &mut places);
    // The paths of the work trees of a repository in an archive are those of another machine.
    if let Some(folder) = root.as_file() {
        for other in repository.other_work_trees() {
            let Some(top) = &other.work_tree else { continue };
            let top = path_from(folder, repository.work_tree.as_deref(), top);
            add_index(&other, &top.into(), &wanted, &mut places);
        }
    }
    let mut added = Vec::new();
    for placement in placements.iter_mut() {
        let Some((first, others)) = unreachable_blob(placement)
            .and_then(|id| places.get(&id))
            .and_then(|places| places.split_first())
        else {
            continue;
        };
        let Some(trace) = placement.trace.clone() else { continue };
        let with = |staged| Some(Arc::new(Trace { staged: Some(staged), ..Trace::clone(&trace) }));
        placement.trace = with(first.staged);
        if placement.path.is_some() {
            continue;
        }
        placement.path = Some(first.path.clone());
        added.extend(others.iter().map(|other| Placement {
            path: Some(other.path.clone()),
            trace: with(other.staged),
            ..placement.clone()
        }));
    }
    placements.append(&mut added);
}

/// Adds the paths of blobs in the index of one work tree, whose folder is `root`.
fn add_index(
    repository: &Repository,
    root: &Place,
    wanted: &HashSet<ObjectId>,
    places: &mut StagedPlaces,
) {
    let mut staged = None;
    for entry in repository.tracked().unwrap_or_default() {
        if entry.kind != TrackedKind::File || !wanted.contains(&entry.id) {
            continue;
        }
        let staged = *staged.get_or_insert_with(|| {
            let is_idle = repository.progress().is_ok_and(|it| it.operation.is_none());
            if is_idle { Staged::Resettable } else { Staged::InOperation }
        });
        let place = StagedPlace { path: join(root, &entry.path), staged };
        let known = places.entry(entry.id).or_default();
        // A path in conflict has up to three entries.
        if !known.contains(&place) {
            known.push(place);
        }
    }
}

/// Returns the path of another work tree, relative to the same folder as `root`, the folder of the repository.
/// `top` is the folder of the work tree at `root`.
fn path_from(root: &Path, top: Option<&Path>, other: &Path) -> PathBuf {
    let real = |path: &Path| path.canonicalize().ok();
    let both = if root.is_absolute() { None } else { real(top.unwrap_or(root)).zip(real(other)) };
    let Some((top, real_other)) = both else { return lexical(other) };
    let common = top.ancestors().find(|it| real_other.starts_with(it)).unwrap_or(&top);
    let up = top.strip_prefix(common).into_iter().flat_map(Path::components).count();
    let down = real_other.strip_prefix(common).unwrap_or(&real_other);
    let mut path: PathBuf = root.components().filter(|it| *it != Component::CurDir).collect();
    for _ in 0..up {
        // `..` and an empty path have no folder to remove.
        if !matches!(path.components().next_back(), Some(Component::Normal(_))) || !path.pop() {
            path.push("..");
        }
    }
    path.push(down);
    path
}

/// Returns the blob of a placement that no reference reaches.
fn unreachable_blob(placement: &Placement) -> Option<ObjectId> {
    let trace = placement.trace.as_deref().filter(|trace| !trace.reachable)?;
    match placement.holder {
        Holder::Object(id, Kind::Blob) if trace.kind == Kind::Blob => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_work_trees_have_paths_relative_to_the_same_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["a/main", "a/linked", "b/linked", "a/main/.trees/x"] {
            std::fs::create_dir_all(at(name)).expect("a folder");
        }
        let top = at("a/main");
        let path = |root: &str, other: &str| {
            let path = path_from(Path::new(root), Some(&top), &at(other));
            path.to_str().expect("UTF-8").to_owned()
        };
        assert_eq!(path(".", "a/linked"), "../linked");
        assert_eq!(path("", "a/main/.trees/x"), ".trees/x");
        assert_eq!(path("main", "a/linked"), "linked");
        assert_eq!(path("a/main", "b/linked"), "b/linked");
        assert_eq!(path("../main", "b/linked"), "../../b/linked");
        let absolute = path_from(&top, Some(&top), &at("b/linked"));
        assert_eq!(absolute, lexical(&at("b/linked")));
    }
}
