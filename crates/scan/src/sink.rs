//! The interfaces between sources, which read bytes, and the scan, which searches them.
//!
//! A source pushes bytes to sinks, one per worker, and knows neither the detector nor findings.

use crate::blob::Blob;
use crate::run::Run;
use ddpatrol_detect::version::Heads;
use ddpatrol_pack::{Fault, Object};

/// Takes the blobs of one worker.
pub trait BlobSink: Send {
    /// Searches one blob or window.
    fn blob(&mut self, blob: &Blob<'_>);
}

/// Takes the blobs and the packed git objects of one worker.
pub trait Sink: BlobSink {
    /// Searches an object of a pack. `base` is the result for its delta base, if the same sink has
    /// searched that.
    ///
    /// # Errors
    /// [`Fault`] if the object cannot be put together.
    fn object(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&ScannedObject>,
    ) -> Result<ScannedObject, Fault>;
}

/// What is known of a searched object, as far as its deltas need it.
#[derive(Clone, Debug, Default)]
pub struct ScannedObject {
    /// The places that were searched.
    pub heads: Heads,
    /// What its first bytes look like.
    pub hint: ArchiveHint,
    /// Whether it contains a byte that occurs in the end of every zip.
    pub may_end_as_zip: bool,
}

/// What the first bytes of a file or object look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArchiveHint {
    /// No archive.
    #[default]
    None,
    /// An archive.
    Archive,
    /// Something, such as a program, whose end may be that of a zip.
    PerhapsAtEnd,
}

/// Creates a sink for each worker, so that each owns its scratch space and takes no locks.
pub trait Sinks: Sync {
    /// Creates a sink.
    fn sink(&self) -> Box<dyn Sink + '_>;
}

/// A source of blobs.
pub trait Source: Sync {
    /// Pushes all blobs to sinks; returns when all were searched or `run` was interrupted.
    fn read(&self, sinks: &dyn Sinks, run: &Run);
}
