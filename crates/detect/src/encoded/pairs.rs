//! Sets of pairs of adjacent bytes, to rule out most positions with one look-up.
//!
//! Input: pairs. Output: whether a pair is in the set. It searches nothing.

/// A set of pairs of bytes.
#[derive(Debug)]
pub(crate) struct Pairs(Box<[u64; 1024]>);

impl Pairs {
    pub(crate) fn new() -> Self {
        Self(Box::new([0; 1024]))
    }

    pub(crate) fn add(&mut self, first: u8, second: u8) {
        let pair = usize::from(first) << 8 | usize::from(second);
        self.0[pair >> 6] |= 1 << (pair & 63);
    }

    #[inline]
    pub(crate) fn contains(&self, first: u8, second: u8) -> bool {
        let pair = usize::from(first) << 8 | usize::from(second);
        self.0[pair >> 6] >> (pair & 63) & 1 == 1
    }
}
