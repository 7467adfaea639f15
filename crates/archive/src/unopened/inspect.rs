//! Inspects formats that are not opened: whether any of their content is compressed or encrypted.
//!
//! Input: a stream, or seekable bytes for formats whose metadata is at the end. Output: the issue, as an
//! error; none if all of the content is in the raw bytes, which are searched anyway.

use super::Unopened;
use crate::bytes::{Bytes, fill};
use crate::fault::Fault;
use crate::zip_directory::u32_at;
use ddpatrol_scan::issue::ArchiveIssue;
use memchr::memmem;
use std::io::{self, Read, SeekFrom};

/// Maximum length of the metadata that is inspected, in bytes.
const METADATA: usize = 8 << 20;

/// Returns `true` for a format whose metadata is at the end of the file.
pub(crate) const fn needs_end(format: Unopened) -> bool {
    matches!(format, Unopened::Orc | Unopened::Parquet)
}

/// Reads as much of a stream as is needed to decide whether its content is in its raw bytes; fails with
/// the issue if it is not.
pub(crate) fn inspect(format: Unopened, reader: &mut dyn Read) -> Result<(), Fault> {
    match format {
        Unopened::Avro if !is_avro_compressed(reader)? => Ok(()),
        Unopened::Hdf5 if find_any(reader, HDF5_FILTERS)?.is_none() => Ok(()),
        Unopened::Ole => inspect_ole(reader),
        format => Err(format.into()),
    }
}

/// Inspects a format whose metadata is at the end.
pub(crate) fn inspect_whole(format: Unopened, bytes: &mut dyn Bytes) -> Result<(), Fault> {
    let is_plain = match format {
        Unopened::Orc => is_orc_plain(bytes)?,
        _ => is_parquet_plain(bytes)?,
    };
    if is_plain { Ok(()) } else { Err(format.into()) }
}

/// Reads the metadata of an Avro file, and returns `true` if its blocks are compressed.
fn is_avro_compressed(reader: &mut dyn Read) -> io::Result<bool> {
    let mut head = Vec::new();
    // The metadata comes first, and its order is not defined; the schema in it may be long.
    let mut part = [0; 4 << 10];
    loop {
        let len = fill(reader, &mut part)?;
        head.extend_from_slice(&part[..len]);
        if let Some(at) = memmem::find(&head, b"avro.codec") {
            // The length of the value, doubled, then the value.
            let value = head.get(at + 10..).unwrap_or_default();
            if value.len() > 5 || len < part.len() {
                return Ok(!value.starts_with(b"\x08null"));
            }
        }
        if len < part.len() || head.len() > METADATA {
            return Ok(false);
        }
    }
}

/// The names of filters in the datasets of HDF5, and the header of newer datasets, which omits the names.
const HDF5_FILTERS: &[&[u8]] = &[
    b"deflate\0",
    b"szip\0",
    b"lzf\0",
    b"blosc",
    b"zstd\0",
    b"bzip2\0",
    b"lz4 filter",
    b"OHDR\x02",
];

/// Names in the directory of an OLE file, as UTF-16.
const OLE_NAMES: &[&[u8]] = &[
    b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0",
    b"_\0V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T\0",
    b"_\x001\x000\x000\x009\x000\x001\x000\x002\0",
    // The class of a Windows installer, which has cabinets.
    b"\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0\x46",
];

/// Reports an encrypted document, macros, compressed mail, and the cabinets of installers.
fn inspect_ole(reader: &mut dyn Read) -> Result<(), Fault> {
    let mut head = [0; 1_024];
    let len = fill(reader, &mut head)?;
    if is_encrypted_word(&head[..len]) || is_encrypted_excel(&head[..len]) {
        return Err(ArchiveIssue::Encrypted.into());
    }
    let mut whole = io::Cursor::new(&head[..len]).chain(reader);
    match find_any(&mut whole, OLE_NAMES)? {
        None => Ok(()),
        Some(0) => Err(ArchiveIssue::Encrypted.into()),
        Some(_) => Err(Unopened::Ole.into()),
    }
}

/// Returns `true` if the first sector begins a Word document whose header says that it is encrypted.
fn is_encrypted_word(head: &[u8]) -> bool {
    head.get(512..514) == Some(b"\xec\xa5") && head.get(523).is_some_and(|flags| flags & 1 != 0)
}

