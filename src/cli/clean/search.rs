//! The tokens of a report in a repository, found by a scan of its history.
//!
//! Input: a git directory and fingerprints. Output: what the program itself reports about it. Changes
//! nothing.

use crate::redact::Redactor;
use crate::report::document::{self, Document, LocationRecord, Record};
use crate::rules::RuleSet;
use anyhow::{Context, bail};
use ddpatrol_scan::finding::{Fingerprint, Part};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// How the program searches, the same before and after the rewrite.
pub(super) struct Search {
    pub(super) rules: Arc<RuleSet>,
    pub(super) redactor: &'static Redactor,
    /// The rule files of the user, as absolute paths.
    pub(super) rule_files: Vec<PathBuf>,
    pub(super) fingerprints: HashSet<Fingerprint>,
}

/// The tokens of the report that a repository contains.
pub(super) struct Sighted {
    pub(super) records: Vec<Record>,
    /// Descriptions of content that could not be read.
    pub(super) unread: Vec<String>,
    /// The git directories of submodules that contain a token. They are repositories of their own.
    pub(super) submodules: BTreeSet<String>,
}

impl Search {
    /// Scans the history at `store` with the program itself.
    pub(super) fn run(&self, store: &Path) -> anyhow::Result<Sighted> {
        let program = std::env::current_exe().context("cannot find the program itself")?;
        let mut command = Command::new(program);
        command.args(["scan", "--history-only", "--no-config", "--no-inline-allow", "--quiet"]);
        command.args(["--fail-on", "never", "--report", "json"]);
        for group in self.rules.groups() {
            command.args(["--rule-group", group]);
        }
        for file in &self.rule_files {
            command.arg("--rules").arg(file);
        }
        let ran = command.arg(store).stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
        let text = String::from_utf8_lossy(&ran.stdout);
        if text.is_empty() {
            let why = String::from_utf8_lossy(&ran.stderr);
            bail!("cannot scan {}: {}", store.display(), why.trim());
        }
        let saved = document::read(&text, self.redactor, &self.rules, None)?;
        if saved.document.interrupted {
            bail!("interrupted");
        }
        Ok(self.sighted(saved.document, store))
    }

    fn sighted(&self, document: Document, store: &Path) -> Sighted {
        let is_target =
            |record: &Record| fingerprint(record).is_some_and(|it| self.fingerprints.contains(&it));
        let unread = document.diagnostics.iter().filter(|note| note.is_unread());
        let unread = unread.map(|note| {
            let path = note.path.as_ref().map_or_else(String::new, |it| format!("{}: ", it.text()));
            format!("{path}{}", note.message.text())
        });
        let unread = unread.collect();
        let mut records: Vec<Record> = document.findings.into_iter().filter(is_target).collect();
        let mut submodules = BTreeSet::new();
        records.retain_mut(|record| {
            remove_submodules(record, store, &mut submodules);
            !record.locations.is_empty()
        });
        Sighted { records, unread, submodules }
    }
}

/// Moves the locations in submodules of `store` out of a record: only their git directories are kept.
fn remove_submodules(record: &mut Record, store: &Path, submodules: &mut BTreeSet<String>) {
    let modules = store.join("modules");
    let mut moved = HashSet::new();
    record.locations.retain(|place| {
        let of_path = || place.path.as_ref().filter(|_| place.git.is_none());
        let repository = place.git.as_ref().map(|it| &it.repository).or_else(of_path);
        let text = repository.map(|it| it.text().into_owned()).unwrap_or_default();
        let Ok(below) = Path::new(&text).strip_prefix(&modules) else { return true };
        let module = submodule(&modules, below);
        submodules.insert(module.to_string_lossy().into_owned());
        moved.extend(place.git.as_ref().map(|it| it.object.clone()));
        false
    });
    let remaining = record.locations.iter().filter_map(|it| it.git.as_ref());
    let remaining: HashSet<&String> = remaining.map(|it| &it.object).collect();
    record.objects.retain(|it| !moved.contains(&it.id) || remaining.contains(&it.id));
}

/// Returns the git directory of the submodule that contains a path below `modules`.
fn submodule(modules: &Path, below: &Path) -> PathBuf {
    let whole = modules.join(below);
    let is_git_dir = |it: &&Path| it.join("HEAD").is_file() && it.join("objects").is_dir();
    whole.ancestors().find(is_git_dir).unwrap_or(&whole).to_owned()
}

/// Returns the fingerprint of a finding, if it is one.
pub(super) fn fingerprint(record: &Record) -> Option<Fingerprint> {
    record.fingerprint.parse().ok()
}

impl Sighted {
    /// Returns the blobs in the history with a token in a member of an archive, with one path of each.
    pub(super) fn archives(&self) -> BTreeMap<String, String> {
        let mut archives = BTreeMap::new();
        for record in &self.records {
            let in_member = record.objects.iter().filter(|it| it.kind == "blob" && it.length == 0);
            for object in in_member {
                let mut places =
                    record.locations.iter().filter_map(|it| Some((it, it.git.as_ref()?)));
                let place = places.find(|(_, trace)| trace.object == object.id);
                if place.is_some_and(|(_, trace)| !trace.reachable) {
                    continue;
                }
                let path =
                    place.and_then(|(it, _)| it.repository_path.as_ref().or(it.path.as_ref()));
                let path = path.map_or_else(|| "(no path)".to_owned(), |it| it.text().into_owned());
                archives.insert(object.id.clone(), path);
            }
        }
        archives
    }

    /// Returns the paths of Git LFS files that contain a token.
    pub(super) fn lfs_files(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for record in &self.records {
            let places = record.locations.iter().filter(|it| is_in_lfs(record, it));
            paths.extend(places.filter_map(|it| {
                let path = it.repository_path.as_ref().or(it.path.as_ref())?;
                Some(path.text().into_owned())
            }));
        }
        paths.sort();
        paths.dedup();
        paths
    }

    /// Returns the paths outside the history, such as `.git/config`, that contain a token.
    pub(super) fn outside_history(&self) -> Vec<String> {
        let places = self.records.iter().flat_map(|it| &it.locations);
        let outside = places.filter(|it| it.git.is_none() && !is_reference(it));
        let mut paths: Vec<String> =
            outside.filter_map(|it| Some(it.path.as_ref()?.text().into_owned())).collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Returns `true` if the history that references reach contains the token, or a reference's name does.
pub(super) fn is_in_history(record: &Record) -> bool {
    let is_reachable = |it: &LocationRecord| it.git.as_ref().is_some_and(|trace| trace.reachable);
    record.locations.iter().any(|it| is_reference(it) || is_reachable(it) && !is_in_lfs(record, it))
}

/// Returns `true` if a location is in a Git LFS object: its git object is the pointer, which does not contain
/// the token.
fn is_in_lfs(record: &Record, place: &LocationRecord) -> bool {
    let contains = |id: &str| record.objects.iter().any(|object| object.id == id);
    place.part == Part::Content
        && place.git.as_ref().is_some_and(|it| it.kind == "blob" && !contains(&it.object))
}

fn is_reference(place: &LocationRecord) -> bool {
    place.part == Part::Ref
}
