//! tar: the old form, ustar, GNU's, PAX, sparse members.
//!
//! In comes a stream of blocks; members go to the walker as they pass. A header is one if its checksum
//! holds. After a damaged one the next good one is looked for, block by block; archives that were
//! put one behind the other are read on. Of sparse members the stored parts are looked at, without
//! the holes: places count in what is stored.

use super::bytes::{Bytes, fill, skip};
use super::fault::Fault;
use super::image;
use super::layers::{Documents, Layers};
use super::member_path::MemberPlace;
use super::tar_header::{BLOCK, Extended, Header, extend};
use super::walker::Walker;
use ddpatrol_scan::issue::{ArchiveLimit, Damage};
use std::io::{self, Read, SeekFrom};
use std::sync::Arc;

/// The longest extended header that is held; a path in one has at most a few thousand bytes.
const LONGEST: u64 = 1 << 20;

/// Reads a tar that comes as a stream; an image is held to be read twice.
pub(super) fn read_stream(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let beginning = begin(reader)?;
    let mut whole = io::Cursor::new(beginning.bytes).chain(reader);
    if beginning.is_image {
        return read_whole(walker, place, &mut walker.spool(&mut whole)?);
    }
    Reader::new(walker, place).read(&mut whole)
}

/// Reads a tar that can be read twice.
pub(super) fn read_whole(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    bytes.seek(SeekFrom::Start(0))?;
    let Beginning { is_image, .. } = begin(bytes)?;
    bytes.seek(SeekFrom::Start(0))?;
    let mut place = place.clone();
    if is_image {
        place.image = image_layers(walker, bytes).map(Arc::new);
        bytes.seek(SeekFrom::Start(0))?;
    }
    let mut buffered = io::BufReader::with_capacity(64 << 10, bytes);
    Reader::new(walker, &place).read(&mut buffered)
}

/// Finds the layers of an image. Where that fails, reading the members fails in the same way and
/// reports it.
fn image_layers(walker: &Walker<'_>, bytes: &mut dyn Bytes) -> Option<Layers> {
    let mut documents = Documents::default();
    let mut take =
        |header: &Header, content: &mut dyn Read| documents.take(&header.name, header.len, content);
    list(walker, bytes, &mut take).ok()?;
    documents.layers()
}

/// The beginning of a tar, up to the header of the first member.
struct Beginning {
    bytes: Vec<u8>,
    /// Whether the name of the first member is one of a container image.
    is_image: bool,
}

/// Reads up to the header of the first member that has a name of its own.
fn begin(reader: &mut (impl Read + ?Sized)) -> io::Result<Beginning> {
    let mut bytes = Vec::new();
    // The folder `.` and extended headers may come before.
    while bytes.len() < 32 * BLOCK {
        let mut block = [0; BLOCK];
        let len = fill(reader, &mut block)?;
        bytes.extend_from_slice(&block[..len]);
        let Some(header) = Header::parse(&block).filter(|_| len == BLOCK) else { break };
        if matches!(header.kind, b'x' | b'g') && header.len <= 8 << 10 {
            reader.take(header.len + header.padding()).read_to_end(&mut bytes)?;
            continue;
        }
        let name = header.name.strip_prefix(b"./").unwrap_or(&header.name);
        if !matches!(name, b"" | b".") {
            return Ok(Beginning { bytes, is_image: image::is_like(name) });
        }
    }
    Ok(Beginning { bytes, is_image: false })
}

/// Goes over the members of a tar without reading their content.
fn list(
    walker: &Walker<'_>,
    bytes: &mut dyn Bytes,
    see: &mut dyn FnMut(&Header, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut block = [0; BLOCK];
    let mut extended = Extended::default();
    let mut at = 0_u64;
    while fill(bytes, &mut block)? == BLOCK {
        walker.account().check()?;
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

/// One pass over a tar.
struct Reader<'a, 'w> {
    walker: &'a Walker<'w>,
    place: &'a MemberPlace,
    extended: Extended,
    /// Blocks that are no headers, since the last header.
    strays: u64,
    /// Whether the mark of the end was met.
    ended: bool,
}

impl<'a, 'w> Reader<'a, 'w> {
    fn new(walker: &'a Walker<'w>, place: &'a MemberPlace) -> Self {
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
                return if is_cut { Err(Damage::HeaderCut.into()) } else { Ok(()) };
            }
            self.walker.account().check().map_err(|_| Fault::Stopped)?;
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
            let damage = Damage::BlocksSkipped { blocks: self.strays };
            self.walker.account().report(self.place, damage);
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
                    return Err(Damage::HeaderCut.into());
                }
                extend(&mut self.extended, header.kind, &record);
                skip(reader, header.padding())?;
                return Ok(());
            }
            b'x' | b'L' | b'g' | b'K' => {
                if header.len > LONGEST {
                    self.walker.account().report(self.place, ArchiveLimit::TarHeader(LONGEST));
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
                return Err(Damage::HeaderCut.into());
            }
            is_extended = block[504] != 0;
        }
        header.apply(&mut self.extended);
        match header.len {
            0 => self.walker.account().name(self.place, &header.name)?,
            len => self.walker.sized(self.place, &header.name, len, reader)?,
        }
        skip(reader, header.padding())?;
        Ok(())
    }
}
