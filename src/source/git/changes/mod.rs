//! What a change brings: the staged content against HEAD, or a range of commits against its base.
//!
//! A token is *new* if none of the base's versions of the changed paths holds it; *moved* if one at
//! another path does; else it was *already there*. Only what changed is read: the cost grows with
//! the change, not with the repository.

mod brought;
mod diff;
mod range;
mod snapshot;
mod staged;

pub use range::{Range, RangeError, RangeOptions, Revisions};
pub use snapshot::Snapshot;
pub use staged::Staged;

use super::history::join;
use super::repo::Repository;
use super::store::Store;
use crate::finding::{Part, Standing, Trace};
use crate::source::{Gap, Opened, Run, Traced, Visitors, add, by_token};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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

/// What a change brings, and the base that it is held against.
#[derive(Debug, Default)]
struct ChangeSet {
    items: Vec<Item>,
    /// The base's versions of the changed paths.
    base: Vec<(Vec<u8>, ObjectId)>,
    /// The base's trees.
    roots: Vec<ObjectId>,
    /// The traces of the commits.
    commits: Vec<Arc<Trace>>,
}

/// Tokens and their offsets.
type Tokens = BTreeMap<u32, Vec<u64>>;

/// Reads the versions of a change set and tells what they bring.
struct Judge<'a> {
    repository: &'a Repository,
    store: &'a Store,
    visitors: &'a dyn Visitors,
    run: &'a Run,
    threads: usize,
    set: &'a ChangeSet,
    /// The folder that paths are told below.
    root: &'a Path,
}

impl Judge<'_> {
    fn judge(&self) {
        let blobs: Vec<ObjectId> = self.set.items.iter().filter_map(|item| item.blob).collect();
        let new = self.search(blobs);
        let holds = |item: &&Item| item.blob.is_some_and(|id| new.contains_key(&id));
        let holders: Vec<&Item> = self.set.items.iter().filter(holds).collect();
        let names = self.names();
        // Most changes hold no token; then nothing of the base is read.
        let mut before = HashMap::new();
        let mut base: HashMap<u32, Vec<&[u8]>> = HashMap::new();
        if !holders.is_empty() {
            let old = holders.iter().flat_map(|item| &item.before).copied();
            before = self.search(old.chain(self.set.base.iter().map(|it| it.1)).collect());
            for (path, id) in &self.set.base {
                for &token in before.get(id).into_iter().flat_map(|(_, tokens)| tokens.keys()) {
                    base.entry(token).or_default().push(path);
                }
            }
        }
        for item in holders {
            let Some(id) = item.blob else { continue };
            let Some((bytes, tokens)) = new.get(&id) else { continue };
            let had = |token| {
                let holds = |id: &ObjectId| {
                    before.get(id).is_some_and(|(_, tokens)| tokens.contains_key(&token))
                };
                item.before.iter().any(holds)
            };
            let mut opened = self.visitors.open(bytes);
            for (&token, offsets) in tokens {
                let standing = stand(item, base.get(&token));
                // An earlier commit of the range brought it: that one is told.
                if had(token) && standing == Standing::New {
                    continue;
                }
                let place = (Part::Content, standing);
                self.place(item, (token, offsets), &mut *opened, place);
            }
        }
        for (item, name, token, offsets) in names {
            let mut opened = self.visitors.open(name);
            self.place(item, (token, &offsets), &mut *opened, (Part::Name, Standing::New));
        }
    }

    /// Searches the names of new files and folders.
    fn names(&self) -> Vec<(&Item, &[u8], u32, Vec<u64>)> {
        let mut trees = diff::Trees::new(self.store);
        let mut seen: HashMap<&[u8], Tokens> = HashMap::new();
        let mut found = Vec::new();
        for item in self.set.items.iter().filter(|item| item.is_new) {
            for path in folders(&item.path) {
                let start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
                let name = &path[start..];
                let find = || by_token(self.visitors.find(name));
                let tokens = seen.entry(name).or_insert_with(find);
                if tokens.is_empty() || self.base_has(path, &mut trees) {
                    continue;
                }
                let each = tokens.iter().map(|(&it, offsets)| (item, name, it, offsets.clone()));
                found.extend(each);
            }
        }
        found
    }

    /// Tells whether the base has something at a path. If that cannot be read, it has not.
    fn base_has(&self, path: &[u8], trees: &mut diff::Trees<'_>) -> bool {
        self.set.roots.iter().any(|root| trees.has(root, path).unwrap_or(false))
    }

    /// Searches blobs, each once, on all workers; returns those that hold tokens.
    fn search(&self, mut ids: Vec<ObjectId>) -> HashMap<ObjectId, (Vec<u8>, Tokens)> {
        ids.sort_unstable();
        ids.dedup();
        let next = AtomicUsize::new(0);
        let found = Mutex::new(HashMap::new());
        let work = || {
            let mut reader = Reader::default();
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.run.is_interrupted() {
                    return;
                }
                let bytes = match self.store.read(id, &mut reader) {
                    Ok((Kind::Blob, bytes)) => bytes,
                    Ok((kind, _)) => {
                        self.report(format!("object {id} is a {}, not a blob", kind.name()));
                        continue;
                    }
                    Err(error) => {
                        self.report(error.to_string());
                        continue;
                    }
                };
                add(&self.run.tally.objects, 1);
                add(&self.run.tally.bytes, bytes.len() as u64);
                let tokens = by_token(self.visitors.find(&bytes));
                if !tokens.is_empty() {
                    let mut found = found.lock().unwrap_or_else(|poison| poison.into_inner());
                    found.insert(*id, (bytes, tokens));
                }
            }
        };
        let threads = self.threads.min(ids.len().div_ceil(32));
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        found.into_inner().unwrap_or_else(|poison| poison.into_inner())
    }

    fn report(&self, message: String) {
        self.run.report(Gap::Unread, Some(self.repository.git_dir.clone()), message);
    }

    fn place(
        &self,
        item: &Item,
        (token, offsets): (u32, &[u64]),
        opened: &mut dyn Opened,
        (part, standing): (Part, Standing),
    ) {
        let trace = item.commit.map(|commit| {
            let trace = &self.set.commits[commit];
            let object = item.blob.filter(|_| part == Part::Content).unwrap_or(trace.object);
            let kind = if part == Part::Content { Kind::Blob } else { Kind::Tree };
            Arc::new(Trace { object, kind, ..Trace::clone(trace) })
        });
        let path = join(self.root, &item.path);
        let (trace, standing) = (trace.as_ref(), Some(&standing));
        opened.place(token, offsets, &Traced { path: Some(&path), part, trace, standing });
    }
}

/// Says how a token that the base has at `paths` stands at an item.
fn stand(item: &Item, paths: Option<&Vec<&[u8]>>) -> Standing {
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

/// Keeps each of the base's versions once.
fn sorted_base(base: BTreeMap<Vec<u8>, Vec<ObjectId>>) -> Vec<(Vec<u8>, ObjectId)> {
    let each =
        |(path, ids): (Vec<u8>, Vec<ObjectId>)| ids.into_iter().map(move |id| (path.clone(), id));
    base.into_iter().flat_map(each).collect()
}

/// Opens the objects of a repository, with those that the environment adds.
fn open_store(repository: &Repository, run: &Run) -> Store {
    let mut folders = vec![repository.objects_dir()];
    folders.extend_from_slice(repository.alternates());
    Store::open(&folders, repository.hash, &mut |problem| {
        run.report(Gap::Unread, Some(repository.git_dir.clone()), problem.to_string());
    })
}
