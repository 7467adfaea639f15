//! The classes of bytes by their upper and lower four bits, for vector instructions.
//!
//! Input: a byte. Output: its classes: the entries of two tables of 16 bytes, combined, as in simdjson (Langdale,
//! Lemire: "Parsing Gigabytes of JSON per Second"). It classifies one byte; [`super::byte_class`] uses the tables.

use super::class::is_probe;

/// The class of a byte that may begin a gap, of NUL, and of a probe byte with this upper half. The upper
/// halves of upper and lower case letters share a class. All are below 128, so that they can be compared as
/// signed numbers.
pub(super) const GAP: u8 = 1;
pub(super) const NUL: u8 = 2;
const BY_HALF: [u8; 8] = [NUL, 0, 4, 8, 16, 32, 16, 64];

/// The class of a line feed or a quotation mark: the sign bit. No probe byte has it.
pub(super) const STOP: u8 = 128;

/// The class of a carriage return. It counts as a probe byte, so that a line feed follows the row.
const RETURN: u8 = BY_HALF[b'-' as usize >> 4];

/// For each lower half of a byte, the classes of the bytes with this lower half.
pub(super) static BY_LOW: [u8; 16] = {
    let mut by_low = [0; 16];
    let mut at = 0;
    while at < 128 {
        if is_probe(at as u8) {
            by_low[at & 15] |= BY_HALF[at >> 4];
        }
        at += 1;
    }
    // Other bytes with these halves are rare in text, or are ruled out later.
    let mut at = 0;
    while at < GAP_STARTS.len() {
        by_low[GAP_STARTS[at] as usize & 15] |= GAP;
        at += 1;
    }
    let mut at = 0;
    while at < STOPS.len() {
        by_low[STOPS[at] as usize & 15] |= STOP;
        at += 1;
    }
    by_low
};

/// The bytes that may end a short line. Of the others with these halves, none is a probe byte.
const STOPS: [u8; 3] = *b"\n\"'";

/// The bytes at which a gap in a token may begin: ESC, and the first bytes of UTF-8 for characters without a
/// width. Tags are searched for separately: `<` is so frequent in code that the branch on these bytes would be
/// mispredicted.
const GAP_STARTS: [u8; 4] = [0x1b, 0xc2, 0xe2, 0xef];

/// For each upper half of a byte, its classes.
pub(super) static BY_HIGH: [u8; 16] = {
    let mut by_high = [0; 16];
    let mut at = 0;
    while at < 8 {
        by_high[at] = BY_HALF[at];
        at += 1;
    }
    let mut at = 0;
    while at < GAP_STARTS.len() {
        by_high[GAP_STARTS[at] as usize >> 4] |= GAP;
        at += 1;
    }
    let mut at = 0;
    while at < STOPS.len() {
        by_high[STOPS[at] as usize >> 4] |= STOP;
        at += 1;
    }
    by_high[b'\r' as usize >> 4] |= RETURN;
    by_high
};

/// Returns the classes of a byte.
pub(super) const fn classes(byte: u8) -> u8 {
    BY_LOW[byte as usize & 15] & BY_HIGH[byte as usize >> 4]
}

/// Returns `true` if a byte may begin a gap: also those that share their halves with [`GAP_STARTS`].
pub(super) const fn is_gap_start(byte: u8) -> bool {
    classes(byte) == GAP
}

/// Returns `true` if a byte counts as a probe byte: also a few control characters besides [`is_probe`].
pub(super) const fn is_in_row(byte: u8) -> bool {
    matches!(classes(byte), NUL..STOP)
}
