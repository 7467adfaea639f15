//! Steps of the remediation of a finding.
//!
//! Plain data, written to and read from JSON; `advice` creates the steps, `next_steps` merges them.

use ddpatrol_detect::redact::Clean;
use serde::{Deserialize, Serialize};

/// The purpose of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    Edit {
        /// The `git` command of the repository; `None` if it has no work tree to edit in.
        git: Option<Clean>,
        /// The commits.
        commits: Vec<EditedCommit>,
    },
    /// Rewrite a history.
    Rewrite,
    /// Delete unreachable objects.
    Prune,
    /// Delete blobs that no commit contains.
    PruneUncommitted,
    /// Look at a stash.
    Stash,
    /// Remove a token by hand.
    #[default]
    Remove,
    /// Remove tokens from files outside of histories.
    RemoveFrom {
        /// The files.
        files: Vec<Clean>,
    },
    /// Rename a branch or tag.
    Rename,
    /// Install a hook.
    Prevent,
}

/// A commit of a change to edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EditedCommit {
    /// A date that is never earlier than those of its parents.
    pub(super) date: i64,
    /// Its id.
    pub(super) id: Clean,
    /// Its abbreviated id.
    pub(super) short: Clean,
}

/// The arguments of `git` that delete unreachable objects.
pub(super) const PRUNE: &str = "gc --prune=now";

/// Returns the command that opens a list of all commits from the first of `commits`.
pub(super) fn rebase(git: &Clean, commits: &[EditedCommit]) -> Clean {
    let start =
        Clean::join(&[git.clone(), "rebase --interactive --rebase-merges \"$(".into()], " ");
    // The root commit has no parent to start from.
    let (find, end) = match commits {
        [_] => (" rev-parse --quiet --verify", " || echo --root)\""),
        // Dates do not order commits of the same second.
        _ => (" merge-base --octopus", " 2>/dev/null || echo --root)\""),
    };
    let mut words = vec![start, git.clone(), find.into()];
    for commit in commits {
        words.extend([" ".into(), commit.id.clone(), "^".into()]);
    }
    words.push(end.into());
    Clean::join(&words, "")
}

impl StepKind {
    /// Returns a word for the step, and its instructions in a report of many findings.
    pub(super) const fn summary(&self) -> (&'static str, &'static str) {
        match self {
            Self::Revoke => ("revoke", "Revoke the tokens where they were issued."),
            Self::Replace => ("replace", "Put new tokens into a secret store."),
            Self::Unstage { .. } => ("unstage", "Unstage the files."),
            Self::Edit { .. } => ("rewrite", "Remove the tokens from the unpushed commits."),
            Self::Rewrite => ("clean", "Remove the tokens from the history with `ddpatrol clean`."),
            Self::Prune | Self::PruneUncommitted => ("clean", "Delete unreachable objects."),
            Self::Stash => ("clean", "A stash contains the token."),
            Self::Remove | Self::RemoveFrom { .. } => {
                ("clean", "Remove the tokens from the files.")
            }
            Self::Rename => ("clean", "Rename the branches and tags."),
            Self::Prevent => ("prevent", "Install a hook."),
        }
    }

    /// Adds the commits or files of `other`, if one step can have both.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Edit { git, commits }, Self::Edit { git: its_git, commits: its }) => {
                if git != its_git {
                    return false;
                }
                let is_new = |it: &&EditedCommit| !commits.iter().any(|known| known.id == it.id);
                let new: Vec<EditedCommit> = its.iter().filter(is_new).cloned().collect();
                commits.extend(new);
                true
            }
            (Self::RemoveFrom { files }, Self::RemoveFrom { files: its }) => {
                let new: Vec<Clean> =
                    its.iter().filter(|it| !files.contains(it)).cloned().collect();
                files.extend(new);
                true
            }
            // One command does both; only a committed object can be in a reflog.
            (kind @ (Self::Prune | Self::PruneUncommitted), Self::Prune) => {
                *kind = Self::Prune;
                true
            }
            (Self::Prune, Self::PruneUncommitted) => true,
            (kind, other) => kind == other,
        }
    }

    /// Returns `true` if the summary replaces the instructions of a single finding.
    pub(super) const fn is_general(&self) -> bool {
        matches!(self, Self::Replace)
    }
}
