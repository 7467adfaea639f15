//! Sources read bytes and push them to sinks, one sink per worker.
//!
//! A source knows neither the detector nor findings. It reports what it cannot read as a
//! [`Diagnostic`]; nothing is skipped silently.

pub mod admin_files;
pub mod chunks;
pub mod files;
pub mod repositories;
pub mod stdin;
pub mod text;

pub use ddpatrol_archive as archive;
pub use ddpatrol_git as git;
pub(crate) use ddpatrol_scan::add;
pub use ddpatrol_scan::window;
pub use ddpatrol_scan::{
    ArchiveHint, BlobSink, Code, Diagnostic, Issue, PushOrder, Run, ScannedObject, ScannedRepo,
    Severity, Sink, Sinks, Source, Tally, Turn,
};
