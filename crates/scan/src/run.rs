//! The shared state of a scan: the request to stop, the counts, and the list of issues. Nothing is read or
//! printed here.

use super::code::Code;
use super::issue::{GitIssue, Issue, ObjectName, Severity};
use crate::issue_object::{IssueObject, IssuePlace, PlacesByObject};
use crate::lock::lock;
use crate::place::Place;
use ddpatrol_pack::{Kind, ObjectId};
use jiff::civil::Date;
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The state that all workers of a scan share: the request to stop, counts and diagnostics.
#[derive(Debug, Default)]
pub struct Run {
    interrupted: Arc<AtomicBool>,
    finished: AtomicBool,
    /// Counts of what was scanned and skipped.
    pub tally: Tally,
    diagnostics: Mutex<Vec<Diagnostic>>,
    repositories: Mutex<Vec<ScannedRepo>>,
    notes: Mutex<Vec<String>>,
}

/// A repository whose history was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScannedRepo {
    /// Its folder, as the source reached it.
    pub root: Place,
    /// The commit that is checked out.
    pub head: Option<ObjectId>,
}

impl Run {
    /// Asks all workers to stop; each finishes at most one buffer.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Returns the flag that [`Run::interrupt`] sets, for code that polls it without the run.
    #[must_use]
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    /// Returns `true` if the workers were asked to stop.
    #[must_use]
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Records that no source is being read any more.
    pub fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if no source is being read any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Reports something that was not scanned, and the place that it concerns.
    pub fn report(&self, issue: impl Into<Issue>, place: Option<impl Into<Place>>) {
        let (issue, place) = (Arc::new(issue.into()), place.map(Into::into));
        lock(&self.diagnostics).push(Diagnostic::new(place, issue));
    }

    /// Adds an issue that an earlier scan reported.
    pub fn add_diagnostic(&self, diagnostic: Diagnostic) {
        lock(&self.diagnostics).push(diagnostic);
    }

    /// Returns the git objects of the issues from index `since` on whose places are not known.
    #[must_use]
    pub fn objects_to_place(&self, since: usize) -> BTreeSet<(ObjectId, Kind)> {
        let list = lock(&self.diagnostics);
        list.iter().skip(since).filter_map(Diagnostic::object_to_place).collect()
    }

    /// Sets the places of the issues from index `since` on that are in git objects. An object without
    /// places keeps its synthetic path.
    pub fn place_objects(&self, since: usize, places: &PlacesByObject) {
        let mut list = lock(&self.diagnostics);
        for diagnostic in list.iter_mut().skip(since) {
            let places = diagnostic.object_to_place().and_then(|(id, _)| places.get(&id));
            if let Some(places) = places {
                diagnostic.place(places);
            }
        }
    }

    /// Removes the issues from index `since` on that are in git objects without known places.
    pub fn remove_objects(&self, since: usize) {
        let mut list = lock(&self.diagnostics);
        let mut at = 0;
        list.retain(|diagnostic| {
            at += 1;
            at <= since || diagnostic.object_to_place().is_none()
        });
    }

    /// Adds a note for the user about how the scan was interpreted.
    pub fn note(&self, note: impl Into<String>) {
        lock(&self.notes).push(note.into());
    }

    /// Takes the notes.
    #[must_use]
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notes))
    }

    /// Records a repository whose history was read.
    pub fn scanned(&self, repository: ScannedRepo) {
        lock(&self.repositories).push(repository);
    }

    /// Takes the repositories, in the order in which they were read.
    #[must_use]
    pub fn take_repositories(&self) -> Vec<ScannedRepo> {
        std::mem::take(&mut lock(&self.repositories))
    }

    /// Returns the number of diagnostics that another scan may not report: errors of reading.
    #[must_use]
    pub fn passing_issues(&self) -> usize {
        lock(&self.diagnostics).iter().filter(|it| !it.is_lasting()).count()
    }

    /// Returns the number of diagnostics, for [`Run::diagnostics_since`].
    #[must_use]
    pub fn diagnostics_len(&self) -> usize {
        lock(&self.diagnostics).len()
    }

    /// Returns the diagnostics from the one with this index on, in the order of their reports.
    #[must_use]
    pub fn diagnostics_since(&self, index: usize) -> Vec<Diagnostic> {
        let list = lock(&self.diagnostics);
        list.get(index..).unwrap_or_default().to_vec()
    }

    /// Takes the diagnostics, sorted by path, severity, code and message, without duplicates. The same issue in
    /// a file of the work tree and in `HEAD` counts once, with its commit.
    #[must_use]
    pub fn take_diagnostics(&self) -> Vec<Diagnostic> {
        let diagnostics = std::mem::take(&mut *lock(&self.diagnostics));
        let mut keyed: Vec<_> = diagnostics.into_iter().map(|it| (it.message(), it)).collect();
        keyed.sort_by(|(a_message, a), (b_message, b)| {
            let by_key = a.sort_key().cmp(&b.sort_key()).then_with(|| a_message.cmp(b_message));
            by_key.then_with(|| a.introduced().cmp(&b.introduced()))
        });
        keyed.dedup_by(|(a_message, a), (b_message, b)| {
            a.sort_key() == b.sort_key() && a_message == b_message
        });
        drop_files_in_head(&mut keyed);
        keyed.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }
}

