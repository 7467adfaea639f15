//! Sources read bytes and push them to visitors, one visitor per worker.
//!
//! A source knows neither the detector nor findings. It reports what it cannot read as a
//! [`Diagnostic`]; nothing is skipped silently.

pub mod archive;
mod code;
pub mod files;
pub mod git;
pub mod issue;
pub(crate) mod label;
mod read_full;
mod run;
pub mod stdin;
pub mod text;
mod visitor;
pub mod window;

pub use code::Code;
pub use issue::{Gap, Issue};
pub(crate) use run::add;
pub use run::{Diagnostic, Run, Scanned, Tally};
pub use visitor::Visitor;

use crate::detect::version::Heads;
use archive::Signs;
use ddpatrol_pack::{Fault, Object};

/// Takes the blobs and the packed git objects of one worker.
pub trait ObjectVisitor: Visitor {
    /// Searches an object of a pack. `base` is the result for its delta base, if the same visitor has
    /// searched that.
    ///
    /// # Errors
    /// [`Fault`] if the object cannot be put together.
    fn visit_object(&mut self, object: &mut Object<'_>, base: Option<&Seen>)
    -> Result<Seen, Fault>;
}

/// What is known of a searched object, as far as its deltas need it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The places that were searched.
    pub heads: Heads,
    /// Whether its first bytes look like an archive.
    pub signs: Signs,
    /// Whether it contains a byte that occurs in the end of every zip.
    pub may_end_as_zip: bool,
}

/// Creates a visitor for each worker, so that each owns its scratch space and takes no locks.
pub trait Visitors: Sync {
    /// Creates a visitor.
    fn make(&self) -> Box<dyn ObjectVisitor + '_>;
}

/// A source of blobs.
pub trait Source: Sync {
    /// Pushes all blobs to visitors; returns when all were searched or `run` was interrupted.
    fn visit(&self, visitors: &dyn Visitors, run: &Run);
}
