//! The repositories in which the commands of a step run.
//!
//! Input: the locations of a finding. Output: commands that work in any folder of the user's repository, and name
//! the folder of another one.

use crate::document::Paths;
use crate::remediation::PRUNE;
use crate::shell::quote;
use ddpatrol_scan::finding::{Finding, Location};
use std::path::{Path, PathBuf};

/// A repository that contains a finding, and in which commands run.
pub(super) struct TargetRepository {
    /// The git directory of its history; `None` for a change.
    git_dir: Option<PathBuf>,
    top: PathBuf,
    /// Its folder, if commands must name it.
    named: Option<String>,
    pub(super) is_bare: bool,
    /// Whether a branch or tag reaches the finding.
    pub(super) is_reachable: bool,
}

/// Returns the top of the repository that a location is in.
pub(super) fn top_of(location: &Location, paths: &mut Paths) -> Option<PathBuf> {
    if let Some(within) = paths.within(location) {
        return Some(within.top.to_path_buf());
    }
    Some(paths.top_of_git_dir(location.trace.as_deref()?.repository.as_file()?))
}

impl TargetRepository {
    pub(super) fn new(top: PathBuf, paths: &mut Paths) -> Self {
        let is_bare = !top.join(".git").exists();
        // Git finds a bare repository only in its own folders, and there is no work tree to find.
        let is_named = is_bare || !paths.is_current(&top);
        let named = is_named.then(|| top.to_string_lossy().into_owned());
        Self { git_dir: None, top, named, is_bare, is_reachable: false }
    }

    /// Returns the repositories that contain a finding in their history or in a change.
    pub(super) fn all(finding: &Finding, paths: &mut Paths) -> Vec<Self> {
        let is_inside = |it: &&Location| match it.trace.as_deref() {
            Some(trace) => !trace.repository.is_member(),
            None => it.change_status.is_some(),
        };
        let mut all: Vec<Self> = Vec::new();
        for location in finding.locations.iter().filter(is_inside) {
            let trace = location.trace.as_deref();
            let is_reachable = trace.is_some_and(|it| it.reachable);
            // The git directory of a linked work tree is elsewhere, so paths are more reliable.
            let git_dir = trace.and_then(|it| it.repository.as_file()).map(Path::to_owned);
            let known = all.iter().position(|it| git_dir.is_some() && it.git_dir == git_dir);
            if let Some(known) = known {
                all[known].is_reachable |= is_reachable;
                continue;
            }
            let Some(top) = top_of(location, paths) else { continue };
            // The work trees of a repository share its history, but not the staged files.
            let top = if trace.is_some() { paths.command_top(top) } else { top };
            match all.iter_mut().find(|it| it.top == top) {
                Some(known) => known.is_reachable |= is_reachable,
                None => all.push(Self { git_dir, is_reachable, ..Self::new(top, paths) }),
            }
        }
        all
    }

    /// Returns the `git` command for the repository.
    pub(super) fn git(&self) -> String {
        format!("git{}", self.option("-C"))
    }

    /// Returns the command that deletes unreachable objects.
    pub(super) fn prune(&self) -> String {
        format!("{} {PRUNE}", self.git())
    }

    /// Returns an option with the folder of the repository, after a space; nothing for the current one.
    pub(super) fn option(&self, name: &str) -> String {
        let folder = self.named.as_deref();
        folder.map(|folder| format!(" {name} {}", quote(folder))).unwrap_or_default()
    }
}
