//! Builds zips for unit tests, byte by byte from APPNOTE.TXT, so that tests can make any field wrong.

use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::Write;

/// The value of a field whose real value is in a zip64 extra field.
pub(super) const ZIP64: u32 = u32::MAX;

/// The fields of a header of an entry. The same type serves for local and central headers.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) packed: u32,
    pub(super) len: u32,
    pub(super) extra: Vec<u8>,
}

impl Header {
    /// Describes a stored entry.
    pub(super) fn stored(name: &str, content: &[u8]) -> Self {
        let len = u32::try_from(content.len()).expect("a short content");
        let crc = crc32fast::hash(content);
        Self { name: name.into(), crc, packed: len, len, ..Self::default() }
    }

    /// Describes a deflated entry; returns its header and its packed content.
    pub(super) fn deflated(name: &str, content: &[u8]) -> (Self, Vec<u8>) {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).expect("memory");
        let packed = encoder.finish().expect("memory");
        let packed_len = u32::try_from(packed.len()).expect("a short content");
        (Self { method: 8, packed: packed_len, ..Self::stored(name, content) }, packed)
    }

    /// Leaves the checksum and sizes to a data descriptor.
    pub(super) fn described_later(&self) -> Self {
        Self { flags: self.flags | 8, crc: 0, packed: 0, len: 0, ..self.clone() }
    }

    /// Returns the data descriptor with its optional mark.
    pub(super) fn descriptor(&self) -> Vec<u8> {
        [b"PK\x07\x08", &self.crc.to_le_bytes()[..], &le(self.packed), &le(self.len)].concat()
    }

    fn fields(&self) -> Vec<u8> {
        let [name_len, extra_len] = [self.name.len(), self.extra.len()].map(short);
        [
            &20_u16.to_le_bytes()[..],
            &self.flags.to_le_bytes(),
            &self.method.to_le_bytes(),
            &[0; 4],
            &le(self.crc),
            &le(self.packed),
            &le(self.len),
            &name_len,
            &extra_len,
        ]
        .concat()
    }

    pub(super) fn local(&self) -> Vec<u8> {
        [&b"PK\x03\x04"[..], &self.fields(), &self.name, &self.extra].concat()
    }

    pub(super) fn central(&self, offset: u32) -> Vec<u8> {
        // No comment, the first disk, no attributes.
        let rest = [0; 10];
        let start = b"PK\x01\x02\x14\x00";
        let header = [&start[..], &self.fields(), &rest, &le(offset)].concat();
        [&header[..], &self.name, &self.extra].concat()
    }
}

/// A zip under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Zip {
    /// The entries, with their local headers.
    pub(super) entries: Vec<u8>,
    /// The central directory.
    pub(super) directory: Vec<u8>,
    pub(super) count: u16,
}

impl Zip {
    /// Adds an entry whose headers agree.
    pub(super) fn add(&mut self, header: &Header, content: &[u8]) {
        let offset = self.offset();
        self.list(header, offset);
        self.entries.extend([&header.local(), content].concat());
    }

    /// Adds a stored entry.
    pub(super) fn store(&mut self, name: &str, content: &[u8]) {
        self.add(&Header::stored(name, content), content);
    }

    /// Adds an entry to the directory only.
    pub(super) fn list(&mut self, header: &Header, offset: u32) {
        self.directory.extend(header.central(offset));
        self.count += 1;
    }

    /// Returns the offset of the next entry.
    pub(super) fn offset(&self) -> u32 {
        u32::try_from(self.entries.len()).expect("a short zip")
    }

    /// Returns the zip with its directory and end record.
    pub(super) fn finish(&self) -> Vec<u8> {
        self.finish_behind(0)
    }

    /// Returns the zip; the end record counts offsets from `prefix` bytes before it.
    pub(super) fn finish_behind(&self, prefix: u32) -> Vec<u8> {
        let size = u32::try_from(self.directory.len()).expect("a short directory");
        let end = end_record(self.count, size, self.offset() + prefix);
        [&self.entries[..], &self.directory, &end].concat()
    }
}

/// Returns an end record without a comment.
pub(super) fn end_record(count: u16, size: u32, offset: u32) -> Vec<u8> {
    let counts = [[0; 2], [0; 2], count.to_le_bytes(), count.to_le_bytes()].concat();
    [b"PK\x05\x06", &counts[..], &le(size), &le(offset), &[0; 2]].concat()
}

/// Returns an extra field.
pub(super) fn extra(id: u16, content: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &short(content.len()), content].concat()
}

fn le(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

fn short(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("a short field").to_le_bytes()
}
