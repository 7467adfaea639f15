//! Finds leaked access tokens that prove themselves offline, and says where they are.
//!
//! The data's way: a source hands blobs to the detector, whose matches become findings, which the
//! reports spell. See ARCHITECTURE.md.

pub mod cli;
pub mod config;
pub mod decode;
#[cfg(test)]
#[expect(dead_code, reason = "the tests of the program use all of it")]
#[path = "../tests/it/support/mint.rs"]
mod mint;
pub mod report;
pub mod respond;
pub mod rules;
pub mod scan;
mod shell;
pub mod source;

pub use ddpatrol_detect as detect;
pub use ddpatrol_detect::redact;
pub use ddpatrol_scan::{blob, commit, finding, regular, sighting};
