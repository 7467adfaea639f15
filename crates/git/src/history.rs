//! The whole history of a repository: pushes every object, then attributes the sightings.
//!
//! A scan opens a [`History`] and takes its steps in order: the history pushes names, Git LFS objects and
//! git objects to the sinks, then attributes the sightings to commits and paths. The history searches
//! nothing and creates no findings.

mod issues;

use super::attribution::{Attributor, Partial};
use super::cache::{Cache, KeyOf, Known, KnownGap, KnownShaped, Read, Recall, Recalled, State};
use super::lfs::{Content, FoundPointer};
use super::lfs_objects::LfsObjects;
use super::objects::{ObjectError, ObjectReader, Objects, WalkResources};
use super::repo::{Refs, Repository};
use super::staged_places;
use super::store::{ReadError, Store};
use ddpatrol_detect::redact::Redactor;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::blob::{Blob, Context, Origin};
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::issue_object::PlacesByObject;
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{Holder, Placement, ShapedSighting, Sighting, TokenKey};
use ddpatrol_scan::workers::Workers;
use ddpatrol_scan::{Run, ScannedRepo, Sinks};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::sync::Arc;

/// Maximum total size of the buffers of all workers in bytes.
const BUDGET: usize = 192 << 20;
/// Blobs above this length in bytes are read in windows.
const LARGE: u64 = 64 << 20;

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
    /// The issues about missing objects.
    gaps: Vec<KnownGap>,
    /// The places of objects with issues.
    issue_places: PlacesByObject,
    lacks_lfs: bool,
}

/// The matches in the objects of a history.
#[derive(Clone, Copy, Debug)]
pub struct Sightings<'a> {
    /// The tokens in each object.
    pub sightings: &'a [Sighting],
    /// The matches that are only counted.
    pub shaped: &'a [ShapedSighting],
}

/// Counts of a run before a history was read.
struct Before {
    /// The number of issues that another scan may not report.
    passing: usize,
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
        let passing = run.passing_issues();
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
        let known = cache.as_ref().and_then(|cache| cache.known(&store));
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
            before: Before { passing, opened, issues: 0, reported: 0 },
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
        let (reader, holders) = (self.object_reader(Some(sinks)), recall.holders());
        reader.search_again(&self.store, &mut Objects::default(), &holders);
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
            // The objects of packs that no longer exist were read again.
            if known.has_packs(&self.store) {
                let pointers = known.pointers();
                let found = pointers.map(|pointer| FoundPointer { pointer, blob: None });
                self.objects.links.pointers.extend(found);
            }
        }
        let missing_lfs = self.missing_lfs();
        self.lacks_lfs = !missing_lfs.is_empty();
        if let Some(known) = self.known {
            let has_nothing = sightings.is_empty()
                && missing_lfs.is_empty()
                && self.run.objects_to_place(self.before.opened).is_empty();
            // Links show which objects are missing.
            if !has_nothing || !known.gaps.is_empty() || known.lacks_loose(&self.store) {
                let reader = self.object_reader(None);
                reader.read_links(&self.store, &mut self.objects);
            }
        }
        self.before.reported = self.run.diagnostics_len();
        for (issue, place) in missing_lfs {
            self.run.report(issue, Some(place));
        }
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
        let broken = self.objects.broken.iter().filter_map(ObjectError::id);
        objects.extend(broken.flat_map(|id| [(id, Kind::Blob), (id, Kind::Tree)]));
        let (placements, places) = attributor.attribute(sightings, &objects);
        self.report_broken(&places);
        self.run.place_objects(opened, &places);
        self.issue_places = places;
        placements
    }

    /// Returns the keys of the shaped matches in objects that an earlier scan has read. They are counted
    /// unless they are found again.
    pub fn known_shaped(&self) -> impl Iterator<Item = TokenKey> {
        self.known.into_iter().flat_map(|known| &known.shaped).map(KnownShaped::key)
    }

    /// Marks the placements in blobs that are staged and not committed, and gives them their paths. The state
    /// does not contain the index, so this follows [`OpenHistory::remember`].
    pub fn place_staged(&self, placements: &mut Vec<Placement>) {
        staged_places::mark(&self.history.repository, &self.history.root, placements);
    }

    /// Stores the results for the next scan, if the user keeps a state.
    pub fn remember(
        &self,
        Sightings { sightings, shaped }: Sightings<'_>,
        placements: &[Placement],
        key_of: KeyOf<'_>,
    ) {
        // An interrupted scan knows less than the last complete one.
        let Some(cache) = self.cache.as_ref().filter(|_| !self.run.is_interrupted()) else {
            return;
        };
        let Before { passing, issues, reported, .. } = self.before;
        let (before, run) = (issues, self.run);
        let issues = run.diagnostics_since(before);
        let issues = issues.get(..reported.saturating_sub(before)).unwrap_or_default();
        // The next scan would not know the pointers in objects that it does not read again.
        let is_incomplete = run.passing_issues() > passing || self.lacks_lfs;
        match cache.issues(issues).filter(|_| !is_incomplete) {
            Some(issues) => {
                let (refs, gaps) = (self.refs_digest.clone(), self.gaps.clone());
                let old = self.known.map(|known| known.shaped.clone()).unwrap_or_default();
                let found = Known { shaped: old, refs, gaps, issues, ..Known::default() };
                let read = Read {
                    store: &self.store,
                    loose: &self.objects.loose,
                    pointers: self.pointers().cloned().collect(),
                    sightings,
                    shaped,
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
            let object = Some(error.id());
            self.report(GitIssue::ObjectUnreadable { object, source: error.into() });
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
        WalkResources { workers, budget: BUDGET, context: *context, large: LARGE }
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
