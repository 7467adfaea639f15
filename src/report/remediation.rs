//! Steps of the remediation of a finding.
//!
//! Plain data, written to and read from JSON; `advice` creates the steps, `next_steps` merges them.

use crate::redact::Clean;
use serde::{Deserialize, Serialize};

/// The purpose of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    /// Invalidate the token.
    Revoke,
    /// Give its users another token.
    Replace,
    /// Remove it from its locations.
    Clean,
    /// Keep the next token from being committed.
    Prevent,
}

/// One step of the remediation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationStep {
    /// Its purpose.
    pub aim: Aim,
    /// Instructions in a sentence or two.
    pub text: Clean,
    /// Commands for a POSIX shell in any folder of the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Clean>,
    /// Commands that depend on the command line of the run. Saved reports do not contain them, so that the
    /// reports of two runs with different options are the same.
    #[serde(skip)]
    pub(super) run_commands: Vec<Clean>,
    /// How the next steps of a report merge it.
    #[serde(skip)]
    pub(super) kind: StepKind,
}

/// The kind of a step, by which a report merges the steps of its findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum StepKind {
    /// Revoke tokens.
    Revoke,
    /// Replace tokens.
    Replace,
    /// Unstage files.
    Unstage {
        /// The `git` command of the repository.
        git: Clean,
        /// The files, as quoted pathspecs.
        paths: Vec<Clean>,
    },
    /// Edit the commits of a change.
    Edit,
    /// Rewrite a history.
    Rewrite,
    /// Delete unreachable objects.
    Prune,
    /// Look at a stash.
    Stash,
    /// Remove a token by hand.
    #[default]
    Remove,
    /// Install a hook.
    Prevent,
}

impl StepKind {
    /// Returns a word for the step, and its instructions in a report of many findings.
    pub(super) const fn summary(&self) -> (&'static str, &'static str) {
        match self {
            Self::Revoke => ("revoke", "Revoke the tokens where they were issued."),
            Self::Replace => ("replace", "Put new tokens into a secret store."),
            Self::Unstage { .. } => ("unstage", "Unstage the files."),
            Self::Edit => ("rewrite", "Remove the tokens from the unpushed commits."),
            Self::Rewrite => ("clean", "Remove the tokens from the history with `ddpatrol clean`."),
            Self::Prune => ("clean", "Delete unreachable objects."),
            Self::Stash => ("clean", "A stash contains the token."),
            Self::Remove => ("clean", "Remove the tokens from the files."),
            Self::Prevent => ("prevent", "Install a hook."),
        }
    }

    /// Returns `true` if the summary replaces the instructions of a single finding.
    pub(super) const fn is_general(&self) -> bool {
        matches!(self, Self::Replace)
    }
}
