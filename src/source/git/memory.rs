//! Uses and fills the state of one repository.

use super::commits::describe;
use super::history::join;
use super::lfs_objects::LfsObjects;
use super::repo::Repository;
use super::state::{Known, KnownObject, KnownPlace, State, pack_name};
use super::store::Store;
use crate::finding::{HeldObject, Part, Trace};
use crate::report::redact::Redactor;
use crate::source::{Gap, Held, ObjectVisitor, Run, Traced, Visitors, add};
use ddpatrol_pack::{ObjectId, Reader};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The state of one repository.
pub(super) struct Memory<'a> {
    pub(super) state: &'a State,
    pub(super) redactor: &'a Redactor,
    pub(super) repository: &'a Repository,
    pub(super) root: &'a Path,
}

impl Memory<'_> {
    fn name(&self) -> std::path::PathBuf {
        let common = &self.repository.common_dir;
        std::fs::canonicalize(common).unwrap_or_else(|_| common.clone())
    }

    pub(super) fn known(&self) -> Option<&Known> {
        // Nothing of a repository that could not be read whole is known.
        self.state.known(&self.name()).filter(|known| !known.refs.is_empty())
    }

    pub(super) fn forget(&self) {
        self.state.forget(&self.name());
    }

    /// Tells the places that are known, if there is nothing new; `false` if there is.
    pub(super) fn recall(
        &self,
        known: &Known,
        (store, refs): (&Store, &str),
        visitors: &dyn Visitors,
        run: &Run,
    ) -> bool {
        let packs: BTreeSet<String> = store.packs().iter().map(|pack| pack_name(pack)).collect();
        let is_old = |pack: &String| known.packs.contains(pack);
        let loose = || store.loose(&mut |_| ());
        let loose_is_old = || {
            let old = |id: &ObjectId| known.loose.contains(&id.to_string()) || store.is_packed(id);
            loose().iter().all(old)
        };
        let Some(places) = &known.places else { return false };
        if known.refs != refs || packs.len() != known.packs.len() || !packs.iter().all(is_old) {
            return false;
        }
        if !loose_is_old() || !self.can_recall(known, places, (store, visitors)) {
            return false;
        }
        add(&run.tally.shaped, known.shaped);
        run.note(format!("nothing is new in {} since the state was written", self.root.display()));
        for gap in &known.gaps {
            run.report(Gap::Opaque, Some(self.root.to_owned()), gap.clone());
        }
        true
    }

    /// Looks whether every place still is as the state says, and only then tells any.
    fn can_recall(
        &self,
        known: &Known,
        places: &[KnownPlace],
        (store, visitors): (&Store, &dyn Visitors),
    ) -> bool {
        let mut reader = Reader::default();
        let Some(objects) = recall_objects(known, store, visitors, &mut reader) else {
            return false;
        };
        let mut told = Vec::new();
        for place in places {
            let Some((id, kind)) = place.object() else { return false };
            let Ok((_, bytes)) = store.read(&id, &mut reader) else { return false };
            let found = visitors.find(&bytes);
            let Some(trace) = self.trace(place, (id, kind), store, &mut reader) else {
                return false;
            };
            let Some(path) = place.path() else { return false };
            let path = path.map(|path| join(self.root, &path));
            let here = found.into_iter().filter(|(_, offset)| *offset == place.offset);
            let tokens: Vec<u32> = here.map(|(token, _)| token).collect();
            if tokens.is_empty() {
                return false;
            }
            let Some(part) = place.part() else { return false };
            told.push((bytes, (part, place.offset), path, trace, tokens));
        }
        for (token, object) in objects {
            visitors.hold(token, object);
        }
        for (bytes, (part, offset), path, trace, tokens) in &told {
            for &token in tokens {
                let (part, offset, path) = (*part, *offset, path.as_deref());
                let place =
                    Traced { bytes, offset, path, part, trace: Some(trace), standing: None };
                visitors.place(token, &place);
            }
        }
        true
    }

    fn trace(
        &self,
        place: &KnownPlace,
        (object, kind): (ObjectId, ddpatrol_pack::Kind),
        store: &Store,
        reader: &mut Reader,
    ) -> Option<Arc<Trace>> {
        let mut commit = |id: &String| {
            let id: ObjectId = id.parse().ok()?;
            let (_, bytes) = store.read(&id, reader).ok()?;
            Some(Arc::new(describe(id, &bytes)))
        };
        let introduced = match &place.introduced {
            Some(id) => Some(commit(id)?),
            None => None,
        };
        let removed = place.removed.iter().map(commit).collect::<Option<_>>()?;
        Some(Arc::new(Trace {
            repository: self.repository.git_dir.clone(),
            object,
            kind,
            introduced,
            at_boundary: place.at_boundary,
            removed,
            in_head: place.in_head,
            reachable: place.reachable,
            refs: place.refs.iter().map(|name| name.clone().into_bytes()).collect(),
            refs_total: place.refs_total,
            date: place.date,
        }))
    }

    /// Remembers what was read and what was found.
    pub(super) fn remember(
        &self,
        store: &Store,
        found: Known,
        held: &[Held],
        recorder: &Recorder<'_>,
    ) {
        let spell = |(part, offset, path, trace): &Placed| {
            let path = path.as_ref().map(|path| path.strip_prefix(self.root).unwrap_or(path));
            let path = path.map(|path| path.as_os_str().as_encoded_bytes());
            KnownPlace::new(self.redactor, (*part, *offset), path, trace)
        };
        let places = recorder.places.lock().unwrap_or_else(|poison| poison.into_inner());
        // Sorted by token, so that those of one follow each other.
        let tokens = held.chunk_by(|a, b| a.token == b.token);
        let known = Known {
            packs: store.packs().iter().map(|pack| pack_name(pack)).collect(),
            loose: store.loose(&mut |_| ()).iter().map(ToString::to_string).collect(),
            tokens: tokens.map(|same| same.iter().map(KnownObject::new).collect()).collect(),
            places: places.iter().map(spell).collect(),
            ..found
        };
        self.state.remember(&self.name(), known);
    }
}

