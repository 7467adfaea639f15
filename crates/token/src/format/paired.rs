//! Algorithms and encodings that belong together.
//!
//! Input: a checksum. Output: an error with a remedy if it has only one of both, or another number of characters.

use super::error::{FormatError, FormatPart, error};
use crate::checksum::{Algorithm, Checksum, Encoding, MAX_TRAILER_WIDTH};
use std::ops::RangeInclusive;

/// An algorithm with encodings of its own.
struct Pair {
    algorithm: Algorithm,
    encodings: &'static [Encoding],
    /// The numbers of characters.
    widths: RangeInclusive<usize>,
    /// Names the encodings in errors.
    names: &'static str,
    hint: &'static str,
}

const PAIRS: [Pair; 3] = [
    Pair {
        algorithm: Algorithm::Bech32,
        encodings: &[Encoding::Bech32, Encoding::Bech32Upper],
        widths: 6..=6,
        names: "its encodings",
        hint: "use both, with 6 characters",
    },
    Pair {
        algorithm: Algorithm::Base58Check,
        encodings: &[Encoding::Base58],
        widths: 6..=6,
        names: "the encoding base58",
        hint: "use both, with 6 characters, over everything before them",
    },
    Pair {
        algorithm: Algorithm::Crc16Xmodem,
        encodings: &[Encoding::Base32Trailer],
        widths: 4..=MAX_TRAILER_WIDTH,
        names: "the encoding base32-trailer",
        hint: "use both, with 4 or 5 characters, over everything before them",
    },
];

/// Checks that the algorithm and the encoding of a checksum belong together.
pub(super) fn check(checksum: &Checksum, place: FormatPart) -> Result<(), FormatError> {
    let is_wrong = |pair: &&Pair| {
        let is_own = pair.encodings.contains(&checksum.encoding);
        is_own != (checksum.algorithm == pair.algorithm)
            || is_own && !pair.widths.contains(&checksum.width)
    };
    if let Some(Pair { algorithm, names, hint, .. }) = PAIRS.iter().find(is_wrong) {
        let name = algorithm.name();
        return error(place, format!("the algorithm {name} and {names} belong together"), *hint);
    }
    let decodes_itself = PAIRS.iter().any(|pair| pair.algorithm == checksum.algorithm);
    if decodes_itself && checksum.codec.is_some() {
        let name = checksum.algorithm.name();
        return error(place, format!("{name} decodes the text itself"), "remove `decode`");
    }
    Ok(())
}
