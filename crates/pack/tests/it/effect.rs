//! The outcome of a walk over a pack that may be broken, with checks that apply to every pack.

use crate::craft::{self, Base, Entry, Pair};
use crate::git::{Objects, Repo};
use crate::pool::pool;
use ddpatrol_pack::{
    DeltaForest, Fault, HashKind, Kind, Kinds, Object, ObjectId, Pack, PackError, PieceSource,
    Reader, Visitor, WalkOptions,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// One error: offset, object and the fault's text.
pub(crate) type Failure = (Option<u64>, Option<ObjectId>, String);

/// Everything that was read from a pack.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// By position in the index.
    pub(crate) objects: BTreeMap<u32, (ObjectId, Kind, Vec<u8>)>,
    /// Sorted.
    pub(crate) failures: Vec<Failure>,
    /// The error of `open` or `check`.
    pub(crate) refusal: Option<String>,
    /// The offsets that the index returns for the requested ids.
    pub(crate) found: Vec<Option<u64>>,
}

/// Collects objects and errors.
#[derive(Default)]
pub(crate) struct Collect {
    pub(crate) objects: Vec<(u32, ObjectId, Kind, Vec<u8>)>,
    pub(crate) streamed: Vec<(ObjectId, Vec<u8>)>,
    pub(crate) errors: Vec<PackError>,
}

impl Visitor for Collect {
    type BaseData = Vec<u8>;

    fn visit(&mut self, object: &mut Object<'_>, base: Option<&Vec<u8>>) -> Result<Vec<u8>, Fault> {
        let mut made = Vec::new();
        for piece in object.pieces() {
            assert_eq!(piece.at as usize, made.len());
            let (bytes, at) = match piece.from {
                PieceSource::Base(at) => (object.base(), at),
                PieceSource::Fresh(at) => (object.fresh(), at),
            };
            made.extend_from_slice(&bytes[at as usize..][..piece.len as usize]);
        }
        if let Some(base) = base {
            assert!(base == object.base(), "{} has another base", object.id());
        }
        assert_eq!(made.len() as u64, object.len());
        assert!(object.assemble()? == made);
        self.objects.push((object.position(), object.id(), object.kind(), made.clone()));
        Ok(made)
    }

    fn stream(&mut self, id: ObjectId, len: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        if bytes.len() as u64 == len {
            self.streamed.push((id, bytes));
        }
        Ok(())
    }

    fn failed(&mut self, error: PackError) {
        self.errors.push(error);
    }

    fn is_stopped(&self) -> bool {
        false
    }
}

/// Opens and walks the pack at `path` and looks up `ids`.
pub(crate) fn outcome(
    path: &Path,
    hash: HashKind,
    (threads, budget): (usize, usize),
    ids: &[ObjectId],
) -> Outcome {
    let pack = match Pack::open(path, hash) {
        Ok(pack) => Arc::new(pack),
        Err(error) => {
            assert!(error.path == path || error.path == path.with_extension("idx"));
            assert!(error.to_string().starts_with(&error.path.display().to_string()));
            return Outcome { refusal: Some(error.to_string()), ..Outcome::default() };
        }
    };
    let mut errors = Vec::new();
    let pool = pool(threads);
    let forest = DeltaForest::new(Arc::clone(&pack), pool.as_ref(), |error| errors.push(error));
    let options = WalkOptions { kinds: Kinds::ALL, pool: pool.as_ref(), budget, skip: None };
    let mut outcome = Outcome::default();
    for visitor in forest.walk(&options, &Collect::default) {
        for (position, id, kind, content) in visitor.objects {
            assert_eq!(pack.index().id(position), Some(id));
            let twice = outcome.objects.insert(position, (id, kind, content));
            assert!(twice.is_none(), "{id} was visited twice");
        }
        assert!(visitor.streamed.is_empty());
        errors.extend(visitor.errors);
    }
    compare_errors(&pack, &outcome, &errors);
    let failure = |error: PackError| (error.offset, error.id, error.fault.to_string());
    outcome.failures = errors.into_iter().map(failure).collect();
    outcome.failures.sort();
    outcome.refusal = pack.check().err().map(|error| error.to_string());
    let find = |id: &ObjectId| pack.index().find(id.as_bytes());
    let offset = |position| pack.index().offset(position);
    outcome.found = ids.iter().map(|id| find(id).and_then(offset)).collect();
    outcome
}

/// Checks that every error has a position, and that every object was visited or is named by an error.
fn compare_errors(pack: &Pack, outcome: &Outcome, errors: &[PackError]) {
    let all: BTreeMap<u64, BTreeSet<ObjectId>> =
        (0..pack.index().len()).fold(BTreeMap::new(), |mut all, position| {
            let id = pack.index().id(position).expect("the index has it");
            all.entry(pack.index().offset(position).unwrap_or(0)).or_default().insert(id);
            all
        });
    for error in errors {
        assert_eq!(error.path, pack.path());
        let text = error.to_string();
        assert!(text.starts_with(&pack.path().display().to_string()), "{text}");
        assert!(error.offset.is_some() || error.id.is_some(), "{text}");
        if let Some(ids) = error.offset.and_then(|offset| all.get(&offset)) {
            assert!(error.id.is_some_and(|id| ids.contains(&id)), "{text}");
        }
    }
    let named: BTreeSet<ObjectId> = errors.iter().filter_map(|error| error.id).collect();
    for position in 0..pack.index().len() {
        let id = pack.index().id(position).expect("the index has it");
        let known = outcome.objects.contains_key(&position) || named.contains(&id);
        assert!(known, "{id} was neither visited nor reported");
    }
}

