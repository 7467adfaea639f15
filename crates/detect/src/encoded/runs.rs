//! Finds where encoded text can be: long runs of the characters that encoded text is made of, and
//! stretches of UTF-16.
//!
//! Input: bytes. Output: runs and stretches that are long enough to contain a token. It decodes nothing.
//!
//! Many bytes are classified at once ([`super::mask`]); only where enough of them are in a row they are
//! read one by one. That makes the search for encoded tokens nearly free.

use super::class::{CLASS, LEAST, MARK, TEXT, is_run, is_text};
use super::mask::{BLOCK, Masks, WIDTH};
use std::ops::Range;

/// How far behind the searched part a run is followed.
const BEYOND: usize = 512;

/// Something long enough to be looked into, as far as it lies in the searched part and not too far
/// behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A run of what base64 and hex are made of.
    Run(Range<usize>),
    /// A run of what escaped text is made of, with something that may begin an escape.
    Escaped(Range<usize>),
    /// A stretch in which every other byte is zero: from the first of the other bytes to the last.
    Utf16(Range<usize>),
}

/// Calls `on_found` with everything of at least [`LEAST`] characters that reaches into `own`. What
/// began before `own` is given from the first byte of `own` on.
pub(crate) fn walk(bytes: &[u8], own: Range<usize>, mut on_found: impl FnMut(Found)) {
    if own.start >= own.end.min(bytes.len()) {
        return;
    }
    // What lies around the part makes runs that reach into it long enough.
    let last = bytes.len().min(own.end + LEAST);
    let mut start = own.start.saturating_sub(LEAST);
    let mut walk = Walk { bytes, own: own.clone(), from: own.start };
    let mut masks = Masks::new();
    while start < last {
        let end = last.min(start + BLOCK);
        for (at, &ends) in (start..).step_by(WIDTH).zip(masks.ends(&bytes[start..end])) {
            let mut ends = ends;
            while ends != 0 {
                let first = at + 1 + ends.trailing_zeros() as usize - LEAST;
                let next = walk.look(first.max(walk.from), &mut on_found);
                if next >= own.end {
                    return;
                }
                walk.from = next;
                let passed = (next + LEAST - 1).saturating_sub(at);
                ends &= if passed < WIDTH { u64::MAX << passed } else { 0 };
            }
        }
        start = end;
    }
}

/// Where a walk has come to.
struct Walk<'a> {
    bytes: &'a [u8],
    own: Range<usize>,
    /// What lies before was looked at.
    from: usize,
}

impl Walk<'_> {
    /// Looks at what begins at `start`; returns where the walk goes on.
    fn look(&self, start: usize, on_found: &mut impl FnMut(Found)) -> usize {
        let bytes = self.bytes;
        if bytes[start] == 0 || bytes.get(start + 1) == Some(&0) {
            return self.utf16_at(start, on_found).max(start + 1);
        }
        let limit = bytes.len().min(self.own.end + BEYOND);
        let (mut classes, mut end) = (0, start);
        for &byte in &bytes[start..limit.max(start)] {
            let class = CLASS[usize::from(byte)];
            if class & TEXT == 0 {
                break;
            }
            classes |= class;
            end += 1;
        }
        if start >= self.own.end || end == start {
            return end.max(start + 1);
        }
        let before = self.before(start, is_text);
        if end - start + before >= LEAST {
            if classes & MARK != 0 {
                on_found(Found::Escaped(start..end));
            }
            self.runs(start..end, on_found);
        }
        // The last character of a run may be the first of a stretch of UTF-16.
        if bytes.get(end) == Some(&0) && end > start + 1 { end - 1 } else { end }
    }

    /// Counts the characters directly before the searched part, if a run is cut by its beginning.
    fn before(&self, start: usize, is_its: fn(u8) -> bool) -> usize {
        if start != self.own.start {
            return 0;
        }
        let before = self.bytes[..start].iter().rev().take(LEAST);
        before.take_while(|&&byte| is_its(byte)).count()
    }

    /// Reports the parts of a run that base64 or hex can consist of.
    fn runs(&self, whole: Range<usize>, on_found: &mut impl FnMut(Found)) {
        let mut at = whole.start;
        while at < whole.end {
            let rest = &self.bytes[at..whole.end];
            let len = rest.iter().take_while(|&&byte| is_run(byte)).count();
            let is_own = at < self.own.end;
            if is_own && len > 0 && len + self.before(at, is_run) >= LEAST {
                on_found(Found::Run(at..at + len));
            }
            at += len.max(1);
        }
    }

    /// Reports the stretch of UTF-16 around a byte if it is long enough; returns where the search
    /// continues.
    fn utf16_at(&self, probe: usize, on_found: &mut impl FnMut(Found)) -> usize {
        let Walk { bytes, ref own, from } = *self;
        // Of a zero the character beside it counts; two zeros are no text.
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
        while last + 2 < own.end && goes_on(last) {
            last += 2;
        }
        let (mut before, mut behind) = (0, 0);
        // A stretch that the searched part cuts is as long as it is.
        while before < LEAST && start < own.start + 2 && goes_back(start - 2 * before) {
            before += 1;
        }
        while behind < LEAST && last + 2 >= own.end && goes_on(last + 2 * behind) {
            behind += 1;
        }
        if (last - start) / 2 + 1 + before + behind >= LEAST && start < own.end {
            on_found(Found::Utf16(start..last + 1));
        }
        // The last character of a stretch may be the first of a run.
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs(bytes: &[u8], own: Range<usize>) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        walk(bytes, own, |found| {
            if let Found::Run(run) = found {
                runs.push(run);
            }
        });
        runs
    }

    /// Every run by looking at every byte.
    fn oracle(bytes: &[u8], own: Range<usize>) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let len = bytes[at..].iter().take_while(|&&byte| is_run(byte)).count();
            let (start, end) = (at.max(own.start), at + len);
            if len >= LEAST && start < own.end && end > own.start {
                runs.push(start..end);
            }
            at += len.max(1);
        }
        runs
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
                    Found::Utf16(range) => range.start <= first && range.end > first + 88,
                    Found::Run(_) | Found::Escaped(_) => false,
                });
                assert!(stretch, "{low} {before}: {found:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn runs_are_those_of_the_oracle(
            pieces in prop::collection::vec((0_usize..95, 0_usize..6), 0..12),
            from in 0_usize..600, to in 0_usize..600,
        ) {
            let mut bytes = Vec::new();
            for (run, gap) in pieces {
                bytes.extend(std::iter::repeat_n(b'a', run));
                bytes.extend(std::iter::repeat_n(b' ', gap));
            }
            let own = from.min(bytes.len())..to.clamp(from, 600).min(bytes.len());
            prop_assert_eq!(runs(&bytes, own.clone()), oracle(&bytes, own));
        }
    }
}
