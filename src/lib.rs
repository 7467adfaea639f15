//! ddpatrol finds leaked access tokens and proves, offline, that they are real.
//!
//! This crate is the library of the `ddpatrol` program. A [`source`] yields blobs, a [`scan`] searches
//! them with the detector ([`detect`]) and collects [`finding`]s, and [`report`] writes the findings.
//! [`cli`] is the command line. ARCHITECTURE.md describes the data flow and the crates.
//!
//! # Examples
//!
//! Scan a folder and print the redacted tokens:
//!
//! ```
//! use ddpatrol::config::Exclude;
//! use ddpatrol::detect::Detector;
//! use ddpatrol::finding::InlineAllow;
//! use ddpatrol::redact::Redactor;
//! use ddpatrol::scan::{Input, Scan};
//! use ddpatrol::source::Run;
//! use ddpatrol::source::files::{Files, FilesOptions, UserRules};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rules = Arc::new(ddpatrol::rules::builtin()?);
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! # let format = &rules.rules()[0].format;
//! # let mut fill = |bytes: &mut [u8]| ddpatrol_token::mint::system_random(bytes).unwrap();
//! # let token = format.mint(format.choices()[0], &mut fill);
//! # let token = String::from_utf8(token.expose().to_vec())?;
//! std::fs::write(folder.join("settings.env"), format!("API_TOKEN={token}\n"))?;
//!
//! let detector = Detector::new(Arc::clone(&rules))?;
//! let redactor = Redactor::new(Detector::new(Arc::clone(&rules))?);
//! let scan = Scan {
//!     detector: &detector,
//!     redactor: &redactor,
//!     inline: InlineAllow::Counts,
//!     archives: None,
//!     keep_shaped: false,
//!     listener: None,
//! };
//! let files = Files::new(FilesOptions {
//!     paths: vec![folder.to_owned()],
//!     no_ignore: false,
//!     user_rules: UserRules::default(),
//!     exclude: Vec::new(),
//!     configured: Exclude::default(),
//!     here: folder.to_owned(),
//!     max_file_size: None,
//!     own: Vec::new(),
//!     threads: 1,
//!     context: scan.context(),
//!     archives: None,
//!     repositories: None,
//!     is_store: false,
//! })?;
//! let outcome = scan.run(&[Input::source(files)], &Run::default());
//! for finding in &outcome.findings {
//!     let location = &finding.locations[0];
//!     println!("line {}: {}", location.start.line, finding.token.redacted);
//! }
//! assert_eq!(outcome.findings.len(), 1);
//! # Ok(())
//! # }
//! ```

pub mod cli;
pub mod config;
pub mod decode;
pub mod report_file;
pub mod rule_draft;
pub mod rules;

pub use ddpatrol_detect as detect;
pub use ddpatrol_detect::redact;
pub use ddpatrol_engine::{clean, mask, scan, source};
pub use ddpatrol_report as report;
pub use ddpatrol_respond as respond;
pub use ddpatrol_scan::{blob, commit, finding, regular, sighting};
