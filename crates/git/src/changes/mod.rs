//! Changes: the staged content against HEAD, or a range of commits against its base.
//!
//! A token is *new* if none of the base's versions of the changed paths contains it, *moved* if a version
//! at another path does, and otherwise *preexisting*. Only changed content is read: the cost grows with
//! the change, not with the repository.

mod blobs;
mod by_blob;
mod classify;
mod diff;
mod head;
mod introduced;
mod new_branch;
mod part;
mod push;
mod range;
mod revisions;
mod set;
mod snapshot;
mod staged;

pub use part::{Change, ChangePart};
pub use push::{KnownRefs, Push, Update};
pub use range::{Range, RangeOptions};
pub use revisions::{RangeError, Revisions};
pub use set::{Base, NamedRef, Scope};
pub use snapshot::Snapshot;
pub use staged::Staged;
