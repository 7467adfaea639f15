//! Maps files into memory.

use crate::{Fault, PackError};
use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// A file of a git directory, mapped into memory.
///
/// Only for files that never change after they are renamed into place: packs, indices, objects of Git LFS.
#[derive(Debug)]
pub struct MappedFile(Mmap);

impl MappedFile {
    /// Maps a file that is open for reading.
    ///
    /// # Errors
    /// The file cannot be mapped.
    pub fn new(file: &File) -> io::Result<Self> {
        map_file(file).map(Self)
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

fn map_file(file: &File) -> io::Result<Mmap> {
    // SAFETY: these files are written under another name, renamed into place and never changed;
    // git maps them in the same way. If the file is truncated while it is read, a signal ends the process;
    // it never reads foreign memory.
    #[expect(unsafe_code, reason = "there is no other way to map a file")]
    unsafe {
        Mmap::map(file)
    }
}

/// Maps a file that git never changes after it is renamed into place.
pub(crate) fn map(path: &Path) -> Result<Mmap, PackError> {
    let open = || {
        // Opening a FIFO would wait for a writer, and a device has no end.
        if !std::fs::metadata(path)?.is_file() {
            let message = "not a regular file";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        map_file(&File::open(path)?)
    };
    open().map_err(|error| PackError {
        path: path.to_owned(),
        offset: None,
        id: None,
        fault: Fault::Io(error),
    })
}

/// Prefetches the bytes around `at` into the cache.
#[inline]
pub(crate) fn prefetch(bytes: &[u8], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(byte) = bytes.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch has no visible effect, and the address is valid.
        #[expect(unsafe_code, reason = "there is no safe prefetch instruction")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(byte).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, at);
}

/// Reads four bytes, most significant first; `None` beyond the end.
#[inline]
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    four.try_into().ok().map(u32::from_be_bytes)
}

/// Reads eight bytes, most significant first; `None` beyond the end.
#[inline]
pub(crate) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at.checked_add(8)?)?;
    eight.try_into().ok().map(u64::from_be_bytes)
}
