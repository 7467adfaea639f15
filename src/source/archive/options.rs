//! Options of a walk: how deep and how far archives are read.

use crate::blob::Context;

/// How deep and how far archives are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveOptions {
    /// How many archives within each other are opened.
    pub depth: usize,
    /// What ends the reading of one outermost archive.
    pub limits: Limits,
    /// The context that windows keep.
    pub context: Context,
}

/// What ends the reading of one outermost archive; each that is hit is told.
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
    /// How many archives within each other are opened unless something else is asked for.
    pub const DEPTH: usize = 8;

    /// The default depth and limits.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { depth: Self::DEPTH, limits: Limits::default(), context }
    }
}
