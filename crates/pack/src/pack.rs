//! A pack with its index, opened for walks and for single reads.
//!
//! Input: the path of a pack. Output: headers, delta bases and single objects. It does not search loose
//! objects or other packs: the caller supplies external delta bases.

use crate::blob_stream::BlobStream;
use crate::delta::{Piece, apply, parse};
use crate::entry::{EntryKind, Header, header};
use crate::inflate::{Buffer, Inflater};
use crate::map::{be32, map, prefetch};
use crate::{Fault, HashKind, Index, Kind, ObjectId, PackError};
use memmap2::Mmap;
use std::path::{Path, PathBuf};

/// Maximum length of a delta chain in a single read; git writes at most 4,095.
const LONGEST_CHAIN: usize = 100_000;

/// A pack and its index.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    map: Mmap,
    index: Index,
    hash: HashKind,
}

/// The buffers of single reads.
#[derive(Default)]
pub struct Reader {
    inflater: Inflater,
    buffer: Buffer,
    pieces: Vec<Piece>,
}

/// The delta base of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeltaBase {
    /// The entry is a whole object.
    None,
    /// The base is at this offset of the pack.
    At(u64),
    /// The base is not in the pack.
    Missing(ObjectId),
}

/// A delta on the way to the object that is read.
struct Step {
    offset: u64,
    header: Header,
}

/// Returns a delta base that cannot be read from the pack itself.
pub type ExternalBases<'a> = &'a mut dyn FnMut(&ObjectId) -> Option<(Kind, Vec<u8>)>;

impl Pack {
    /// Maps the pack at `path`, which ends in `.pack`, and the index next to it.
    ///
    /// # Errors
    /// [`PackError`] if one of them cannot be mapped or has another format.
    pub fn open(path: &Path, hash: HashKind) -> Result<Self, PackError> {
        let index = Index::open(&path.with_extension("idx"), hash)?;
        let map = map(path)?;
        let pack = Self { path: path.to_owned(), map, index, hash };
        if !pack.map.starts_with(b"PACK") {
            return Err(pack.error(None, None, Fault::Signature("pack")));
        }
        match be32(&pack.map, 4) {
            Some(2 | 3) if pack.map.len() >= 12 + hash.len() => Ok(pack),
            Some(version) if pack.map.len() >= 12 => {
                let known = version == 2 || version == 3;
                let version = Fault::Version("pack", version);
                Err(pack.error(None, None, if known { Fault::Truncated } else { version }))
            }
            _ => Err(pack.error(None, None, Fault::Truncated)),
        }
    }

    /// Checks that pack and index belong together, as git does, without reading the entries.
    ///
    /// # Errors
    /// [`PackError`] if the number of objects or the checksum of the pack differs.
    pub fn check(&self) -> Result<(), PackError> {
        let (pack, index) = (be32(&self.map, 8).unwrap_or(0), self.index.len());
        if pack != index {
            return Err(self.error(None, None, Fault::Count { pack, index }));
        }
        if self.index.pack_checksum() != &self.map[self.map.len() - self.hash.len()..] {
            return Err(self.error(None, None, Fault::Trailer));
        }
        Ok(())
    }

