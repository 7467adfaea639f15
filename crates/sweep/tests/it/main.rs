//! Tests of the `ddpatrol-sweep` program.

#![allow(missing_docs, reason = "tests")]

mod list;
mod server;
mod verify;
mod webhook;
