//! The data types that sources, the scan and reports share.
//!
//! Sources push [`blob::Blob`]s to [`BlobSink`]s and report what they cannot read to a [`Run`]. Matches
//! become [`finding::Finding`]s; matches in git objects are [`sighting::Sighting`]s until their commits and
//! paths are known. Nothing is searched here, and no file format is parsed.
//!
//! # Examples
//! ```
//! use ddpatrol_scan::{Issue, Run};
//! use std::path::Path;
//!
//! let run = Run::default();
//! run.report(Issue::PathMissing, Some(Path::new("a.env")));
//! let [diagnostic] = &run.take_diagnostics()[..] else { panic!("one was reported") };
//! assert_eq!(diagnostic.code().name(), "file.missing");
//! ```

pub mod blob;
mod code;
pub mod commit;
pub mod finding;
pub mod issue;
pub mod issue_object;
pub mod label;
pub mod lock;
pub mod path;
pub mod place;
pub mod quantity;
mod read_full;
pub mod regular;
mod run;
pub mod sighting;
mod sink;
pub mod window;
pub mod word;
pub mod workers;

pub use code::Code;
pub use issue::{Issue, Severity};
pub use read_full::{Filled, read_full};
pub use run::{Acknowledgment, Diagnostic, Run, ScannedRepo, Tally, add};
pub use sink::{ArchiveHint, BlobSink, PushOrder, ScannedObject, Sink, Sinks, Source, Turn};
