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
use super::args::{HookArgs, HookCommand};

pub(super) fn run(args: &HookArgs) -> anyhow::Result<Exit> {
    match &args.command {
        HookCommand::Install(set) => install::run(set),
        HookCommand::Uninstall(set) => uninstall::run(set),
        HookCommand::Status(place) => status::run(place),
    }
}
