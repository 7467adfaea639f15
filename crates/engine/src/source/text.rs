//! Source of text that the caller has already read, as one blob.
//!
//! Input: bytes and the path of their file. Output: one blob. This file reads nothing.

use super::{Run, Sinks, Source, add};
use ddpatrol_scan::blob::{Blob, Origin};
use std::path::PathBuf;

/// Text and the file that contains it.
#[derive(Clone, Debug)]
pub struct TextSource {
    /// The path of the file.
    pub path: PathBuf,
    /// The bytes to scan.
    pub bytes: Vec<u8>,
}

impl Source for TextSource {
    fn read(&self, sinks: &dyn Sinks, run: &Run) {
        add(&run.tally.files, 1);
        add(&run.tally.bytes, self.bytes.len() as u64);
        sinks.sink().blob(&Blob::whole(Origin::File((&self.path).into()), &self.bytes));
    }
}
