//! Repositories: discovery, references, staged changes, and commits of ranges.
//!
//! Input: a path. Output: ids. Bulk objects are not read here. Questions are answered by libgit2, and by
//! `git` where libgit2 cannot open the repository or is slower. If both fail, the result is an error with
//! the messages of both, never an empty list.

mod config;
mod discover;
mod error;
mod files;
mod git_cli;
pub(crate) mod guard;
mod ids;
mod layout;
mod libgit2;
mod peel;
mod progress;
mod range;
mod ref_problem;
mod refs;
mod remote;
mod repository;
mod staged;
#[cfg(test)]
mod tests;
mod tracked;

pub use discover::Environment;
pub use error::{LibraryError, ProgramError, RepoError};
pub use git_cli::stop_programs;
pub use guard::SpecialFile;
pub use progress::{Operation, Progress};
pub use ref_problem::{BrokenRef, Problem, RefFault};
pub use refs::{Ref, Refs, Targets};
pub use remote::Tracking;
pub use repository::{ExcludesFile, Repository};
pub use staged::{Entry, Mode, StagedChange, Status};
pub use tracked::{TrackedKind, TrackedPath};
