//! Determines the byte order of UTF-16 by the text around a token.
//!
//! Input: the searched bytes and the place of a token. Output: the order. It decodes nothing.
//!
//! A stretch of ASCII characters reads alike in both orders; the orders differ in where it begins and
//! ends. Text in another script beside it looks like a beginning or an end of either.

use crate::encoding::Layer;
use crate::search::{Search, Within};

/// How many bytes around a token are looked at.
const REACH: usize = 140;

/// What the bytes on one side of a token show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Surely(Layer),
    Likely(Layer),
    Nothing,
}

/// Returns the order of UTF-16 whose characters are from `start` to `last`: by the byte order mark, by how
/// the stretch begins and ends, and where that is not clear, by its offset.
pub(super) fn order(search: &Search<'_>, start: usize, last: usize) -> Layer {
    let by_place = match search.within {
        Within::Text { offset } if (offset + start as u64).is_multiple_of(2) => Layer::Utf16Le,
        Within::Text { .. } => Layer::Utf16Be,
        Within::Names => Layer::Utf16Le,
    };
    let mark = match search.bytes.first_chunk() {
        Some(b"\xff\xfe") => Some(Layer::Utf16Le),
        Some(b"\xfe\xff") => Some(Layer::Utf16Be),
        _ => None,
    };
    if search.within == Within::WHOLE && mark == Some(by_place) {
        return by_place;
    }
    match (behind(search.bytes, last), before(search.bytes, start)) {
        (Told::Surely(order), _) | (_, Told::Surely(order)) => order,
        (Told::Likely(one), Told::Likely(other)) if one == other => one,
        _ => by_place,
    }
}

/// Looks at what follows the last character of a token.
fn behind(bytes: &[u8], last: usize) -> Told {
    for at in (last..last + REACH).step_by(2) {
        match (bytes.get(at + 1), bytes.get(at + 2)) {
            // The text ends, or the token's own character has no byte behind it.
            (None, _) => return Told::Surely(Layer::Utf16Be),
            (Some(1..), _) if at == last => return Told::Surely(Layer::Utf16Be),
            // The last character that ASCII has, or the low byte of one that it has not.
            (Some(1..), _) if is_text(bytes[at]) => return Told::Likely(Layer::Utf16Be),
            (Some(1..), _) => return Told::Likely(Layer::Utf16Le),
            (Some(0), None | Some(0)) => {
                return match zeros(bytes[at + 1..].iter()) {
                    Zeros { are_all: true, is_even: true } => Told::Likely(Layer::Utf16Be),
                    Zeros { are_all: false, is_even: false } => Told::Nothing,
                    _ => Told::Likely(Layer::Utf16Le),
                };
            }
            (Some(0), Some(1..)) => {}
        }
    }
    Told::Nothing
}

/// The zeros that bytes begin with.
#[derive(Clone, Copy, Debug)]
struct Zeros {
    /// Whether all bytes are zero.
    are_all: bool,
    /// Whether the number of zeros is even.
    is_even: bool,
}

/// Counts the zeros that bytes begin with: the high byte of a character, and whole characters that end a
/// text.
fn zeros<'a>(bytes: impl ExactSizeIterator<Item = &'a u8>) -> Zeros {
    let len = bytes.len();
    let zeros = bytes.take(REACH).take_while(|&&byte| byte == 0).count();
    if zeros == REACH {
        // There may be more, so neither is known.
        return Zeros { are_all: false, is_even: false };
    }
    Zeros { are_all: zeros == len, is_even: zeros.is_multiple_of(2) }
}

/// Looks at what comes before the first character of a token.
fn before(bytes: &[u8], start: usize) -> Told {
    for at in (start.saturating_sub(REACH)..=start).rev().step_by(2) {
        match (at.checked_sub(1).map(|at| bytes[at]), at.checked_sub(2).map(|at| bytes[at])) {
            (None, _) => return Told::Surely(Layer::Utf16Le),
            (Some(1..), _) if at == start => return Told::Surely(Layer::Utf16Le),
            (Some(1..), _) => return Told::Likely(Layer::Utf16Le),
            (Some(0), None | Some(0)) => {
                return match zeros(bytes[..at].iter().rev()) {
                    Zeros { is_even: true, .. } => Told::Likely(Layer::Utf16Le),
                    Zeros { are_all: true, .. } => Told::Likely(Layer::Utf16Be),
                    Zeros { .. } => Told::Nothing,
                };
            }
            (Some(0), Some(1..)) => {}
        }
    }
    Told::Nothing
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}
