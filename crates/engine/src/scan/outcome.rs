//! The outcome of a scan, and the removal of locations before it is reported.

use crate::source::{Diagnostic, ScannedRepo, Severity, Tally};
use crate::{Exclude, UnusedAcknowledgment};
use ddpatrol_scan::finding::roots::Roots;
use ddpatrol_scan::finding::suppression::UnusedSuppression;
use ddpatrol_scan::finding::{ChangeStatus, Finding, Location, Part, Trace};
use ddpatrol_scan::place::Place;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// The result of a scan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The findings, sorted.
    pub findings: Vec<Finding>,
    /// Issues, sorted by path.
    pub diagnostics: Vec<Diagnostic>,
    /// Notes for the user on how the scan interpreted its input.
    pub notes: Vec<String>,
    /// The repositories whose history was read.
    pub repositories: Vec<ScannedRepo>,
    /// The counts of what was scanned and skipped.
    pub counts: Counts,
    /// Entries of the allowlist and the baseline that match no finding.
    pub unused: Vec<UnusedSuppression>,
    /// Acknowledgments that no issue needed.
    pub unused_acknowledgments: Vec<UnusedAcknowledgment>,
    /// Whether the scan was interrupted.
    pub interrupted: bool,
}

/// The counts of a finished scan; see [`crate::source::Tally`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented at the tally it is read from")]
pub struct Counts {
    pub files: u64,
    pub git_files: u64,
    pub bytes: u64,
    pub archives: u64,
    pub members: u64,
    pub unpacked: u64,
    pub shaped: u64,
    pub ignored: u64,
    pub excluded: u64,
    pub too_large: u64,
    pub symlinks: u64,
    pub special: u64,
    pub git_folders: u64,
    pub objects: u64,
    /// Tokens that the base of a change also contains.
    pub already_there: u64,
}

impl Counts {
    /// Reads the counters of a run.
    pub(super) fn of(tally: &Tally) -> Self {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            files: count(&tally.files),
            git_files: count(&tally.git_files),
            bytes: count(&tally.bytes),
            archives: count(&tally.archives),
            members: count(&tally.members),
            unpacked: count(&tally.unpacked),
            shaped: count(&tally.shaped),
            ignored: count(&tally.ignored),
            excluded: count(&tally.excluded),
            too_large: count(&tally.too_large),
            symlinks: count(&tally.symlinks),
            special: count(&tally.special),
            git_folders: count(&tally.git_folders),
            objects: count(&tally.objects),
            already_there: 0,
        }
    }
}

/// The issues that make a scan incomplete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Unread content.
    Default,
    /// Unread and opaque content, `--strict`.
    Strict,
}

impl From<bool> for Strictness {
    fn from(strict: bool) -> Self {
        if strict { Self::Strict } else { Self::Default }
    }
}

impl Outcome {
    /// Returns `true` if everything was scanned that `strictness` requires.
    #[must_use]
    pub fn is_complete(&self, strictness: Strictness) -> bool {
        let is_strict = strictness == Strictness::Strict;
        let matters = |issue: &Diagnostic| {
            let counts = is_strict || issue.severity() == Severity::Unread;
            counts && issue.acknowledged.is_none()
        };
        !self.interrupted && !self.diagnostics.iter().any(matters)
    }

    /// Removes locations in histories and changes whose paths the configuration excludes, and counts them;
    /// also issues of git objects all of whose paths are excluded. The walk over files has already excluded
    /// its own.
    pub fn remove_excluded(&mut self, exclude: &Exclude, roots: &Roots) {
        if exclude.is_empty() {
            return;
        }
        let mut excluded = 0;
        self.findings.retain_mut(|finding| {
            finding.locations.retain(|place| {
                let is_excluded = is_excluded(place, exclude, roots);
                excluded += if is_excluded { place.count() } else { 0 };
                !is_excluded
            });
            !finding.locations.is_empty()
        });
        self.diagnostics.retain(|issue| {
            let is_excluded = is_excluded_issue(issue, exclude, roots);
            excluded += usize::from(is_excluded);
            !is_excluded
        });
        self.counts.excluded += excluded as u64;
    }

    /// Removes locations that the base of a change contains at the same path, and counts the tokens.
    pub fn remove_preexisting(&mut self) {
        let is_known = |place: &Location| place.change_status == Some(ChangeStatus::Preexisting);
        let mut known = 0;
        self.findings.retain_mut(|finding| {
            let is_all_known = finding.locations.iter().all(is_known);
            known += u64::from(is_all_known);
            finding.locations.retain(|place| !is_known(place));
            !is_all_known
        });
        self.counts.already_there = known;
    }
}

/// Returns `true` if a location in a history or a change has an excluded path.
#[must_use]
pub fn is_excluded(place: &Location, exclude: &Exclude, roots: &Roots) -> bool {
    let is_path = matches!(place.part, Part::Content | Part::Name);
    let is_git = place.trace.is_some() || place.change_status.is_some();
    let Some(path) = place.path.as_ref().filter(|_| is_path && is_git) else { return false };
    let filter = PathFilter::new(place.trace.as_deref(), exclude, roots);
    filter.has(path)
}

/// Returns `true` if every path of the git object that an issue concerns is excluded. An object without a path
/// is not.
fn is_excluded_issue(issue: &Diagnostic, exclude: &Exclude, roots: &Roots) -> bool {
    let Some(object) = &issue.git else { return false };
    let has_path = |place: &Place| !matches!(place.outermost(), Place::Object(..) | Place::Stdin);
    let filter = PathFilter::new(object.trace.as_deref(), exclude, roots);
    object.has_all_paths() && issue.places().all(|place| has_path(place) && filter.has(place))
}

/// The excluded paths of a repository.
struct PathFilter<'a> {
    exclude: &'a Exclude,
    roots: &'a Roots,
    /// The top of the repository, or the folder of the change.
    top: PathBuf,
}

impl<'a> PathFilter<'a> {
    fn new(trace: Option<&Trace>, exclude: &'a Exclude, roots: &'a Roots) -> Self {
        let top = trace.map(|trace| roots.whole(&trace.repository.top_of_git_dir().path()));
        Self { exclude, roots, top: top.unwrap_or_else(|| roots.here.clone()) }
    }

    /// Returns `true` if a place is excluded. Excluding an archive excludes its members.
    fn has(&self, place: &Place) -> bool {
        let mut places = std::iter::once(place).chain(place.containers());
        places.any(|it| self.exclude.has_below(&self.roots.whole(&it.path()), &self.top))
    }
}
