//! The whole history of a repository as a source: every object, then where each token came in.

use super::lfs::{Lfs, Pointer};
use super::lfs_objects::LfsObjects;
use super::locate::Locator;
use super::memory::{Memory, Recorder};
use super::objects::{Means, ObjectReader, Objects};
use super::repo::{Problem, Refs, Repository};
use super::state::{Known, State};
use super::store::Store;
use crate::blob::{Blob, Context, Origin};
use crate::quantity::count;
use crate::redact::Redactor;
use crate::source::{Code, Gap, Run, Scanned, Source, Visitors, add};
use ddpatrol_pack::ObjectId;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How many bytes the buffers of all workers may hold together.
const BUDGET: usize = 192 << 20;
/// How many missing objects are named.
const MOST_NAMED: usize = 3;

/// What to read and how.
#[derive(Clone, Debug)]
pub struct HistoryOptions {
    /// How many workers.
    pub threads: usize,
    /// The context that windows keep.
    pub context: Context,
    /// What earlier scans have read.
    pub state: Option<Arc<State>>,
    /// What tells whether a text may be written to the state.
    pub redactor: Option<&'static Redactor>,
}

/// A repository's history as a source.
#[derive(Debug)]
pub struct History {
    repository: Repository,
    /// The folder that paths in the repository are told below, as the user reached it.
    root: PathBuf,
    options: HistoryOptions,
}

impl History {
    /// Prepares to read a repository that was reached by `root`.
    #[must_use]
    pub fn new(repository: Repository, root: PathBuf, options: HistoryOptions) -> Self {
        Self { repository, root, options }
    }

    fn report(&self, run: &Run, kind: Gap, code: Code, message: impl Into<String>) {
        run.report(kind, code, Some(self.root.clone()), message);
    }

    fn open(&self, run: &Run) -> Store {
        Store::open(&self.repository.object_folders(), self.repository.hash, &mut |problem| {
            self.report(run, Gap::Unread, Code::StoreUnreadable, problem.to_string());
        })
    }

    /// Tells of what could not be read.
    fn tell_broken(&self, objects: &Objects, run: &Run) {
        let broken: BTreeSet<_> = objects.broken.iter().map(|(_, message)| message).collect();
        for message in broken {
            self.report(run, Gap::Unread, Code::ObjectUnreadable, message.clone());
        }
    }

    /// Tells of references to objects that were not among those that were read.
    fn tell_unread(&self, refs: &Refs, objects: &Objects, run: &Run) {
        for reference in &refs.list {
            let id = &reference.target;
            let is_broken = || objects.broken.iter().any(|it| it.0 == Some(*id));
            if objects.catalog.find(id.as_bytes()).is_none() && !is_broken() {
                let name = String::from_utf8_lossy(&reference.name);
                let message =
                    format!("reference {name}: its object {id} was not read; scan it again");
                self.report(run, Gap::Unread, Code::Reference, message);
            }
        }
    }

    /// Reports the objects of Git LFS that the history points to and that are not here; returns `true`
    /// if there are any.
    fn report_lost_lfs(&self, pointers: &[Pointer], run: &Run) -> bool {
        let store = Lfs::new(&self.repository);
        let lost: Vec<&Pointer> = pointers.iter().filter(|it| store.path(it).is_none()).collect();
        let Some(first) = lost.first() else { return false };
        let objects = count(lost.len(), "Git LFS object");
        let verb = if lost.len() == 1 { "is" } else { "are" };
        let message = format!(
            "{objects} of the history {verb} not here, the first is {}; `git lfs fetch --all` gets them",
            first.oid()
        );
        self.report(run, Gap::Opaque, Code::LfsMissing, message);
        true
    }

    /// Returns what earlier scans have noted, if the user keeps a state.
    fn memory(&self) -> Option<Memory<'_>> {
        let (state, redactor) = self.options.state.as_deref().zip(self.options.redactor)?;
        Some(Memory { state, redactor, root: &self.root, repository: &self.repository })
    }

    /// Lists the commits at which a shallow clone ends, and reports that it is one.
    fn read_shallow(&self, run: &Run) -> Vec<ObjectId> {
        let shallow = self.repository.shallow_commits().unwrap_or_else(|error| {
            self.report(run, Gap::Unread, Code::RepositoryUnreadable, error.to_string());
            Vec::new()
        });
        if shallow.is_empty() {
            return shallow;
        }
        let named: Vec<String> = shallow.iter().take(MOST_NAMED).map(ToString::to_string).collect();
        let more = if shallow.len() > MOST_NAMED { ", …" } else { "" };
        let message = format!(
            "this is a shallow clone: what lies before {} ({}{more}) is not here; \
             `git fetch --unshallow` brings it",
            count(shallow.len(), "commit"),
            named.join(", "),
        );
        self.report(run, Gap::Opaque, Code::ShallowClone, message);
        shallow
    }

    /// Lists the references, tells of broken ones and looks at their names.
    fn read_refs(&self, visitors: &dyn Visitors, run: &Run) -> Refs {
        let refs = self.repository.refs().unwrap_or_else(|error| {
            let message = format!("where tokens came in is not known: {error}");
            self.report(run, Gap::Unread, Code::Reference, message);
            Refs::default()
        });
        let mut names = visitors.make();
        for reference in &refs.list {
            names.visit(&Blob::whole(Origin::Ref(&self.root, &reference.name), &reference.name));
        }
        for broken in &refs.broken {
            // A name without an object, such as that of a remote's former HEAD, loses nothing.
            let is_lost = !matches!(broken.problem, Problem::Dangling(_));
            let kind = if is_lost { Gap::Unread } else { Gap::Opaque };
            let name = String::from_utf8_lossy(&broken.name);
            self.report(
                run,
                kind,
                Code::Reference,
                format!("reference {name}: {}", broken.problem),
            );
        }
        refs
    }
}

