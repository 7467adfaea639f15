//! The vocabulary that sources, the scan and reports share.
//!
//! Sources push [`blob::Blob`]s to [`BlobSink`]s and report what they cannot read to a [`Run`]. Matches
//! become [`finding::Finding`]s; in git objects they are [`sighting::Sighting`]s first, until it is known
//! which commit and path they belong to. The crate searches nothing and knows no file format.
//!
//! # Examples
//! ```
//! use ddpatrol_scan::{Issue, Run};
//!
//! let run = Run::default();
//! run.report(Issue::PathMissing, Some("a.env".into()));
//! let [diagnostic] = &run.take_diagnostics()[..] else { panic!("one was reported") };
//! assert_eq!(diagnostic.code().name(), "file.missing");
//! ```

pub mod blob;
mod code;
pub mod commit;
pub mod finding;
pub mod issue;
pub mod label;
pub mod lock;
#[cfg(test)]
#[expect(dead_code, reason = "the tests of the program use all of it")]
#[path = "../../../tests/it/support/mint.rs"]
mod mint;
pub mod quantity;
mod read_full;
pub mod regular;
mod run;
pub mod sighting;
mod sink;
pub mod window;
pub mod workers;

pub use code::Code;
pub use issue::{Issue, Severity};
pub use read_full::{Filled, read_full};
pub use run::{Diagnostic, Run, Scanned, Tally, add};
pub use sink::{BlobSink, Seen, Signs, Sink, Sinks, Source};
