//! Reads a stream through one reused buffer, as windows that overlap by what the search needs.
//!
//! Memory stays constant however large the input is. A window keeps context before the bytes it
//! owns and after them; offset and text position of every window are kept up as bytes are dropped.

mod push;

pub use push::{OnWindow, PushWindows, Window};

use super::read_full::{Filled, read_full};
use super::{BlobSink, Issue, Run};
use crate::blob::{Context, Origin};
use ddpatrol_detect::may_continue_base64;
use std::io::{self, Read};

/// The length to which a window grows to hold base64 that is decoded whole, in bytes.
const MOST: usize = 16 << 20;
/// The number of bytes by which a window grows first; then twice as many each time. A token in every
/// line of a log is often at the end of a window, and ends soon after.
const STEP: usize = 4 * 1024;

/// One worker's buffer.
#[derive(Debug)]
pub struct Windows {
    windows: PushWindows,
    /// Whether it was reported that encoded text of the input exceeds the largest window.
    has_reported: bool,
}

/// How a stream ended.
#[derive(Debug)]
pub enum End {
    /// All of it was scanned: so many bytes.
    Whole(u64),
    /// The scan was interrupted.
    Interrupted,
    /// Reading failed; what came before was scanned.
    Failed(io::Error),
}

impl Windows {
    /// Makes a buffer for windows with this context.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { windows: PushWindows::new(context), has_reported: false }
    }

    /// Makes a buffer of `size` bytes, or more where the context needs it.
    #[must_use]
    pub fn with_size(context: Context, size: usize) -> Self {
        Self { windows: PushWindows::with_size(context, size), has_reported: false }
    }

    /// Pushes what `reader` yields to `sink`, and counts the bytes as they are read.
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
            let mut more = STEP;
            while matches!(state, State::Full) && may_continue_base64(self.windows.bytes()) {
                if self.windows.window_len() >= MOST {
                    self.report_part(origin, run);
                    break;
                }
                self.windows.grow(MOST.min(self.windows.window_len() + more));
                more *= 2;
                state = self.fill(reader, &mut total);
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

    /// Reports, once for an input, that encoded text is too long to be decoded at once.
    fn report_part(&mut self, origin: Origin<'_>, run: &Run) {
        if std::mem::replace(&mut self.has_reported, true) {
            return;
        }
        let path = match origin {
            Origin::File(path) => Some(path.to_owned()),
            _ => None,
        };
        run.report(Issue::EncodedTooLong { limit: MOST }, path);
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
