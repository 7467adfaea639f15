//! What a self-proving access token is: its alphabet, checksum, format, and how one is parsed,
//! explained and minted.
//!
//! In come byte slices and format descriptions; out come verdicts, explanations and new tokens.
//! The crate does no I/O (the system's random source excepted, for minting) and the check of a
//! candidate allocates nothing. The scanner and the issuance service share it, so that both mean
//! the same thing by "token".

pub mod base62;
pub mod byteset;
pub mod checksum;
pub mod datadog;
pub mod explain;
pub mod format;
pub mod mint;
pub mod secret;
pub mod uuid;

pub use byteset::ByteSet;
pub use checksum::{Algorithm, Checksum, Encoding};
pub use explain::{Explanation, PartReport};
pub use format::{Check, Format, FormatError, Kind, Lengths, Segment, Split};
pub use secret::Secret;
pub use uuid::Uuid;
