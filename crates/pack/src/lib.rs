//! Reads git packfiles once, in order, by type.
//!
//! It knows nothing of tokens, repositories or loose objects.

mod id;

pub use id::{HashKind, IdError, Kind, ObjectId};
