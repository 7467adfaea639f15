//! The receiver of a worker's blobs.

use crate::blob::Blob;

/// Takes the blobs of one worker.
pub trait Visitor: Send {
    /// Looks at one blob or window.
    fn visit(&mut self, blob: &Blob<'_>);
}
