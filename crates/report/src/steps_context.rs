//! The context of remediation: where a report is shown, and the commands and files of its run.
//!
//! Plain data, apart from the lookup of installed hooks, which calls a function of the command line.

use ddpatrol_detect::redact::Clean;
use ddpatrol_engine::source::git::repo::Operation;
use ddpatrol_scan::lock::lock;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Maximum number of repositories whose hooks are inspected.
const MAX_LOOKUPS: usize = 50;

/// Where a report is shown, which determines the steps that apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surface {
    /// To a user who ran a scan.
    #[default]
    Terminal,
    /// To a user who shows a saved report.
    Saved,
    /// In the log of a CI job.
    Ci,
    /// In the output of a hook.
    Hook(HookKind),
}

/// The hook that runs a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// `pre-commit` and `pre-merge-commit`: the staged changes.
    PreCommit,
    /// `commit-msg`: the message of a commit.
    CommitMsg,
    /// `pre-push`: the commits of a push, before they leave the machine.
    PrePush,
    /// `pre-receive`: the commits that a server receives.
    PreReceive,
}

impl Surface {
    /// Returns `true` in the output of a hook.
    #[must_use]
    pub const fn is_hook(self) -> bool {
        matches!(self, Self::Hook(_))
    }
}

/// Context of the steps that the findings do not contain.
#[derive(Debug, Default)]
pub struct NextStepsContext {
    /// Where the report is shown.
    pub surface: Surface,
    /// The operation in progress that committing the staged content completes.
    pub operation: Option<Operation>,
    /// The path of the JSON report, quoted for a shell, if there is one.
    pub report: Option<Clean>,
    /// The command that repeats the scan and saves a JSON report as [`SAVED_REPORT`].
    pub save: Option<Clean>,
    /// The command that repeats the scan, and verifies and revokes the tokens.
    pub revoke: Option<Clean>,
    /// The repositories that have a hook.
    pub hooks: HookLookup,
}

/// The JSON report that [`NextStepsContext::save`] writes.
pub const SAVED_REPORT: &str = "scan.json";

impl NextStepsContext {
    /// Returns the path of the JSON report for commands.
    pub(super) fn report_path(&self) -> Option<String> {
        let saved = self.save.as_ref().map(|_| SAVED_REPORT.to_owned());
        self.report.as_ref().map(|path| path.text().into_owned()).or(saved)
    }
}

/// Finds the repositories in which a hook runs ddpatrol, and caches the results.
#[derive(Debug, Default)]
pub struct HookLookup {
    check: Option<fn(&Path) -> bool>,
    known: Mutex<Vec<(PathBuf, bool)>>,
}

impl HookLookup {
    /// Creates a lookup; `check` returns `true` if a hook of a repository runs ddpatrol.
    #[must_use]
    pub const fn new(check: fn(&Path) -> bool) -> Self {
        Self { check: Some(check), known: Mutex::new(Vec::new()) }
    }

    /// Returns `true` if a hook runs ddpatrol in the repository with this top.
    pub(super) fn is_installed(&self, top: &Path) -> bool {
        let Some(check) = self.check else { return false };
        let mut known = lock(&self.known);
        if let Some((_, is_installed)) = known.iter().find(|(path, _)| path == top) {
            return *is_installed;
        }
        if known.len() >= MAX_LOOKUPS {
            return false;
        }
        let is_installed = check(top);
        known.push((top.to_owned(), is_installed));
        is_installed
    }
}
