//! Finds access tokens in bytes, and masks them in text that goes out.
//!
//! Input: the texts of rule files ([`rules`]), then bytes. Output: matches ([`Detector`]), or text
//! without secrets ([`redact`]). The crate does no I/O and contains no rules: the program reads rule
//! files and the content to search.
//!
//! The prefilter finds the literal heads, the shape's automaton the ends that a candidate can have, and
//! the format's checksum decides (`matcher`). Encoded tokens are found by the literals of encoded heads
//! in runs long enough to contain a token, and decoded from there (`encoded`). Versions of git objects
//! reuse the result of their delta base ([`version`]). [`Detector`] puts these together.
//!
//! Contract:
//! - No false negative: a token of a rule's format is found wherever it is, at the first or last byte,
//!   in binary data, glued to other text on either side, back to back with others.
//! - Every *proven* match has a correct checksum. The text around it never vetoes that.
//! - *Shaped* is a candidate whose checksum fails (or whose format has none); a base62 character or `_`
//!   directly before it, or a base62 character directly after it, makes it no match at all.
//! - Of the candidates that begin at one place, at most one per rule is reported: a proven one if
//!   there is any, else the longest.
//!
//! # Examples
//! ```
//! use ddpatrol_detect::rules::RuleSet;
//! use ddpatrol_detect::{Detector, Evidence, Haystack, Scratch};
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! let text = r#"
//! issuer = "Example"
//!
//! [[token]]
//! id = "example-key"
//! name = "Example Key"
//! format = "exk_<SECRET><CRC>"
//!
//! [token.segments.SECRET]
//! alphabet = "base62"
//! length = 5
//!
//! [token.segments.CRC]
//! algorithm = "crc32"
//! encoding = "base62"
//! length = 6
//! over = ["<SECRET>"]
//!
//! [[token.vectors]]
//! token = ["exk_", "hello0zNvy2"]
//! source = "the issuer's documentation"
//! "#;
//! let mut rules = RuleSet::default();
//! rules.add_text(Path::new("example.toml"), text)?;
//! let detector = Detector::new(Arc::new(rules))?;
//!
//! let bytes = b"EXAMPLE_KEY=exk_hello0zNvy2\n";
//! let mut found = Vec::new();
//! let whole = 0..bytes.len();
//! detector.find(Haystack::whole(bytes), whole, &mut Scratch::default(), |it, token| {
//!     found.push((it.start, it.evidence, token.to_vec()));
//! });
//! assert_eq!(found, [(12, Evidence::Proven, b"exk_hello0zNvy2".to_vec())]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod candidate;
mod detector;
mod encoded;
pub mod encoding;
mod matcher;
pub mod prefilter;
pub mod redact;
pub mod rules;
mod scratch;
mod search;
mod shape;
pub mod version;

pub use candidate::{Evidence, Match};
pub use detector::{Detector, DetectorError};
pub use encoded::is_open;
pub use scratch::Scratch;
pub use search::{Haystack, Within};
