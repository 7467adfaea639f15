//! A text that the caller has read already, as one blob.

use super::{Run, Sinks, Source, add};
use ddpatrol_scan::blob::{Blob, Origin};
use std::path::PathBuf;

/// A text and the file that it is from.
#[derive(Clone, Debug)]
pub struct TextSource {
    /// The file.
    pub path: PathBuf,
    /// What of it is to be looked at.
    pub bytes: Vec<u8>,
}

impl Source for TextSource {
    fn read(&self, sinks: &dyn Sinks, run: &Run) {
        add(&run.tally.files, 1);
        add(&run.tally.bytes, self.bytes.len() as u64);
        sinks.sink().blob(&Blob::whole(Origin::File(&self.path), &self.bytes));
    }
}
