//! The policies of the scanned folders: each judges the content of its own folder.
//!
//! Input: the paths that the user names, and the work trees that the walk reaches. Output: exclusions,
//! suppressions and acknowledgments below each folder, in addition to those of the scan's configuration.
//! Settings that concern the whole scan are not applied but noted.

use super::finding_parts::FindingParts;
use super::folders::{baseline_folder, find, repository_top, shown};
use super::loader::{PolicyFile, PolicyLoader};
use super::source::{BaselineMode, PolicySource};
use crate::config::{
    Acknowledgments, BASELINE_NAME, Config, Exclude, FolderExcludes, NAME, UnusedAcknowledgment,
};
use crate::redact::Masker;
use crate::source::Diagnostic;
use anyhow::Context;
use ddpatrol_scan::finding::Finding;
use ddpatrol_scan::finding::baseline::Baseline;
use ddpatrol_scan::finding::coverage::Coverage;
use ddpatrol_scan::finding::suppression::UnusedSuppression;
use ddpatrol_scan::finding::suppressor::Suppressor;
use ddpatrol_scan::place::Place;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The policies of the folders that a scan has reached.
#[derive(Debug)]
pub(super) struct FolderPolicies {
    /// The policy files that judge the whole scan, and so do not judge a folder again.
    applied: Vec<PathBuf>,
    baseline_mode: BaselineMode,
    /// The decisions of the scan, for their roots, coverage and date.
    scan: Suppressor,
    /// The folders, by absolute path.
    folders: RwLock<HashMap<PathBuf, Arc<FolderPolicy>>>,
    has_exclusions: AtomicBool,
}

/// The policy of a folder, for its own content.
#[derive(Debug)]
pub(super) struct FolderPolicy {
    pub(super) folder: PathBuf,
    kind: FolderKind,
    exclude: Exclude,
    decisions: Suppressor,
    acknowledgments: Acknowledgments,
    /// The files that it was read from.
    files: Vec<String>,
    /// Settings that concern the whole scan.
    not_applied: Option<String>,
    /// Why the policy could not be read; it then has no effect.
    failure: Option<String>,
}

/// The kind of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FolderKind {
    /// It is in a work tree. Repositories below it are judged by its policy.
    WorkTree,
    /// It is not in a work tree. Repositories below it have policies of their own.
    Plain,
}

/// A folder, as locations and as the file system name it.
struct ReachedFolder {
    /// The absolute path in the notation of locations, in which links are not resolved.
    place: PathBuf,
    /// The path without links.
    whole: PathBuf,
    kind: FolderKind,
    coverage: Coverage,
}

impl FolderPolicy {
    /// Returns `true` if the policy can suppress findings.
    fn has_decisions(&self) -> bool {
        !self.decisions.allowed.is_empty() || self.decisions.baseline.is_some()
    }
}

impl FolderPolicies {
    /// Creates the list of folders, still empty. The files in `applied` judge the whole scan, and so do the
    /// entries of `scan`.
    pub(super) fn new(
        applied: Vec<PathBuf>,
        scan: &Suppressor,
        baseline_mode: BaselineMode,
    ) -> Self {
        Self {
            applied,
            baseline_mode,
            scan: Suppressor { allowed: Vec::new(), baseline: None, ..scan.clone() },
            folders: RwLock::default(),
            has_exclusions: AtomicBool::new(false),
        }
    }

    /// Reads the policy of a path that the user names.
    pub(super) fn add_named(&self, path: &Path) {
        let Suppressor { roots, coverage, .. } = &self.scan;
        let mut place = roots.whole(path);
        let Ok(mut whole) = path.canonicalize() else { return };
        let is_folder = whole.is_dir();
        if !is_folder {
            let (Some(above), Some(whole_above)) = (place.parent(), whole.parent()) else { return };
            (place, whole) = (above.to_owned(), whole_above.to_owned());
        }
        let is_work_tree = repository_top(&whole).join(".git").exists();
        let coverage = match coverage {
            Coverage::Below(_) if is_folder => Coverage::All,
            Coverage::Below(_) => Coverage::Unknown,
            coverage => coverage.clone(),
        };
        let kind = if is_work_tree { FolderKind::WorkTree } else { FolderKind::Plain };
        self.add(&ReachedFolder { place, whole, kind, coverage });
    }

