//! Finds long runs of the characters of encoded text, short ones that may be lines, and stretches of UTF-16.
//!
//! Input: bytes. Output: runs and stretches that are long enough to contain a token or a line of a folded
//! one. It decodes nothing.
//!
//! [`super::byte_class`] classifies many bytes at once. Only runs of sufficient length are read byte by
//! byte, which makes the search for encoded tokens nearly free.

use super::byte_class::{self, BLOCK, Ends, Masks, WIDTH};
use super::class::{
    Classified, MARK, MIN_LINE, MIN_RUN, MIN_UTF16, RUN, is_after_line, is_probe, is_run, is_text,
    runs_in,
};
use super::kinds::{lines_in_row, may_be_line, may_contain_line};
use std::ops::Range;

/// Maximum number of bytes of a run after the searched part.
pub(crate) const RUN_LOOKAHEAD: usize = 512;

/// Maximum number of characters of UTF-16 after the searched part that are inspected for a run.
const UTF16_LOOKAHEAD: usize = 2048;

/// A run that is long enough to contain a token, clipped to the searched part and [`RUN_LOOKAHEAD`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EncodedRun {
    /// A run of characters of base64 or hex.
    Base64OrHex(Range<usize>),
    /// A whole run of characters of base64 or hex that is too short to contain a token, but may be a line of a
    /// folded one ([`may_be_line`]). It begins in the searched part.
    ShortLine(Range<usize>),
    /// A run of characters of escaped text, with at least one that may begin an escape.
    Escaped(Range<usize>),
    /// A stretch in which every other byte is zero: from its first to its last nonzero byte.
    Utf16(Range<usize>),
    /// A run of characters of escaped text.
    Text(Range<usize>),
    /// A byte at which a gap in a token may begin.
    Gap(usize),
    /// The offset of a few characters of UTF-32.
    Utf32(usize),
}

/// Calls `on_found` with every run of at least [`MIN_RUN`] characters that overlaps `part`, and every shorter one
/// that begins in `part` and may be a line of folded text. A longer run that begins before `part` is clipped to the
/// start of `part`.
pub(crate) fn walk(bytes: &[u8], part: Range<usize>, mut on_found: impl FnMut(EncodedRun)) {
    if part.start >= part.end.min(bytes.len()) {
        return;
    }
    // Too few characters of UTF-32 may be within the part to be recognized there.
    if byte_class::is_utf32(&bytes[part.end.min(bytes.len())..]) {
        on_found(EncodedRun::Utf32(part.end));
    }
    // Bytes around the part count towards the length of runs that overlap it.
    let last = bytes.len().min(part.end + MIN_RUN);
    let first_mask = part.start.saturating_sub(MIN_RUN);
    let mut start = first_mask;
    let mut walk = Walk { bytes, part: part.clone(), from: part.start };
    walk.utf16_at_end(&mut on_found);
    let (mut masks, mut ends) = (Masks::new(), Ends::default());
    while start < last {
        let end = last.min(start + BLOCK);
        masks.ends(&bytes[start..end], &mut ends);
        masks.gaps().map(|at| start + at).filter(|at| part.contains(at)).for_each(|at| {
            on_found(EncodedRun::Gap(at));
        });
        masks.utf32().map(|at| start + at).filter(|&at| at < part.end).for_each(|at| {
            on_found(EncodedRun::Utf32(at));
        });
        for index in ends.marked() {
            let at = index * WIDTH;
            for stop in byte_class::bits_of(ends.stops[index]).map(|bit| at + bit) {
                let end = start + stop;
                walk.short_lines(end - masks.row_len(stop).min(end)..end, &mut on_found);
            }
            if walk.long_runs(start + at, ends.long[index], &mut on_found) >= part.end {
                return;
            }
        }
        start = end;
    }
    if (last - first_mask).is_multiple_of(WIDTH) {
        // No byte after the last row marks its end.
        let row = bytes[..last].iter().rev().take(MIN_RUN + 1).take_while(|&&byte| is_probe(byte));
        walk.short_lines(last - row.count()..last, &mut on_found);
    }
}

/// The state of a walk.
struct Walk<'a> {
    bytes: &'a [u8],
    part: Range<usize>,
    /// The start of the bytes not yet inspected.
    from: usize,
}

