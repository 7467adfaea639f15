//! Errors of reading the objects of a store.

use crate::store::StoreError;
use ddpatrol_pack::{ObjectId, PackError};
use std::io;

/// An object, or a part of the store, that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    /// A part of the store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An object in a pack cannot be read.
    #[error(transparent)]
    Packed(PackError),
    /// A loose object cannot be read.
    #[error("loose object {id} cannot be read: {source}")]
    Loose {
        /// The object.
        id: ObjectId,
        /// Why.
        source: io::Error,
    },
    /// A loose object was removed during the scan.
    #[error("object {0} has vanished")]
    Vanished(ObjectId),
}

impl ObjectError {
    /// Returns the id of the object, if it is known.
    pub(crate) fn id(&self) -> Option<ObjectId> {
        match self {
            Self::Store(_) => None,
            Self::Packed(error) => error.id,
            Self::Loose { id, .. } | Self::Vanished(id) => Some(*id),
        }
    }
}
