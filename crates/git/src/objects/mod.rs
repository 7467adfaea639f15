//! Reads every object of a store once, and collects the links between objects.
//!
//! Input: a store. Output: the objects, pushed to the sinks, and the links of commits and trees as numbers
//! of the object index. Only entries that the delta base of a tree does not have are looked up, so every
//! link between two objects is seen at least once, and missing objects are detected. Nothing is searched
//! here.

mod error;
mod links;
mod resources;
#[cfg(test)]
mod tests;
pub(super) mod tree_records;
mod worker;

use super::cache::{Holders, Known, pack_name};
use super::numbers::ObjectNo;
use super::object_index::ObjectIndex;
use super::store::Store;
use ddpatrol_pack::{DeltaForest, Kind, Kinds, ObjectId, PackError, Reader, WalkOptions};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::window::{End, Windows};
use ddpatrol_scan::{Run, Sinks, add};
pub(super) use error::ObjectError;
use links::ObjectLinks;
pub(super) use resources::WalkResources;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use worker::Worker;

/// Up to this number of loose objects, one thread is faster than starting several.
const FEW: usize = 64;

/// The objects of a store, and their links.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) index: ObjectIndex,
    /// The packs, each with the number of its first object.
    pub(super) packs: Vec<(DeltaForest, ObjectNo)>,
    /// The loose objects.
    pub(super) loose: Vec<(ObjectNo, ObjectId)>,
    pub(super) links: ObjectLinks,
    /// The numbers of packs and of loose objects that an earlier scan has read.
    known: (usize, usize),
    /// Objects and parts of the store that cannot be read.
    pub(super) broken: Vec<ObjectError>,
}

/// Reads the objects of a store.
pub(super) struct ObjectReader<'a> {
    pub(super) resources: WalkResources<'a>,
    /// Receives the objects; `None` if only links are read.
    pub(super) sinks: Option<&'a dyn Sinks>,
    pub(super) run: &'a Run,
}

/// The objects of a pack to walk.
struct Selection<'a> {
    /// Objects to skip.
    done: &'a HashSet<ObjectId>,
    /// The kinds of objects to read.
    kinds: Kinds,
}

/// A worker that reads loose objects.
struct LooseReader<'a> {
    worker: Worker<'a>,
    /// Objects that no longer exist.
    vanished: Vec<ObjectId>,
    /// The errors of objects that cannot be read.
    failed: Vec<ObjectError>,
}

