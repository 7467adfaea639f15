//! The objects from the base of a family down to the one being visited.
//!
//! The last one is there as its pieces and fresh bytes; those above it, from which others are still
//! to be made, are put together. An object that nothing is made from is put together only when
//! asked for. Buffers are reused; once they exceed the budget, objects far above are dropped and
//! made again when they are needed.

use crate::Fault;
use crate::delta::{From, Piece, apply, parse};
use crate::inflate::{Buffer, Inflater};
use crate::layout::EntryNo;
use crate::source::Source;
use std::ops::Range;

/// How many unused buffers are kept.
const MOST_SPARE: usize = 8;

/// One object.
struct Level {
    entry: EntryNo,
    len: u64,
    /// Its bytes, once they are put together and until they are dropped.
    whole: Option<Buffer>,
}

/// Whether further objects are made from the one above the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Above {
    /// Its bytes are still needed.
    Needed,
    /// Its bytes can be dropped.
    Done,
}

/// The levels of one worker.
pub(crate) struct Levels {
    inflater: Inflater,
    levels: Vec<Level>,
    /// The fresh bytes and the pieces of the last level, unless that is the first.
    fresh: Buffer,
    pieces: Vec<Piece>,
    spare: Vec<Buffer>,
    budget: usize,
    /// Bytes in the buffers of the levels.
    held: usize,
}

impl Levels {
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            inflater: Inflater::default(),
            levels: Vec::new(),
            fresh: Buffer::default(),
            pieces: Vec::new(),
            spare: Vec::new(),
            budget,
            held: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        while !self.levels.is_empty() {
            self.pop();
        }
    }

    /// The length of the last object.
    pub(crate) fn len(&self) -> u64 {
        self.levels.last().map_or(0, |level| level.len)
    }

    /// The pieces of the last object.
    #[inline]
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The fresh bytes of the last object.
    #[inline]
    pub(crate) fn fresh(&self) -> &[u8] {
        match &self.levels[..] {
            [only] => only.whole.as_ref().map_or(&[], Buffer::bytes),
            _ => self.fresh.bytes(),
        }
    }

    /// The bytes of the object that the last one is made from.
    #[inline]
    pub(crate) fn base(&self) -> &[u8] {
        let base = self.levels.len().checked_sub(2).and_then(|at| self.levels[at].whole.as_ref());
        base.map_or(&[], Buffer::bytes)
    }

    /// Goes one level up.
    pub(crate) fn pop(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.give_back(level.whole);
        }
    }

    /// Goes one level down, to an entry made from the last one, which is put together.
    pub(crate) fn push(&mut self, source: Source<'_>, entry: EntryNo) -> Result<(), Fault> {
        let mut level = Level { entry, len: 0, whole: None };
        if self.levels.is_empty() {
            let mut whole = self.spare.pop().unwrap_or_default();
            source.inflate(entry, &mut self.inflater, &mut whole)?;
            level.len = whole.bytes().len() as u64;
            self.pieces.clear();
            // A longer object is no base: a delta cannot tell its length.
            let len = u32::try_from(level.len).map_err(|_| Fault::TooLarge(level.len))?;
            if len > 0 {
                self.pieces.push(Piece { at: 0, len, from: From::Fresh(0) });
            }
            self.held += whole.room();
            level.whole = Some(whole);
        } else {
            let base = self.levels.len() - 1;
            self.remake(source, base)?;
            level.len = self.open(source, entry, self.levels[base].len)?;
        }
        self.levels.push(level);
        Ok(())
    }

    /// Inflates a delta and reads its pieces; returns the length of its object.
    fn open(&mut self, source: Source<'_>, entry: EntryNo, base_len: u64) -> Result<u64, Fault> {
        source.inflate(entry, &mut self.inflater, &mut self.fresh)?;
        parse(&mut self.fresh, base_len, &mut self.pieces)
    }

    /// The bytes of the last object, once it is put together.
    pub(crate) fn top(&self) -> &[u8] {
        self.levels.last().and_then(|level| level.whole.as_ref()).map_or(&[], Buffer::bytes)
    }

    /// Puts the last object together.
    pub(crate) fn whole(&mut self) -> Result<&[u8], Fault> {
        let last = self.levels.len() - 1;
        if self.levels[last].whole.is_none() {
            let mut whole = self.spare.pop().unwrap_or_default();
            apply(self.base(), self.fresh.bytes(), &self.pieces, &mut whole)?;
            self.held += whole.room();
            self.levels[last].whole = Some(whole);
        }
        Ok(self.top())
    }

    /// Prepares for the objects that are made from the last one.
    pub(crate) fn settle(&mut self, above: Above) -> Result<(), Fault> {
        self.whole()?;
        let last = self.levels.len() - 1;
        if above == Above::Done && last > 0 {
            let whole = self.levels[last - 1].whole.take();
            self.give_back(whole);
        }
        for at in 0..last {
            if self.held <= self.budget {
                break;
            }
            self.spare.clear();
            let whole = self.levels[at].whole.take();
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

    /// Makes the object of a level that was dropped again. This overwrites the pieces.
    fn remake(&mut self, source: Source<'_>, at: usize) -> Result<(), Fault> {
        if self.levels[at].whole.is_some() {
            return Ok(());
        }
        let held = (0..at).rev().find(|&above| self.levels[above].whole.is_some());
        let mut bytes = Buffer::default();
        if held.is_none() {
            source.inflate(self.levels[0].entry, &mut self.inflater, &mut bytes)?;
        }
        let mut result = Buffer::default();
        for step in held.unwrap_or(0) + 1..=at {
            self.open(source, self.levels[step].entry, self.levels[step - 1].len)?;
            let above = Some(step - 1).filter(|&above| Some(above) == held);
            let base = match above.and_then(|above| self.levels[above].whole.as_ref()) {
                Some(whole) => whole.bytes(),
                None => bytes.bytes(),
            };
            apply(base, self.fresh.bytes(), &self.pieces, &mut result)?;
            std::mem::swap(&mut bytes, &mut result);
        }
        self.held += bytes.room();
        self.levels[at].whole = Some(bytes);
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
                From::Fresh(from) => (self.fresh(), from as usize + skip),
                From::Base(from) => (self.base(), from as usize + skip),
            };
            out.extend_from_slice(&bytes[from..from + (end - start)]);
            start = end;
            index += 1;
        }
    }
}
