//! What a pack holds, told by reading over it once: where its entries begin, and how long their objects
//! are, before any is put together.
//!
//! In comes a pack without an index; out goes the pack with one, in which ids stand for offsets: whoever
//! reads all objects needs no other, and making a true one costs more than all else. What libgit2 is
//! needed for after all (deltas that name their bases, objects too large to be held) is told.

use super::bytes::{Bytes, fill};
use super::fault::Fault;
use super::walker::Walker;
use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit, Damage};
use flate2::bufread::ZlibDecoder;
use sha1::{Digest, Sha1};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How many bytes a pack has before its first entry, and behind its last one.
const HEADER: usize = 12;
const TRAILER: usize = 20;
/// The numbers of the kinds of entries that build on others, by offset and by id.
const OFFSET_DELTA: u8 = 6;
const NAMED_DELTA: u8 = 7;
/// The longest object that is held in memory.
const HELD: u64 = 64 << 20;

/// Where the entries of a pack are.
pub(super) struct PackScan {
    /// The offsets of all entries, if the pack is simple.
    offsets: Vec<u32>,
    /// Where the last of them ends.
    end: u64,
    /// Whether all can be read by their offsets alone, each held in memory.
    pub(super) is_simple: bool,
    /// Why there are no more of them, or what is wrong with the whole.
    pub(super) damage: Option<Damage>,
}

impl PackScan {
    /// Reads over a pack. It fails if its objects exceed the limits.
    pub(super) fn read(walker: &Walker<'_>, pack: &mut dyn Bytes) -> Result<Self, Fault> {
        let len = pack.seek(SeekFrom::End(0))?;
        pack.seek(SeekFrom::Start(0))?;
        let entries = len.saturating_sub(TRAILER as u64);
        let inner = BufReader::with_capacity(64 << 10, (&mut *pack).take(entries));
        let mut reader = Hashed { inner, at: 0, hash: Sha1::new() };
        let mut head = [0; HEADER];
        let held = fill(&mut reader, &mut head)?;
        let count = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        if held < HEADER || !head.starts_with(b"PACK") {
            return Err(Damage::PackHeader.into());
        }
        let mut survey =
            Self { offsets: Vec::new(), end: HEADER as u64, is_simple: true, damage: None };
        let mut total = 0_u64;
        for number in 0..count {
            walker.account().check().map_err(|_| Fault::Stopped)?;
            let mut fits = |len| {
                total = total.saturating_add(len);
                walker.account().expect(total)
            };
            let is_simple = match entry(&mut reader, &mut fits, walker) {
                Ok(is_simple) => is_simple,
                Err(Fault::Issue(ArchiveIssue::Unreadable(source))) => {
                    if walker.account().is_stopped() {
                        return Err(Fault::Stopped);
                    }
                    let number = u64::from(number) + 1;
                    survey.damage = Some(Damage::PackObject { number, count, source });
                    return Ok(survey);
                }
                Err(fault) => return Err(fault),
            };
            let offset = u32::try_from(survey.end);
            survey.is_simple &= is_simple && offset.is_ok();
            survey.offsets.extend(offset);
            survey.end = reader.at;
        }
        let (hash, mut trailer) = (reader.hash.finalize(), [0; TRAILER]);
        pack.seek(SeekFrom::Start(survey.end))?;
        fill(pack, &mut trailer)?;
        if hash[..] != trailer {
            survey.damage = Some(Damage::PackChecksum);
        }
        Ok(survey)
    }

    /// Writes what could be read of the pack into a folder, and its index beside it; returns its path.
    pub(super) fn write(&self, pack: &mut dyn Bytes, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join("a.pack");
        pack.seek(SeekFrom::Start(0))?;
        let mut file = File::create(&path)?;
        io::copy(&mut (&mut *pack).take(self.end), &mut file)?;
        file.write_all(&[0; TRAILER])?;
        // The first form of an index, see gitformat-pack(5). All ids begin with a zero.
        let mut index = BufWriter::new(File::create(path.with_extension("idx"))?);
        for _ in 0..256 {
            index.write_all(&(self.offsets.len() as u32).to_be_bytes())?;
        }
        for offset in self.offsets.iter().map(|offset| offset.to_be_bytes()) {
            index.write_all(&offset)?;
            index.write_all(&[0; TRAILER - 4])?;
            index.write_all(&offset)?;
        }
        index.write_all(&[0; 2 * TRAILER])?;
        index.flush()?;
        Ok(path)
    }
}

/// How many bytes are inflated between two looks at the wish to stop.
const STEP: u64 = 4 << 20;

/// Reads over an entry, if its object is not too long; returns whether the object can be held, and made by
/// offsets alone.
fn entry(
    reader: &mut Hashed<impl Read>,
    fits: &mut dyn FnMut(u64) -> Result<(), Fault>,
    walker: &Walker<'_>,
) -> Result<bool, Fault> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let head = byte(reader)?;
    let mut size = u64::from(head & 15);
    if head & 0x80 != 0 {
        size |= number(reader)?.checked_mul(16).ok_or_else(invalid)?;
    }
    let kind = (head >> 4) & 7;
    match kind {
        1..=4 => {}
        OFFSET_DELTA => drop(number(reader)?),
        NAMED_DELTA => reader.read_exact(&mut [0; 20])?,
        _ => return Err(invalid().into()),
    }
    let mut content = ZlibDecoder::new(reader);
    let mut len = size;
    if matches!(kind, OFFSET_DELTA | NAMED_DELTA) {
        number(&mut content)?;
        len = number(&mut content)?;
    }
    // A delta is inflated before its object is made.
    fits(len.max(size))?;
    if kind == OFFSET_DELTA || kind == NAMED_DELTA {
        held(len.max(size))?;
    }
    // One byte more than there should be, so that a longer one is noticed and a right one is read to
    // its end, where its checksum is.
    let rest = size.saturating_sub(content.total_out()).saturating_add(1);
    let mut rest = (&mut content).take(rest);
    // A small entry may inflate to a very large object.
    while io::copy(&mut (&mut rest).take(STEP), &mut io::sink())? == STEP {
        walker.account().check()?;
    }
    if content.total_out() != size {
        return Err(invalid().into());
    }
    Ok(kind != NAMED_DELTA && len.max(size) <= HELD)
}

/// Fails if what must be held in memory, by libgit2 if not by us, is too long for that.
fn held(len: u64) -> Result<(), Fault> {
    if len <= HELD {
        return Ok(());
    }
    Err(ArchiveLimit::PackDelta { len, limit: HELD }.into())
}

/// Reads a number of which each byte has seven bits, the lowest first.
fn number(reader: &mut impl Read) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = byte(reader)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

fn byte(reader: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Counts and hashes what is read.
struct Hashed<R> {
    inner: BufReader<R>,
    at: u64,
    hash: Sha1,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(buffer)?;
        self.consume(len);
        Ok(len)
    }
}

impl<R: Read> BufRead for Hashed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, len: usize) {
        self.hash.update(&self.inner.buffer()[..len]);
        self.at += len as u64;
        self.inner.consume(len);
    }
}
