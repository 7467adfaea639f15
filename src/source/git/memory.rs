//! Uses and fills the state of one repository.

use super::commits::describe;
use super::lfs_objects::LfsObjects;
use super::repo::Repository;
use super::state::{Known, KnownIssue, KnownObject, KnownPlace, State, pack_name};
use super::store::Store;
use super::tree_path::join;
use crate::finding::{HeldObject, Part, Removed, Trace};
use crate::lock::lock;
use crate::redact::Redactor;
use crate::source::{
    Diagnostic, Gap, Held, ObjectVisitor, Opened, Run, Traced, Visitors, add, by_token,
};
use ddpatrol_pack::{ObjectId, Reader};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
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
        for (code, gap) in &known.gaps {
            run.report(Gap::Opaque, *code, Some(self.root.to_owned()), gap.clone());
        }
        known.issues.iter().for_each(|issue| issue.report(run));
        true
    }

    /// Reports again what could not be scanned in objects that are not read again and still exist.
    pub(super) fn report_issues(known: &Known, store: &Store, run: &Run) {
        let exists = |issue: &&KnownIssue| issue.object().is_some_and(|id| store.has(&id));
        known.issues.iter().filter(exists).for_each(|issue| issue.report(run));
    }

    /// Converts the issues of this scan; `None` if one of them cannot be written to a state.
    pub(super) fn issues(&self, issues: &[Diagnostic]) -> Option<BTreeSet<KnownIssue>> {
        let opaque = issues.iter().filter(|issue| issue.kind == Gap::Opaque);
        opaque.map(|issue| KnownIssue::new(self.redactor, issue)).collect()
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
        let mut recalled = Recalled { contents: Vec::new(), places: Vec::new() };
        for place in places {
            if self.recall_place(place, (store, visitors), &mut reader, &mut recalled).is_none() {
                return false;
            }
        }
        for (token, object) in objects {
            visitors.hold(token, object);
        }
        let Recalled { contents, places } = &recalled;
        for same in places.chunk_by(|a, b| a.content == b.content) {
            let mut opened = visitors.open(&contents[same[0].content].bytes);
            for it in same {
                let (path, trace) = (it.path.as_deref(), Some(&it.trace));
                let place = Traced { path, part: it.part, trace, standing: None };
                for (&token, offsets) in &it.tokens {
                    opened.place(token, offsets, &place);
                }
            }
        }
        true
    }

    /// Looks whether a place still is as the state says; `None` if it is not.
    fn recall_place(
        &self,
        place: &KnownPlace,
        (store, visitors): (&Store, &dyn Visitors),
        reader: &mut Reader,
        recalled: &mut Recalled,
    ) -> Option<()> {
        let (id, kind) = place.object()?;
        if recalled.contents.last().is_none_or(|content| content.id != id) {
            let (_, bytes) = store.read(&id, reader).ok()?;
            let found = visitors.find(&bytes);
            recalled.contents.push(Content { id, bytes, found });
        }
        let content = recalled.contents.last()?;
        let trace = self.trace(place, (id, kind), store, reader)?;
        let path = place.path()?.map(|path| join(self.root, &path));
        let is_here = |(_, offset): &&(u32, u64)| place.offsets.binary_search(offset).is_ok();
        let here: Vec<(u32, u64)> = content.found.iter().filter(is_here).copied().collect();
        let offsets: BTreeSet<u64> = here.iter().map(|(_, offset)| *offset).collect();
        if offsets.is_empty() || offsets.len() != place.offsets.len() {
            return None;
        }
        let (part, tokens) = (place.part()?, by_token(here));
        let content = recalled.contents.len() - 1;
        recalled.places.push(RecalledPlace { content, part, path, trace, tokens });
        Some(())
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
        let first = Arc::new(place.removed.iter().map(commit).collect::<Option<Vec<_>>>()?);
        let removed = Removed { first, total: place.removed_total };
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
        let spell = |Placed { part, offsets, path, trace }: &Placed| {
            let path = path.as_ref().map(|path| path.strip_prefix(self.root).unwrap_or(path));
            let path = path.map(|path| path.as_os_str().as_encoded_bytes());
            KnownPlace::new(self.redactor, (*part, offsets), path, trace)
        };
        let mut places = lock(&recorder.places);
        places.list.iter_mut().for_each(Placed::tidy);
        // Sorted by token, so that those of one follow each other.
        let tokens = held.chunk_by(|a, b| a.token == b.token);
        let object = |held: &Held| KnownObject::new(&held.object);
        let known = Known {
            packs: store.packs().iter().map(|pack| pack_name(pack)).collect(),
            loose: store.loose(&mut |_| ()).iter().map(ToString::to_string).collect(),
            tokens: tokens.map(|it| it.iter().map(object).collect()).collect(),
            places: places.list.iter().map(spell).collect(),
            ..found
        };
        self.state.remember(&self.name(), known);
    }
}

