//! Scans the entry headers of a pack: offsets and object sizes, before any object is assembled.
//!
//! Input: a pack without an index. Output: the pack with an index whose ids are offsets. Reading all objects
//! needs no other index, and computing a real one costs more than everything else. [`PackScan::is_simple`]
//! is `false` for packs that need libgit2: deltas that name their base by id, or objects too large to hold.

use super::bytes::{Bytes, fill};
use super::fault::Fault;
use super::walker::Walker;
use ddpatrol_scan::issue::{ArchiveIssue, ArchiveLimit, Damage};
use flate2::bufread::ZlibDecoder;
use sha1::{Digest, Sha1};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Lengths of the header and of the trailing checksum of a pack, in bytes.
const HEADER: usize = 12;
const TRAILER: usize = 20;
/// The type numbers of delta entries: base by offset, base by id.
const OFFSET_DELTA: u8 = 6;
const NAMED_DELTA: u8 = 7;
/// Maximum size of an object held in memory, in bytes.
const MAX_OBJECT: u64 = 64 << 20;

/// The offsets of the entries of a pack.
pub(super) struct PackScan {
    /// The offsets of all entries, if the pack is simple.
    offsets: Vec<u32>,
    /// The offset of the end of the last entry.
    end: u64,
    /// Whether all objects fit in memory and no delta names its base by id.
    pub(super) is_simple: bool,
    /// The damage that ended the scan, or a wrong checksum.
    pub(super) damage: Option<Damage>,
}

impl PackScan {
    /// Scans the entry headers of a pack. Fails if its objects exceed the limits.
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
        let mut scan =
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
                    scan.damage = Some(Damage::PackObject { number, count, source });
                    return Ok(scan);
                }
                Err(fault) => return Err(fault),
            };
            let offset = u32::try_from(scan.end);
            scan.is_simple &= is_simple && offset.is_ok();
            scan.offsets.extend(offset);
            scan.end = reader.at;
        }
        let (hash, mut trailer) = (reader.hash.finalize(), [0; TRAILER]);
        pack.seek(SeekFrom::Start(scan.end))?;
        fill(pack, &mut trailer)?;
        if hash[..] != trailer {
            scan.damage = Some(Damage::PackChecksum);
        }
        Ok(scan)
    }

    /// Writes the readable part of the pack and an index into a folder; returns the path of the pack.
    pub(super) fn write(&self, pack: &mut dyn Bytes, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join("a.pack");
        pack.seek(SeekFrom::Start(0))?;
        let mut file = File::create(&path)?;
        io::copy(&mut (&mut *pack).take(self.end), &mut file)?;
        file.write_all(&[0; TRAILER])?;
        // Index version 1, see gitformat-pack(5). The first byte of every id counts as zero.
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

/// Bytes inflated between two checks for interruption.
const STEP: u64 = 4 << 20;

/// Scans an entry, unless its object exceeds the limits. Returns `true` if the object fits in memory and is
/// not a delta that names its base by id.
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
    // A delta is inflated before it is applied.
    fits(len.max(size))?;
    if kind == OFFSET_DELTA || kind == NAMED_DELTA {
        held(len.max(size))?;
    }
    // One more byte than recorded: a longer entry is detected, and a correct one is read to its checksum.
    let rest = size.saturating_sub(content.total_out()).saturating_add(1);
    let mut rest = (&mut content).take(rest);
    // A small entry may inflate to a very large object.
    while io::copy(&mut (&mut rest).take(STEP), &mut io::sink())? == STEP {
        walker.account().check()?;
    }
    if content.total_out() != size {
        return Err(invalid().into());
    }
    Ok(kind != NAMED_DELTA && len.max(size) <= MAX_OBJECT)
}

/// Fails if an object or delta is too large to hold in memory, here or in libgit2.
fn held(len: u64) -> Result<(), Fault> {
    if len <= MAX_OBJECT {
        return Ok(());
    }
    Err(ArchiveLimit::PackDelta { len, limit: MAX_OBJECT }.into())
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
