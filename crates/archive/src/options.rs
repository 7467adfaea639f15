//! Options of a walk: how deep and how far archives are read.

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

/// Limits on one outermost archive; reaching one is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes unpacked in all, those of nested archives counted at every level.
    pub unpacked: u64,
    /// Bytes unpacked for each byte of the outermost archive, once a gibibyte is unpacked.
    pub ratio: u64,
    /// Members in all.
    pub members: u64,
    /// Bytes of one nested archive that must be held to be read.
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

    /// The default depth and limits.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { depth: Self::DEPTH, limits: Limits::default(), context }
    }
}
