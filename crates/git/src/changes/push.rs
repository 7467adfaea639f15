//! Pushes: the commits, tags and names that the other side lacks.
//!
//! Input: the references that a push changes, and the local references that show the state of the other
//! side. Output: a [`Range`]. The number of processes does not depend on the number of references.

use super::super::repo::{RepoError, Repository, Tracking};
use super::range::{BareObject, Range, RangeOptions};
use super::revisions::RangeError;
use super::set::{NamedRef, Scope};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::quantity::count;
use std::collections::HashSet;
use std::ffi::OsStr;

/// A push, except for the references that it deletes.
#[derive(Clone, Debug)]
pub struct Push {
    /// The references that it creates or changes.
    pub updates: Vec<Update>,
    /// The references that show the state of the other side.
    pub known_refs: KnownRefs,
}

/// A reference that a push creates or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The object to which it points after the push.
    pub new: ObjectId,
    /// The object to which it points before the push; `None` if it is new.
    pub old: Option<ObjectId>,
    /// Its names.
    pub names: Vec<NamedRef>,
}

/// The local references that show the state of the other side.
#[derive(Clone, Debug)]
pub enum KnownRefs {
    /// The references that track the remote.
    Tracked(Tracking),
    /// All references: this repository is the other side.
    All,
}

/// Maximum number of branches that a note names.
const MOST_NAMED: usize = 5;

impl Range {
    /// Finds the content of a push that the other side lacks.
    ///
    /// # Errors
    /// [`RangeError`] if a pushed object is missing, or the commits cannot be listed.
    pub fn of_push(
        repository: Repository,
        push: &Push,
        options: RangeOptions,
    ) -> Result<Self, RangeError> {
        let mut range = Self::open(repository, options);
        let targets = range.repository.targets()?;
        let is_there = |name: &[u8]| match &push.known_refs {
            KnownRefs::Tracked(tracking) => tracking.has(name),
            KnownRefs::All => true,
        };
        let there = targets.list.iter().filter(|(name, _)| is_there(name)).map(|it| it.1);
        let head = targets.head.filter(|_| matches!(push.known_refs, KnownRefs::All));
        range.take_known(there.chain(head).collect());
        let mut reader = Reader::default();
        // The default branch of the other side has its policy.
        let candidates = head.iter().chain(&range.also);
        range.policy_base = candidates
            .filter_map(|id| range.store.peel(id, &mut reader).ok())
            .find_map(|(id, kind)| (kind == Kind::Commit).then_some(id));
        // Commits that others have pushed meanwhile may be missing in this repository.
        let old = push.updates.iter().filter_map(|it| it.old).filter(|id| range.store.has(id));
        range.bases = old.collect();
        let base_objects: HashSet<ObjectId> =
            range.base_objects.iter().chain(&range.bases).copied().collect();
        let mut heads = Vec::new();
        for update in &push.updates {
            range.names.extend_from_slice(&update.names);
            let id = update.new;
            match range.store.peel(&id, &mut reader) {
                Ok((commit, Kind::Commit)) => heads.push(commit),
                Ok((object, kind))
                    if !base_objects.contains(&object) && !base_objects.contains(&id) =>
                {
                    let name = update.names.first().map(|it| it.name.clone()).unwrap_or_default();
                    range.bare.push(BareObject { id: object, kind, name });
                }
                Ok(_) => {}
                Err(error) => {
                    let (revision, words) = (id.to_string(), error.to_string());
                    let git_dir = range.repository.git_dir.clone();
                    let cause = RepoError::Revision { revision: revision.clone(), git_dir, words };
                    return Err(range.unknown(OsStr::new(&revision), cause));
                }
            }
            range.head_objects.push(id);
        }
        if range.also.is_empty() && range.bases.is_empty() {
            let note =
                "the state of the other side is unknown: everything that is pushed counts as new";
            range.notes.push(note.into());
        }
        if !heads.is_empty() {
            range.list_commits(&heads)?;
        }
        Ok(range)
    }

    /// Finds the commits of HEAD and of local branches that the remote lacks, except for those that
    /// `pushed` reaches; `None` if there are none. Tokens in them are listed, but do not fail the check.
    ///
    /// # Errors
    /// [`RangeError`] if the commits cannot be listed.
    pub fn also_unpushed(
        repository: Repository,
        tracking: &Tracking,
        pushed: &[ObjectId],
        options: RangeOptions,
    ) -> Result<Option<Self>, RangeError> {
        let mut range = Self::open(repository, options);
        range.scope = Scope::AlsoUnpushed;
        let targets = range.repository.targets()?;
        let there = targets.list.iter().filter(|(name, _)| tracking.has(name)).map(|it| it.1);
        range.take_known(there.chain(pushed.iter().copied()).collect());
        let mut reader = Reader::default();
        let mut is_commit = |id: &ObjectId| {
            range.store.peel(id, &mut reader).is_ok_and(|(_, kind)| kind == Kind::Commit)
        };
        let branches = targets.list.iter().filter(|(name, _)| name.starts_with(b"refs/heads/"));
        let branches = branches.map(|(name, id)| (&name[..], *id));
        let head = targets.head.map(|id| (&b"HEAD"[..], id));
        let tips: Vec<(&[u8], ObjectId)> =
            head.into_iter().chain(branches).filter(|(_, id)| is_commit(id)).collect();
        let heads: Vec<ObjectId> = tips.iter().map(|it| it.1).collect();
        range.list_commits(&heads)?;
        let commits: HashSet<&ObjectId> = range.commits.iter().collect();
        let names: Vec<String> = tips
            .iter()
            .filter(|(_, id)| commits.contains(id))
            .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
            .collect();
        if names.is_empty() {
            return Ok(None);
        }
        let more = names.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let commits = count(range.commits.len(), "commit");
        let first = names[..names.len().min(MOST_NAMED)].join(", ");
        range.notes.push(format!(
            "also scanned: {commits} of {first}{more} that the remote lacks; tokens there are \
             listed as \"also unpushed\" and do not fail"
        ));
        Ok(Some(range))
    }

    /// Sets the objects to which the references of the other side point.
    fn take_known(&mut self, mut ids: Vec<ObjectId>) {
        ids.sort_unstable();
        ids.dedup();
        self.base_objects.extend_from_slice(&ids);
        self.also = ids;
    }
}
