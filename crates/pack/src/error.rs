//! Errors of packs and indices, with path, offset and object id.

use crate::ObjectId;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A part of a pack or its index cannot be read.
#[derive(Debug, thiserror::Error)]
pub struct PackError {
    /// The pack or index.
    pub path: PathBuf,
    /// The offset of the entry in the pack, if the error is about an entry.
    pub offset: Option<u64>,
    /// The id of the object, if known.
    pub id: Option<ObjectId>,
    /// The error.
    #[source]
    pub fault: Fault,
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(offset) = self.offset {
            write!(f, ", offset {offset}")?;
        }
        if let Some(id) = self.id {
            write!(f, ", object {id}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// The error in a pack, an index or an entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file cannot be opened or mapped.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file has another signature.
    #[error("it has no {0} signature")]
    Signature(&'static str),
    /// The file has an unknown version.
    #[error("unknown {0} version {1}")]
    Version(&'static str, u32),
    /// The file is shorter than its headers state.
    #[error("it is truncated")]
    Truncated,
    /// The tables of the index do not match its length.
    #[error("its length does not match its tables")]
    IndexLength,
    /// Pack and index state different numbers of objects.
    #[error("the pack has {pack} objects, its index {index}")]
    Count {
        /// The number in the header of the pack.
        pack: u32,
        /// The number in the index.
        index: u32,
    },
    /// The index belongs to another state of the pack.
    #[error("the index was made for another pack")]
    Trailer,
    /// The index points outside the pack.
    #[error("the index points outside the pack")]
    Offset,
    /// The header of an entry is invalid.
    #[error("its header is broken")]
    Header,
    /// The offset of a delta base is outside the pack.
    #[error("its delta base is outside the pack")]
    BaseOffset,
    /// A delta base is not in this pack.
    #[error("its delta base {0} is not in the pack")]
    BaseMissing(ObjectId),
    /// A delta base cannot be read.
    #[error("its delta base cannot be read")]
    BaseBroken,
    /// A delta chain is a cycle.
    #[error("its delta chain is a cycle")]
    Cycle,
    /// The compressed data are broken.
    #[error("its compressed data are broken")]
    Deflate,
    /// The data are shorter or longer than the header states.
    #[error("the length of its data differs from its header")]
    Length,
    /// A delta is invalid.
    #[error("its delta is broken: {0}")]
    Delta(&'static str),
    /// The object is larger than memory allows.
    #[error("it is too large for memory: {0} bytes")]
    TooLarge(u64),
}
