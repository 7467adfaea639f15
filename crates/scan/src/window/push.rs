//! Splits pushed bytes into overlapping windows.
//!
//! Input: bytes, as they are read. Output: windows, as they fill, both for readers and for members of
//! archives. A window that ends in base64 grows, since nested encodings are decoded from their beginning.
//! Nothing is read or searched here.

use crate::blob::{Blob, Context, Origin, Position};
use ddpatrol_detect::may_continue_base64;
use std::ops::Range;
use std::sync::Arc;

/// The size of a window in bytes, unless the context needs more. Measured: 64 KiB to 1 MiB differ by
/// less than the noise; this size stays within the second-level cache.
const WINDOW: usize = 256 * 1024;

/// Maximum length of a window that grows to hold a run of base64, in bytes.
pub const MAX_WINDOW: usize = 16 << 20;
/// Bytes by which a window grows first; the amount doubles each time. If every line of a log has a token, one
/// is often at the end of a window, and ends soon after.
const STEP: usize = 4 * 1024;

/// The buffer of one stream of bytes.
#[derive(Debug)]
pub struct PushWindows {
    buffer: Vec<u8>,
    /// The length of the buffer unless it has grown.
    size: usize,
    context: Context,
    filled: usize,
    own_start: usize,
    offset: u64,
    position: Option<Position>,
    /// The number of bytes by which the window grows next.
    step: usize,
    /// Whether base64 was longer than a window may be.
    is_cut: bool,
}

/// Whether a full window is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It ends in base64, and has room for more.
    Grown,
    /// It is complete.
    Full,
    /// It ends in base64, and may not grow further.
    TooLong,
}

/// A window that is full, or the last one.
pub struct Window<'a> {
    bytes: &'a [u8],
    offset: u64,
    position: Position,
    own: Range<usize>,
}

impl<'a> Window<'a> {
    /// Returns `true` if the window owns no byte, as for empty input.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Returns the window as a blob.
    pub fn blob(self, origin: Origin<'a>, layer: Option<&'a Arc<str>>) -> Blob<'a> {
        let Self { bytes, offset, position, own } = self;
        Blob { origin, bytes, offset, position, own, layer }
    }
}

/// Receives windows.
pub type OnWindow<'a> = &'a mut dyn FnMut(Window<'_>);

impl PushWindows {
    /// Creates a buffer for windows with this context.
    pub fn new(context: Context) -> Self {
        Self::with_size(context, WINDOW)
    }

    /// Creates a buffer of `size` bytes, or more if the context needs it.
    pub fn with_size(context: Context, size: usize) -> Self {
        let least = context.before + 2 * context.after + 1;
        let size = size.max(least);
        let buffer = vec![0; size];
        Self {
            buffer,
            size,
            context,
            filled: 0,
            own_start: 0,
            offset: 0,
            position: None,
            step: STEP,
            is_cut: false,
        }
    }

    /// Clears the buffer for other bytes.
    pub fn reset(&mut self) {
        (self.filled, self.own_start, self.offset, self.position) = (0, 0, 0, None);
        (self.step, self.is_cut) = (STEP, false);
        self.buffer.truncate(self.size);
        self.buffer.shrink_to(self.size);
    }

    /// Returns the free part of the buffer, to read bytes into; it is never empty.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[self.filled..]
    }

    /// Returns the bytes of the window that is being filled.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Grows a full window if base64 may continue after it.
    pub(crate) fn grow(&mut self) -> Growth {
        if !may_continue_base64(self.bytes()) {
            return Growth::Full;
        }
        let len = self.buffer.len();
        if len >= MAX_WINDOW {
            self.is_cut = true;
            return Growth::TooLong;
        }
        self.buffer.resize(MAX_WINDOW.min(len + self.step), 0);
        self.step *= 2;
        Growth::Grown
    }

    /// Returns `true` if base64 was longer than a window may be, since the last reset.
    #[must_use]
    pub fn has_cut_base64(&self) -> bool {
        self.is_cut
    }

    /// Adds `len` bytes that were read into the free part, and keeps the window even if it is full.
    pub fn add(&mut self, len: usize) {
        self.filled += len;
    }

    /// Adds `len` bytes that were read into the free part; yields the window if it is full and does not grow.
    pub fn advance(&mut self, len: usize, on_window: OnWindow<'_>) {
        self.add(len);
        if self.filled == self.buffer.len() && self.grow() != Growth::Grown {
            self.next(on_window);
        }
    }

    /// Adds bytes.
    pub fn push(&mut self, mut bytes: &[u8], on_window: OnWindow<'_>) {
        while !bytes.is_empty() {
            let room = self.room();
            let len = room.len().min(bytes.len());
            room[..len].copy_from_slice(&bytes[..len]);
            bytes = &bytes[len..];
            self.advance(len, on_window);
        }
    }

    /// Yields a full window, and begins the next one with the shared context.
    pub fn next(&mut self, on_window: OnWindow<'_>) {
        let own_end = self.filled - self.context.after;
        let mut position = self.show(own_end, on_window);
        let dropped = own_end.saturating_sub(self.context.before);
        position.advance(&self.buffer[..dropped]);
        self.buffer.copy_within(dropped..self.filled, 0);
        self.filled -= dropped;
        // A grown window shrinks again, but keeps a free byte.
        self.buffer.truncate(self.size.max(self.filled + 1));
        self.own_start = own_end - dropped;
        self.offset += dropped as u64;
        self.position = Some(position);
        self.step = STEP;
    }

    /// Yields the last window.
    pub fn finish(&mut self, on_window: OnWindow<'_>) {
        self.show(self.filled, on_window);
        self.reset();
    }

    /// Yields the bytes as a window; returns the position of the first byte.
    fn show(&self, own_end: usize, on_window: OnWindow<'_>) -> Position {
        let bytes = self.bytes();
        let position = self.position.unwrap_or_else(|| Position::start_of(bytes));
        let own = self.own_start..own_end;
        on_window(Window { bytes, offset: self.offset, position, own });
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_is_owned_by_exactly_one_window(
            len in 0..3_000_000_usize, piece in 1..400_000_usize,
        ) {
            let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut windows = PushWindows::new(Context { before: 100, after: 200 });
            let mut next = 0;
            let mut on_window = |window: Window<'_>| {
                let start = window.offset as usize;
                assert_eq!(window.bytes, &bytes[start..start + window.bytes.len()]);
                assert_eq!(start + window.own.start, next);
                let end = start + window.own.end;
                let seen = start + window.bytes.len();
                assert!(seen == len || seen >= end + 200);
                assert!(start == 0 || window.own.start >= 100);
                next = end;
            };
            bytes.chunks(piece).for_each(|piece| windows.push(piece, &mut on_window));
            windows.finish(&mut on_window);
            prop_assert_eq!(next, len);
        }
    }
}
