//! Errors of a store and of its objects.

use ddpatrol_pack::{ObjectId, PackError};
use std::io;
use std::path::PathBuf;

/// An object that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such object.
    #[error("object {0} is missing")]
    Missing(ObjectId),
    /// Every copy of it is broken.
    #[error("object {id} cannot be read: {cause}")]
    Broken {
        /// The object.
        id: ObjectId,
        /// The error of the copy that was tried last.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ReadError {
    /// Returns the id of the object.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        match self {
            Self::Missing(id) | Self::Broken { id, .. } => *id,
        }
    }
}

/// A part of a store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder cannot be listed.
    #[error("{path}: cannot be listed: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A pack cannot be used.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A pack has no index, so git does not find its objects either.
    #[error("{path}: the pack has no index; `git index-pack` creates it", path = .0.display())]
    NoIndex(PathBuf),
}
