//! Git hooks: `ddpatrol hook install`, `uninstall` and `status`, and the commands that the hooks run.

mod folder;
mod husky;
mod install;
mod kept_hooks;
mod manager;
mod message;
mod push;
mod ref_lines;
mod script;
mod status;
mod uninstall;

pub(super) use message::run as commit_msg;
pub(super) use push::{pre_push, pre_receive};
pub(super) use ref_lines::RefLine;
pub(super) use status::runs_ddpatrol;

use super::Exit;
use super::args::{HookArgs, HookCommand};

pub(super) fn run(args: &HookArgs) -> anyhow::Result<Exit> {
    match &args.command {
        HookCommand::Install(set) => install::run(set),
        HookCommand::Uninstall(set) => uninstall::run(set),
        HookCommand::Status(place) => status::run(place),
    }
}
