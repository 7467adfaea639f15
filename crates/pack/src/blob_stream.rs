//! The content of a blob that is stored whole, as a stream.
//!
//! Input: the compressed data of an entry, and the length that its header states. Output: the
//! inflated bytes. Deltas are not applied here.

use crate::Fault;
use flate2::bufread::ZlibDecoder;
use std::io::{self, Read};

/// A blob of a pack that is read as a stream. Content that is longer or shorter than its header
/// states is an error.
pub struct BlobStream<'a> {
    content: ZlibDecoder<&'a [u8]>,
    len: u64,
    left: u64,
    fault: Option<Fault>,
}

impl<'a> BlobStream<'a> {
    /// Creates a stream of compressed data; `len` is the length that the header states.
    pub(crate) fn new(data: &'a [u8], len: u64) -> Self {
        Self { content: ZlibDecoder::new(data), len, left: len, fault: None }
    }

    /// Returns the length that the header states, in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns `true` if the length is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Checks that the stated length was read and that the data end there. This also verifies the
    /// checksum, which follows the data.
    ///
    /// # Errors
    /// The [`Fault`] of the entry.
    pub fn finish(mut self) -> Result<(), Fault> {
        let is_whole = self.left == 0 && self.fault.is_none();
        let is_end = is_whole && matches!(self.read(&mut [0]), Ok(0));
        if is_end { Ok(()) } else { Err(self.fault.unwrap_or(Fault::Length)) }
    }

    /// Returns why a read failed.
    pub(crate) fn into_fault(self) -> Fault {
        self.fault.unwrap_or(Fault::Deflate)
    }
}

impl Read for BlobStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer).inspect_err(|_| self.fault = Some(Fault::Deflate))?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                self.fault = Some(Fault::Length);
                return Err(io::Error::other(Fault::Length.to_string()));
            }
        }
        Ok(read)
    }
}
