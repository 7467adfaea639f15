//! Reports: pure functions from a scan's outcome to text.
//!
//! [`Document`] is the only way from findings to output: every string in it has passed the redactor. Formats
//! read documents and never see findings.

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

pub use document::{Document, DocumentBuilder, DocumentOptions};
