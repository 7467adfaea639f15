//! What can be wrong with a pack, and where.

use crate::ObjectId;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Something in a pack or its index that cannot be read.
#[derive(Debug, thiserror::Error)]
pub struct PackError {
    /// The pack or index.
    pub path: PathBuf,
    /// The offset of the entry in the pack, where one is concerned.
    pub offset: Option<u64>,
    /// The object, where its id is known.
    pub id: Option<ObjectId>,
    /// What is wrong.
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

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file cannot be opened or mapped.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file has another signature.
    #[error("it does not begin as a {0} does")]
    Signature(&'static str),
    /// The file has a version that is not known.
    #[error("{0} version {1} is not known")]
    Version(&'static str, u32),
    /// The file ends before what it announces.
    #[error("it is truncated")]
    Truncated,
    /// The index's tables do not fit its length.
    #[error("its tables do not fit its length")]
    IndexLength,
    /// Pack and index count differently.
    #[error("the pack has {pack} objects, its index {index}")]
    Count {
        /// What the pack's header says.
        pack: u32,
        /// What the index holds.
        index: u32,
    },
    /// The index belongs to another state of the pack.
    #[error("the index was made for another pack")]
    Trailer,
    /// The index points outside the pack.
    #[error("the index points outside the pack")]
    Offset,
    /// An entry's header makes no sense.
    #[error("its header is broken")]
    Header,
    /// An entry's delta base does not lie in the pack.
    #[error("its delta base lies outside the pack")]
    BaseOffset,
    /// An entry's delta base is not in this pack.
    #[error("its delta base {0} is not in the pack")]
    BaseMissing(ObjectId),
    /// An object that others are made from cannot be read.
    #[error("its delta base cannot be read")]
    BaseBroken,
    /// A chain of deltas leads back to itself.
    #[error("its chain of deltas leads back to itself")]
    Cycle,
    /// The compressed data are broken.
    #[error("its compressed data are broken")]
    Deflate,
    /// The data are shorter or longer than the header says.
    #[error("its data are not as long as its header says")]
    Length,
    /// A delta makes no sense.
    #[error("its delta is broken: {0}")]
    Delta(&'static str),
    /// The object is larger than memory allows.
    #[error("it is too large to be put together: {0} bytes")]
    TooLarge(u64),
}
