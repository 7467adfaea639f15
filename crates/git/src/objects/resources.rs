//! The threads and limits of a walk over objects.

use ddpatrol_scan::blob::Context;
use ddpatrol_scan::workers::Workers;

/// The threads and memory of a walk over objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalkResources<'a> {
    pub(crate) workers: &'a Workers,
    pub(crate) budget: usize,
    pub(crate) context: Context,
    /// Loose blobs above this length in bytes are read in windows, and blobs that are searched
    /// again.
    pub(crate) large: u64,
}