impl Walk<'_> {
    /// Inspects the runs that end at the marks of a mask, whose first byte is at `at`. Returns the offset where
    /// the walk continues.
    #[inline(always)]
    fn long_runs(&mut self, at: usize, ends: u64, on_found: &mut impl FnMut(EncodedRun)) -> usize {
        let mut ends = if self.from > self.part.start { self.not_passed(at, ends) } else { ends };
        while ends != 0 {
            let first = at + 1 + ends.trailing_zeros() as usize - MIN_RUN;
            self.from = self.inspect(first.max(self.from), on_found);
            if self.from >= self.part.end {
                break;
            }
            ends = self.not_passed(at, ends);
        }
        self.from
    }

    /// Returns the marks of a mask at which rows end that begin in the bytes not yet inspected.
    #[inline(always)]
    fn not_passed(&self, at: usize, ends: u64) -> u64 {
        let passed = (self.from + MIN_RUN - 1).saturating_sub(at);
        if passed < WIDTH { ends & u64::MAX << passed } else { 0 }
    }

    /// Reports the short lines in a row of probe bytes, which may end with a carriage return.
    #[inline(always)]
    fn short_lines(&self, row: Range<usize>, on_found: &mut impl FnMut(EncodedRun)) {
        if may_contain_line(self.bytes, &row) {
            lines_in_row(self.bytes, row, |run| self.short_line(run, on_found));
        }
    }

    /// Inspects the run that begins at `start`. Returns the offset where the walk continues.
    fn inspect(&self, start: usize, on_found: &mut impl FnMut(EncodedRun)) -> usize {
        let bytes = self.bytes;
        if bytes[start] == 0 || bytes.get(start + 1) == Some(&0) {
            return self.utf16_at(start, on_found).max(start + 1);
        }
        let limit = bytes.len().min(self.part.end + RUN_LOOKAHEAD);
        let text = Classified::text(&bytes[start..limit.max(start)]);
        let end = start + text.len;
        if start >= self.part.end || end == start {
            return end.max(start + 1);
        }
        let before = self.before(start, is_text);
        if end - start + before >= MIN_RUN {
            on_found(EncodedRun::Text(start..end));
            if text.any & MARK != 0 {
                on_found(EncodedRun::Escaped(start..end));
            }
            if text.all & RUN != 0 && text.len + self.before(start, is_run) >= MIN_RUN {
                on_found(EncodedRun::Base64OrHex(start..end));
            } else {
                self.runs(start..end, on_found);
            }
        }
        // The last character of a run may be the first of a stretch of UTF-16.
        if bytes.get(end) == Some(&0) && end > start + 1 { end - 1 } else { end }
    }

    /// Counts the characters of a run directly before the searched part, if `start` is its start.
    fn before(&self, start: usize, belongs: fn(u8) -> bool) -> usize {
        if start != self.part.start {
            return 0;
        }
        let before = self.bytes[..start].iter().rev().take(MIN_RUN);
        before.take_while(|&&byte| belongs(byte)).count()
    }

    /// Reports the base64 and hex runs within a run of escaped text, and its short lines.
    fn runs(&self, whole: Range<usize>, on_found: &mut impl FnMut(EncodedRun)) {
        let bytes = &self.bytes[..whole.end];
        let mut start = whole.start;
        // The characters before the part may belong to the first run.
        let before = self.before(start, is_run);
        if before > 0 {
            let len = bytes[start..].iter().take_while(|&&byte| is_run(byte)).count();
            if len > 0 && before + len >= MIN_RUN {
                on_found(EncodedRun::Base64OrHex(start..start + len));
            }
            start += len;
        }
        for run in runs_in(&bytes[start..], MIN_LINE) {
            let run = start + run.start..start + run.end;
            if run.start >= self.part.end {
                break;
            }
            if run.len() >= MIN_RUN {
                on_found(EncodedRun::Base64OrHex(run));
                continue;
            }
            let next = self.bytes.get(run.end).filter(|_| run.end == whole.end);
            if next.is_none_or(|&byte| is_after_line(byte)) && may_be_line(bytes, &run) {
                on_found(EncodedRun::ShortLine(run));
            }
        }
    }

    /// Reports a short line unless it begins before the searched part, or after it.
    fn short_line(&self, run: Range<usize>, on_found: &mut impl FnMut(EncodedRun)) {
        if self.part.contains(&run.start) && self.before(run.start, is_run) == 0 {
            on_found(EncodedRun::ShortLine(run));
        }
    }

    /// Reports the stretch of UTF-16 that crosses the end of the part, if a run after the end makes it one.
    /// Line ends, which no run contains, may be between them.
    fn utf16_at_end(&self, on_found: &mut impl FnMut(EncodedRun)) {
        let Walk { bytes, ref part, .. } = *self;
        let end = part.end.min(bytes.len());
        for probe in end.saturating_sub(2).max(part.start)..end {
            let units = bytes[probe..].chunks_exact(2).take(UTF16_LOOKAHEAD);
            let mut run = 0;
            let mut units = units.take_while(|unit| unit[0] != 0 && unit[1] == 0);
            let has_run = units.any(|unit| {
                run = if is_text(unit[0]) { run + 1 } else { 0 };
                run >= MIN_RUN / 2
            });
            if has_run {
                self.utf16_at(probe, on_found);
            }
        }
    }

    /// Reports the stretch of UTF-16 around a byte if it is long enough. Returns the offset where the walk
    /// continues.
    fn utf16_at(&self, probe: usize, on_found: &mut impl FnMut(EncodedRun)) -> usize {
        let Walk { bytes, ref part, from } = *self;
        // Start at the character next to a zero. Two zeros are no text.
        let at = if bytes[probe] == 0 { probe + 1 } else { probe };
        if bytes.get(at).is_none_or(|&byte| byte == 0) {
            return probe + 1;
        }
        let goes_back = |at: usize| at >= 2 && bytes[at - 1] == 0 && bytes[at - 2] != 0;
        let goes_on = |at: usize| {
            bytes.get(at + 1) == Some(&0) && bytes.get(at + 2).is_some_and(|&byte| byte != 0)
        };
        let mut start = at;
        // The last character of a run may be the first of a stretch.
        while start + 1 >= from + 2 && goes_back(start) {
            start -= 2;
        }
        let mut last = at;
        while last + 2 < part.end && goes_on(last) {
            last += 2;
        }
        let (mut before, mut behind) = (0, 0);
        // Characters outside the searched part count towards the length of a stretch.
        while before < MIN_RUN && start < part.start + 2 && goes_back(start - 2 * before) {
            before += 1;
        }
        while behind < MIN_RUN && last + 2 >= part.end && goes_on(last + 2 * behind) {
            behind += 1;
        }
        if (last - start) / 2 + 1 + before + behind >= MIN_UTF16 && start < part.end {
            on_found(EncodedRun::Utf16(start..last + 1));
        }
        // The last character of a stretch may be the first of a run.
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the long runs and the short ones.
    fn runs(bytes: &[u8], part: Range<usize>) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        walk(bytes, part, |found| match found {
            EncodedRun::Base64OrHex(run) => long.push(run),
            EncodedRun::ShortLine(run) => short.push(run),
            _ => {}
        });
        short.sort_by_key(|run: &Range<usize>| run.start);
        (long, short)
    }

    /// Finds every run byte by byte.
    fn oracle(bytes: &[u8], part: Range<usize>) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < bytes.len() {
            let len = bytes[at..].iter().take_while(|&&byte| is_run(byte)).count();
            let (start, end) = (at.max(part.start), at + len);
            if len >= MIN_RUN && start < part.end && end > part.start {
                long.push(start..end);
            }
            let is_end = bytes.get(end).is_none_or(|byte| b"\n'\\".contains(byte));
            if (MIN_LINE..MIN_RUN).contains(&len) && part.contains(&at) && is_end {
                short.push(at..end);
            }
            at += len.max(1);
        }
        (long, short)
    }

    #[test]
    fn utf16_is_found_in_both_orders_wherever_it_begins() {
        for low in 0..2 {
            for before in 0..90 {
                let mut bytes = vec![b'.'; before];
                for unit in [b'x'; 45] {
                    bytes.extend(if low == 0 { [unit, 0] } else { [0, unit] });
                }
                bytes.extend([b'.'; 50]);
                let mut found = Vec::new();
                walk(&bytes, 0..bytes.len(), |it| found.push(it));
                let first = before + low;
                let stretch = found.iter().any(|it| match it {
                    EncodedRun::Utf16(range) => range.start <= first && range.end > first + 88,
                    _ => false,
                });
                assert!(stretch, "{low} {before}: {found:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn runs_are_those_of_the_oracle(
            pieces in prop::collection::vec((0_usize..95, 0_usize..6, 0_usize..4), 0..12),
            from in 0_usize..600, to in 0_usize..600,
        ) {
            let mut bytes = Vec::new();
            for (run, gap, kind) in pieces {
                bytes.extend(b"aB1".iter().cycle().take(run));
                // Characters of escaped text are part of the rows that are marked.
                bytes.extend(std::iter::repeat_n(b"\n'.\\"[kind], gap));
            }
            let part = from.min(bytes.len())..to.clamp(from, 600).min(bytes.len());
            prop_assert_eq!(runs(&bytes, part.clone()), oracle(&bytes, part));
        }
    }
}
