//! Reads git packfiles once, in order, by type.
//!
//! In come a pack and its index; out come objects, each with its id, its kind and the pieces that it
//! is made of: bytes copied from its delta base and fresh bytes. It knows nothing of tokens,
//! repositories or loose objects, computes no hash, and never trusts a length.

mod delta;
mod entry;
mod error;
mod id;
mod index;
mod inflate;
mod layout;
mod levels;
mod map;
mod pack;
mod source;
mod walk;

pub use delta::{From, Piece};
pub use error::{Fault, PackError};
pub use id::{HashKind, IdError, Kind, ObjectId};
pub use index::Index;
pub use map::MappedFile;
pub use pack::{Elsewhere, Pack, Reader};
pub use walk::{Families, Kinds, Object, Visitor, WalkOptions};
