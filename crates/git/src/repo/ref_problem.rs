//! Problems of refs. Nothing is read here.

use ddpatrol_pack::ObjectId;

/// A ref that does not lead to an existing object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRef {
    /// Its full name.
    pub name: Vec<u8>,
    /// The problem.
    pub problem: Problem,
}

/// A problem of a ref.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is symbolic, and its target does not exist. No object is lost.
    #[error("it points to the ref {:?}, which does not exist", String::from_utf8_lossy(.0))]
    Dangling(Vec<u8>),
    /// Its object is missing, or cannot be read.
    #[error("its object {target} is missing or cannot be read: {words}")]
    Missing {
        /// The id of the object.
        target: ObjectId,
        /// Why.
        words: String,
    },
    /// It contains neither an id nor the name of a ref, or cannot be read.
    #[error(transparent)]
    Unreadable(#[from] RefFault),
}

/// The reason why a ref has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefFault {
    /// Its file is a symbolic link without a target.
    #[error("it is a dangling symbolic link")]
    DanglingLink,
    /// It is symbolic, and leads to itself.
    #[error("it points to itself through other refs")]
    Loop,
    /// Its file has other content than a ref.
    #[error("it contains neither an id nor the name of a ref")]
    Content,
    /// A line of `packed-refs` has other content than a ref.
    #[error("line {0} is not a ref")]
    PackedLine(usize),
    /// The `git` program reports it as broken.
    #[error("it is broken or points to a ref that does not exist")]
    Reported,
    /// Its file or folder cannot be read.
    #[error("{0}")]
    Read(String),
}
