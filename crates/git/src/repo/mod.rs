//! A repository: where it is, what its refs point to, what is staged, which commits a range has.
//!
//! Input: a path. Output: ids. Objects in bulk are read elsewhere. Two programs answer: libgit2,
//! and `git` where libgit2 cannot open the repository or is slower. If neither can, the result is
//! an error with the messages of both, never an empty list.

mod config;
mod environment;
mod error;
mod files;
pub(crate) mod guard;
mod ids;
mod layout;
mod open;
mod peel;
mod program;
mod progress;
mod range;
mod refs;
mod remote;
mod repository;
mod staged;
#[cfg(test)]
mod tests;
mod tracked;

pub use environment::Environment;
pub use error::{LibraryError, ProgramError, RepoError};
pub use guard::SpecialFile;
pub use program::stop_programs;
pub use progress::{Operation, Progress};
pub use refs::{BrokenRef, Problem, Ref, Refs, Targets};
pub use remote::Tracking;
pub use repository::{ExcludesFile, Repository};
pub use staged::{Change, Entry, Mode, Status};
pub use tracked::{TrackedKind, TrackedPath};
