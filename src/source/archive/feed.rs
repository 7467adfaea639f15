//! Windows that are pushed: bytes come in as they are unpacked, windows go out as they fill.
//!
//! It is what `source::window` does for a reader, turned around, since a nested archive's bytes pass
//! by while its members are read from them. It neither reads nor searches.

use crate::source::window::WINDOW;
use ddpatrol_scan::blob::{Context, Position};
use std::ops::Range;

/// One level's buffer.
#[derive(Debug)]
pub(super) struct Feed {
    buffer: Vec<u8>,
    context: Context,
    filled: usize,
    own_start: usize,
    offset: u64,
    position: Option<Position>,
}

/// A window that is full, or the last.
pub(super) struct Window<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) offset: u64,
    pub(super) position: Position,
    pub(super) own: Range<usize>,
}

/// Takes windows.
pub(super) type See<'a> = &'a mut dyn FnMut(Window<'_>);

impl Feed {
    pub(super) fn new(context: Context) -> Self {
        let least = context.before + 2 * context.after + 1;
        let buffer = vec![0; WINDOW.max(least)];
        Self { buffer, context, filled: 0, own_start: 0, offset: 0, position: None }
    }

    /// Forgets everything, to be used for other bytes.
    pub(super) fn reset(&mut self) {
        (self.filled, self.own_start, self.offset, self.position) = (0, 0, 0, None);
    }

    /// Returns the room that bytes can be read into; never empty.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[self.filled..]
    }

    /// Takes `len` bytes that were read into the room.
    pub(super) fn advance(&mut self, len: usize, see: See<'_>) {
        self.filled += len;
        if self.filled < self.buffer.len() {
            return;
        }
        let own_end = self.filled - self.context.after;
        let position = self.see(own_end, see);
        let dropped = own_end.saturating_sub(self.context.before);
        let mut position = position;
        position.advance(&self.buffer[..dropped]);
        self.buffer.copy_within(dropped..self.filled, 0);
        self.filled -= dropped;
        self.own_start = own_end - dropped;
        self.offset += dropped as u64;
        self.position = Some(position);
    }

    /// Takes bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8], see: See<'_>) {
        while !bytes.is_empty() {
            let room = self.room();
            let len = room.len().min(bytes.len());
            room[..len].copy_from_slice(&bytes[..len]);
            bytes = &bytes[len..];
            self.advance(len, see);
        }
    }

    /// Ends the bytes.
    pub(super) fn finish(&mut self, see: See<'_>) {
        self.see(self.filled, see);
        self.reset();
    }

    fn see(&mut self, own_end: usize, see: See<'_>) -> Position {
        let bytes = &self.buffer[..self.filled];
        let position = self.position.unwrap_or_else(|| Position::start_of(bytes));
        if own_end > self.own_start {
            let own = self.own_start..own_end;
            see(Window { bytes, offset: self.offset, position, own });
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_is_some_windows_own_exactly_once(
            len in 0..3_000_000_usize, piece in 1..400_000_usize,
        ) {
            let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut feed = Feed::new(Context { before: 100, after: 200 });
            let mut next = 0;
            let mut see = |window: Window<'_>| {
                let start = window.offset as usize;
                assert_eq!(window.bytes, &bytes[start..start + window.bytes.len()]);
                assert_eq!(start + window.own.start, next);
                let end = start + window.own.end;
                let seen = start + window.bytes.len();
                assert!(seen == len || seen >= end + 200);
                assert!(start == 0 || window.own.start >= 100);
                next = end;
            };
            bytes.chunks(piece).for_each(|piece| feed.push(piece, &mut see));
            feed.finish(&mut see);
            prop_assert_eq!(next, len);
        }
    }
}
