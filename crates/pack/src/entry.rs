//! Entry headers.
//!
//! Input: the bytes of a pack and an offset. Output: kind, length and delta base of the entry. It inflates
//! nothing.

use crate::{Fault, HashKind, Kind, ObjectId};

/// The kind of an entry, as stated in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// A whole object.
    Whole(Kind),
    /// A delta on the entry at this distance before it, in bytes.
    OffsetDelta(u64),
    /// A delta on the object with this id.
    RefDelta(ObjectId),
}

/// The header of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: EntryKind,
    /// The stated length of the inflated data: of the object, or of the delta.
    pub(crate) size: u64,
    /// The offset of the compressed data in the pack.
    pub(crate) data: usize,
}

/// Reads the header at `offset` of a pack whose entries end at `bytes.len()`.
#[inline]
pub(crate) fn header(bytes: &[u8], offset: u64, hash: HashKind) -> Result<Header, Fault> {
    let mut at = usize::try_from(offset).map_err(|_| Fault::Offset)?;
    let mut next = || {
        let byte = bytes.get(at).copied().ok_or(Fault::Truncated);
        at += 1;
        byte
    };
    let mut byte = next()?;
    let number = (byte >> 4) & 7;
    let mut size = u64::from(byte & 15);
    let mut shift = 4;
    while byte & 0x80 != 0 {
        byte = next()?;
        if shift > 60 {
            return Err(Fault::Header);
        }
        size |= u64::from(byte & 0x7f) << shift;
        shift += 7;
    }
    let kind = match (Kind::from_number(number), number) {
        (Some(kind), _) => EntryKind::Whole(kind),
        (_, 6) => {
            let mut byte = next()?;
            let mut back = u64::from(byte & 0x7f);
            while byte & 0x80 != 0 {
                byte = next()?;
                if back >> 56 != 0 {
                    return Err(Fault::Header);
                }
                back = (back + 1) << 7 | u64::from(byte & 0x7f);
            }
            EntryKind::OffsetDelta(back)
        }
        (_, 7) => {
            let id = bytes.get(at..at + hash.len()).ok_or(Fault::Truncated)?;
            at += hash.len();
            EntryKind::RefDelta(ObjectId::from_bytes(id).map_err(|_| Fault::Header)?)
        }
        _ => return Err(Fault::Header),
    };
    Ok(Header { kind, size, data: at })
}