    /// Returns the path of the pack.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its index.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the length of the pack in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.map.len() as u64
    }

    /// Returns `true` if the pack contains no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Returns the bytes of header and entries, without the trailer.
    #[inline]
    pub(crate) fn entries(&self) -> &[u8] {
        &self.map[..self.map.len() - self.hash.len()]
    }

    #[inline]
    pub(crate) fn header(&self, offset: u64) -> Result<Header, Fault> {
        if offset < 12 {
            return Err(Fault::Offset);
        }
        header(self.entries(), offset, self.hash)
    }

    /// Prefetches the entry at an offset.
    #[inline]
    pub(crate) fn prefetch(&self, offset: u64) {
        prefetch(&self.map, offset as usize);
    }

    /// Maps the pages from an offset on at once, if the system supports it: mapping them one by one costs
    /// more than reading them.
    pub(crate) fn populate(&self, offset: u64, len: usize) {
        #[cfg(target_os = "linux")]
        if let Ok(at) = usize::try_from(offset) {
            let len = len.min(self.map.len().saturating_sub(at));
            // Older systems map them one by one.
            let _ = self.map.advise_range(memmap2::Advice::PopulateRead, at, len);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (offset, len);
    }

    pub(crate) fn error(
        &self,
        offset: Option<u64>,
        id: Option<ObjectId>,
        fault: Fault,
    ) -> PackError {
        PackError { path: self.path.clone(), offset, id, fault }
    }

    /// Finds the delta base of the entry at an offset.
    #[inline]
    pub(crate) fn delta_base(&self, offset: u64, header: &Header) -> DeltaBase {
        match header.kind {
            EntryKind::Whole(_) => DeltaBase::None,
            // The offset is checked when the base is read.
            EntryKind::OffsetDelta(back) => DeltaBase::At(offset.saturating_sub(back)),
            EntryKind::RefDelta(id) => {
                let position = self.index.find(id.as_bytes());
                let offset = position.and_then(|position| self.index.offset(position));
                offset.map_or(DeltaBase::Missing(id), DeltaBase::At)
            }
        }
    }

    /// Opens the entry at `offset` as a stream, if it is a blob that is stored whole and longer
    /// than `min` bytes.
    #[must_use]
    pub fn stream_blob(&self, offset: u64, min: u64) -> Option<BlobStream<'_>> {
        let header = self.header(offset).ok().filter(|it| it.size > min)?;
        if header.kind != EntryKind::Whole(Kind::Blob) {
            return None;
        }
        Some(BlobStream::new(self.entries().get(header.data..)?, header.size))
    }

    /// Reads the object at `offset`.
    ///
    /// A base that cannot be read from this pack is requested from `external_bases`, as git does.
    ///
    /// # Errors
    /// [`PackError`] if the entry or one of its delta bases cannot be read.
    pub fn read(
        &self,
        offset: u64,
        reader: &mut Reader,
        external_bases: ExternalBases<'_>,
    ) -> Result<(Kind, Vec<u8>), PackError> {
        let fail = |at: u64, fault| self.error(Some(at), self.id_at(at), fault);
        let mut chain: Vec<Step> = Vec::new();
        let mut at = offset;
        let (kind, mut bytes) = loop {
            let found = match self.header(at) {
                Ok(header) => match self.delta_base(at, &header) {
                    DeltaBase::At(..12) if matches!(header.kind, EntryKind::OffsetDelta(_)) => {
                        Err(fail(at, Fault::BaseOffset))
                    }
                    DeltaBase::At(base) => {
                        chain.push(Step { offset: at, header });
                        if chain.len() > LONGEST_CHAIN {
                            return Err(fail(offset, Fault::Cycle));
                        }
                        at = base;
                        continue;
                    }
                    DeltaBase::Missing(id) => {
                        chain.push(Step { offset: at, header });
                        external_bases(&id).ok_or_else(|| fail(at, Fault::BaseMissing(id)))
                    }
                    DeltaBase::None => self.whole(&header, reader).map_err(|fault| fail(at, fault)),
                },
                Err(fault) => Err(fail(at, fault)),
            };
            match found {
                Ok(found) => break found,
                // For the object itself, the caller searches for other copies.
                Err(error) if chain.is_empty() => return Err(error),
                Err(error) => {
                    let again = self.id_at(at).and_then(|id| external_bases(&id));
                    break again.ok_or(error)?;
                }
            }
        };
        while let Some(Step { offset: at, header }) = chain.pop() {
            let applied = self.apply_delta(&bytes, &header, reader);
            bytes = match applied {
                Ok(result) => result,
                Err(fault) if chain.is_empty() => return Err(fail(at, fault)),
                Err(fault) => {
                    let again = self.id_at(at).and_then(|id| external_bases(&id));
                    again.ok_or_else(|| fail(at, fault))?.1
                }
            };
        }
        Ok((kind, bytes))
    }

    fn whole(&self, header: &Header, reader: &mut Reader) -> Result<(Kind, Vec<u8>), Fault> {
        let EntryKind::Whole(kind) = header.kind else { return Err(Fault::Header) };
        self.inflate(header, reader)?;
        Ok((kind, reader.buffer.bytes().to_vec()))
    }

    fn apply_delta(
        &self,
        base: &[u8],
        header: &Header,
        reader: &mut Reader,
    ) -> Result<Vec<u8>, Fault> {
        self.inflate(header, reader)?;
        parse(&mut reader.buffer, base.len() as u64, &mut reader.pieces)?;
        let mut result = Buffer::default();
        apply(base, reader.buffer.bytes(), &reader.pieces, &mut result)?;
        Ok(result.into_bytes())
    }

    fn inflate(&self, header: &Header, reader: &mut Reader) -> Result<(), Fault> {
        let data = self.entries().get(header.data..).ok_or(Fault::Truncated)?;
        reader.inflater.inflate(data, header.size, &mut reader.buffer)
    }

    /// Finds the id of the entry at an offset. Slow; for errors only.
    pub(crate) fn id_at(&self, offset: u64) -> Option<ObjectId> {
        let here = |&position: &u32| self.index.offset(position) == Some(offset);
        (0..self.index.len()).find(here).and_then(|position| self.index.id(position))
    }
}
