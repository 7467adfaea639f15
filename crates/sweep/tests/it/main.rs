//! Tests of the `ddpatrol-sweep` program.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod list;
mod server;
mod verify;
mod webhook;
