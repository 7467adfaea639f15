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
    /// Install hooks; without naming any, those of a commit: pre-commit, pre-merge-commit, commit-msg.
    ///
    /// A hook that is there is kept and runs first. In a repository that uses husky, a line is added to
    /// husky's scripts. A hook that lefthook, simple-git-hooks or pre-commit has written is left alone:
    /// the lines for their configuration are printed, and the exit code is 2.
    Install(HookSetArgs),
    /// Remove ddpatrol's hooks, all of them unless some are named, and put back what was there.
    Uninstall(HookSetArgs),
    /// Show what runs as each hook, in order, and from which file.
    Status(HookPlaceArgs),
}

/// Which hooks, and where.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct HookSetArgs {
    /// What will be committed.
    #[arg(long)]
    pub(in crate::cli) pre_commit: bool,

    /// The message of a commit.
    #[arg(long)]
    pub(in crate::cli) commit_msg: bool,

    /// What a merge will commit.
    #[arg(long)]
    pub(in crate::cli) pre_merge_commit: bool,

    /// What a push sends.
    #[arg(long)]
    pub(in crate::cli) pre_push: bool,

    /// What a push has brought to this server.
    #[arg(long)]
    pub(in crate::cli) pre_receive: bool,

    #[command(flatten)]
    pub(in crate::cli) place: HookPlaceArgs,
}

/// Where hooks are.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct HookPlaceArgs {
    /// All repositories of this user: a folder of hooks that passes on to each repository's own.
    #[arg(long, conflicts_with = "repo")]
    pub(in crate::cli) global: bool,

    /// The repository; by default the one of the current folder.
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) repo: Option<PathBuf>,
}

/// Scan what a push sends.
///
/// Reads the lines that git gives to a pre-push hook from standard input, or the variables of the
/// pre-commit framework. The push is compared with the remote-tracking references of its own remote;
/// for a new remote or a URL everything is new. Exit codes as for `scan`.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct PushArgs {
    /// The remote, as git names it to the hook.
    pub(in crate::cli) remote: Option<String>,

    /// The remote's URL, as git names it to the hook.
    pub(in crate::cli) url: Option<OsString>,

    /// List tokens that were already there, and let them fail, too.
    #[arg(long)]
    pub(in crate::cli) all: bool,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,
}

/// Scan what a push has brought to this server.
///
/// Reads from standard input what git tells a pre-receive hook. What references have already is not
/// looked at. Exit codes as for `scan`; anything but 0 makes git reject the push.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ReceiveArgs {
    /// List tokens that were already there, and let them fail, too.
    #[arg(long)]
    pub(in crate::cli) all: bool,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,
}

/// Scan the message of a commit.
///
/// What git shows below its scissors is no message. Exit codes as for `scan`.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct MessageArgs {
    /// The file that holds the message.
    pub(in crate::cli) file: PathBuf,

    #[command(flatten)]
    pub(in crate::cli) shared: SharedArgs,
}
