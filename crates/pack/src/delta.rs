//! Deltas: lists of pieces, each copied from the base or fresh.
//!
//! Input: inflated deltas, in the format of git's `gitformat-pack(5)`. Output: pieces and fresh bytes, and
//! assembled objects. It does not find bases.

use crate::Fault;
use crate::inflate::Buffer;

/// A run of bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its offset in the object.
    pub at: u32,
    /// Its length in bytes, never 0.
    pub len: u32,
    /// The source of its bytes.
    pub from: PieceSource,
}

/// The source of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceSource {
    /// The base, at this offset.
    Base(u32),
    /// The object's own fresh bytes, at this offset among them.
    Fresh(u32),
}

impl Piece {
    /// Returns the offset after its last byte.
    #[must_use]
    #[inline]
    pub fn end(&self) -> u32 {
        self.at + self.len
    }
}

/// Reads a delta in `buffer` on a base of `base_len` bytes: writes the pieces, keeps only the concatenated
/// fresh bytes in the buffer, and returns the length of the result.
///
/// Pieces that continue each other are joined, so that no two adjacent pieces are fresh.
pub(crate) fn parse(
    buffer: &mut Buffer,
    base_len: u64,
    pieces: &mut Vec<Piece>,
) -> Result<u64, Fault> {
    pieces.clear();
    let (room, room_len) = buffer.parts();
    let delta_len = *room_len;
    let delta = &mut room[..delta_len];
    let mut at = 0;
    let claimed_base = varint(delta, &mut at)?;
    let claimed = varint(delta, &mut at)?;
    if claimed_base != base_len {
        return Err(Fault::Delta("its base has another length"));
    }
    if u32::try_from(claimed).is_err() || u32::try_from(base_len).is_err() {
        return Err(Fault::TooLarge(claimed.max(base_len)));
    }
    let (mut fresh, mut len) = (0_usize, 0_u64);
    while at < delta_len {
        let op = delta[at];
        at += 1;
        let (from, size) = if op & 0x80 != 0 {
            let CopyOperands { offset, size } = copy(delta, &mut at, op)?;
            if offset + size > base_len {
                return Err(Fault::Delta("it copies beyond the end of its base"));
            }
            (PieceSource::Base(offset as u32), size)
        } else if op == 0 {
            return Err(Fault::Delta("it has a reserved instruction"));
        } else {
            let size = usize::from(op);
            if at + size > delta_len {
                return Err(Fault::Delta("it is truncated"));
            }
            move_back(delta, at, fresh, size);
            at += size;
            fresh += size;
            (PieceSource::Fresh((fresh - size) as u32), size as u64)
        };
        if len + size > claimed {
            return Err(Fault::Delta("its result is longer than stated"));
        }
        push(pieces, Piece { at: len as u32, len: size as u32, from });
        len += size;
    }
    if len != claimed {
        return Err(Fault::Delta("its result is shorter than stated"));
    }
    *room_len = fresh;
    Ok(len)
}

/// The operands of a copy from the base.
struct CopyOperands {
    offset: u64,
    size: u64,
}

/// Reads the operands of a copy.
#[inline]
fn copy(delta: &[u8], at: &mut usize, op: u8) -> Result<CopyOperands, Fault> {
    let mut next = |wanted: bool| {
        if !wanted {
            return Ok::<u64, Fault>(0);
        }
        let byte = delta.get(*at).copied().ok_or(Fault::Delta("it is truncated"))?;
        *at += 1;
        Ok(u64::from(byte))
    };
    let mut offset = 0;
    for bit in 0..4 {
        offset |= next(op >> bit & 1 != 0)? << (8 * bit);
    }
    let mut size = 0;
    for bit in 0..3 {
        size |= next(op >> (4 + bit) & 1 != 0)? << (8 * bit);
    }
    Ok(CopyOperands { offset, size: if size == 0 { 0x10000 } else { size } })
}

#[inline]
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    if let Some(last) = pieces.last_mut() {
        let continues = match (last.from, piece.from) {
            (PieceSource::Base(a), PieceSource::Base(b))
            | (PieceSource::Fresh(a), PieceSource::Fresh(b)) => a + last.len == b,
            _ => false,
        };
        if continues {
            last.len += piece.len;
            return;
        }
    }
    pieces.push(piece);
}

fn varint(delta: &[u8], at: &mut usize) -> Result<u64, Fault> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = *delta.get(*at).ok_or(Fault::Delta("it is truncated"))?;
        *at += 1;
        if shift > 56 {
            return Err(Fault::Delta("a length in it is too large"));
        }
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
}

/// Pieces up to this length, which most are, are copied as this many bytes at once, without a call or a
/// branch that depends on their length.
const SHORT: usize = 32;

/// Moves `size` bytes at `at` back to `to`.
#[inline]
fn move_back(bytes: &mut [u8], at: usize, to: usize, size: usize) {
    // The surplus overwrites only bytes that were read before.
    if size <= SHORT
        && to + SHORT <= at + size
        && let Some(&short) = bytes.get(at..).and_then(<[u8]>::first_chunk::<SHORT>)
    {
        bytes[to..to + SHORT].copy_from_slice(&short);
    } else {
        bytes.copy_within(at..at + size, to);
    }
}

/// Assembles an object from its base and its fresh bytes.
pub(crate) fn apply(
    base: &[u8],
    fresh: &[u8],
    pieces: &[Piece],
    result: &mut Buffer,
) -> Result<(), Fault> {
    let mut rest = result.take(pieces.last().map_or(0, Piece::end) as usize)?;
    for piece in pieces {
        let (from, start) = match piece.from {
            PieceSource::Base(at) => (base, at as usize),
            PieceSource::Fresh(at) => (fresh, at as usize),
        };
        let len = piece.len as usize;
        let from = &from[start..];
        // The next piece overwrites the surplus.
        if len <= SHORT
            && let (Some(own), Some(short)) =
                (rest.first_chunk_mut::<SHORT>(), from.first_chunk::<SHORT>())
        {
            *own = *short;
            rest = &mut rest[len..];
        } else {
            let (own, after) = rest.split_at_mut(len);
            own.copy_from_slice(&from[..len]);
            rest = after;
        }
    }
    Ok(())
}
