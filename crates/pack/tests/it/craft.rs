//! Handcrafted packs and indices, including content that git never writes.

use crate::random::Random;
use ddpatrol_pack::ObjectId;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// The checksum of the pack, which git compares in pack and index but does not compute when it reads.
const CHECKSUM: [u8; 20] = [0xab; 20];

/// The delta base of an entry.
#[derive(Clone, Copy)]
pub(crate) enum Base {
    /// None: a blob.
    Blob,
    /// The entry with this number, which comes before it.
    Entry(usize),
    /// Whatever is at this distance before it, in bytes.
    Back(u64),
    /// The object with this id.
    Named(ObjectId),
}

/// An entry to be written.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: ObjectId,
    pub(crate) base: Base,
    /// Its content, or the delta.
    pub(crate) data: Vec<u8>,
    /// The length that its header states, if that is wrong.
    pub(crate) claimed: Option<u64>,
    /// Bytes after the header in place of the compressed data.
    pub(crate) raw: Option<Vec<u8>>,
    /// Whether the index lists it.
    pub(crate) listed: bool,
}

impl Entry {
    pub(crate) fn new(number: u64, base: Base, data: Vec<u8>) -> Self {
        Self { id: id(number), base, data, claimed: None, raw: None, listed: true }
    }
}

/// A pack and its index.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) pack: Vec<u8>,
    pub(crate) index: Vec<u8>,
}

/// Returns the id of object `number`, whose content does not match the id.
pub(crate) fn id(number: u64) -> ObjectId {
    ObjectId::from_bytes(&Random(number << 32).bytes(20)).expect("20 bytes")
}

/// Writes a pack of these entries and the index of those that are listed.
pub(crate) fn pair(entries: &[Entry]) -> Pair {
    let mut listed = Vec::new();
    let mut offsets = Vec::new();
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    let count = entries.iter().filter(|entry| entry.listed).count() as u32;
    pack.extend(count.to_be_bytes());
    for entry in entries {
        let offset = pack.len() as u64;
        offsets.push(offset);
        if entry.listed {
            listed.push((entry.id, offset));
        }
        let size = entry.claimed.unwrap_or(entry.data.len() as u64);
        match entry.base {
            Base::Blob => head(&mut pack, 3, size),
            Base::Entry(base) => {
                head(&mut pack, 6, size);
                back(&mut pack, offset - offsets[base]);
            }
            Base::Back(distance) => {
                head(&mut pack, 6, size);
                back(&mut pack, distance);
            }
            Base::Named(id) => {
                head(&mut pack, 7, size);
                pack.extend(id.as_bytes());
            }
        }
        match &entry.raw {
            Some(raw) => pack.extend(raw),
            None => pack.extend(deflate(&entry.data)),
        }
    }
    pack.extend(CHECKSUM);
    listed.sort_unstable();
    Pair { pack, index: index(&listed) }
}

/// Writes an index of version 2 of ids with offsets, which are in the order of the ids.
pub(crate) fn index(listed: &[(ObjectId, u64)]) -> Vec<u8> {
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for first in 0..=255 {
        let count = listed.iter().filter(|it| it.0.as_bytes()[0] <= first).count();
        index.extend((count as u32).to_be_bytes());
    }
    index.extend(listed.iter().flat_map(|it| it.0.as_bytes()));
    index.extend(listed.iter().flat_map(|_| [0; 4]));
    index.extend(listed.iter().flat_map(|it| (it.1 as u32).to_be_bytes()));
    index.extend(CHECKSUM);
    index.extend(CHECKSUM);
    index
}

pub(crate) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn head(out: &mut Vec<u8>, number: u8, size: u64) {
    let (mut byte, mut rest) = (number << 4 | (size & 15) as u8, size >> 4);
    while rest > 0 {
        out.push(byte | 0x80);
        byte = (rest & 0x7f) as u8;
        rest >>= 7;
    }
    out.push(byte);
}

fn back(out: &mut Vec<u8>, distance: u64) {
    let mut bytes = vec![(distance & 0x7f) as u8];
    let mut rest = distance >> 7;
    while rest > 0 {
        rest -= 1;
        bytes.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.extend(bytes.iter().rev());
}

/// A delta being written.
pub(crate) struct Delta(Vec<u8>);

impl Delta {
    /// Begins with the lengths of base and result, whether or not they are true.
    pub(crate) fn new(base: u64, result: u64) -> Self {
        let mut delta = Self(Vec::new());
        for mut rest in [base, result] {
            while rest > 0x7f {
                delta.0.push(0x80 | (rest & 0x7f) as u8);
                rest >>= 7;
            }
            delta.0.push(rest as u8);
        }
        delta
    }

    /// Copies `len` bytes, 1 to 65,536, from the base.
    pub(crate) fn copy(mut self, at: u32, len: u32) -> Self {
        let op = self.0.len();
        self.0.push(0x80);
        for (bit, byte) in at.to_le_bytes().into_iter().enumerate().filter(|it| it.1 != 0) {
            self.0[op] |= 1 << bit;
            self.0.push(byte);
        }
        let len = if len == 0x10000 { 0 } else { len };
        for (bit, byte) in len.to_le_bytes().into_iter().enumerate().filter(|it| it.1 != 0) {
            self.0[op] |= 0x10 << bit;
            self.0.push(byte);
        }
        self
    }

    /// Copies all `len` bytes of the base.
    pub(crate) fn copy_all(self, len: u32) -> Self {
        let starts = (0..len).step_by(0x10000);
        starts.fold(self, |delta, at| delta.copy(at, (len - at).min(0x10000)))
    }

    /// Inserts fresh bytes.
    pub(crate) fn insert(mut self, bytes: &[u8]) -> Self {
        for part in bytes.chunks(0x7f) {
            self.0.push(part.len() as u8);
            self.0.extend(part);
        }
        self
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Makes a tree of blobs with their contents, each a delta on a random earlier one.
pub(crate) fn family(random: &mut Random, count: u64) -> Vec<(Entry, Vec<u8>)> {
    let len = 200 + random.below(800);
    let root = random.bytes(len);
    let mut family = vec![(Entry::new(0, Base::Blob, root.clone()), root)];
    for number in 1..count {
        let at = random.below(family.len());
        let base = family[at].1.clone();
        let mut steps: Vec<Result<(usize, usize), Vec<u8>>> = Vec::new();
        for _ in 0..2 + random.below(5) {
            let start = random.below(base.len());
            let len = 1 + random.below(base.len() - start);
            let fresh = 1 + random.below(6);
            steps.push(Ok((start, len)));
            steps.push(Err(random.bytes(fresh)));
        }
        let part = |step: &Result<(usize, usize), Vec<u8>>| match step {
            Ok((start, len)) => base[*start..start + len].to_vec(),
            Err(fresh) => fresh.clone(),
        };
        let content = steps.iter().flat_map(part).collect::<Vec<u8>>();
        let delta = Delta::new(base.len() as u64, content.len() as u64);
        let delta = steps.iter().fold(delta, |delta, step| match step {
            Ok((start, len)) => delta.copy(*start as u32, *len as u32),
            Err(fresh) => delta.insert(fresh),
        });
        let base = match random.below(2) {
            0 => Base::Entry(at),
            _ => Base::Named(family[at].0.id),
        };
        family.push((Entry::new(number, base, delta.done()), content));
    }
    family
}
