//! Finds blobs with tokens that are staged and not committed.
//!
//! Input: placements, and the index of a repository. Output: placements with the paths in the index. The
//! index of other work trees of the repository is not read. An index that cannot be read changes nothing
//! here: the scan of the work tree reports it.

use super::repo::{Repository, TrackedKind};
use super::tree_path::join;
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::finding::{Staged, Trace};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{Holder, Placement};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Marks the placements in unreachable blobs that the index contains, and gives those without a path their
/// paths in the index. `root` is the folder of the repository.
pub(super) fn mark(repository: &Repository, root: &Place, placements: &mut Vec<Placement>) {
    let wanted: HashSet<ObjectId> = placements.iter().filter_map(unreachable_blob).collect();
    if wanted.is_empty() {
        return;
    }
    let mut paths: HashMap<ObjectId, Vec<Vec<u8>>> = HashMap::new();
    for entry in repository.tracked().unwrap_or_default() {
        if entry.kind == TrackedKind::File && wanted.contains(&entry.id) {
            paths.entry(entry.id).or_default().push(entry.path);
        }
    }
    if paths.is_empty() {
        return;
    }
    let is_idle = repository.progress().is_ok_and(|it| it.operation.is_none());
    let staged = if is_idle { Staged::Resettable } else { Staged::InOperation };
    let mut added = Vec::new();
    for placement in placements.iter_mut() {
        let Some(paths) = unreachable_blob(placement).and_then(|id| paths.get(&id)) else {
            continue;
        };
        let Some(trace) = &placement.trace else { continue };
        placement.trace = Some(Arc::new(Trace { staged: Some(staged), ..Trace::clone(trace) }));
        if placement.path.is_some() {
            continue;
        }
        let mut places = paths.iter().map(|path| join(root, path));
        placement.path = places.next();
        added.extend(places.map(|path| Placement { path: Some(path), ..placement.clone() }));
    }
    placements.append(&mut added);
}

/// Returns the blob of a placement that no reference reaches.
fn unreachable_blob(placement: &Placement) -> Option<ObjectId> {
    let trace = placement.trace.as_deref().filter(|trace| !trace.reachable)?;
    match placement.holder {
        Holder::Object(id, Kind::Blob) if trace.kind == Kind::Blob => Some(id),
        _ => None,
    }
}
