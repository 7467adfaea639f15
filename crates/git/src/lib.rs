//! Reads git repositories: whole histories, what is staged, and what a range or a push introduces.
//!
//! Bytes of git objects are pushed to sinks. The sightings that a scan records come back, and two
//! functions of data turn them into places: attribution to commits and paths ([`history`]), and the
//! classification against the base of a change ([`changes`]). The crate searches nothing.
//!
//! Repository questions (references, index, revisions) are answered by the `git` program or libgit2
//! ([`repo`]); bulk objects are read by `ddpatrol-pack`.
//!
//! # Examples
//! ```
//! use ddpatrol_git::repo::Repository;
//!
//! // A folder that is no repository is no error.
//! let folder = tempfile::tempdir()?;
//! assert!(Repository::at(folder.path())?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribution;
pub mod cache;
pub mod changes;
pub mod commits;
pub mod history;
pub mod lfs;
mod lfs_objects;
mod numbers;
mod object_index;
mod objects;
pub mod repo;
mod staged_places;
mod store;
mod tree_names;
mod tree_path;
mod trees;

pub use store::{ReadError, Store, StoreError};
pub use tree_names::TreeNames;
