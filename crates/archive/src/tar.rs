//! tar: the old format, ustar, GNU, PAX, sparse members.
//!
//! Input: a stream of blocks. Output: members, to the walker. A header is recognized by its checksum. After
//! a damaged header, reading resumes at the next valid one; concatenated archives are read too. The stored
//! parts of sparse members are scanned without the holes, and offsets count in the stored bytes.

use super::bytes::{Bytes, fill, skip};
use super::fault::Fault;
use super::image;
use super::layers::{Documents, Layers};
use super::member_path::MemberPlace;
use super::tar_header::{BLOCK, Extended, TarHeader, extend};
use super::walker::Walker;
use ddpatrol_scan::issue::{ArchiveLimit, Damage};
use std::io::{self, Read, SeekFrom};
use std::sync::Arc;

/// Maximum length of an extended header, in bytes; a path has at most a few thousand bytes.
const MAX_EXTENDED: u64 = 1 << 20;

/// Reads a tar from a stream. A container image is buffered, because it is read twice.
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
    TarReader::new(walker, place).read(&mut whole)
}

/// Reads a seekable tar.
pub(super) fn read_whole(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    bytes.seek(SeekFrom::Start(0))?;
    let TarStart { is_image, .. } = begin(bytes)?;
    bytes.seek(SeekFrom::Start(0))?;
    let mut place = place.clone();
    if is_image {
        place.image = image_layers(walker, bytes).map(Arc::new);
        bytes.seek(SeekFrom::Start(0))?;
    }
    let mut buffered = io::BufReader::with_capacity(64 << 10, bytes);
    TarReader::new(walker, &place).read(&mut buffered)
}

/// Finds the layers of an image. Errors are ignored: reading the members meets and reports them.
fn image_layers(walker: &Walker<'_>, bytes: &mut dyn Bytes) -> Option<Layers> {
    let mut documents = Documents::default();
    let mut take = |header: &TarHeader, content: &mut dyn Read| {
        documents.take(&header.name, header.len, content)
    };
    list(walker, bytes, &mut take).ok()?;
    documents.layers()
}

/// The beginning of a tar, up to the header of the first member.
struct TarStart {
    bytes: Vec<u8>,
    /// Whether the first member has a name that occurs in container images.
    is_image: bool,
}

/// Reads up to the header of the first member that has a name of its own.
fn begin(reader: &mut (impl Read + ?Sized)) -> io::Result<TarStart> {
    let mut bytes = Vec::new();
    // The folder `.` and extended headers may precede it.
    while bytes.len() < 32 * BLOCK {
        let mut block = [0; BLOCK];
        let len = fill(reader, &mut block)?;
        bytes.extend_from_slice(&block[..len]);
        let Some(header) = TarHeader::parse(&block).filter(|_| len == BLOCK) else { break };
        if matches!(header.kind, b'x' | b'g') && header.len <= 8 << 10 {
            reader.take(header.len + header.padding()).read_to_end(&mut bytes)?;
            continue;
        }
        let name = header.name.strip_prefix(b"./").unwrap_or(&header.name);
        if !matches!(name, b"" | b".") {
            return Ok(TarStart { bytes, is_image: image::is_like(name) });
        }
    }
    Ok(TarStart { bytes, is_image: false })
}

/// Lists the members of a tar, and seeks over unread content.
fn list(
    walker: &Walker<'_>,
    bytes: &mut dyn Bytes,
    on_member: &mut dyn FnMut(&TarHeader, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut block = [0; BLOCK];
    let mut extended = Extended::default();
    let mut at = 0_u64;
    while fill(bytes, &mut block)? == BLOCK {
        walker.account().check()?;
        at += BLOCK as u64;
        let Some(mut header) = TarHeader::parse(&block) else { continue };
        match header.kind {
            b'x' | b'L' if header.len <= MAX_EXTENDED => {
                let mut record = Vec::new();
                bytes.take(header.len).read_to_end(&mut record)?;
                extend(&mut extended, header.kind, &record);
            }
            b'x' | b'L' | b'g' | b'K' => {}
            _ => {
                header.apply(&mut extended);
                on_member(&header, &mut bytes.take(header.len))?;
            }
        }
        let Some(next) = at.checked_add(header.len + header.padding()) else { break };
        at = bytes.seek(SeekFrom::Start(next))?;
    }
    Ok(())
}

/// One pass over a tar.
struct TarReader<'a, 'w> {
    walker: &'a Walker<'w>,
    place: &'a MemberPlace,
    extended: Extended,
    /// The number of blocks since the last header that should be headers and are not.
    strays: u64,
    /// Whether the end marker was read.
    ended: bool,
}

impl<'a, 'w> TarReader<'a, 'w> {
    fn new(walker: &'a Walker<'w>, place: &'a MemberPlace) -> Self {
        Self { walker, place, extended: Extended::default(), strays: 0, ended: false }
    }

    fn read(mut self, reader: &mut dyn Read) -> Result<(), Fault> {
        let mut block = [0; BLOCK];
        let mut any = false;
        loop {
            let len = fill(reader, &mut block)?;
            if len < BLOCK {
                self.report_strays();
                let is_cut = len > 0 && !self.ended && self.strays == 0;
                return if is_cut { Err(Damage::HeaderCut.into()) } else { Ok(()) };
            }
            self.walker.account().check().map_err(|_| Fault::Stopped)?;
            if block.iter().all(|&byte| byte == 0) {
                self.report_strays();
                self.ended = any;
                continue;
            }
            let Some(header) = TarHeader::parse(&block) else {
                self.strays += 1;
                continue;
            };
            self.report_strays();
            (any, self.ended) = (true, false);
            self.read_entry(header, reader)?;
        }
    }

    /// Reports blocks that should be headers. After the end marker any data is allowed.
    fn report_strays(&mut self) {
        if self.strays > 0 && !self.ended {
            let damage = Damage::BlocksSkipped { blocks: self.strays };
            self.walker.account().report(self.place, damage);
        }
        self.strays = 0;
    }

    /// Reads one member, or an extended header of the next one.
    fn read_entry(&mut self, mut header: TarHeader, reader: &mut dyn Read) -> Result<(), Fault> {
        match header.kind {
            b'x' | b'L' if header.len <= MAX_EXTENDED => {
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
                if header.len > MAX_EXTENDED {
                    self.walker.account().report(self.place, ArchiveLimit::TarHeader(MAX_EXTENDED));
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
