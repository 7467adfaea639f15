//! Finds leaked access tokens that prove themselves offline, and says where they are.
//!
//! The data's way: a source hands blobs to the detector, whose matches become findings, which the
//! reports spell. See ARCHITECTURE.md.

pub mod blob;
pub mod cli;
pub mod commit;
pub mod config;
pub mod decode;
pub mod finding;
mod lock;
#[cfg(test)]
#[expect(dead_code, reason = "the tests of the program use all of it")]
#[path = "../tests/it/mint.rs"]
mod mint;
mod quantity;
pub mod regular;
pub mod report;
pub mod respond;
pub mod rules;
pub mod scan;
mod shell;
pub mod sighting;
pub mod source;

pub use ddpatrol_detect as detect;
pub use ddpatrol_detect::redact;
