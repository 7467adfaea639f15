//! Finds access tokens in bytes, and masks them in output.
//!
//! Input: the texts of rule files ([`rules`]), then bytes. Output: matches ([`Detector`]), or text
//! without secrets ([`redact`]). The crate does no I/O and contains no rules: the program reads rule
//! files and the content to search.
//!
//! A prefilter finds the anchors of tokens: literals at their beginning, or at a fixed distance from it. For each candidate, an automaton finds the possible ends,
//! and the checksum of the format decides (`matcher`). Encoded tokens are found by the literals of encoded
//! heads in runs that are long enough for a token, and decoded from there (`encoded`). Git objects that are
//! stored as deltas reuse the result of their base ([`delta`]). [`Detector`] combines these parts.
//!
//! Contract:
//! - No false negatives: every token of a rule's format is found, at the first or last byte, in binary
//!   data, adjacent to other text, and back to back with other tokens.
//! - Every *proven* match has a correct checksum, whatever text surrounds it.
//! - A *shaped* match has a wrong checksum, or its format has no checksum. A candidate with a base62
//!   character or `_` directly before it, or a base62 character directly after it, is not shaped.
//! - Private keys are read as blocks of text ([`rules::Verifier`]), not encoded except within base64 and UTF-16:
//!   a match is proven if the public half in the block is that of the private half.
//! - At each position at most one match per rule is reported: a proven one if there is one, else the
//!   longest.
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

mod anchor;
mod anchor_search;
mod budget;
mod candidate;
pub mod delta;
mod detector;
mod encoded;
pub mod encoding;
mod grams;
mod hit;
mod matcher;
mod middle;
mod pem;
pub mod prefilter;
pub mod redact;
pub mod rules;
mod scratch;
mod search;
mod shape;
mod windows;
mod word_rule;
mod words;

pub use candidate::{Evidence, Match};
pub use detector::{Detector, DetectorError};
pub use encoded::{base64_digit, end_of_base64, may_continue_base64, nested_base64};
pub use scratch::{EncodedArchive, Scratch};
pub use search::{ContentKind, Haystack};
