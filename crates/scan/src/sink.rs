//! The interfaces between sources, which read bytes, and the scan, which searches them.
//!
//! A source pushes bytes to sinks, one per worker, and knows neither the detector nor findings.

use crate::blob::Blob;
use crate::run::Run;
use ddpatrol_detect::delta::DeltaCandidates;
use ddpatrol_pack::{Fault, Object};

/// Receives the blobs of one worker.
pub trait BlobSink: Send {
    /// Searches one blob or window.
    fn blob(&mut self, blob: &Blob<'_>);
}

/// Receives the blobs and the packed git objects of one worker.
pub trait Sink: BlobSink {
    /// Searches an object of a pack. `base` is the result for its delta base, if the same sink has
    /// searched that.
    ///
    /// # Errors
    /// [`Fault`] if the object cannot be assembled.
    fn object(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&ScannedObject>,
    ) -> Result<ScannedObject, Fault>;

    /// Begins an entry. Its matches are output before those of entries with a later turn.
    fn begin(&mut self, _turn: Turn) {}

    /// Ends the entry that was begun.
    fn end(&mut self) {}
}

/// The place of an entry in the order of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(pub u64);

/// The order in which the entries of a source are output while the scan runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PushOrder {
    /// No defined order: workers push entries as they find them, without turns.
    #[default]
    Any,
    /// By path: the source lists its entries, sorts them and gives each a turn.
    ByPath,
}

/// The results for a searched object that its deltas need.
#[derive(Clone, Debug, Default)]
pub struct ScannedObject {
    /// The places that were searched.
    pub heads: DeltaCandidates,
    /// Whether its first bytes indicate an archive.
    pub hint: ArchiveHint,
    /// Whether it contains a byte that occurs in archives behind other content, and not in text.
    pub is_binary: bool,
}

/// Whether the first bytes of a file or object indicate an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArchiveHint {
    /// No archive.
    #[default]
    None,
    /// An archive.
    Archive,
    /// No archive at the first byte; one may follow other content, such as a program.
    PerhapsElsewhere,
}

/// Creates a sink for each worker, so that each owns its scratch space and takes no locks.
pub trait Sinks: Sync {
    /// Creates a sink.
    fn sink(&self) -> Box<dyn Sink + '_>;

    /// Returns the order in which entries must be pushed.
    fn order(&self) -> PushOrder {
        PushOrder::Any
    }

    /// Reserves consecutive turns for a number of entries; returns the first. Each must be begun
    /// and ended.
    fn reserve_turns(&self, _entries: usize) -> Turn {
        Turn::default()
    }
}

/// A source of blobs.
pub trait Source: Sync {
    /// Pushes all blobs to sinks. Returns when all are searched or `run` is interrupted.
    fn read(&self, sinks: &dyn Sinks, run: &Run);
}
