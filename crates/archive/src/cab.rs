//! CAB, the cabinets of Windows.
//!
//! Input: seekable bytes. Output: members, to the walker. Files are stored in folders, each of which is one
//! stream in blocks: stored or MSZIP. Folders in other methods, and files that begin or end in another
//! cabinet, are reported.

use super::bytes::{Bytes, fill, skip};
use super::decode_error::DecodeError;
use super::fault::Fault;
use super::header::CAB_HEADER;
use super::member_path::MemberPlace;
use super::walker::Walker;
use super::zip_directory::{u16_at, u32_at};
use ddpatrol_scan::issue::{Damage, Unsupported};
use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// The length of the history of a block, and of the largest block, in bytes.
const WINDOW: usize = 32 << 10;
/// Maximum length of a name, in bytes.
const MAX_NAME: usize = 256;

/// A folder: the offset of its first block, the number of its blocks, and their compression.
struct Folder {
    offset: u64,
    blocks: u16,
    method: u16,
}

/// A file: its place in the stream of a folder.
struct CabFile {
    len: u64,
    start: u64,
    folder: usize,
    name: Vec<u8>,
}

pub(super) fn read(
    walker: &Walker<'_>,
    place: &MemberPlace,
    bytes: &mut dyn Bytes,
) -> Result<(), Fault> {
    bytes.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(&mut *bytes);
    let mut head = [0; CAB_HEADER];
    if fill(&mut reader, &mut head)? < CAB_HEADER {
        return Err(Damage::OwnHeaderCut.into());
    }
    let flags = u16_at(&head, 30);
    let (mut folder_extra, mut block_extra) = (0, 0);
    if flags & 4 != 0 {
        let mut lengths = [0; 4];
        reader.read_exact(&mut lengths)?;
        skip(&mut reader, u64::from(u16_at(&lengths, 0)))?;
        (folder_extra, block_extra) = (lengths[2], lengths[3]);
    }
    // The names of the cabinets before and after, and of their disks.
    for _ in 0..2 * (flags & 3).count_ones() {
        text(&mut reader)?;
    }
    let mut folders = Vec::new();
    for _ in 0..u16_at(&head, 26) {
        let mut fixed = [0; 8];
        if fill(&mut reader, &mut fixed)? < fixed.len() {
            return Err(Damage::OwnHeaderCut.into());
        }
        skip(&mut reader, u64::from(folder_extra))?;
        let [blocks, method] = [4, 6].map(|at| u16_at(&fixed, at));
        folders.push(Folder { offset: u64::from(u32_at(&fixed, 0)), blocks, method });
    }
    reader.seek(SeekFrom::Start(u64::from(u32_at(&head, 16))))?;
    let (mut files, mut is_cut) = (Vec::new(), false);
    for _ in 0..u16_at(&head, 28) {
        let Some(file) = read_file(&mut reader)? else {
            is_cut = true;
            break;
        };
        files.push(file);
    }
    drop(reader);
    files.sort_by_key(|file| (file.folder, file.start));
    for files in files.chunk_by(|a, b| a.folder == b.folder) {
        let Some(folder) = folders.get(files[0].folder) else {
            report_lost(walker, place, files, &|| Damage::MemberCut.into())?;
            continue;
        };
        let mut blocks = match folder.method & 15 {
            0 | 1 => Blocks::new(bytes, folder, block_extra)?,
            2 => {
                let issue = || Unsupported::CabMethod("Quantum").into();
                report_lost(walker, place, files, &issue)?;
                continue;
            }
            _ => {
                report_lost(walker, place, files, &|| Unsupported::CabMethod("LZX").into())?;
                continue;
            }
        };
        read_folder(walker, place, files, &mut blocks)?;
    }
    if is_cut { Err(Damage::HeaderCut.into()) } else { Ok(()) }
}

/// Reads the header of a file; `None` if it is cut off.
fn read_file(reader: &mut dyn Read) -> Result<Option<CabFile>, Fault> {
    let mut fixed = [0; 16];
    if fill(reader, &mut fixed)? < fixed.len() {
        return Ok(None);
    }
    let name = text(reader)?;
    let (len, start) = (u64::from(u32_at(&fixed, 0)), u64::from(u32_at(&fixed, 4)));
    Ok(Some(CabFile { len, start, folder: usize::from(u16_at(&fixed, 8)), name }))
}

/// Reads a text that ends with NUL.
fn text(reader: &mut dyn Read) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    let mut byte = [0];
    loop {
        reader.read_exact(&mut byte)?;
        if byte[0] == 0 {
            return Ok(text);
        }
        if text.len() == MAX_NAME {
            return Err(Damage::NameLength.into());
        }
        // The separator of Windows.
        text.push(if byte[0] == b'\\' { b'/' } else { byte[0] });
    }
}

