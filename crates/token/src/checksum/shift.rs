//! Appends zero bytes to a CRC-32 without hashing them: a linear map, tabulated for one length.
//!
//! With it the CRC of a concatenation follows from the CRCs of its parts: `crc(a b) = shift(crc(a)) ^
//! crc(b)`. Each segment of a candidate is hashed once, however many coverages are tried.

/// The map for one number of bytes: for each of the eight nibbles its sixteen images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shift([[u32; 16]; 8]);

impl Shift {
    /// Tabulates the map that appends `len` zero bytes.
    pub(crate) fn new(len: usize) -> Self {
        let zeros = vec![0; len];
        // Hashing zeros is an affine map of the CRC; subtracting the image of 0 leaves the linear map.
        let hash = |crc| {
            let mut hasher = crc32fast::Hasher::new_with_initial(crc);
            hasher.update(&zeros);
            hasher.finalize()
        };
        let constant = hash(0);
        let mut images = [[0; 16]; 8];
        for (nibble, row) in images.iter_mut().enumerate() {
            for (value, image) in row.iter_mut().enumerate() {
                *image = hash((value as u32) << (4 * nibble)) ^ constant;
            }
        }
        Self(images)
    }

    /// Applies the map.
    #[inline]
    pub(crate) fn apply(&self, crc: u32) -> u32 {
        let image = |(nibble, row): (usize, &[u32; 16])| row[(crc >> (4 * nibble)) as usize & 15];
        self.0.iter().enumerate().map(image).fold(0, |sum, image| sum ^ image)
    }
}

#[cfg(test)]
mod tests {
    use super::Shift;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn crc_of_a_concatenation_follows_from_the_parts(
            a in proptest::collection::vec(any::<u8>(), 0..50),
            b in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let joined = crc32fast::hash(&[a.clone(), b.clone()].concat());
            let shift = Shift::new(b.len());
            prop_assert_eq!(shift.apply(crc32fast::hash(&a)) ^ crc32fast::hash(&b), joined);
        }
    }
}