    fn add(&self, reached: &ReachedFolder) {
        let mut policy = FolderPolicy {
            folder: reached.place.clone(),
            kind: reached.kind,
            exclude: Exclude::default(),
            decisions: self.scan.clone(),
            acknowledgments: Acknowledgments::default(),
            files: Vec::new(),
            not_applied: None,
            failure: None,
        };
        if let Err(error) = self.read(reached, &mut policy) {
            let failure = format!("policy of {} not used: {error:#}", shown(&reached.place));
            policy = FolderPolicy {
                exclude: Exclude::default(),
                decisions: self.scan.clone(),
                acknowledgments: Acknowledgments::default(),
                files: Vec::new(),
                failure: Some(failure),
                ..policy
            };
        }
        if !policy.exclude.is_empty() {
            self.has_exclusions.store(true, Ordering::Release);
        }
        let mut folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        folders.entry(reached.place.clone()).or_insert_with(|| Arc::new(policy));
    }

    /// Reads the policy files of a folder.
    fn read(&self, reached: &ReachedFolder, policy: &mut FolderPolicy) -> anyhow::Result<()> {
        let ReachedFolder { place, whole, coverage, .. } = reached;
        let source = PolicySource::Folder(whole.clone());
        let loader = PolicyLoader { source: &source, notes: Vec::new() };
        policy.decisions.coverage = coverage.clone();
        policy.decisions.roots.tops = vec![above(place, whole, repository_top(whole))];
        let mut named = None;
        if let Some(folder) = find(whole).filter(|it| !self.applied.contains(&it.join(NAME))) {
            let file = PolicyFile::by_configuration(folder, Path::new(NAME)).configuration();
            if let Some((text, shown)) = loader.text(&file)? {
                let config = Config::parse(Path::new(&shown), &text)?;
                policy.not_applied = settings_of_scan(&config).map(|it| format!("{it} of {shown}"));
                let below = above(place, whole, folder);
                policy.exclude = Exclude::new(below.clone(), &config.exclude)?;
                policy.decisions.allowed = config.allowed;
                policy.acknowledgments = Acknowledgments::new(&below, config.acknowledged)?;
                named = config.baseline.map(|it| PolicyFile::by_configuration(folder, &it.value));
                policy.files.push(shown);
            }
        }
        if self.baseline_mode == BaselineMode::Ignore {
            return Ok(());
        }
        let is_named = named.is_some();
        let file = named.map(PolicyFile::baseline).unwrap_or_else(|| {
            let folder = baseline_folder(whole);
            PolicyFile::by_configuration(&folder, Path::new(BASELINE_NAME)).baseline()
        });
        if self.applied.contains(&file.path) {
            return Ok(());
        }
        let Some((text, place)) = loader.text(&file)? else {
            if is_named {
                anyhow::bail!("baseline {} does not exist", shown(&file.path));
            }
            return Ok(());
        };
        let baseline = Baseline::parse(&text);
        policy.decisions.baseline =
            Some(baseline.with_context(|| format!("invalid baseline {place}"))?);
        policy.files.push(place);
        Ok(())
    }

    /// Returns the policies of all folders, sorted by folder.
    pub(super) fn all(&self) -> Vec<Arc<FolderPolicy>> {
        let folders = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        let mut folders: Vec<_> = folders.values().cloned().collect();
        folders.sort_by(|a, b| a.folder.cmp(&b.folder));
        folders
    }

    /// Suppresses the findings whose locations are all suppressed in their folders or inline; returns unused
    /// entries.
    pub(super) fn suppress(
        &self,
        findings: &mut [Finding],
        masker: &mut Masker<'_>,
    ) -> Vec<UnusedSuppression> {
        let folders = self.all();
        if !folders.iter().any(|it| it.has_decisions()) {
            return Vec::new();
        }
        let places: Vec<&Path> = folders.iter().map(|it| &*it.folder).collect();
        let mut parts = FindingParts::new(findings, &places, &self.scan.roots);
        let mut unused = Vec::new();
        for (index, policy) in folders.iter().enumerate().filter(|(_, it)| it.has_decisions()) {
            let entries = parts.apply(index, &policy.decisions, masker);
            let files = policy.files.join(", ");
            unused.extend(entries.into_iter().map(|entry| UnusedSuppression {
                what: format!("{}; {files}", entry.what),
                ..entry
            }));
        }
        parts.finish(masker);
        unused
    }

