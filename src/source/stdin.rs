//! Standard input as one blob, read by a thread of its own so that waiting can be interrupted.

use super::window::{Context, End, Windows};
use super::{Gap, Run, Source, Visitors, add};
use crate::blob::Origin;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

/// How long a wait for input lasts before the wish to stop is looked at.
const PATIENCE: Duration = Duration::from_millis(20);
const CHUNK: usize = 256 * 1024;

/// Standard input, or any reader that cannot be read twice.
pub struct Stdin<F> {
    open: F,
    context: Context,
}

impl<F> Stdin<F> {
    /// Wraps a function that opens the input on the reading thread.
    pub fn new(open: F, context: Context) -> Self {
        Self { open, context }
    }
}

impl<F, R> Source for Stdin<F>
where
    F: Fn() -> R + Clone + Send + Sync + 'static,
    R: Read,
{
    fn visit(&self, visitors: &dyn Visitors, run: &Run) {
        let (chunks, received) = mpsc::sync_channel(2);
        let open = self.open.clone();
        // The thread is not joined: one that waits for input that never comes ends with the process.
        std::thread::spawn(move || read_chunks(open(), &chunks));
        let mut reader = Chunks { received, chunk: Vec::new(), at: 0, run };
        let mut visitor = visitors.make();
        let counted = (run, &run.tally.bytes);
        let end =
            Windows::new(self.context).visit(Origin::Stdin, &mut reader, &mut *visitor, counted);
        match end {
            End::Whole(_) => add(&run.tally.files, 1),
            End::Interrupted => {}
            End::Failed(_) if run.is_interrupted() => {}
            End::Failed(error) => {
                let message = format!("standard input could not be read to its end: {error}");
                run.report(Gap::Unread, None, message);
            }
        }
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

/// Reads what the thread sends; gives up when the scan is interrupted.
struct Chunks<'a> {
    received: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
    run: &'a Run,
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            match self.received.recv_timeout(PATIENCE) {
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
