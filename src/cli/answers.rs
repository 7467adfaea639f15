//! The user's answers: standard input, which ends at the first signal.
//!
//! Input: standard input. Output: its bytes. Does not print questions.

use crate::source::Run;
use crate::source::chunks::Chunks;
use std::io::{self, Read};

/// Reads standard input until the run is interrupted.
pub(super) struct Answers<'a> {
    input: Chunks<'a>,
    run: &'a Run,
}

impl<'a> Answers<'a> {
    /// Starts to read.
    pub(super) fn new(run: &'a Run) -> Self {
        Self { input: Chunks::new(io::stdin, run), run }
    }
}

impl Read for Answers<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.input.read(out) {
            Err(_) if self.run.is_interrupted() => Ok(0),
            read => read,
        }
    }
}
