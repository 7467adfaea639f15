//! Reports: functions from a scan's outcome to text.
//!
//! [`Document`] is the only way from findings to output: every string in it has passed the redactor. Formats
//! read documents and never see findings. This crate scans nothing and sends nothing, and its code does not
//! run for each scanned byte, file or object: it is compiled without optimization.
//!
//! # Examples
//!
//! Write the CSV report of a scan without findings:
//!
//! ```
//! use ddpatrol_detect::Detector;
//! use ddpatrol_detect::redact::Redactor;
//! use ddpatrol_detect::rules::RuleSet;
//! use ddpatrol_engine::scan::Outcome;
//! use ddpatrol_report::document::Paths;
//! use ddpatrol_report::next_steps::NextStepsContext;
//! use ddpatrol_report::{DescribedRules, DocumentBuilder, DocumentOptions, csv};
//! use ddpatrol_scan::finding::roots::Roots;
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let outcome = Outcome::default();
//! let rules = Arc::new(RuleSet::default());
//! let redactor = Redactor::new(Detector::new(Arc::clone(&rules))?);
//! let options = DocumentOptions {
//!     rules: &rules,
//!     redactor: &redactor,
//!     strict: false,
//!     show_secrets: false,
//!     context: &NextStepsContext::default(),
//!     described: DescribedRules::Found,
//! };
//! let roots = Roots { here: std::env::current_dir()?, tops: Vec::new() };
//! let paths = Paths::new(&roots, &[], None);
//! let document = DocumentBuilder::new(options, paths).document(&outcome);
//! let mut report = Vec::new();
//! csv::write(&document, &mut report)?;
//! assert_eq!(String::from_utf8(report)?.lines().count(), 1);
//! # Ok(())
//! # }
//! ```

pub mod advice;
pub mod csv;
pub mod diff;
pub mod document;
pub mod escape;
pub mod github;
pub mod gitlab;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod next_steps;
mod places;
pub mod remediation;
pub mod response;
pub mod sarif;
pub mod saved_tokens;
mod shared_steps;
pub mod shell;
mod status;
pub mod steps_context;
mod summary;
#[cfg(test)]
mod tests;
pub mod text;
pub mod trace;
mod urgency;

pub use document::{DescribedRules, Document, DocumentBuilder, DocumentOptions};
