//! PNG: its compressed text.
//!
//! Input: a stream. Output: each compressed text, to the walker. The pixels are not decoded, and plain text
//! is in the raw bytes.

use super::bytes::{Exact, fill, skip};
use super::fault::Fault;
use super::header::PNG_MAGIC;
use super::member_path::MemberPlace;
use super::walker::Walker;
use ddpatrol_scan::issue::Damage;
use flate2::bufread::ZlibDecoder;
use std::io::{BufReader, Read};

/// Maximum length of the fields before a compressed text, in bytes.
const FIELDS: u64 = 4 << 10;

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let mut reader = BufReader::new(reader);
    skip(&mut reader, PNG_MAGIC.len() as u64)?;
    let (mut number, mut head) = (0_u32, [0; 8]);
    // Data behind the last chunk is in the raw bytes.
    while fill(&mut reader, &mut head)? == head.len() && &head[4..] != b"IEND" {
        walker.account().check().map_err(|_| Fault::Stopped)?;
        let len = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let kind = &head[4..];
        if !matches!(kind, b"zTXt" | b"iTXt") {
            // An image that is cut off has no other content.
            if skip(&mut reader, len + 4)? < len + 4 {
                return Ok(());
            }
            continue;
        }
        number += 1;
        let mut chunk = Exact::new(&mut reader, len);
        if has_packed_text(kind, &mut chunk)? {
            if number == 1 {
                walker.account().count_archive();
            }
            let name = format!("text {number}");
            let mut text = ZlibDecoder::new(BufReader::with_capacity(512, &mut chunk));
            walker.member(place, name.as_bytes(), &mut text)?;
        }
        chunk.rest()?;
        skip(&mut reader, 4)?;
    }
    Ok(())
}

/// Skips the fields before a text; returns `true` if it is compressed.
fn has_packed_text(kind: &[u8], chunk: &mut dyn Read) -> Result<bool, Fault> {
    text(chunk)?;
    let mut method = [0];
    chunk.read_exact(&mut method)?;
    if kind == b"zTXt" {
        return Ok(method[0] == 0);
    }
    let is_packed = method[0] == 1;
    chunk.read_exact(&mut method)?;
    // The language and the translated keyword.
    text(chunk)?;
    text(chunk)?;
    Ok(is_packed && method[0] == 0)
}

/// Skips a text that ends with NUL.
fn text(chunk: &mut dyn Read) -> Result<(), Fault> {
    let mut byte = [1];
    let mut left = FIELDS;
    while byte[0] != 0 {
        left = left.checked_sub(1).ok_or(Damage::NameLength)?;
        chunk.read_exact(&mut byte)?;
    }
    Ok(())
}
