//! Decides where tokens are in bytes.
//!
//! The prefilter finds the literal heads, the shape's automaton the ends that a candidate can
//! have, the format's checksum decides (`matcher`). Encoded tokens are found by the literals of
//! encoded heads in runs long enough to contain a token, and decoded from there (`encoded`). Versions
//! of git objects reuse the result of their delta base (`version`). [`Detector`] puts these together.
//!
//! Contract:
//! - No false negative: a token of a rule's format is found wherever it is, at the first or last byte,
//!   in binary data, glued to other text on either side, back to back with others.
//! - Every *proven* match has a correct checksum. The text around it never vetoes that.
//! - *Shaped* is a candidate whose checksum fails (or whose format has none); a base62 character or `_`
//!   directly before it, or a base62 character directly after it, makes it no match at all.
//! - Of the candidates that begin at one place, at most one per rule is reported: a proven one if
//!   there is any, else the longest.

mod budget;
mod candidate;
mod detector;
mod encoded;
pub mod encoding;
mod matcher;
pub mod prefilter;
mod scratch;
mod search;
mod shape;
pub mod version;

pub use candidate::{Evidence, Match};
pub use detector::{Detector, DetectorError};
pub(crate) use encoded::{is_open, looks_like_base64};
pub use scratch::Scratch;
pub use search::Within;