/// An intact pack, to be broken in many ways.
pub(crate) struct Subject {
    repo: Repo,
    pub(crate) clean: Pair,
    pub(crate) ids: Vec<ObjectId>,
    outcome: Outcome,
    objects: Objects,
}

impl Subject {
    pub(crate) fn new(hash: HashKind, clean: Pair) -> Self {
        let repo = Repo::init(hash);
        write(&repo, &clean);
        let pack = repo.open();
        let ids: Vec<_> = (0..pack.index().len()).filter_map(|at| pack.index().id(at)).collect();
        let outcome = outcome(&repo.pack(), hash, (1, 1 << 20), &ids);
        assert_eq!((outcome.refusal.as_ref(), outcome.failures.len()), (None, 0));
        let objects = repo.readable(&ids);
        assert_eq!(objects.len(), ids.len());
        for (id, kind, content) in outcome.objects.values() {
            assert!(objects[id].0 == *kind && objects[id].1 == *content, "{id}");
        }
        Self { repo, clean, ids, outcome, objects }
    }

    pub(crate) fn of(repo: &Repo) -> Self {
        let read = |path| std::fs::read(path).expect("git's own file");
        let path = repo.pack();
        let clean = Pair { index: read(path.with_extension("idx")), pack: read(path) };
        Self::new(repo.hash, clean)
    }

    pub(crate) fn hash(&self) -> HashKind {
        self.repo.hash
    }

    pub(crate) fn into_repo(self) -> Repo {
        self.repo
    }

    /// Walks a broken copy. Also returns `true` if the outcome differs.
    pub(crate) fn walk(&self, pair: &Pair) -> (Outcome, bool) {
        write(&self.repo, pair);
        let path = self.repo.path().join("objects/pack/pack-1.pack");
        let one = outcome(&path, self.hash(), (1, 1), &self.ids);
        for limits in [(2, 64 << 20), (8, 1)] {
            let other = outcome(&path, self.hash(), limits, &self.ids);
            assert!(one == other, "threads or budget change what is found: {limits:?}");
        }
        let shows = one != self.outcome;
        (one, shows)
    }

    /// Compares the outcome of the last walk with git. Returns `true` if git's result differs from the intact
    /// pack.
    pub(crate) fn compare(&self, outcome: &Outcome) -> bool {
        let mut ids: BTreeSet<ObjectId> = self.ids.iter().copied().collect();
        ids.extend(outcome.objects.values().map(|object| object.0));
        ids.extend(outcome.failures.iter().filter_map(|failure| failure.1));
        let ids: Vec<_> = ids.into_iter().collect();
        let readable = self.repo.readable(&ids);
        let mut ours: BTreeMap<ObjectId, BTreeSet<(Kind, &[u8])>> = BTreeMap::new();
        for (id, kind, content) in outcome.objects.values() {
            ours.entry(*id).or_default().insert((*kind, content));
        }
        for (id, (kind, content)) in &readable {
            let walked = ours.get(id).is_some_and(|ours| ours.contains(&(*kind, &content[..])));
            assert!(walked || self.read(id) == Some((*kind, content.clone())), "git reads {id}");
        }
        readable != self.objects
    }

    fn read(&self, id: &ObjectId) -> Option<(Kind, Vec<u8>)> {
        let pack = self.repo.open();
        let offset = pack.index().offset(pack.index().find(id.as_bytes())?)?;
        pack.read(offset, &mut Reader::default(), &mut |_| None).ok()
    }
}

/// Writes a pack and its index into a repository.
pub(crate) fn write(repo: &Repo, pair: &Pair) {
    let path = repo.path().join("objects/pack/pack-1.pack");
    std::fs::write(&path, &pair.pack).expect("the pack is written");
    std::fs::write(path.with_extension("idx"), &pair.index).expect("the index is written");
}

/// Walks any pack and compares with git.
pub(crate) fn walked(pair: &Pair) -> (Repo, Outcome) {
    let root = Entry::new(0, Base::Blob, b"root".to_vec());
    let subject = Subject::new(HashKind::Sha1, craft::pair(&[root]));
    let (outcome, _) = subject.walk(pair);
    subject.compare(&outcome);
    (subject.into_repo(), outcome)
}

/// Writes a pack by hand, walks it and compares with git.
pub(crate) fn crafted(entries: &[Entry]) -> (Repo, Outcome) {
    walked(&craft::pair(entries))
}

/// Returns the contents of handcrafted objects by their numbers.
pub(crate) fn contents(outcome: &Outcome) -> Vec<(u64, &[u8])> {
    let number = |id| (0..100).find(|&number| craft::id(number) == id).expect("one of ours");
    let mut contents: Vec<_> =
        outcome.objects.values().map(|it| (number(it.0), &it.2[..])).collect();
    contents.sort_unstable();
    contents
}
