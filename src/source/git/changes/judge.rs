//! Judges the versions that a change brings: which tokens are new, moved, or were already there.
//!
//! Input: a change set, and the base, which is asked for only if the change holds a token. Output:
//! places. What a commit says, and names of references, are judged elsewhere.

use super::super::lfs::{Lfs, LfsError};
use super::super::repo::Repository;
use super::super::store::Store;
use super::super::tree_path::join;
use super::content::{Found, Search, Tokens};
use super::{Base, ChangeSet, Item, Scope, diff};
use crate::finding::{Part, Standing, Trace};
use crate::source::{Code, Gap, Opened, Run, Traced, Visitors, by_token};
use ddpatrol_pack::Kind;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Reads what the base has: its versions of all changed paths, and of the paths that hold tokens.
pub(super) type ReadBase<'a> = &'a dyn Fn(&BTreeSet<&[u8]>) -> Base;

/// Reads the versions of a change set and judges them.
pub(super) struct Judge<'a> {
    pub(super) repository: &'a Repository,
    pub(super) store: &'a Store,
    pub(super) visitors: &'a dyn Visitors,
    pub(super) run: &'a Run,
    pub(super) threads: usize,
    pub(super) set: &'a ChangeSet,
    pub(super) base: ReadBase<'a>,
    pub(super) scope: Scope,
}

/// A token in the name of a file or folder.
struct NameToken<'a> {
    item: &'a Item,
    /// The path of the file or folder.
    path: &'a [u8],
    name: &'a [u8],
    token: u32,
    offsets: Vec<u64>,
}

/// The places of a token in bytes.
struct At<'a> {
    token: u32,
    offsets: &'a [u64],
    part: Part,
}

impl Judge<'_> {
    pub(super) fn judge(&self) {
        let lfs = Lfs::new(self.repository);
        let search = Search {
            store: self.store,
            lfs: &lfs,
            visitors: self.visitors,
            run: self.run,
            threads: self.threads,
        };
        let new = search.search(self.set.items.iter().filter_map(|item| item.blob).collect());
        self.report(&new);
        self.report_lost(&new);
        let holds = |item: &&Item| item.blob.is_some_and(|id| new.texts.contains_key(&id));
        let holders: Vec<&Item> = self.set.items.iter().filter(holds).collect();
        let names = self.names();
        // Most changes hold no token; then nothing of the base is read.
        if holders.is_empty() && names.is_empty() {
            return;
        }
        let own = holders.iter().flat_map(|item| [Some(&item.path), item.renamed_from.as_ref()]);
        let base = (self.base)(&own.flatten().map(Vec::as_slice).collect());
        let old = holders.iter().flat_map(|item| &item.before).copied();
        let before = search.search(old.chain(base.versions.iter().map(|it| it.1)).collect());
        self.report(&before);
        self.judge_contents(&holders, &new, (&before, &base));
        self.judge_names(names, &base);
    }

    fn judge_contents(&self, holders: &[&Item], new: &Found, (before, base): (&Found, &Base)) {
        let mut paths: HashMap<u32, Vec<&[u8]>> = HashMap::new();
        for (path, id) in &base.versions {
            before.tokens(id).for_each(|token| paths.entry(token).or_default().push(path));
        }
        for item in holders {
            let texts = item.blob.and_then(|id| new.texts.get(&id)).into_iter().flatten();
            for text in texts {
                let mut opened = self.visitors.open(&text.bytes);
                for (&token, offsets) in &text.tokens {
                    let standing = standing(item, paths.get(&token));
                    let had = item.before.iter().any(|id| before.holds(id, token));
                    // An earlier commit of the range brought it: that one is reported.
                    if had && standing == Standing::New {
                        continue;
                    }
                    let at = At { token, offsets, part: Part::Content };
                    self.place(item, &at, standing, &mut *opened);
                }
            }
        }
    }

    fn judge_names(&self, names: Vec<NameToken<'_>>, base: &Base) {
        let mut trees = diff::Trees::new(self.store);
        for NameToken { item, path, name, token, offsets } in names {
            // If a tree of the base cannot be read, the name counts as new.
            let is_old = base.roots.iter().any(|root| trees.has(root, path).unwrap_or(false));
            if !is_old {
                let at = At { token, offsets: &offsets, part: Part::Name };
                self.place(item, &at, Standing::New, &mut *self.visitors.open(name));
            }
        }
    }

    /// Searches the names of new files and of the folders above them.
    fn names(&self) -> Vec<NameToken<'_>> {
        let mut seen: HashMap<&[u8], Tokens> = HashMap::new();
        let mut found = Vec::new();
        for item in self.set.items.iter().filter(|item| item.is_new) {
            for path in folders(&item.path) {
                let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
                let name = &path[start..];
                let find = || by_token(self.visitors.find(name));
                for (&token, offsets) in seen.entry(name).or_insert_with(find) {
                    let offsets = offsets.clone();
                    found.push(NameToken { item, path, name, token, offsets });
                }
            }
        }
        found
    }

    fn report(&self, found: &Found) {
        for error in &found.errors {
            let git_dir = self.repository.git_dir.clone();
            self.run.report(Gap::Unread, Code::ObjectUnreadable, Some(git_dir), error.clone());
        }
    }

    /// Reports the Git LFS objects of the change that cannot be read.
    fn report_lost(&self, found: &Found) {
        if found.lost.is_empty() {
            return;
        }
        for item in &self.set.items {
            let Some(error) = item.blob.and_then(|id| found.lost.get(&id)) else { continue };
            let (kind, code) = match error {
                LfsError::Missing(_) | LfsError::Size { .. } => (Gap::Opaque, Code::LfsMissing),
                LfsError::Read { .. } => (Gap::Unread, Code::LfsUnreadable),
            };
            self.run.report(kind, code, Some(join(Path::new(""), &item.path)), error.to_string());
        }
    }

    fn place(&self, item: &Item, at: &At<'_>, standing: Standing, opened: &mut dyn Opened) {
        let trace = item.commit.map(|commit| {
            let trace = &self.set.commits[commit];
            let object = item.blob.filter(|_| at.part == Part::Content).unwrap_or(trace.object);
            let kind = if at.part == Part::Content { Kind::Blob } else { Kind::Tree };
            Arc::new(Trace { object, kind, ..Trace::clone(trace) })
        });
        let path = join(Path::new(""), &item.path);
        let place = Traced {
            path: Some(&path),
            part: at.part,
            trace: trace.as_ref(),
            standing: Some(&self.scope.apply(standing)),
        };
        opened.place(at.token, at.offsets, &place);
    }
}

/// Returns how a token that the base has at `paths` stands at an item.
fn standing(item: &Item, paths: Option<&Vec<&[u8]>>) -> Standing {
    let Some(paths) = paths else { return Standing::New };
    let own = [Some(&item.path[..]), item.renamed_from.as_deref()];
    if paths.iter().any(|&path| own.contains(&Some(path))) {
        return Standing::AlreadyThere;
    }
    let first = paths.iter().min().copied().unwrap_or_default();
    Standing::Moved(join(Path::new(""), first))
}

/// Lists a path and the folders above it.
fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| &path[..end])
}
