//! Reports: pure functions from a scan's outcome to text.
//!
//! [`Document`] is the one step from findings to what may be told: every string in it has passed
//! the redactor. The formats spell a document and never see a finding.

pub mod advice;
pub mod diff;
pub mod document;
pub mod escape;
pub mod github;
pub mod html;
pub mod json;
pub mod markdown;
pub mod response;
pub mod sarif;
mod status;
mod summary;
#[cfg(test)]
mod tests;
pub mod text;
pub mod trace;

pub use document::{Document, DocumentBuilder, DocumentOptions};
