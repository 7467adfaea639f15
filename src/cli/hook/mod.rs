//! Git hooks: `ddpatrol hook install`, `uninstall` and `status`, and the commands that the hooks run.

mod folder;
mod husky;
mod install;
mod kept;
mod lines;
mod manager;
mod message;
mod push;
mod script;
mod status;
mod uninstall;

pub(super) use lines::Line;
pub(super) use message::run as commit_msg;
pub(super) use push::{pre_push, pre_receive};

use super::Exit;
use super::args::{HookArgs, HookCommand, HookSetArgs};
use script::Hook;

pub(super) fn run(args: &HookArgs) -> anyhow::Result<Exit> {
    match &args.command {
        HookCommand::Install(set) => install::run(set),
        HookCommand::Uninstall(set) => uninstall::run(set),
        HookCommand::Status(place) => status::run(place),
    }
}

impl HookSetArgs {
    /// Lists the hooks that were named.
    fn named(&self) -> Vec<Hook> {
        let flags = [
            (self.pre_commit, Hook::PreCommit),
            (self.pre_merge_commit, Hook::PreMergeCommit),
            (self.commit_msg, Hook::CommitMsg),
            (self.pre_push, Hook::PrePush),
            (self.pre_receive, Hook::PreReceive),
        ];
        flags.into_iter().filter(|(is_named, _)| *is_named).map(|(_, hook)| hook).collect()
    }
}
