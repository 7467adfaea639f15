//! Git hooks: `ddpatrol hook install` and `uninstall`, and the commands that the hooks run.

mod install;
mod lines;
mod message;
mod push;
mod script;

pub(super) use install::run;
pub(super) use lines::Line;
pub(super) use message::run as commit_msg;
pub(super) use push::{pre_push, pre_receive};
