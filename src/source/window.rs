//! Reads a stream through one reused buffer, as windows that overlap by what the search needs.
//!
//! Memory stays constant however large the input is. A window keeps context before the bytes it
//! owns and after them; offset and text position of every window are kept up as bytes are dropped.

use super::{Issue, Run, Visitor};
use crate::blob::{Blob, Context, Origin, Position};
use crate::detect::is_open;
use std::io::{self, Read};
use std::sync::atomic::AtomicU64;

/// How many bytes a window has at the most, unless the context needs more. Measured: 64 KiB to
/// 1 MiB differ by less than the noise; this size stays within the second-level cache.
pub(in crate::source) const WINDOW: usize = 256 * 1024;

/// How large a window grows to hold base64 that is decoded whole.
const MOST: usize = 16 << 20;
/// By how much it grows first, and then by twice as much each time: a token in every line of a log is
/// often at the end of a window, and ends soon after.
const STEP: usize = 4 * 1024;

/// One worker's buffer.
#[derive(Debug)]
pub struct Windows {
    buffer: Vec<u8>,
    /// The buffer's length before it grew.
    size: usize,
    context: Context,
    /// Whether it was told that the input is looked at in parts.
    has_told: bool,
}

/// How a stream ended.
#[derive(Debug)]
pub enum End {
    /// All of it was looked at: so many bytes.
    Whole(u64),
    /// The scan was interrupted.
    Interrupted,
    /// Reading failed; what came before was looked at.
    Failed(io::Error),
}

impl Windows {
    /// Makes a buffer for windows with this context.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self::with_size(context, WINDOW)
    }

    /// Makes a buffer of `size` bytes, or more where the context needs it.
    #[must_use]
    pub fn with_size(context: Context, size: usize) -> Self {
        let least = context.before + 2 * context.after + 1;
        let size = size.max(least);
        Self { buffer: vec![0; size], size, context, has_told: false }
    }

    /// Pushes what `reader` yields to `visitor`, and counts the bytes as they are read.
    pub fn visit(
        &mut self,
        origin: Origin<'_>,
        reader: &mut dyn Read,
        visitor: &mut dyn Visitor,
        (run, counted): (&Run, &AtomicU64),
    ) -> End {
        self.has_told = false;
        self.buffer.truncate(self.size);
        self.buffer.shrink_to(self.size);
        let (mut filled, mut own_start) = (0, 0);
        let mut offset = 0_u64;
        let mut position = Position { line: 1, column: 1 };
        let mut failure = None;
        loop {
            if run.is_interrupted() {
                return End::Interrupted;
            }
            let before = filled;
            let mut ended = fill(reader, &mut self.buffer, &mut filled, &mut failure);
            let mut more = STEP;
            while !ended && is_open(&self.buffer[..filled]) {
                if self.buffer.len() >= MOST {
                    self.tell_of_part(origin, run);
                    break;
                }
                self.buffer.resize(MOST.min(self.buffer.len() + more), 0);
                more *= 2;
                ended = fill(reader, &mut self.buffer, &mut filled, &mut failure);
            }
            super::add(counted, (filled - before) as u64);
            let bytes = &self.buffer[..filled];
            if offset == 0 && before == 0 {
                position = Position::start_of(bytes);
            }
            let own_end = if ended { filled } else { filled - self.context.after };
            let own = own_start..own_end;
            visitor.visit(&Blob { origin, bytes, offset, position, own, layer: None });
            if let Some(error) = failure {
                return End::Failed(error);
            }
            if ended {
                return End::Whole(offset + filled as u64);
            }
            let dropped = own_end.saturating_sub(self.context.before);
            position.advance(&self.buffer[..dropped]);
            self.buffer.copy_within(dropped..filled, 0);
            filled -= dropped;
            self.buffer.truncate(self.size.max(filled + 1));
            own_start = own_end - dropped;
            offset += dropped as u64;
        }
    }
}

impl Windows {
    /// Tells, once an input, that encoded text is too long to be decoded at once.
    fn tell_of_part(&mut self, origin: Origin<'_>, run: &Run) {
        if std::mem::replace(&mut self.has_told, true) {
            return;
        }
        let path = match origin {
            Origin::File(path) => Some(path.to_owned()),
            _ => None,
        };
        run.report(Issue::EncodedTooLong { limit: MOST }, path);
    }
}

/// Reads until the buffer is full; `true` if there is no more to come.
fn fill(
    reader: &mut dyn Read,
    buffer: &mut [u8],
    filled: &mut usize,
    failure: &mut Option<io::Error>,
) -> bool {
    while *filled < buffer.len() {
        match reader.read(&mut buffer[*filled..]) {
            Ok(0) => return true,
            Ok(len) => *filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                *failure = Some(error);
                return true;
            }
        }
    }
    false
}
