//! The objects from the root of a delta tree down to the one being visited.
//!
//! Input: entries to push and pop. Output: the pieces, fresh bytes and base of the last object. The objects
//! above it, which are delta bases, are assembled; the last object is assembled only on request. Buffers
//! are reused. If they exceed the budget, objects near the root are dropped and rebuilt when needed.

use crate::Fault;
use crate::delta::{Piece, PieceSource, apply, parse};
use crate::inflate::{Buffer, Inflater};
use crate::layout::EntryNo;
use crate::source::Source;
use std::ops::Range;

/// Maximum number of unused buffers.
const MOST_SPARE: usize = 8;

/// One object on the stack.
struct StackEntry {
    entry: EntryNo,
    len: u64,
    /// Its bytes, while they are assembled and not dropped.
    whole: Option<Buffer>,
}

/// Whether the base of the last object has further deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BaseUse {
    /// Its bytes are still needed.
    Needed,
    /// Its bytes can be dropped.
    Done,
}

/// The stack of one worker.
pub(crate) struct DeltaStack {
    inflater: Inflater,
    stack: Vec<StackEntry>,
    /// The fresh bytes of the last object, unless it is the first.
    fresh: Buffer,
    pieces: Vec<Piece>,
    spare: Vec<Buffer>,
    budget: usize,
    /// Total capacity of the buffers on the stack, in bytes.
    held: usize,
}

impl DeltaStack {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            inflater: Inflater::default(),
            stack: Vec::new(),
            fresh: Buffer::default(),
            pieces: Vec::new(),
            spare: Vec::new(),
            budget,
            held: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        while !self.stack.is_empty() {
            self.pop();
        }
    }

    /// Returns the length of the last object.
    pub(crate) fn len(&self) -> u64 {
        self.stack.last().map_or(0, |level| level.len)
    }

    /// Returns the pieces of the last object.
    #[inline]
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Returns the fresh bytes of the last object.
    #[inline]
    pub(crate) fn fresh(&self) -> &[u8] {
        match &self.stack[..] {
            [only] => only.whole.as_ref().map_or(&[], Buffer::bytes),
            _ => self.fresh.bytes(),
        }
    }

    /// Returns the bytes of the base of the last object.
    #[inline]
    pub(crate) fn base(&self) -> &[u8] {
        let base = self.stack.len().checked_sub(2).and_then(|at| self.stack[at].whole.as_ref());
        base.map_or(&[], Buffer::bytes)
    }

    /// Removes the last object.
    pub(crate) fn pop(&mut self) {
        if let Some(level) = self.stack.pop() {
            self.give_back(level.whole);
        }
    }

    /// Adds an entry whose base is the last object; assembles the base.
    pub(crate) fn push(&mut self, source: Source<'_>, entry: EntryNo) -> Result<(), Fault> {
        let mut level = StackEntry { entry, len: 0, whole: None };
        if self.stack.is_empty() {
            let mut whole = self.spare.pop().unwrap_or_default();
            source.inflate(entry, &mut self.inflater, &mut whole)?;
            level.len = whole.bytes().len() as u64;
            self.pieces.clear();
            // A longer object cannot be a base: a delta cannot encode its length.
            let len = u32::try_from(level.len).map_err(|_| Fault::TooLarge(level.len))?;
            if len > 0 {
                self.pieces.push(Piece { at: 0, len, from: PieceSource::Fresh(0) });
            }
            self.held += whole.room();
            level.whole = Some(whole);
        } else {
            let base = self.stack.len() - 1;
            self.rebuild(source, base)?;
            level.len = self.read_delta(source, entry, self.stack[base].len)?;
        }
        self.stack.push(level);
        Ok(())
    }

    /// Inflates a delta and reads its pieces. Returns the length of its object.
    fn read_delta(
        &mut self,
        source: Source<'_>,
        entry: EntryNo,
        base_len: u64,
    ) -> Result<u64, Fault> {
        source.inflate(entry, &mut self.inflater, &mut self.fresh)?;
        parse(&mut self.fresh, base_len, &mut self.pieces)
    }

    /// Returns the bytes of the last object, if it is assembled.
    pub(crate) fn top(&self) -> &[u8] {
        self.stack.last().and_then(|level| level.whole.as_ref()).map_or(&[], Buffer::bytes)
    }

    /// Assembles the last object.
    pub(crate) fn assemble(&mut self) -> Result<&[u8], Fault> {
        let last = self.stack.len() - 1;
        if self.stack[last].whole.is_none() {
            let mut whole = self.spare.pop().unwrap_or_default();
            apply(self.base(), self.fresh.bytes(), &self.pieces, &mut whole)?;
            self.held += whole.room();
            self.stack[last].whole = Some(whole);
        }
        Ok(self.top())
    }

    /// Prepares for deltas on the last object.
    pub(crate) fn settle(&mut self, base: BaseUse) -> Result<(), Fault> {
        self.assemble()?;
        let last = self.stack.len() - 1;
        if base == BaseUse::Done && last > 0 {
            let whole = self.stack[last - 1].whole.take();
            self.give_back(whole);
        }
        for at in 0..last {
            if self.held <= self.budget {
                break;
            }
            self.spare.clear();
            let whole = self.stack[at].whole.take();
            self.held -= whole.map_or(0, |whole| whole.room());
        }
        Ok(())
    }

    fn give_back(&mut self, whole: Option<Buffer>) {
        if let Some(whole) = whole {
            self.held -= whole.room();
            let spare: usize = self.spare.iter().map(Buffer::room).sum();
            if self.spare.len() < MOST_SPARE && spare + whole.room() < self.budget / 4 {
                self.spare.push(whole);
            }
        }
    }

    /// Rebuilds the object of a level, if it was dropped. This overwrites the pieces.
    fn rebuild(&mut self, source: Source<'_>, at: usize) -> Result<(), Fault> {
        if self.stack[at].whole.is_some() {
            return Ok(());
        }
        let held = (0..at).rev().find(|&above| self.stack[above].whole.is_some());
        let mut bytes = Buffer::default();
        if held.is_none() {
            source.inflate(self.stack[0].entry, &mut self.inflater, &mut bytes)?;
        }
        let mut result = Buffer::default();
        for step in held.unwrap_or(0) + 1..=at {
            self.read_delta(source, self.stack[step].entry, self.stack[step - 1].len)?;
            let above = Some(step - 1).filter(|&above| Some(above) == held);
            let base = match above.and_then(|above| self.stack[above].whole.as_ref()) {
                Some(whole) => whole.bytes(),
                None => bytes.bytes(),
            };
            apply(base, self.fresh.bytes(), &self.pieces, &mut result)?;
            std::mem::swap(&mut bytes, &mut result);
        }
        self.held += bytes.room();
        self.stack[at].whole = Some(bytes);
        Ok(())
    }

    /// Appends the bytes of a range of the last object to `out`.
    pub(crate) fn read(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let pieces = &self.pieces;
        let mut index = pieces.partition_point(|piece| piece.end() as usize <= range.start);
        let mut start = range.start;
        while start < range.end {
            let piece = pieces[index];
            let end = range.end.min(piece.end() as usize);
            let skip = start - piece.at as usize;
            let (bytes, from) = match piece.from {
                PieceSource::Fresh(from) => (self.fresh(), from as usize + skip),
                PieceSource::Base(from) => (self.base(), from as usize + skip),
            };
            out.extend_from_slice(&bytes[from..from + (end - start)]);
            start = end;
            index += 1;
        }
    }
}
