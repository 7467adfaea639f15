//! The user's answers: standard input, which ends at the first signal.
//!
//! Input: standard input. Output: its bytes, line by line. Does not print questions.

use super::signals::was_interrupted;
use std::io::{self, BufRead, Cursor, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// Time between two checks for a signal while the user is thinking.
const POLL: Duration = Duration::from_millis(50);

/// Reads standard input in a thread, because a blocked read resumes after a signal.
pub(super) struct Answers {
    lines: Receiver<io::Result<Vec<u8>>>,
    line: Cursor<Vec<u8>>,
}

impl Answers {
    /// Starts to read. The thread ends with the input or with the process.
    pub(super) fn new() -> Self {
        let (sender, lines) = mpsc::sync_channel(0);
        std::thread::spawn(move || {
            loop {
                let mut line = Vec::new();
                let read = io::stdin().lock().read_until(b'\n', &mut line);
                let is_last = !matches!(read, Ok(1..));
                if sender.send(read.map(|_| line)).is_err() || is_last {
                    return;
                }
            }
        });
        Self { lines, line: Cursor::default() }
    }
}

impl Read for Answers {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.line.read(out)?;
            if read > 0 {
                return Ok(read);
            }
            match self.lines.recv_timeout(POLL) {
                Ok(line) => self.line = Cursor::new(line?),
                Err(RecvTimeoutError::Timeout) if !was_interrupted() => {}
                Err(_) => return Ok(0),
            }
        }
    }
}