impl Source for History {
    fn visit(&self, visitors: &dyn Visitors, run: &Run) {
        self.read(visitors, run);
    }
}

impl History {
    /// As [`Source::visit`]; returns the objects of Git LFS that were searched with the history.
    pub(super) fn read(&self, visitors: &dyn Visitors, run: &Run) -> LfsObjects {
        if run.is_interrupted() {
            return LfsObjects::default();
        }
        let gaps_before = run.unread();
        let shaped_before = run.tally.shaped.load(Ordering::Relaxed);
        let shallow = self.read_shallow(run);
        let mut store = self.open(run);
        if let Some(special) = store.special() {
            // Programs that are asked about objects would wait for it.
            let message = format!("the history is not scanned: {special}");
            self.report(run, Gap::Unread, Code::RepositoryUnreadable, message);
            return LfsObjects::default();
        }
        let refs = self.read_refs(visitors, run);
        run.scanned(Scanned { root: self.root.clone(), head: refs.head });
        let means =
            Means { threads: self.options.threads, budget: BUDGET, context: self.options.context };
        let reader = ObjectReader { means, visitors, run };
        let memory = self.memory();
        let refs_digest = digest(&refs, &shallow);
        let known = memory.as_ref().and_then(Memory::known);
        let lfs =
            LfsObjects::search((&self.repository, &store), visitors, run, self.options.threads);
        // A state does not know the objects of Git LFS, so their tokens are traced in each scan.
        if let (Some(memory), Some(known), true) = (&memory, known, lfs.held.is_empty())
            && memory.recall(known, (&store, &refs_digest), visitors, run)
        {
            return lfs;
        }
        let mut objects = Objects::default();
        if let Some(known) = known {
            reader.set_aside(&store, &mut objects, known);
        }
        let issues_before = run.diagnostics_len();
        reader.read(&mut store, &mut objects);
        if run.is_interrupted() {
            return lfs;
        }
        if let Some(known) = known {
            reader.look_again(&store, &known.holders());
            if visitors.has_held() || !known.gaps.is_empty() || !lfs.held.is_empty() {
                reader.read_links(&store, &mut objects);
            }
            add(&run.tally.shaped, known.shaped);
            Memory::report_issues(known, &store, run);
        }
        let issues = run.diagnostics_since(issues_before);
        let lacks_lfs = self.report_lost_lfs(&visitors.take_pointers(), run);
        self.tell_broken(&objects, run);
        self.tell_unread(&refs, &objects, run);
        let is_partial = self.repository.is_partial().unwrap_or(false) || store.is_partial();
        let recorder = Recorder::new(visitors, &lfs);
        let locator = Locator {
            repository: &self.repository,
            root: &self.root,
            store: &store,
            objects: &objects,
            refs: &refs,
            shallow: &shallow,
            visitors: &recorder,
            run,
            means,
            lfs: &lfs,
        };
        let gaps = locator.missing(is_partial);
        let held = locator.locate();
        if let Some(memory) = memory {
            // Of objects that are not read again, the pointers would not be known.
            let is_incomplete = run.unread() > gaps_before || run.is_interrupted() || lacks_lfs;
            match memory.issues(&issues).filter(|_| !is_incomplete) {
                Some(issues) => {
                    let shaped = run.tally.shaped.load(Ordering::Relaxed) - shaped_before;
                    let found =
                        Known { shaped, refs: refs_digest, gaps, issues, ..Known::default() };
                    memory.remember(&store, found, &held, &recorder);
                }
                None => memory.forget(),
            }
        }
        lfs
    }
}

/// Digests what places depend on beside the objects.
fn digest(refs: &Refs, shallow: &[ObjectId]) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{:?} {shallow:?}", refs.head));
    for reference in &refs.list {
        digest.update(format!("\0{} {}", reference.name.escape_ascii(), reference.target));
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
