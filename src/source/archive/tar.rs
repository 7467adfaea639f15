//! tar: the old form, ustar, GNU's, PAX, sparse members.
//!
//! In comes a stream of blocks; members go to the walker as they pass. A header is one if its checksum
//! holds. After a damaged one the next good one is looked for, block by block; archives that were
//! put one behind the other are read on. Of sparse members the stored parts are looked at, without
//! the holes: places count in what is stored.

use super::place::Place;
use super::tee::{fill, skip};
use super::walker::Walker;
use super::{Bytes, Fault, image};
use std::io::{self, Read, SeekFrom};
use std::sync::Arc;

const BLOCK: usize = 512;
/// The longest extended header that is held; a path in one has at most a few thousand bytes.
const LONGEST: u64 = 1 << 20;

/// Tells whether a block is the header of a member.
pub(super) fn is_header(block: &[u8]) -> bool {
    block.first_chunk::<BLOCK>().and_then(Header::parse).is_some()
}

/// The header of a member.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) len: u64,
    kind: u8,
    is_extended: bool,
}

impl Header {
    pub(super) fn parse(block: &[u8; BLOCK]) -> Option<Self> {
        let said = octal(&block[148..156])?;
        // The checksum counts itself as spaces; old programs took the bytes for signed.
        let rest = || block[..148].iter().chain(&block[156..]);
        let sum: u64 = 8 * 32 + rest().map(|&byte| u64::from(byte)).sum::<u64>();
        let signed: i64 = 8 * 32 + rest().map(|&byte| i64::from(byte.cast_signed())).sum::<i64>();
        if said != sum && i64::try_from(said) != Ok(signed) {
            return None;
        }
        let kind = block[156];
        let len = number(&block[124..136])?;
        let mut name = until_nul(&block[..100]).to_vec();
        let is_ustar = &block[257..263] == b"ustar\0";
        let prefix = until_nul(&block[345..500]);
        if is_ustar && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        // Links, devices and folders have no content, whatever the length says.
        let len = if matches!(kind, b'1'..=b'6') { 0 } else { len };
        Some(Self { name, len, kind, is_extended: kind == b'S' && block[482] != 0 })
    }

    fn padding(&self) -> u64 {
        self.len.next_multiple_of(BLOCK as u64) - self.len
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    &field[..memchr::memchr(0, field).unwrap_or(field.len())]
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = field.trim_ascii_start();
    let digits = text.iter().take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    let is_ended = text.get(digits).is_none_or(|&byte| byte == 0 || byte == b' ');
    if digits == 0 || !is_ended {
        return None;
    }
    text[..digits].iter().try_fold(0_u64, |value, &digit| {
        value.checked_mul(8).map(|value| value + u64::from(digit - b'0'))
    })
}

/// Reads a length: octal digits, or big-endian where the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 == 0 {
        let is_empty = field.iter().all(|&byte| byte == 0 || byte == b' ');
        return if is_empty { Some(0) } else { octal(field) };
    }
    let (high, low) = field.split_at(field.len() - 8);
    let is_small = high[0] == 0x80 && high[1..].iter().all(|&byte| byte == 0);
    let value = u64::from_be_bytes(low.try_into().ok()?);
    // Longer than half of what fits is no length.
    (is_small && value < 1 << 62).then_some(value)
}

/// What extended headers say of the member that follows.
#[derive(Debug, Default)]
pub(super) struct Extended {
    name: Option<Vec<u8>>,
    len: Option<u64>,
}

impl Extended {
    /// Reads the records of a PAX header: `LENGTH KEY=VALUE` and a line feed, the length its own.
    fn pax(&mut self, mut records: &[u8]) {
        while let Some(space) = memchr::memchr(b' ', records) {
            let len = std::str::from_utf8(&records[..space]).ok().and_then(|it| it.parse().ok());
            let Some(record) = len.and_then(|len: usize| records.get(space + 1..len)) else {
                return;
            };
            records = &records[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            let Some(equals) = memchr::memchr(b'=', record) else { continue };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" | b"GNU.sparse.name" => self.name = Some(value.to_vec()),
                b"size" => {
                    let text = std::str::from_utf8(value).ok();
                    let len: Option<u64> = text.and_then(|text| text.parse().ok());
                    self.len = len.filter(|&len| len < 1 << 62);
                }
                _ => {}
            }
        }
    }
}

/// Reads a tar that comes as a stream; an image is held to be read twice.
pub(super) fn read_stream(
    walker: &Walker<'_>,
    place: &Place,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let (first, is_image) = begin(reader)?;
    let mut whole = io::Cursor::new(first).chain(reader);
    if is_image {
        return read_whole(walker, place, &mut walker.spool(&mut whole)?);
    }
    Reader::new(walker, place).read(&mut whole)
}

/// Reads a tar that can be read twice.
pub(super) fn read_whole(
    walker: &Walker<'_>,
    place: &Place,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    bytes.seek(SeekFrom::Start(0))?;
    let (_, is_image) = begin(bytes)?;
    bytes.seek(SeekFrom::Start(0))?;
    let mut place = place.clone();
    if is_image {
        place.image = image::of_tar(walker, bytes)?.map(Arc::new);
        bytes.seek(SeekFrom::Start(0))?;
    }
    let mut buffered = io::BufReader::with_capacity(64 << 10, bytes);
    Reader::new(walker, &place).read(&mut buffered)
}

