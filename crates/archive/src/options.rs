//! Options of a walk: nesting depth and size limits.

use ddpatrol_scan::blob::Context;

/// Limits on the nesting and the size of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveOptions {
    /// Maximum archive nesting depth.
    pub depth: usize,
    /// Limits on one outermost archive.
    pub limits: Limits,
    /// The context that windows keep.
    pub context: Context,
}

/// Limits on one outermost archive. Exceeding one is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Total unpacked bytes; those of nested archives count at every level.
    pub unpacked: u64,
    /// Unpacked bytes per byte of the outermost archive, checked above one gibibyte.
    pub ratio: u64,
    /// Total members.
    pub members: u64,
    /// Bytes of one nested archive that must be buffered.
    pub spool: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked: 64 << 30, ratio: 1_000, members: 10_000_000, spool: 8 << 30 }
    }
}

impl ArchiveOptions {
    /// Default of the maximum nesting depth.
    pub const DEPTH: usize = 8;

    /// Creates options with the default depth and limits.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { depth: Self::DEPTH, limits: Limits::default(), context }
    }
}
