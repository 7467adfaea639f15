//! Determines the byte order of UTF-16 from the text around a token.
//!
//! Input: the searched bytes and the offset of a token. Output: the byte order. It decodes nothing.
//!
//! A stretch of ASCII characters looks the same in both byte orders, except at its beginning and end.
//! Adjacent text in another script can look like the beginning or end of either.

use crate::encoding::Layer;
use crate::search::{ContentKind, Search};

/// Number of bytes inspected before and after a token.
const CONTEXT: usize = 140;

/// The byte order that the bytes on one side of a token suggest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clue {
    Certain(Layer),
    Likely(Layer),
    None,
}

/// Returns the byte order of UTF-16 with ASCII bytes from `start` to `last`. Evaluates the byte order mark,
/// then the beginning and end of the stretch, then the parity of its offset.
pub(super) fn byte_order(search: &Search<'_>, start: usize, last: usize) -> Layer {
    let by_offset = match search.kind {
        ContentKind::Blob { offset } if (offset + start as u64).is_multiple_of(2) => Layer::Utf16Le,
        ContentKind::Blob { .. } => Layer::Utf16Be,
        ContentKind::TreeNames => Layer::Utf16Le,
    };
    let mark = match search.bytes.first_chunk() {
        Some(b"\xff\xfe") => Some(Layer::Utf16Le),
        Some(b"\xfe\xff") => Some(Layer::Utf16Be),
        _ => None,
    };
    if search.kind == ContentKind::WHOLE && mark == Some(by_offset) {
        return by_offset;
    }
    match (after(search.bytes, last), before(search.bytes, start)) {
        (Clue::Certain(order), _) | (_, Clue::Certain(order)) => order,
        (Clue::Likely(one), Clue::Likely(other)) if one == other => one,
        _ => by_offset,
    }
}

/// Returns the byte order of UTF-32 whose first ASCII byte is at `first`. Evaluates the byte order mark, then
/// the zeros before it, then its offset.
pub(super) fn utf32_byte_order(search: &Search<'_>, first: usize) -> Layer {
    let is_after_zeros = first >= 3 && search.bytes[first - 3..first] == [0; 3];
    let offset = match search.kind {
        ContentKind::Blob { offset } => offset + first as u64,
        ContentKind::TreeNames => 0,
    };
    let is_marked = search.kind == ContentKind::WHOLE && search.bytes.starts_with(b"\xff\xfe\0\0");
    if is_after_zeros && !is_marked && offset % 4 == 3 { Layer::Utf32Be } else { Layer::Utf32Le }
}

/// Inspects the bytes after the last character of a token.
fn after(bytes: &[u8], last: usize) -> Clue {
    for at in (last..last + CONTEXT).step_by(2) {
        match (bytes.get(at + 1), bytes.get(at + 2)) {
            // The text ends, or the last character of the token has no zero byte after it.
            (None, _) => return Clue::Certain(Layer::Utf16Be),
            (Some(1..), _) if at == last => return Clue::Certain(Layer::Utf16Be),
            // The last ASCII character, or the low byte of another character.
            (Some(1..), _) if is_text(bytes[at]) => return Clue::Likely(Layer::Utf16Be),
            (Some(1..), _) => return Clue::Likely(Layer::Utf16Le),
            (Some(0), None | Some(0)) => {
                return match zeros(bytes[at + 1..].iter()) {
                    Zeros { are_all: true, is_even: true } => Clue::Likely(Layer::Utf16Be),
                    Zeros { are_all: false, is_even: false } => Clue::None,
                    _ => Clue::Likely(Layer::Utf16Le),
                };
            }
            (Some(0), Some(1..)) => {}
        }
    }
    Clue::None
}

/// The leading zeros of some bytes.
#[derive(Clone, Copy, Debug)]
struct Zeros {
    /// Whether all bytes are zero.
    are_all: bool,
    /// Whether the number of zeros is even.
    is_even: bool,
}

/// Counts leading zeros: the high byte of a character, and NUL characters at the end of a text.
fn zeros<'a>(bytes: impl ExactSizeIterator<Item = &'a u8>) -> Zeros {
    let len = bytes.len();
    let zeros = bytes.take(CONTEXT).take_while(|&&byte| byte == 0).count();
    if zeros == CONTEXT {
        // There may be more zeros.
        return Zeros { are_all: false, is_even: false };
    }
    Zeros { are_all: zeros == len, is_even: zeros.is_multiple_of(2) }
}

/// Inspects the bytes before the first character of a token.
fn before(bytes: &[u8], start: usize) -> Clue {
    for at in (start.saturating_sub(CONTEXT)..=start).rev().step_by(2) {
        match (at.checked_sub(1).map(|at| bytes[at]), at.checked_sub(2).map(|at| bytes[at])) {
            (None, _) => return Clue::Certain(Layer::Utf16Le),
            (Some(1..), _) if at == start => return Clue::Certain(Layer::Utf16Le),
            (Some(1..), _) => return Clue::Likely(Layer::Utf16Le),
            (Some(0), None | Some(0)) => {
                return match zeros(bytes[..at].iter().rev()) {
                    Zeros { is_even: true, .. } => Clue::Likely(Layer::Utf16Le),
                    Zeros { are_all: true, .. } => Clue::Likely(Layer::Utf16Be),
                    Zeros { .. } => Clue::None,
                };
            }
            (Some(0), Some(1..)) => {}
        }
    }
    Clue::None
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}