/// Finds every token in the first object that holds it, and lists all that do.
fn recall_objects(
    known: &Known,
    store: &Store,
    visitors: &dyn Visitors,
    reader: &mut Reader,
) -> Option<Vec<(u32, HeldObject)>> {
    let mut objects = Vec::new();
    for same in &known.tokens {
        let first = same.first()?.read()?;
        let (_, bytes) = store.read(&first.id, reader).ok()?;
        let found = visitors.find(&bytes);
        let (token, _) = found.into_iter().find(|(_, offset)| *offset == first.offset)?;
        for object in same {
            objects.push((token, object.read()?));
        }
    }
    Some(objects)
}

/// Part, offset, path and trace of a place.
type Placed = (Part, u64, Option<std::path::PathBuf>, Arc<Trace>);

/// Passes everything on and keeps the places, but for those in objects of Git LFS.
pub(super) struct Recorder<'a> {
    inner: &'a dyn Visitors,
    lfs: &'a LfsObjects,
    places: Mutex<Vec<Placed>>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(inner: &'a dyn Visitors, lfs: &'a LfsObjects) -> Self {
        Self { inner, lfs, places: Mutex::default() }
    }
}

impl Visitors for Recorder<'_> {
    fn make(&self) -> Box<dyn ObjectVisitor + '_> {
        self.inner.make()
    }

    fn find(&self, bytes: &[u8]) -> Vec<(u32, u64)> {
        self.inner.find(bytes)
    }

    fn has_held(&self) -> bool {
        self.inner.has_held()
    }

    fn take_held(&self) -> Vec<Held> {
        self.inner.take_held()
    }

    fn hold(&self, token: u32, object: HeldObject) {
        self.inner.hold(token, object);
    }

    fn place(&self, token: u32, place: &Traced<'_>) {
        if let Some(trace) = place.trace.filter(|trace| !self.lfs.has(&trace.object)) {
            let path = place.path.map(Path::to_owned);
            let placed = (place.part, place.offset, path, Arc::clone(trace));
            let mut places = self.places.lock().unwrap_or_else(|poison| poison.into_inner());
            if !places.contains(&placed) {
                places.push(placed);
            }
        }
        self.inner.place(token, place);
    }
}
