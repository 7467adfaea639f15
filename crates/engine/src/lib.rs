//! The scan: sources, the search in what they yield, and the collection of findings.
//!
//! Input: folders, standard input, repositories and archives in them. Output: an [`Outcome`](scan::Outcome)
//! with the findings, the issues and the counts. Bytes that are copied are masked ([`mask`]) or cleaned
//! ([`clean`]) by the same detector. This crate contains all code that runs for each byte, file or object of
//! a scan and is not part of a crate below, so that the crate `ddpatrol` can be compiled for
//! size. It knows no command line and no reports.
//!
//! # Examples
//!
//! Read lines from a stream and mask their tokens:
//!
//! ```
//! use ddpatrol_detect::{Detector, Evidence};
//! use ddpatrol_detect::rules::RuleSet;
//! use ddpatrol_engine::mask::MaskedStream;
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let detector = Detector::new(Arc::new(RuleSet::default()))?;
//! let mut stream = MaskedStream::new(&detector, Evidence::Proven);
//! let mut copy = Vec::new();
//! stream.push(b"no token\n", &mut copy);
//! stream.finish(&mut copy);
//! assert_eq!(copy, b"no token\n");
//! # Ok(())
//! # }
//! ```

mod acknowledge;
pub mod clean;
mod exclude;
pub mod mask;
pub mod scan;
pub mod source;

pub use acknowledge::{AcknowledgeEntry, Acknowledgments, IssueTarget, UnusedAcknowledgment};
pub use exclude::{Exclude, ExcludePatternError, FolderExcludes, PathKind};

use ddpatrol_detect as detect;
use ddpatrol_detect::redact;
