//! The whole history of a repository: pushes every object, then attributes the sightings.
//!
//! A scan opens a [`History`] and takes its steps in order: the history pushes names, Git LFS objects and
//! git objects to the sinks, then attributes the sightings to commits and paths. The history searches
//! nothing and creates no findings.

use super::attribution::{Attributor, Partial};
use super::cache::{Cache, KeyOf, Known, Read, Recall, Recalled, State};
use super::lfs::{Content, Lfs, Pointer};
use super::lfs_objects::LfsObjects;
use super::objects::{ObjectReader, Objects, WalkResources};
use super::repo::{Problem, Refs, Repository};
use super::staged_places;
use super::store::{ReadError, Store};
use ddpatrol_detect::redact::Redactor;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::blob::{Blob, Context, Origin};
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::issue_object::{IssuePlace, PlacesByObject};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{Holder, Placement, Sighting};
use ddpatrol_scan::workers::Workers;
use ddpatrol_scan::{Code, Run, ScannedRepo, Sinks, add};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Maximum total size of the buffers of all workers in bytes.
const BUDGET: usize = 192 << 20;
/// Maximum number of commits that the issue of a shallow clone names.
const MOST_NAMED: usize = 3;

/// Options for reading histories.
#[derive(Clone, Debug)]
pub struct HistoryOptions {
    /// The workers of the scan.
    pub workers: Arc<Workers>,
    /// The context that windows keep.
    pub context: Context,
    /// The state of earlier scans.
    pub state: Option<Arc<State>>,
    /// Decides whether a text may be written to the state.
    pub redactor: Option<&'static Redactor>,
}

/// A repository with its history.
#[derive(Debug)]
pub struct History {
    repository: Repository,
    /// The folder of the repository in reports, as the user named it.
    root: Place,
    options: HistoryOptions,
}

/// A history that has been opened.
pub struct OpenHistory<'a> {
    history: &'a History,
    run: &'a Run,
    store: Store,
    refs: Refs,
    /// The commits at which a shallow clone ends.
    shallow: Vec<ObjectId>,
    /// The digest of the references and of `shallow`.
    refs_digest: String,
    objects: Objects,
    lfs: LfsObjects,
    cache: Option<Cache<'a>>,
    known: Option<&'a Known>,
    /// The counts of the run before this history.
    before: Before,
    /// The issues about missing objects: code and message.
    gaps: Vec<(Code, String)>,
    /// The places of objects with issues.
    issue_places: PlacesByObject,
    lacks_lfs: bool,
}

/// Counts of a run before a history was read.
struct Before {
    unread: usize,
    shaped: u64,
    /// The number of diagnostics when the history was opened.
    opened: usize,
    /// The number of diagnostics before the objects were read.
    issues: usize,
    /// The number of diagnostics after the objects were read.
    reported: usize,
}

impl History {
    /// Creates the history of a repository that is reported as `root`.
    #[must_use]
    pub fn new(repository: Repository, root: Place, options: HistoryOptions) -> Self {
        Self { repository, root, options }
    }

    /// Opens the store and lists the references; `None` if the store cannot be read safely.
    #[must_use]
    pub fn open<'a>(&'a self, run: &'a Run) -> Option<OpenHistory<'a>> {
        let (unread, shaped) = (run.unread(), run.tally.shaped.load(Ordering::Relaxed));
        let opened = run.diagnostics_len();
        let shallow = self.read_shallow(run);
        let store = Store::reporting(&self.repository, run, &self.root);
        if let Some(special) = store.special() {
            // Git and libgit2 would block on it.
            self.report(run, GitIssue::StoreBlocked { source: special.into() });
            return None;
        }
        let refs = self.read_refs(run);
        run.scanned(ScannedRepo { root: self.root.clone(), head: refs.head });
        let cache = self.cache();
        let known = cache.as_ref().and_then(Cache::known);
        Some(OpenHistory {
            history: self,
            run,
            lfs: LfsObjects::find(&self.repository, &store),
            store,
            refs_digest: digest(&refs, &shallow),
            refs,
            shallow,
            objects: Objects::default(),
            cache,
            known,
            before: Before { unread, shaped, opened, issues: 0, reported: 0 },
            gaps: Vec::new(),
            issue_places: PlacesByObject::new(),
            lacks_lfs: false,
        })
    }

    fn report(&self, run: &Run, issue: GitIssue) {
        run.report(issue, Some(&self.root));
    }

