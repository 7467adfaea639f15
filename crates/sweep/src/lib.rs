//! Sweeps thousands of git repositories with `ddpatrol`, on one machine or on many.
//!
//! The unit of work is one repository. Its [`result`] is one immutable object in a [`store`], committed by
//! create-if-absent, so a sweep that was killed resumes, and several machines can share one sweep. A [`mirror`]
//! of each repository is cloned or fetched by `git`, and scanned by `ddpatrol` in a child process with limits
//! ([`child`]), so that a crash is the result of one repository and never the end of the sweep.

mod address;
pub mod child;
pub mod cli;
pub mod digest;
pub mod input;
pub mod list;
pub mod mirror;
pub mod progress;
pub mod report;
pub mod repository;
pub mod result;
pub mod scanner;
pub mod store;
pub mod sweep;
pub mod task;
pub mod verdict;
mod verification;
pub mod webhook;
