//! The head of a range at the paths that hold tokens: whether it still has them, and which commits removed
//! them.
//!
//! Input: the content that a range introduces and replaces. Output: the head's versions of paths, as data.
//! Only folders are read.

use super::by_blob::ByBlob;
use super::diff::Trees;
use super::set::{ChangeSet, Replaced};
use ddpatrol_pack::ObjectId;
use ddpatrol_scan::finding::{Removed, Trace};
use ddpatrol_scan::sighting::TokenNo;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Maximum number of listed commits that removed a token.
const MAX_REMOVED: usize = 50;

/// The head of a range. Paths that it does not list count as unchanged since the range introduced them.
#[derive(Default)]
pub(super) struct Head<'a> {
    /// The blobs that the heads have at a path with a token; none if no head has the path.
    contents: HashMap<&'a [u8], Vec<ObjectId>>,
    /// The paths with a token in their name that no head has, and the commits that removed them.
    names: HashMap<&'a [u8], Vec<usize>>,
    /// The versions that commits replace at the paths in `contents`.
    replaced: HashMap<&'a [u8], Vec<&'a Replaced>>,
}

/// The versions of a range, and the sightings in the range and in its base.
pub(super) struct BothSides<'a> {
    pub(super) set: &'a ChangeSet,
    pub(super) new: &'a ByBlob<'a>,
    pub(super) old: &'a ByBlob<'a>,
}

impl BothSides<'_> {
    fn holds(&self, blob: &ObjectId, token: TokenNo) -> bool {
        self.new.holds(blob, token) || self.old.holds(blob, token)
    }
}

impl<'a> Head<'a> {
    /// Reads the heads of a range at paths with tokens in their content, and at paths with tokens in their
    /// name. A path that cannot be read is not listed.
    pub(super) fn read(
        set: &'a ChangeSet,
        trees: &mut Trees<'_>,
        contents: BTreeSet<&'a [u8]>,
        names: BTreeSet<&'a [u8]>,
    ) -> Self {
        let mut head = Self::default();
        if set.heads.is_empty() {
            return head;
        }
        for path in contents {
            let blobs = set.heads.iter().map(|tree| trees.blob_at(tree, path));
            if let Ok(blobs) = blobs.collect::<Result<Vec<_>, _>>() {
                head.contents.insert(path, blobs.into_iter().flatten().collect());
            }
        }
        for path in names {
            // If a tree cannot be read, the name counts as present.
            let mut has = |tree: &ObjectId| trees.has(tree, path).unwrap_or(true);
            if set.heads.iter().any(&mut has) {
                continue;
            }
            let gone = set.replaced.iter().filter(|it| it.now.is_none() && it.is_at(path));
            let mut commits: Vec<usize> = gone.map(|it| it.commit).collect();
            commits.dedup();
            commits.retain(|&commit| !has(&set.trees[commit]));
            head.names.insert(path, commits);
        }
        for replaced in &set.replaced {
            if head.contents.contains_key(&*replaced.path) {
                head.replaced.entry(&replaced.path).or_default().push(replaced);
            }
        }
        head
    }

    /// Completes the trace of a token in the content of a path.
    pub(super) fn complete_content(
        &self,
        trace: &mut Trace,
        path: &[u8],
        token: TokenNo,
        sides: &BothSides<'_>,
    ) {
        let Some(blobs) = self.contents.get(path) else {
            trace.in_head = true;
            return;
        };
        trace.in_head = blobs.iter().any(|blob| *blob == trace.object || sides.holds(blob, token));
        let removes = |it: &&&Replaced| {
            it.was.is_some_and(|blob| sides.holds(&blob, token))
                && !it.now.is_some_and(|blob| sides.holds(&blob, token))
        };
        let replaced = self.replaced.get(path).into_iter().flatten();
        let commits = replaced.filter(removes).map(|it| it.commit).collect();
        trace.removed = removed(sides.set, commits);
    }

    /// Completes the trace of a token in the last component of a path.
    pub(super) fn complete_name(&self, trace: &mut Trace, path: &[u8], set: &ChangeSet) {
        let commits = self.names.get(path);
        trace.in_head = commits.is_none();
        trace.removed = removed(set, commits.cloned().unwrap_or_default());
    }
}

/// Returns the commits with these numbers, which are in ascending order.
fn removed(set: &ChangeSet, mut commits: Vec<usize>) -> Removed {
    commits.dedup();
    let first = commits.iter().take(MAX_REMOVED);
    let first = first.filter_map(|&it| set.commits[it].introduced.clone()).collect();
    Removed { first: Arc::new(first), total: commits.len() }
}