    /// Returns the cache, if the user keeps a state.
    fn cache(&self) -> Option<Cache<'_>> {
        let (state, redactor) = self.options.state.as_deref().zip(self.options.redactor)?;
        Some(Cache { state, redactor, root: &self.root, repository: &self.repository })
    }

    /// Lists the commits at which a shallow clone ends, and reports the shallow clone.
    fn read_shallow(&self, run: &Run) -> Vec<ObjectId> {
        let shallow = self.repository.shallow_commits().unwrap_or_else(|error| {
            self.report(run, GitIssue::RepositoryUnreadable { source: error.into() });
            Vec::new()
        });
        if shallow.is_empty() {
            return shallow;
        }
        let first = shallow.iter().take(MOST_NAMED).copied().collect();
        self.report(run, GitIssue::ShallowClone { count: shallow.len(), first });
        shallow
    }

    /// Lists the references, and reports broken ones.
    fn read_refs(&self, run: &Run) -> Refs {
        let refs = self.repository.refs().unwrap_or_else(|error| {
            self.report(run, GitIssue::RefsUnreadable { source: error.into() });
            Refs::default()
        });
        for broken in &refs.broken {
            // A name without an object, such as that of a remote's former HEAD, loses no content.
            let (name, source) = (broken.name.clone(), broken.problem.clone().into());
            let issue = match broken.problem {
                Problem::Dangling(_) => GitIssue::RefDangling { name, source },
                _ => GitIssue::RefBroken { name, source },
            };
            self.report(run, issue);
        }
        refs
    }
}

impl<'a> OpenHistory<'a> {
    /// Pushes the names of the references.
    pub fn push_names(&self, sinks: &dyn Sinks) {
        let mut sink = sinks.sink();
        for reference in &self.refs.list {
            let origin = Origin::Ref(&self.history.root, &reference.name);
            sink.blob(&Blob::whole(origin, &reference.name));
        }
    }

    /// Pushes the local Git LFS objects.
    pub fn push_lfs(&self, sinks: &dyn Sinks) {
        self.lfs.push(sinks, self.run, &self.history.options.workers);
    }