/// Returns `true` if the first sector begins a workbook whose second record is that of a password.
fn is_encrypted_excel(head: &[u8]) -> bool {
    let Some([9, 8, len, 0]) = head.get(512..516) else { return false };
    head.get(516 + usize::from(*len)..).is_some_and(|rest| rest.starts_with(b"\x2f\0"))
}

/// Returns `true` if the postscript of an ORC file says that its streams are not compressed.
fn is_orc_plain(bytes: &mut dyn Bytes) -> io::Result<bool> {
    let mut tail = [0; 256];
    let tail = read_tail(bytes, &mut tail)?;
    let Some((&len, rest)) = tail.split_last() else { return Ok(true) };
    let Some(postscript) = rest.len().checked_sub(usize::from(len)).map(|at| &rest[at..]) else {
        return Ok(true);
    };
    // Text that begins with the same letters does not end so.
    if !postscript.ends_with(b"ORC") {
        return Ok(true);
    }
    // Field 1 is the length of the footer; field 2 is the compression, absent if there is none.
    let footer_len = postscript.iter().skip(1).take_while(|byte| **byte >= 0x80).count() + 1;
    Ok(!matches!(postscript.get(1 + footer_len..), Some([0x10, kind, ..]) if *kind > 0))
}

/// Returns `true` if no column of a Parquet file is compressed.
fn is_parquet_plain(bytes: &mut dyn Bytes) -> io::Result<bool> {
    let mut tail = [0; 8];
    let tail = read_tail(bytes, &mut tail)?;
    if tail.len() < 8 || &tail[4..] != b"PAR1" {
        return Ok(false);
    }
    let len = u64::from(u32_at(tail, 0));
    let end = bytes.seek(SeekFrom::End(-8))?;
    if len > end || len > METADATA as u64 {
        return Ok(false);
    }
    bytes.seek(SeekFrom::Start(end - len))?;
    let mut footer = vec![0; usize::try_from(len).unwrap_or_default()];
    let filled = fill(bytes, &mut footer)?;
    // A column lists its path (field 3), a list of strings, then its codec (field 4), where zero is none.
    let mut is_any = false;
    for at in memchr::memchr_iter(0x19, &footer[..filled]) {
        let Some(codec) = codec_after_path(&footer[at + 1..filled]) else { continue };
        if codec != 0 {
            return Ok(false);
        }
        is_any = true;
    }
    Ok(is_any)
}

/// Parses a list of strings and the codec after it, in Thrift's compact protocol.
fn codec_after_path(bytes: &[u8]) -> Option<u8> {
    let (&header, mut rest) = bytes.split_first()?;
    let count = usize::from(header >> 4);
    if header & 15 != 8 || !(1..15).contains(&count) {
        return None;
    }
    for _ in 0..count {
        let (&len, after) = rest.split_first()?;
        let name = after.get(..usize::from(len)).filter(|_| len < 0x80)?;
        std::str::from_utf8(name).ok()?;
        rest = &after[name.len()..];
    }
    match rest {
        [0x15, codec, 0x16, ..] if codec % 2 == 0 && *codec <= 16 => Some(codec / 2),
        _ => None,
    }
}

fn read_tail<'b>(bytes: &mut dyn Bytes, tail: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let len = bytes.seek(SeekFrom::End(0))?;
    bytes.seek(SeekFrom::Start(len.saturating_sub(tail.len() as u64)))?;
    let filled = fill(bytes, tail)?;
    Ok(&tail[..filled])
}

/// Returns the index of the first of `needles` that occurs in the stream.
fn find_any(reader: &mut dyn Read, needles: &[&[u8]]) -> io::Result<Option<usize>> {
    const OVERLAP: usize = 64;
    let finders: Vec<_> = needles.iter().map(memmem::Finder::new).collect();
    let mut part = vec![0; 64 << 10];
    let mut kept = 0;
    loop {
        let len = fill(reader, &mut part[kept..])?;
        let bytes = &part[..kept + len];
        if let Some(at) = finders.iter().position(|finder| finder.find(bytes).is_some()) {
            return Ok(Some(at));
        }
        if kept + len < part.len() {
            return Ok(None);
        }
        let end = part.len();
        part.copy_within(end - OVERLAP.., 0);
        kept = OVERLAP;
    }
}