/// Reports that the first of some files cannot be read, and the others with it, and yields their names.
fn report_lost(
    walker: &Walker<'_>,
    place: &MemberPlace,
    files: &[CabFile],
    issue: &dyn Fn() -> Fault,
) -> Result<(), Fault> {
    for (at, file) in files.iter().enumerate() {
        walker.account().name(place, &file.name)?;
        if at == 0 {
            walker.account().report(&place.member(&file.name), issue());
        }
    }
    Ok(())
}

/// Reads the files of a folder, in the order of their bytes.
fn read_folder(
    walker: &Walker<'_>,
    place: &MemberPlace,
    files: &[CabFile],
    blocks: &mut Blocks<'_>,
) -> Result<(), Fault> {
    let mut at = 0;
    for (number, file) in files.iter().enumerate() {
        let gap = file.start.checked_sub(at);
        let is_there = gap.is_some_and(|gap| skip(blocks, gap).is_ok_and(|len| len == gap));
        if !is_there {
            return report_lost(walker, place, &files[number..], &|| Damage::MemberCut.into());
        }
        match walker.sized(place, &file.name, file.len, blocks) {
            Ok(()) => at = file.start + file.len,
            Err(fault) => {
                walker.account().check().map_err(|_| fault)?;
                // The file was reported.
                let rest = &files[number + 1..];
                return report_lost(walker, place, rest, &|| Damage::MemberCut.into());
            }
        }
    }
    Ok(())
}

/// The stream of a folder.
struct Blocks<'a> {
    bytes: &'a mut dyn Bytes,
    left: u16,
    is_packed: bool,
    extra: u8,
    packed: Vec<u8>,
    /// The history of the last block, and the block after it.
    window: Vec<u8>,
    /// The position in `window`.
    at: usize,
}

impl<'a> Blocks<'a> {
    fn new(bytes: &'a mut dyn Bytes, folder: &Folder, extra: u8) -> io::Result<Self> {
        bytes.seek(SeekFrom::Start(folder.offset))?;
        let is_packed = folder.method & 15 == 1;
        let (packed, window) = (Vec::new(), Vec::new());
        Ok(Self { bytes, left: folder.blocks, is_packed, extra, packed, window, at: 0 })
    }

    /// Reads the next block.
    fn advance(&mut self) -> io::Result<()> {
        let mut head = [0; 8];
        self.bytes.read_exact(&mut head)?;
        skip(self.bytes, u64::from(self.extra))?;
        let [packed_len, len] = [4, 6].map(|at| usize::from(u16_at(&head, at)));
        self.packed.resize(packed_len, 0);
        self.bytes.read_exact(&mut self.packed)?;
        let surplus = self.window.len().saturating_sub(WINDOW);
        self.window.drain(..surplus);
        self.at = self.window.len();
        if !self.is_packed {
            self.window.extend_from_slice(&self.packed);
        } else if len > WINDOW || !self.inflate(len)? {
            return Err(DecodeError::CabBlock.into());
        }
        Ok(())
    }

    /// Inflates a block behind its history; returns `false` if it is damaged.
    fn inflate(&mut self, len: usize) -> io::Result<bool> {
        let Some(packed) = self.packed.strip_prefix(b"CK") else { return Ok(false) };
        let history = self.window.len();
        let mut inflater = Decompress::new(false);
        let mut out = vec![0; history + len];
        // The history precedes the block as a stored one: a deflate stream begins without any.
        let size = history as u16;
        let [low, high] = size.to_le_bytes();
        let stored = [0, low, high, !low, !high];
        for part in [&stored[..], &self.window, packed] {
            let mut rest = part;
            while !rest.is_empty() {
                let (read, written) = (inflater.total_in(), inflater.total_out());
                let room = &mut out[written as usize..];
                let status = inflater.decompress(rest, room, FlushDecompress::None)?;
                let used = (inflater.total_in() - read) as usize;
                rest = &rest[used..];
                if status == Status::StreamEnd || used == 0 && inflater.total_out() == written {
                    break;
                }
            }
        }
        self.window = out;
        Ok(inflater.total_out() as usize == history + len)
    }
}

impl Read for Blocks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.window.len() {
            if self.left == 0 || buffer.is_empty() {
                return Ok(0);
            }
            self.left -= 1;
            self.advance()?;
        }
        let len = buffer.len().min(self.window.len() - self.at);
        buffer[..len].copy_from_slice(&self.window[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}
