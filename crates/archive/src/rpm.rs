//! rpm: a lead, two headers, and a compressed cpio.
//!
//! Input: a stream. Output: the members of the cpio, to the walker, as members of the package. The headers
//! (descriptions, scripts, the change log) are not compressed, so the raw search covers them.

use super::bytes::{fill, skip};
use super::fault::Fault;
use super::format::{Format, HEAD, detect};
use super::member_path::MemberPlace;
use super::walker::{Source, Walker};
use ddpatrol_scan::issue::Damage;
use std::io::{Cursor, Read};
use std::path::Path;

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    skip(reader, 96)?;
    let signature = header(reader)?;
    skip(reader, signature.next_multiple_of(8) - signature)?;
    header(reader)?;
    let mut head = [0; HEAD];
    let len = fill(reader, &mut head)?;
    let mut payload = Cursor::new(&head[..len]).chain(reader);
    match detect(&head[..len], Path::new("")) {
        Some(format) if format.is_stream() || format == Format::Cpio => {
            walker.open(format, place, Source::Stream(&mut payload))
        }
        _ => walker.member(place, b"payload", &mut payload),
    }
}

/// Skips a header; returns the length of its data store.
fn header(reader: &mut dyn Read) -> Result<u64, Fault> {
    let mut fixed = [0; 16];
    if fill(reader, &mut fixed)? < fixed.len() || !fixed.starts_with(b"\x8e\xad\xe8\x01") {
        return Err(Damage::HeaderMissing.into());
    }
    let word = |at: usize| {
        u64::from(u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]))
    };
    let (entries, store) = (word(8), word(12));
    let len = 16 * entries + store;
    if skip(reader, len)? < len {
        return Err(Damage::HeaderCut.into());
    }
    Ok(store)
}
