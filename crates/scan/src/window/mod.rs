//! Reads a stream through one reused buffer, as windows that overlap.
//!
//! Input: a reader. Output: windows, to a sink. Memory is constant for any input size. A window has context
//! before and after the bytes it owns; its offset and text position are tracked as bytes are dropped.
//! Nothing is searched here.

mod push;

pub use push::{MAX_WINDOW, OnWindow, PushWindows, Window};

use self::push::Growth;
use super::read_full::{Filled, read_full};
use super::{BlobSink, Issue, Run};
use crate::blob::{Context, Origin};
use std::io::{self, Read};

/// The buffer of one worker.
#[derive(Debug)]
pub struct Windows {
    windows: PushWindows,
    /// Whether [`Issue::EncodedTooLong`] was reported for the input.
    has_reported: bool,
}

/// How a stream ended.
#[derive(Debug)]
pub enum End {
    /// All bytes were scanned; this is their number.
    Whole(u64),
    /// The scan was interrupted.
    Interrupted,
    /// Reading failed; the bytes before were scanned.
    Failed(io::Error),
}

impl Windows {
    /// Creates a buffer for windows with this context.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { windows: PushWindows::new(context), has_reported: false }
    }

    /// Creates a buffer of `size` bytes, or more if the context needs it.
    #[must_use]
    pub fn with_size(context: Context, size: usize) -> Self {
        Self { windows: PushWindows::with_size(context, size), has_reported: false }
    }

    /// Pushes the bytes of `reader` to `sink`, and counts them.
    pub fn push_all(
        &mut self,
        origin: Origin<'_>,
        reader: &mut dyn Read,
        sink: &mut dyn BlobSink,
        run: &Run,
    ) -> End {
        self.has_reported = false;
        self.windows.reset();
        let mut on_window = |window: Window<'_>| sink.blob(&window.blob(origin, None));
        let mut total = 0;
        loop {
            if run.is_interrupted() {
                return End::Interrupted;
            }
            let before = total;
            let mut state = self.fill(reader, &mut total);
            while matches!(state, State::Full) {
                match self.windows.grow() {
                    Growth::Grown => state = self.fill(reader, &mut total),
                    Growth::Full => break,
                    Growth::TooLong => {
                        self.report_part(origin, run);
                        break;
                    }
                }
            }
            super::add(&run.tally.bytes, total - before);
            match state {
                State::Full => self.windows.next(&mut on_window),
                State::Ended => {
                    self.windows.finish(&mut on_window);
                    return End::Whole(total);
                }
                State::Failed(error) => {
                    self.windows.finish(&mut on_window);
                    return End::Failed(error);
                }
            }
        }
    }

    /// Reads until the window is full, and adds the number of bytes to `total`.
    fn fill(&mut self, reader: &mut dyn Read, total: &mut u64) -> State {
        let room = self.windows.room();
        let room_len = room.len();
        let Filled { len, error } = read_full(reader, room);
        self.windows.add(len);
        *total += len as u64;
        match error {
            Some(error) => State::Failed(error),
            None if len < room_len => State::Ended,
            None => State::Full,
        }
    }

    /// Reports, once per input, that encoded text is too long to be decoded as a whole.
    fn report_part(&mut self, origin: Origin<'_>, run: &Run) {
        if std::mem::replace(&mut self.has_reported, true) {
            return;
        }
        let path = match origin {
            Origin::File(path) => Some(path.to_place()),
            _ => None,
        };
        run.report(Issue::EncodedTooLong { limit: MAX_WINDOW }, path);
    }
}

/// The state of a window after reading.
enum State {
    /// The window is full.
    Full,
    /// The input has ended.
    Ended,
    /// Reading has failed.
    Failed(io::Error),
}
