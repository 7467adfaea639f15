//! The result of a search for needles.
//!
//! It searches nothing.

/// An occurrence of a needle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The offset of its first byte.
    pub start: usize,
    /// The index of the needle.
    pub needle: usize,
}