/// Reads up to the first member that has a name of its own; tells whether it is an image's.
fn begin(reader: &mut (impl Read + ?Sized)) -> io::Result<(Vec<u8>, bool)> {
    let mut first = Vec::new();
    // The folder `.` and extended headers may come before.
    while first.len() < 32 * BLOCK {
        let mut block = [0; BLOCK];
        let len = fill(reader, &mut block)?;
        first.extend_from_slice(&block[..len]);
        let Some(header) = Header::parse(&block).filter(|_| len == BLOCK) else { break };
        if matches!(header.kind, b'x' | b'g') && header.len <= 8 << 10 {
            reader.take(header.len + header.padding()).read_to_end(&mut first)?;
            continue;
        }
        let name = header.name.strip_prefix(b"./").unwrap_or(&header.name);
        if !matches!(name, b"" | b".") {
            return Ok((first, image::is_like(name)));
        }
    }
    Ok((first, false))
}

/// Goes over the members of a tar without reading their content.
pub(super) fn list(
    walker: &Walker<'_>,
    bytes: &mut dyn Bytes,
    see: &mut dyn FnMut(&Header, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut block = [0; BLOCK];
    let mut extended = Extended::default();
    let mut at = 0_u64;
    while fill(bytes, &mut block)? == BLOCK {
        walker.check()?;
        at += BLOCK as u64;
        let Some(mut header) = Header::parse(&block) else { continue };
        match header.kind {
            b'x' | b'L' if header.len <= LONGEST => {
                let mut record = Vec::new();
                bytes.take(header.len).read_to_end(&mut record)?;
                extend(&mut extended, header.kind, &record);
            }
            b'x' | b'L' | b'g' | b'K' => {}
            _ => {
                header.apply(&mut extended);
                see(&header, &mut bytes.take(header.len))?;
            }
        }
        let Some(next) = at.checked_add(header.len + header.padding()) else { break };
        at = bytes.seek(SeekFrom::Start(next))?;
    }
    Ok(())
}

impl Header {
    fn apply(&mut self, extended: &mut Extended) {
        let Extended { name, len } = std::mem::take(extended);
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.len = len.unwrap_or(self.len);
    }
}

fn extend(extended: &mut Extended, kind: u8, record: &[u8]) {
    match kind {
        b'L' => extended.name = Some(until_nul(record).to_vec()),
        b'x' => extended.pax(record),
        _ => {}
    }
}

/// One pass over a tar.
struct Reader<'a, 'w> {
    walker: &'a Walker<'w>,
    place: &'a Place,
    extended: Extended,
    /// Blocks that are no headers, since the last header.
    strays: u64,
    /// Whether the mark of the end was met.
    ended: bool,
}

impl<'a, 'w> Reader<'a, 'w> {
    fn new(walker: &'a Walker<'w>, place: &'a Place) -> Self {
        Self { walker, place, extended: Extended::default(), strays: 0, ended: false }
    }

    fn read(mut self, reader: &mut dyn Read) -> Result<(), Fault> {
        let mut block = [0; BLOCK];
        let mut any = false;
        loop {
            let len = fill(reader, &mut block)?;
            if len < BLOCK {
                self.tell_strays();
                let is_cut = len > 0 && !self.ended && self.strays == 0;
                return if is_cut {
                    Err(Fault::damaged("it ends within a header"))
                } else {
                    Ok(())
                };
            }
            self.walker.check().map_err(|_| Fault::Stopped)?;
            if block.iter().all(|&byte| byte == 0) {
                self.tell_strays();
                self.ended = any;
                continue;
            }
            let Some(header) = Header::parse(&block) else {
                self.strays += 1;
                continue;
            };
            self.tell_strays();
            (any, self.ended) = (true, false);
            self.one(header, reader)?;
        }
    }

    /// Tells of blocks that should have been headers; behind the mark of the end anything may lie.
    fn tell_strays(&mut self) {
        if self.strays > 0 && !self.ended {
            let fault = Fault::Damaged(format!(
                "no header where one should be; {} blocks of 512 bytes were passed over",
                self.strays
            ));
            self.walker.tell(self.place, &fault);
        }
        self.strays = 0;
    }

    /// Reads one member, or what is said of the next.
    fn one(&mut self, mut header: Header, reader: &mut dyn Read) -> Result<(), Fault> {
        match header.kind {
            b'x' | b'L' if header.len <= LONGEST => {
                let mut record = Vec::new();
                reader.take(header.len).read_to_end(&mut record)?;
                if (record.len() as u64) < header.len {
                    return Err(Fault::damaged("it ends within a header"));
                }
                extend(&mut self.extended, header.kind, &record);
                skip(reader, header.padding())?;
                return Ok(());
            }
            b'x' | b'L' | b'g' | b'K' => {
                if header.len > LONGEST {
                    let fault = Fault::Limit(format!("a header has more than {LONGEST} bytes"));
                    self.walker.tell(self.place, &fault);
                }
                skip(reader, header.len.saturating_add(header.padding()))?;
                return Ok(());
            }
            _ => {}
        }
        let mut is_extended = header.is_extended;
        while is_extended {
            let mut block = [0; BLOCK];
            if fill(reader, &mut block)? < BLOCK {
                return Err(Fault::damaged("it ends within a header"));
            }
            is_extended = block[504] != 0;
        }
        header.apply(&mut self.extended);
        match header.len {
            0 => self.walker.name(self.place, &header.name)?,
            len => self.walker.sized(self.place, (&header.name, len), reader)?,
        }
        skip(reader, header.padding())?;
        Ok(())
    }
}