/// What a state knows, found again.
struct Recalled {
    contents: Vec<Content>,
    places: Vec<RecalledPlace>,
}

/// An object that holds tokens.
struct Content {
    id: ObjectId,
    bytes: Vec<u8>,
    found: Vec<(u32, u64)>,
}

struct RecalledPlace {
    /// The number of the content.
    content: usize,
    part: Part,
    path: Option<PathBuf>,
    trace: Arc<Trace>,
    tokens: BTreeMap<u32, Vec<u64>>,
}

/// Finds every token in the first object that holds it, and lists all that do.
fn recall_objects(
    known: &Known,
    store: &Store,
    visitors: &dyn Visitors,
    reader: &mut Reader,
) -> Option<Vec<(u32, HeldObject)>> {
    let mut objects = Vec::new();
    let mut searched: HashMap<ObjectId, HashMap<u64, u32>> = HashMap::new();
    for same in &known.tokens {
        let first = same.first()?.read()?;
        let found = match searched.entry(first.id) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(vacant) => {
                let (_, bytes) = store.read(&first.id, reader).ok()?;
                let found = visitors.find(&bytes).into_iter().rev();
                vacant.insert(found.map(|(token, offset)| (offset, token)).collect())
            }
        };
        let token = *found.get(&first.spans.first()?.offset)?;
        for object in same {
            objects.push((token, object.read()?));
        }
    }
    Some(objects)
}

/// The places of tokens in one object at one path.
struct Placed {
    part: Part,
    offsets: Vec<u64>,
    path: Option<PathBuf>,
    trace: Arc<Trace>,
}

impl Placed {
    fn tidy(&mut self) {
        self.offsets.sort_unstable();
        self.offsets.dedup();
    }
}

/// By what places are told apart quickly: the part, the path, the object, the commit.
type Key = (Part, Option<PathBuf>, ObjectId, Option<ObjectId>);

/// All places, and the numbers of those that have a key in common.
#[derive(Default)]
struct AllPlaced {
    list: Vec<Placed>,
    by_key: HashMap<Key, Vec<usize>>,
}

impl AllPlaced {
    fn add(&mut self, offsets: &[u64], place: &Traced<'_>, trace: &Arc<Trace>) {
        let path = place.path.map(Path::to_owned);
        let commit = trace.introduced.as_ref().map(|commit| commit.id);
        let same = self.by_key.entry((place.part, path.clone(), trace.object, commit)).or_default();
        let known = same.iter().copied().find(|&at| self.list[at].trace == *trace);
        if let Some(known) = known {
            self.list[known].offsets.extend_from_slice(offsets);
            return;
        }
        same.push(self.list.len());
        let (part, offsets, trace) = (place.part, offsets.to_vec(), Arc::clone(trace));
        self.list.push(Placed { part, offsets, path, trace });
    }
}

/// Passes everything on and keeps the places, but for those in objects of Git LFS.
pub(super) struct Recorder<'a> {
    inner: &'a dyn Visitors,
    lfs: &'a LfsObjects,
    places: Mutex<AllPlaced>,
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

    fn open<'a>(&'a self, bytes: &'a [u8]) -> Box<dyn Opened + 'a> {
        Box::new(Recording { inner: self.inner.open(bytes), places: &self.places, lfs: self.lfs })
    }
}

/// Bytes whose places are kept.
struct Recording<'a> {
    inner: Box<dyn Opened + 'a>,
    places: &'a Mutex<AllPlaced>,
    lfs: &'a LfsObjects,
}

impl Opened for Recording<'_> {
    fn place(&mut self, token: u32, offsets: &[u64], place: &Traced<'_>) {
        if let Some(trace) = place.trace.filter(|trace| !self.lfs.has(&trace.object)) {
            let mut places = lock(self.places);
            places.add(offsets, place, trace);
        }
        self.inner.place(token, offsets, place);
    }
}
