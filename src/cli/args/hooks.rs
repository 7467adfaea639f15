//! The arguments of `ddpatrol hook` and of the commands that hooks run.

use super::SharedArgs;
use clap::{Args as ClapArgs, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct HookArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: HookCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum HookCommand {
    /// Install hooks; by default pre-commit, pre-merge-commit and commit-msg.
    ///
    /// An existing hook is kept and runs first. In a repository that uses husky, a line is added to
    /// husky's scripts. A hook written by lefthook, simple-git-hooks or pre-commit is not changed: the
    /// lines to add to the tool's configuration are printed, and the exit code is 2.
    Install(HookSetArgs),
    /// Remove ddpatrol's hooks, by default all, and restore the previous ones.
    Uninstall(HookSetArgs),
    /// Show what runs as each hook, in order, and from which file.
    Status(HookPlaceArgs),
}

/// The hooks, and their place.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct HookSetArgs {
    /// The pre-commit hook: scan the staged changes.
    #[arg(long)]
    pub(in crate::cli) pre_commit: bool,

    /// The commit-msg hook: scan the commit message.
    #[arg(long)]
    pub(in crate::cli) commit_msg: bool,

    /// The pre-merge-commit hook: scan the result of a merge.
    #[arg(long)]
    pub(in crate::cli) pre_merge_commit: bool,

    /// The pre-push hook: scan the commits of a push.
    #[arg(long)]
    pub(in crate::cli) pre_push: bool,

    /// The pre-receive hook: scan the commits received by a push, on the server.
    #[arg(long)]
    pub(in crate::cli) pre_receive: bool,

    #[command(flatten)]
    pub(in crate::cli) place: HookPlaceArgs,
}

/// The place of hooks.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
pub(in crate::cli) struct HookPlaceArgs {
    /// Hooks for all repositories of this user, which run each repository's own hooks first.
    #[arg(long, conflicts_with = "repo")]
    pub(in crate::cli) global: bool,

    /// Repository; by default that of the current folder.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) repo: Option<PathBuf>,
}

/// Scan the commits of a push (run by git as a pre-push hook).
///
/// Reads the lines that git passes to a pre-push hook from standard input, or the variables of the
/// pre-commit framework. The push is compared with the remote-tracking references of its remote; for
/// a new remote or a URL, everything is new. Exit codes as for `scan`.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct PushArgs {
    /// Name of the remote, as git passes it to the hook.
    #[arg(help_heading = "Input")]
    pub(in crate::cli) remote: Option<String>,

    /// URL of the remote, as git passes it to the hook.
    #[arg(help_heading = "Input")]
    pub(in crate::cli) url: Option<OsString>,

    /// Also report tokens that the base already contains, and fail on them.
    #[arg(long, help_heading = "Policy")]
    pub(in crate::cli) all: bool,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,
}

/// Scan the commits received by a push (run by git as a pre-receive hook).
///
/// Reads the lines that git passes to a pre-receive hook from standard input. Commits that are
/// reachable from existing references are not scanned. Exit codes as for `scan`; git rejects the push
/// unless the exit code is 0.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ReceiveArgs {
    /// Also report tokens that the base already contains, and fail on them.
    #[arg(long, help_heading = "Policy")]
    pub(in crate::cli) all: bool,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,
}

/// Scan a commit message (run by git as a commit-msg hook).
///
/// The diff that `git commit --verbose` adds below a line with scissors is ignored. Exit codes as for `scan`.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct MessageArgs {
    /// File that contains the message.
    #[arg(help_heading = "Input")]
    pub(in crate::cli) file: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,
}
