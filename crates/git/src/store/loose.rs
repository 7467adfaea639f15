//! Loose objects and large blobs as streams.
//!
//! Input: the file of a loose object, or a blob of a pack. Output: its content, whose length is
//! checked.

use ddpatrol_pack::{BlobStream, Kind};
use flate2::bufread::ZlibDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

/// Maximum length of the header of a loose object: a kind, a length, a zero.
const LONGEST_HEADER: u64 = 64;

/// A blob that is read as a stream.
pub(crate) enum LargeBlob<'a> {
    Packed(Box<BlobStream<'a>>),
    Loose(Box<Loose>),
}

impl LargeBlob<'_> {
    /// Returns `true` if the blob was read to its end and is intact.
    pub(crate) fn ends_intact(self) -> bool {
        match self {
            Self::Packed(content) => content.finish().is_ok(),
            // It fails while it is read.
            Self::Loose(_) => true,
        }
    }
}

impl Read for LargeBlob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Packed(content) => content.read(buffer),
            Self::Loose(content) => content.read(buffer),
        }
    }
}

/// A loose object, read as a stream. Content that is longer or shorter than its header gives is an
/// error.
#[derive(Debug)]
pub struct Loose {
    /// The kind of the object.
    pub kind: Kind,
    /// Its length in bytes.
    pub len: u64,
    left: u64,
    content: BufReader<ZlibDecoder<BufReader<File>>>,
}

impl Loose {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let mut content = BufReader::new(ZlibDecoder::new(BufReader::new(file)));
        let mut header = Vec::new();
        (&mut content).take(LONGEST_HEADER).read_until(0, &mut header)?;
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "its header is broken");
        let text = header.strip_suffix(b"\0").ok_or_else(broken)?;
        let space = text.iter().position(|&byte| byte == b' ').ok_or_else(broken)?;
        let kind = Kind::from_name(&text[..space]).ok_or_else(broken)?;
        let len = std::str::from_utf8(&text[space + 1..]).ok().and_then(|it| it.parse().ok());
        let len = len.ok_or_else(broken)?;
        Ok(Self { kind, len, left: len, content })
    }
}

impl Read for Loose {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        let wrong = || {
            io::Error::new(io::ErrorKind::InvalidData, "its length differs from that in its header")
        };
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(wrong());
        }
        self.left = self.left.checked_sub(read as u64).ok_or_else(wrong)?;
        Ok(read)
    }
}
