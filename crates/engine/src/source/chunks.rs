//! Reads input that may block, such as standard input, until the run is interrupted.
//!
//! Input: a function that opens the input. Output: its bytes. A read that is blocked resumes after a signal, so
//! that a thread reads, and its reader polls for the interruption.

use super::Run;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

/// Interval at which a wait for input checks for an interruption.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const CHUNK: usize = 256 * 1024;

/// A reader whose input is read by a thread; fails when the run is interrupted.
pub struct Chunks<'a> {
    received: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    run: &'a Run,
}

impl<'a> Chunks<'a> {
    /// Reads the input that `open` opens on the reading thread.
    pub fn new<R: Read>(open: impl FnOnce() -> R + Send + 'static, run: &'a Run) -> Self {
        let (chunks, received) = mpsc::sync_channel(2);
        // The thread is not joined: it may wait for input until the process ends.
        std::thread::spawn(move || read_chunks(open(), &chunks));
        Self { received, chunk: Vec::new(), at: 0, run }
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            match self.received.recv_timeout(POLL_INTERVAL) {
                Ok(chunk) => {
                    self.chunk = chunk?;
                    self.at = 0;
                    if self.chunk.is_empty() {
                        return Ok(0);
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.run.is_interrupted() => {
                    return Err(io::Error::other("interrupted"));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let len = buffer.len().min(self.chunk.len() - self.at);
        buffer[..len].copy_from_slice(&self.chunk[self.at..self.at + len]);
        self.at += len;
        Ok(len)
    }
}

fn read_chunks(mut input: impl Read, chunks: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let last = matches!(read, Ok(0) | Err(_));
        let sent = chunks.send(read.map(|len| {
            chunk.truncate(len);
            chunk
        }));
        if last || sent.is_err() {
            return;
        }
    }
}