    /// Returns the places that an earlier scan stored, if the repository has nothing new.
    #[must_use]
    pub fn recall(&self) -> Option<Recall<'a>> {
        // The state does not contain Git LFS objects, so their issues are attributed in each scan.
        if !self.run.objects_to_place(self.before.opened).is_empty() {
            return None;
        }
        self.cache.as_ref()?.recall(self.known?, &self.store, &self.refs_digest)
    }

    /// Pushes the objects that recalling the places needs.
    pub fn push_recalled(&mut self, recall: &Recall<'_>, sinks: &dyn Sinks) {
        let (reader, ids) = (self.object_reader(Some(sinks)), recall.objects());
        reader.search_again(&self.store, &mut Objects::default(), &ids);
    }

    /// Returns the results of the earlier scan, if the sightings in the pushed objects agree with them.
    #[must_use]
    pub fn resolve(
        &self,
        recall: &Recall<'_>,
        sightings: &[Sighting],
        key_of: KeyOf<'_>,
    ) -> Option<Recalled> {
        let mut recalled = recall.resolve(sightings, &self.store, key_of)?;
        // The objects that were searched again have reported their issues, which the state contains.
        self.run.remove_objects(self.before.opened);
        recall.report(self.run);
        recalled.issues.drain(..).for_each(|issue| self.run.add_diagnostic(issue));
        Some(recalled)
    }

    /// Pushes all objects that an earlier scan has not read, and the objects that hold tokens.
    pub fn push_objects(&mut self, sinks: &dyn Sinks) {
        let reader = self.object_reader(Some(sinks));
        if let Some(known) = self.known {
            reader.set_aside(&self.store, &mut self.objects, known);
        }
        self.before.issues = self.run.diagnostics_len();
        reader.read(&mut self.store, &mut self.objects);
        if let Some(known) = self.known.filter(|_| !self.run.is_interrupted()) {
            reader.search_again(&self.store, &mut self.objects, &known.holders());
        }
    }

    /// Returns the places of the sightings in git objects and Git LFS objects, and reports missing and
    /// broken objects.
    pub fn attribute(&mut self, sightings: &[Sighting]) -> Vec<Placement> {
        if let Some(known) = self.known {
            Cache::report_issues(known, &self.store, self.run);
            let has_nothing =
                sightings.is_empty() && self.run.objects_to_place(self.before.opened).is_empty();
            // Links show which objects are missing.
            if !has_nothing || !known.gaps.is_empty() || known.lacks_loose(&self.store) {
                let reader = self.object_reader(None);
                reader.read_links(&self.store, &mut self.objects);
            }
            // The objects of packs that no longer exist were read again.
            if known.has_packs(&self.store) {
                self.objects.links.pointers.extend(known.pointers());
            }
            add(&self.run.tally.shaped, known.shaped);
        }
        self.before.reported = self.run.diagnostics_len();
        self.lacks_lfs = self.report_missing_lfs();
        self.report_unread_refs();
        let is_partial = self.history.repository.is_partial().unwrap_or(false);
        let attributor = Attributor {
            repository: &self.history.repository,
            root: &self.history.root,
            store: &self.store,
            objects: &self.objects,
            refs: &self.refs,
            shallow: &self.shallow,
            run: self.run,
            resources: self.resources(),
        };
        let is_partial = is_partial || self.store.is_partial();
        self.gaps = attributor.missing(if is_partial { Partial::Yes } else { Partial::No });
        let opened = self.before.opened;
        let mut objects = self.run.objects_to_place(opened);
        let broken = self.objects.broken.iter().filter_map(|it| it.0);
        objects.extend(broken.map(|id| (id, Kind::Blob)));
        let (placements, places) = attributor.attribute(sightings, &objects);
        self.report_broken(&places);
        self.run.place_objects(opened, &places);
        self.issue_places = places;
        placements
    }

    /// Marks the placements in blobs that are staged and not committed, and gives them their paths. The state
    /// does not contain the index, so this follows [`OpenHistory::remember`].
    pub fn place_staged(&self, placements: &mut Vec<Placement>) {
        staged_places::mark(&self.history.repository, &self.history.root, placements);
    }

    /// Stores the results for the next scan, if the user keeps a state.
    pub fn remember(&self, sightings: &[Sighting], placements: &[Placement], key_of: KeyOf<'_>) {
        // An interrupted scan knows less than the last complete one.
        let Some(cache) = self.cache.as_ref().filter(|_| !self.run.is_interrupted()) else {
            return;
        };
        let Before { unread, shaped, issues, reported, .. } = self.before;
        let (before, run) = (issues, self.run);
        let issues = run.diagnostics_since(before);
        let issues = issues.get(..reported.saturating_sub(before)).unwrap_or_default();
        // The next scan would not know the pointers in objects that it does not read again.
        let is_incomplete = run.unread() > unread || self.lacks_lfs;
        match cache.issues(issues).filter(|_| !is_incomplete) {
            Some(issues) => {
                let shaped = run.tally.shaped.load(Ordering::Relaxed) - shaped;
                let (refs, gaps) = (self.refs_digest.clone(), self.gaps.clone());
                let found = Known { shaped, refs, gaps, issues, ..Known::default() };
                let read = Read {
                    store: &self.store,
                    loose: &self.objects.loose,
                    pointers: self.objects.links.pointers.iter().cloned().collect(),
                    sightings,
                    placements,
                    issue_places: &self.issue_places,
                };
                cache.remember(found, &read, key_of);
            }
            None => cache.forget(),
        }
    }

    /// Reads the bytes of a holder. Returns `None` if they can no longer be read, which is reported, and
    /// for texts.
    pub fn read(&self, holder: Holder, reader: &mut Reader) -> Option<Content> {
        let report = |error: ReadError| {
            self.report(GitIssue::ObjectUnreadable { source: error.into() });
        };
        self.lfs.read(holder, &self.store, reader)?.map_err(report).ok()
    }

    /// Returns the names of the files of the Git LFS objects that were pushed.
    #[must_use]
    pub fn lfs_names(&self) -> HashSet<String> {
        self.lfs.names()
    }

    fn resources(&self) -> WalkResources<'a> {
        let HistoryOptions { workers, context, .. } = &self.history.options;
        WalkResources { workers, budget: BUDGET, context: *context }
    }

    fn object_reader<'b>(&self, sinks: Option<&'b dyn Sinks>) -> ObjectReader<'b>
    where
        'a: 'b,
    {
        ObjectReader { resources: self.resources(), sinks, run: self.run }
    }

    fn report(&self, issue: GitIssue) {
        self.history.report(self.run, issue);
    }

    /// Reports objects that could not be read, blobs at their first paths.
    fn report_broken(&self, places: &PlacesByObject) {
        let broken: BTreeSet<_> = self.objects.broken.iter().collect();
        for (id, message) in broken {
            let issue = GitIssue::ObjectUnreadable { source: message.clone().into() };
            let has_path = |it: &Vec<IssuePlace>| it.iter().any(|place| place.path.is_some());
            let id = id.filter(|id| places.get(id).is_some_and(has_path));
            match id {
                Some(id) => self.run.report(issue, Some(Place::Object(id, Kind::Blob))),
                None => self.report(issue),
            }
        }
    }

    /// Reports references to objects that were not read.
    fn report_unread_refs(&self) {
        let Self { refs, objects, .. } = self;
        for reference in &refs.list {
            let id = &reference.target;
            let is_broken = || objects.broken.iter().any(|it| it.0 == Some(*id));
            if objects.index.find(id.as_bytes()).is_none() && !is_broken() {
                let name = reference.name.clone();
                self.report(GitIssue::RefNotRead { name, target: *id });
            }
        }
    }

    /// Reports missing Git LFS objects to which the history points; returns `true` if there are any.
    fn report_missing_lfs(&self) -> bool {
        let store = Lfs::new(&self.history.repository);
        let pointers: BTreeSet<&Pointer> = self.objects.links.pointers.iter().collect();
        let lost: Vec<&Pointer> =
            pointers.into_iter().filter(|it| store.path(it).is_none()).collect();
        let Some(first) = lost.first() else { return false };
        let first = first.oid().to_owned();
        self.report(GitIssue::LfsObjectsMissing { count: lost.len(), first });
        true
    }
}

/// Returns a digest of the input of attribution besides the objects.
fn digest(refs: &Refs, shallow: &[ObjectId]) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{:?} {shallow:?}", refs.head));
    for reference in &refs.list {
        digest.update(format!("\0{} {}", reference.name.escape_ascii(), reference.target));
    }
    hex::encode(digest.finalize())
}