/// Removes the issues in files that `HEAD` has at the same path. `keyed` are issues with their messages, sorted by
/// path.
fn drop_files_in_head(keyed: &mut Vec<(String, Diagnostic)>) {
    let is_in_head = |it: &Diagnostic| {
        it.git.as_ref().and_then(|git| git.trace.as_ref()).is_some_and(|trace| trace.in_head)
    };
    let mut in_head: HashSet<(Place, Code, String)> = HashSet::new();
    for (message, diagnostic) in keyed.iter().filter(|(_, it)| is_in_head(it)) {
        for place in diagnostic.places() {
            in_head.insert((place.clone(), diagnostic.code(), message.clone()));
        }
    }
    if in_head.is_empty() {
        return;
    }
    keyed.retain(|(message, it)| match &it.path {
        Some(path) if it.git.is_none() => {
            !in_head.contains(&(path.clone(), it.code(), message.clone()))
        }
        _ => true,
    });
}

/// An issue and the place that it concerns.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The place, if there is one.
    pub path: Option<Place>,
    /// The reason why it was not scanned.
    pub issue: Arc<Issue>,
    /// The acknowledgment of the user, if there is one: the issue does not make a result incomplete.
    pub acknowledged: Option<Acknowledgment>,
    /// The git object that contains it, once its places are known.
    pub git: Option<Arc<IssueObject>>,
}

/// The acknowledgment of an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgment {
    /// The reason that the user gives.
    pub reason: String,
    /// The last day on which it applies.
    pub expires: Date,
}

impl Diagnostic {
    /// Creates a diagnostic that is not acknowledged.
    #[must_use]
    pub fn new(path: Option<Place>, issue: Arc<Issue>) -> Self {
        Self { path, issue, acknowledged: None, git: None }
    }

    /// Returns the git object of an issue whose places are not known.
    fn object_to_place(&self) -> Option<(ObjectId, Kind)> {
        self.path.as_ref().filter(|_| self.git.is_none()).and_then(IssueObject::of_place)
    }

    /// Sets the path and the commits of an issue in a git object from the places of the object.
    pub fn place(&mut self, places: &[IssuePlace]) {
        let placed = self.path.as_ref().and_then(|path| IssueObject::new(path, places));
        if let Some((path, object)) = placed {
            (self.path, self.git) = (Some(path), Some(Arc::new(object)));
        }
    }

    /// Returns the place of the issue, and further places of the same object.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let others = self.git.iter().flat_map(|object| &object.other_paths);
        self.path.iter().chain(others)
    }

    /// Returns the severity of the issue.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.issue.severity()
    }

    /// Returns `true` if another scan of the same content reports the issue, too.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.issue.is_lasting()
    }

    /// Returns the stable code of the issue.
    #[must_use]
    pub fn code(&self) -> Code {
        self.issue.code()
    }

    /// Returns the message of the issue.
    #[must_use]
    pub fn message(&self) -> String {
        self.issue.to_string()
    }

    /// Returns the commit that the issue concerns, if it is known.
    #[must_use]
    pub fn commit(&self) -> Option<ObjectId> {
        match &*self.issue {
            Issue::Git(GitIssue::ShallowRange { commit }) => Some(*commit),
            _ => Some(self.git.as_ref()?.trace.as_ref()?.introduced.as_ref()?.id),
        }
    }

    /// Returns the object that contains the place of the issue, or that the issue names.
    #[must_use]
    pub fn object(&self) -> Option<ObjectName> {
        let placed = self.git.as_ref().map(|object| object.id);
        let outermost = || match self.path.as_ref().map(Place::outermost) {
            Some(Place::Object(id, _)) => Some(*id),
            _ => None,
        };
        placed.or_else(outermost).map(ObjectName::Git).or_else(|| self.issue.object())
    }

    fn sort_key(&self) -> (Option<&Place>, Severity, Code, Option<ObjectId>) {
        let object = self.git.as_ref().map(|object| object.id);
        (self.path.as_ref(), self.severity(), self.code(), object)
    }

    /// Returns the date and the commit at which the object was introduced.
    fn introduced(&self) -> Option<(i64, Option<ObjectId>)> {
        let trace = self.git.as_ref()?.trace.as_ref()?;
        Some((trace.order, trace.introduced.as_ref().map(|commit| commit.id)))
    }
}

/// Counts that all workers add to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Files read, standard input included.
    pub files: AtomicU64,
    /// Administrative files of git directories that were read, such as configuration and hooks.
    pub git_files: AtomicU64,
    /// Bytes read.
    pub bytes: AtomicU64,
    /// Archives opened.
    pub archives: AtomicU64,
    /// Members of archives that were scanned.
    pub members: AtomicU64,
    /// Bytes unpacked from archives.
    pub unpacked: AtomicU64,
    /// Files skipped because of `.gitignore` and similar files.
    pub ignored: AtomicU64,
    /// Files and folders skipped by `--exclude` and the configuration.
    pub excluded: AtomicU64,
    /// Files skipped by `--max-file-size`.
    pub too_large: AtomicU64,
    /// Symbolic links, which are not followed.
    pub symlinks: AtomicU64,
    /// Devices, sockets and pipes, which are not read.
    pub special: AtomicU64,
    /// `.git` folders whose objects were not read.
    pub git_folders: AtomicU64,
    /// Git objects read.
    pub objects: AtomicU64,
    /// Git objects to read, as far as known.
    pub objects_known: AtomicU64,
    /// Matches that are shaped only.
    pub shaped: AtomicU64,
}

/// Adds to a count of the tally.
pub fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}