    /// Marks the issues that the configuration of their folder acknowledges; returns unused entries.
    pub(super) fn acknowledge(&self, diagnostics: &mut [Diagnostic]) -> Vec<UnusedAcknowledgment> {
        let Suppressor { roots, today, .. } = &self.scan;
        let mut unused = Vec::new();
        for policy in self.all().iter().filter(|it| !it.acknowledgments.is_empty()) {
            let is_inside = |place: &Place| roots.whole(&place.path()).starts_with(&policy.folder);
            let inside = diagnostics.iter_mut().filter(|it| it.places().any(is_inside));
            let mut inside: Vec<&mut Diagnostic> = inside.collect();
            let entries = policy.acknowledgments.apply(&mut inside, roots, *today);
            let is_whole = policy.decisions.coverage == Coverage::All;
            unused.extend(entries.into_iter().filter(|it| it.has_expired || is_whole));
        }
        unused
    }

    /// Returns the notes about the policies.
    pub(super) fn notes(&self) -> Vec<String> {
        let folders = self.all();
        let mut notes = Vec::new();
        let files: Vec<&str> =
            folders.iter().flat_map(|it| &it.files).map(String::as_str).collect();
        if !files.is_empty() {
            notes.push(format!("using, each for its own folder: {}", files.join(", ")));
        }
        let skipped: Vec<&str> =
            folders.iter().filter_map(|it| it.not_applied.as_deref()).collect();
        if !skipped.is_empty() {
            notes.push(format!(
                "not applied, because it concerns the whole scan: {}; to apply it, scan the folder alone, \
                 or name the file with --config",
                skipped.join(", ")
            ));
        }
        notes.extend(folders.iter().filter_map(|it| it.failure.clone()));
        notes
    }
}

impl FolderExcludes for FolderPolicies {
    fn reach(&self, top: &Path) {
        let is_inside = {
            let folders = self.folders.read().unwrap_or_else(PoisonError::into_inner);
            let mut above = top.ancestors().filter_map(|it| folders.get(it));
            above.any(|it| it.kind == FolderKind::WorkTree)
        };
        if !is_inside {
            let coverage = match &self.scan.coverage {
                Coverage::Unknown => Coverage::Unknown,
                Coverage::All | Coverage::Below(_) => Coverage::All,
            };
            let (place, whole) = (top.to_owned(), top.to_owned());
            self.add(&ReachedFolder { place, whole, kind: FolderKind::WorkTree, coverage });
        }
    }

    fn is_empty(&self) -> bool {
        !self.has_exclusions.load(Ordering::Acquire)
    }

    fn any(&self, path: &Path, excludes: &dyn Fn(&Exclude) -> bool) -> bool {
        let folders = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        let mut above = path.ancestors().filter_map(|it| folders.get(it));
        above.any(|policy| !policy.exclude.is_empty() && excludes(&policy.exclude))
    }
}

/// Converts `folder`, which contains the folder `whole`, to the notation of `place`, the same folder.
fn above(place: &Path, whole: &Path, folder: &Path) -> PathBuf {
    let depth = whole.strip_prefix(folder).map_or(0, |below| below.components().count());
    let above = place.ancestors().nth(depth);
    // A link has other folders above it.
    let is_same = |it: &&Path| it.canonicalize().is_ok_and(|it| it == *folder);
    above.filter(is_same).unwrap_or(folder).to_owned()
}

/// Returns the names of the settings that concern a whole scan.
fn settings_of_scan(config: &Config) -> Option<String> {
    let settings = [
        ("`fail_on`", config.fail_on.is_some()),
        ("`rules.add`", !config.rules.is_empty()),
        ("`rules.leave_out`", !config.leave_out.is_empty()),
        ("`rules.groups`", !config.groups.is_empty()),
    ];
    let names: Vec<&str> = settings.iter().filter(|it| it.1).map(|it| it.0).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
