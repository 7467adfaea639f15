//! The removal of tokens from bytes, and the protocol by which git-filter-repo asks for it.
//!
//! Input: the fingerprints of tokens, then contents and names. Output: the same bytes with these tokens
//! replaced; everything else is unchanged. This module runs no program.

mod base64;
mod filter;
mod replace;

pub use filter::{CALLBACKS, PREAMBLE, serve};
pub use replace::{Cleaner, CleanerError, Targets};
