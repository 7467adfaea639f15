//! Dumps of PostgreSQL in the custom format (`pg_dump -Fc`).
//!
//! Input: a stream. Output: the data of each table, and the large objects, to the walker. The definitions
//! in the table of contents are not compressed, so the raw search covers them.

use super::bytes::{fill, skip};
use super::fault::Fault;
use super::format::Format;
use super::member_path::MemberPlace;
use super::stream;
use super::unopened::Unopened;
use super::walker::Walker;
use ddpatrol_scan::issue::Damage;
use std::collections::HashMap;
use std::io::{self, Read};

/// The first version with separate entries for large objects, that of PostgreSQL 9.0.
const OLDEST: (u8, u8) = (1, 12);
const NEWEST: (u8, u8) = (1, 16);
/// Maximum length of a name that is kept, in bytes.
const MAX_NAME: u64 = 256;

/// The values of a dump.
struct Dump<'a> {
    reader: &'a mut dyn Read,
    version: (u8, u8),
    int_len: usize,
    offset_len: u64,
}

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let mut head = [0; 11];
    if fill(reader, &mut head)? < head.len() {
        return Err(Damage::OwnHeaderCut.into());
    }
    let version = (head[5], head[6]);
    if !(OLDEST..=NEWEST).contains(&version) {
        return Err(Unopened::PgDump.into());
    }
    let (int_len, offset_len) = (usize::from(head[8]), u64::from(head[9]));
    let mut dump = Dump { reader, version, int_len, offset_len };
    let codec = dump.codec()?;
    let names = dump.read_contents()?;
    loop {
        let mut kind = [0];
        if fill(dump.reader, &mut kind)? == 0 {
            return Ok(());
        }
        walker.account().check().map_err(|_| Fault::Stopped)?;
        let id = dump.int()?;
        let name = || match names.get(&id) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("entry {id}").into_bytes(),
        };
        match kind[0] {
            1 => read_data(walker, place, &name(), Data { dump: &mut dump, codec })?,
            3 => loop {
                let object = dump.int()?;
                if object == 0 {
                    break;
                }
                let name = format!("large object {object}");
                read_data(walker, place, name.as_bytes(), Data { dump: &mut dump, codec })?;
            },
            _ => return Err(Damage::HeaderMissing.into()),
        }
    }
}

/// The data of an entry, and its compression.
struct Data<'d, 'r> {
    dump: &'d mut Dump<'r>,
    codec: Option<Format>,
}

/// Reads the data of an entry.
fn read_data(
    walker: &Walker<'_>,
    place: &MemberPlace,
    name: &[u8],
    data: Data<'_, '_>,
) -> Result<(), Fault> {
    let mut chunks = Chunks { dump: data.dump, left: 0, is_over: false };
    match data.codec {
        None => walker.member(place, name, &mut chunks)?,
        Some(codec) => {
            let mut content = stream::decoder(codec, &mut chunks)?;
            walker.member(place, name, &mut content)?;
        }
    }
    io::copy(&mut chunks, &mut io::sink())?;
    Ok(())
}

impl Dump<'_> {
    /// Reads a number: its sign, then its bytes.
    fn int(&mut self) -> io::Result<i64> {
        let mut bytes = [0; 9];
        self.reader.read_exact(&mut bytes[..=self.int_len])?;
        let mut value = [0; 8];
        value[..self.int_len].copy_from_slice(&bytes[1..=self.int_len]);
        let value = i64::from_le_bytes(value);
        Ok(if bytes[0] == 0 { value } else { value.wrapping_neg() })
    }

    /// Reads the beginning of a text; `None` for one that is absent.
    fn text(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let Ok(len) = u64::try_from(self.int()?) else { return Ok(None) };
        let mut text = Vec::new();
        let kept = len.min(MAX_NAME);
        (&mut *self.reader).take(kept).read_to_end(&mut text)?;
        if (text.len() as u64) < kept || skip(self.reader, len - kept)? < len - kept {
            return Err(Damage::HeaderCut.into());
        }
        Ok(Some(text))
    }

    /// Reads the compression.
    fn codec(&mut self) -> Result<Option<Format>, Fault> {
        if self.version < (1, 15) {
            return Ok((self.int()? != 0).then_some(Format::Zlib));
        }
        let mut algorithm = [0];
        self.reader.read_exact(&mut algorithm)?;
        match algorithm[0] {
            0 => Ok(None),
            1 => Ok(Some(Format::Zlib)),
            2 => Ok(Some(Format::Lz4)),
            3 => Ok(Some(Format::Zstd)),
            _ => Err(Unopened::PgDump.into()),
        }
    }

    /// Reads the table of contents; returns the names of the entries by their numbers.
    fn read_contents(&mut self) -> Result<HashMap<i64, Vec<u8>>, Fault> {
        // The date, then the names of the database and of the versions.
        for _ in 0..7 {
            self.int()?;
        }
        for _ in 0..3 {
            self.text()?;
        }
        let mut names = HashMap::new();
        for _ in 0..self.int()? {
            let id = self.int()?;
            self.int()?;
            self.text()?;
            self.text()?;
            let tag = self.text()?;
            self.text()?;
            self.int()?;
            // The definition, and the statements that drop and fill the entry.
            for _ in 0..3 {
                self.text()?;
            }
            let namespace = self.text()?;
            self.text()?;
            if self.version >= (1, 14) {
                self.text()?;
            }
            if self.version >= (1, 16) {
                self.int()?;
            }
            // The owner, and whether there are object identifiers.
            self.text()?;
            self.text()?;
            while self.text()?.is_some() {}
            skip(self.reader, 1 + self.offset_len)?;
            let parts: Vec<_> = [namespace, tag].into_iter().flatten().collect();
            names.insert(id, parts.join(&b'.'));
        }
        Ok(names)
    }
}

/// The chunks of an entry, each behind its length; the last one is empty.
struct Chunks<'d, 'r> {
    dump: &'d mut Dump<'r>,
    left: u64,
    is_over: bool,
}

impl Read for Chunks<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.is_over {
            return Ok(0);
        }
        if self.left == 0 {
            self.left = u64::try_from(self.dump.int()?).unwrap_or(0);
            self.is_over = self.left == 0;
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let len = self.dump.reader.read(&mut buffer[..most])?;
        if len == 0 {
            return Err(super::decode_error::DecodeError::CutOff.into());
        }
        self.left -= len as u64;
        Ok(len)
    }
}
