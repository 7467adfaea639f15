//! The merged report of a sweep: one row per token, with all repositories that contain it.
//!
//! [`merge()`] builds the data from the results of the store; one file per format writes them.

pub mod csv;
mod history;
pub mod html;
pub mod merge;
pub mod model;
mod page_data;
mod resolved;
pub mod sarif;

pub use merge::merge;
pub use model::MergedReport;