impl ObjectReader<'_> {
    /// Creates a worker; `first` is the number of the first object of the walked pack. The worker pushes
    /// objects only if all `kinds` are walked.
    fn worker<'a>(&'a self, index: &'a ObjectIndex, first: ObjectNo, kinds: Kinds) -> Worker<'a> {
        let sinks = self.sinks.filter(|_| kinds == Kinds::ALL);
        let sink = sinks.map(|sinks| sinks.sink());
        Worker::new(sink, self.run, self.resources, index, first)
    }

    /// Adds the packs and loose objects that an earlier scan has read. They are not read again.
    pub(super) fn set_aside(&self, store: &Store, objects: &mut Objects, known: &Known) {
        for pack in store.packs().iter().filter(|pack| known.packs.contains(&pack_name(pack))) {
            let first = objects.index.add_pack(Arc::clone(pack));
            let forest = DeltaForest::new(Arc::clone(pack), self.resources.workers.pool(), |_| {});
            objects.packs.push((forest, first));
        }
        for id in known.loose.iter().filter_map(|id| id.parse().ok()) {
            if let (false, Ok(Some(_))) = (store.is_packed(&id), store.open_loose(&id))
                && let Some(number) = objects.index.add_loose(id)
            {
                objects.loose.push((number, id));
            }
        }
        objects.known = (objects.packs.len(), objects.loose.len());
    }

    /// Reads the links of the objects that were set aside, without pushing them.
    pub(super) fn read_links(&self, store: &Store, objects: &mut Objects) {
        let (packs, loose) = std::mem::take(&mut objects.known);
        let kinds = Kinds::of(&[Kind::Commit, Kind::Tree, Kind::Tag]);
        let known: Vec<(DeltaForest, ObjectNo)> = objects.packs.drain(..packs).collect();
        let none = HashSet::new();
        for (forest, first) in &known {
            // Broken objects were reported when they were read.
            let _ = self.walk(objects, forest, *first, Selection { done: &none, kinds });
        }
        objects.packs.splice(0..0, known);
        let mut reader = Reader::default();
        let mut links = ObjectLinks::default();
        for &(number, id) in &objects.loose[..loose] {
            let Ok((kind, bytes)) = store.read(&id, &mut reader) else { continue };
            let mut worker = self.worker(&objects.index, ObjectNo::FIRST, kinds);
            worker.links_of(number, id, kind, &bytes);
            links.merge(worker.finish());
        }
        objects.links.merge(links);
    }

    /// Pushes objects again that hold tokens according to an earlier scan. Large blobs are pushed
    /// in windows, as in the first scan, unless that scan has opened them as archives.
    pub(super) fn search_again(&self, store: &Store, objects: &mut Objects, holders: &Holders) {
        let Some(mut sink) = self.sinks.map(|sinks| sinks.sink()) else { return };
        let mut reader = Reader::default();
        let mut windows = Windows::new(self.resources.context);
        for id in &holders.objects {
            if self.run.is_interrupted() {
                return;
            }
            let is_opened = holders.archives.contains(id);
            let large = if is_opened { None } else { store.stream_blob(id, self.resources.large) };
            if let Some(mut blob) = large {
                let origin = Origin::Object(*id, Kind::Blob);
                match windows.push_all(origin, &mut blob, &mut *sink, self.run) {
                    End::Whole(_) if blob.ends_intact() => continue,
                    End::Interrupted => return,
                    // There may be an intact copy.
                    End::Whole(_) | End::Failed(_) => {}
                }
            }
            // An object that no longer exists holds no tokens.
            if let Ok((kind, bytes)) = store.read(id, &mut reader) {
                sink.blob(&Blob::whole(Origin::Object(*id, kind), &bytes));
                objects.links.add_pointer(*id, &bytes);
            }
        }
    }

    /// Reads all objects that were not set aside, including objects that appear or move meanwhile.
    pub(super) fn read(&self, store: &mut Store, objects: &mut Objects) {
        let mut known_packs: HashSet<PathBuf> =
            objects.packs.iter().map(|(forest, _)| forest.pack().path().to_owned()).collect();
        let mut done: HashSet<ObjectId> = objects.loose.iter().map(|&(_, id)| id).collect();
        let mut failed: Vec<PackError> = Vec::new();
        let mut vanished: Vec<ObjectId> = Vec::new();
        loop {
            let mut problems = Vec::new();
            let mut new = Vec::new();
            for pack in store.packs() {
                if known_packs.insert(pack.path().to_owned()) {
                    let first = objects.index.add_pack(pack.clone());
                    new.push((pack.clone(), first));
                    add(&self.run.tally.objects_known, u64::from(pack.index().len()));
                }
            }
            let loose: Vec<(ObjectNo, ObjectId)> = store
                .loose(&mut |problem| problems.push(problem.into()))
                .into_iter()
                .filter_map(|id| Some((objects.index.add_loose(id)?, id)))
                .collect();
            objects.broken.append(&mut problems);
            if new.is_empty() && loose.is_empty() || self.run.is_interrupted() {
                break;
            }
            add(&self.run.tally.objects_known, loose.len() as u64);
            for (pack, first) in new {
                let pool = self.resources.workers.pool();
                let forest = DeltaForest::new(pack, pool, |error| failed.push(error));
                let selection = Selection { done: &done, kinds: Kinds::ALL };
                failed.append(&mut self.walk(objects, &forest, first, selection));
                objects.packs.push((forest, first));
            }
            self.read_loose(store, objects, &loose, &mut vanished);
            done.extend(loose.iter().map(|&(_, id)| id));
            vanished.iter().for_each(|id| {
                done.remove(id);
            });
            objects.loose.extend(loose);
            // A repack may have moved objects that were listed.
            store.add_packs(&mut |problem| objects.broken.push(problem.into()));
        }
        if self.run.is_interrupted() {
            return;
        }
        let again = failed.into_iter().map(ObjectError::Packed);
        let gone = vanished.into_iter().map(ObjectError::Vanished);
        self.read_again(store, objects, again.chain(gone).collect());
    }

    /// Walks one pack; returns the errors of objects that cannot be read.
    fn walk(
        &self,
        objects: &mut Objects,
        forest: &DeltaForest,
        first: ObjectNo,
        selection: Selection<'_>,
    ) -> Vec<PackError> {
        let Selection { done, kinds } = selection;
        let index = &objects.index;
        let pack_index = forest.pack().index();
        let is_seen = |position: u32| {
            let id = pack_index.id(position);
            id.is_some_and(|id| index.is_earlier(first, &id) || done.contains(&id))
        };
        let is_alone = first == ObjectNo::FIRST && done.is_empty();
        let options = WalkOptions {
            kinds,
            pool: self.resources.workers.pool(),
            budget: self.resources.budget,
            skip: (!is_alone).then_some(&is_seen),
        };
        let workers = forest.walk(&options, &|| self.worker(index, first, kinds));
        let (mut failed, mut all) = (Vec::new(), ObjectLinks::default());
        for mut worker in workers {
            failed.append(&mut worker.failed);
            all.merge(worker.finish());
        }
        objects.links.merge(all);
        failed
    }

    /// Reads loose objects; adds those that no longer exist to `vanished`.
    fn read_loose(
        &self,
        store: &Store,
        objects: &mut Objects,
        loose: &[(ObjectNo, ObjectId)],
        vanished: &mut Vec<ObjectId>,
    ) {
        let index = &objects.index;
        let make = || LooseReader {
            worker: self.worker(index, ObjectNo::FIRST, Kinds::ALL),
            vanished: Vec::new(),
            failed: Vec::new(),
        };
        let readers = self.resources.workers.fold(loose, FEW, make, |reader, &(number, id)| {
            if self.run.is_interrupted() {
                return;
            }
            match reader.worker.loose(store, number, id) {
                Ok(true) => {}
                Ok(false) => reader.vanished.push(id),
                Err(source) => reader.failed.push(ObjectError::Loose { id, source }),
            }
        });
        let (mut links, mut failed) = (ObjectLinks::default(), Vec::new());
        for mut reader in readers {
            links.merge(reader.worker.finish());
            vanished.append(&mut reader.vanished);
            failed.append(&mut reader.failed);
        }
        objects.links.merge(links);
        self.read_again(store, objects, failed);
    }

    /// Reads another copy of each object that could not be read, as git does.
    fn read_again(&self, store: &Store, objects: &mut Objects, failed: Vec<ObjectError>) {
        let mut reader = Reader::default();
        for error in failed {
            let copy = error.id().and_then(|id| Some((id, store.read(&id, &mut reader).ok()?)));
            let Some((id, (kind, bytes))) = copy else {
                objects.broken.push(error);
                continue;
            };
            let index = &objects.index;
            let mut worker = self.worker(index, ObjectNo::FIRST, Kinds::ALL);
            worker.whole(index.find(id.as_bytes()).unwrap_or(ObjectNo::FIRST), id, kind, &bytes);
            objects.links.merge(worker.finish());
        }
    }
}
