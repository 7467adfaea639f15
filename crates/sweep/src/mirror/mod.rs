//! Bare mirrors of repositories, in a cache with a size limit or in a temporary folder.
//!
//! A mirror is locked by the job that works on it; the lock file's modification time is its last use.
//! Clones appear by renaming, so a mirror is never half there.

mod cache;
mod git;

pub use cache::{Cache, Lock};
pub use git::{Failure, Git, Remote};
