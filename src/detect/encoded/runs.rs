//! Finds where encoded text can be: long runs of the characters that base64 and hex are made of, and
//! stretches of UTF-16.
//!
//! Only one byte in [`LEAST`] is looked at where there is none: a run of that length cannot hide
//! between two probes. That is what makes the search for encoded tokens nearly free.

use std::ops::Range;

/// The length of the shortest run that is looked into, in characters. The base64 of the shortest
/// token has 53; lines that base64 is folded into must be at least this long.
pub(in crate::detect) const LEAST: usize = 40;

const RUN: u8 = 1;
const NUL: u8 = 2;

/// What a byte can be part of.
static CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let is_run = (byte as u8).is_ascii_alphanumeric()
            || matches!(byte as u8, b'+' | b'/' | b'-' | b'_' | b'=');
        class[byte] = if is_run { RUN } else { 0 };
        byte += 1;
    }
    class[0] = NUL;
    class
};

/// Tells whether a byte is one of those that base64, in both alphabets, and hex are made of.
#[inline]
pub(in crate::detect) fn is_run(byte: u8) -> bool {
    CLASS[usize::from(byte)] == RUN
}

/// Something long enough to be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Found {
    /// A run, as far as it lies in the searched part and the bytes behind it.
    Run(Range<usize>),
    /// A stretch in which every other byte is zero, as far as it lies in the searched part: from the
    /// first of the other bytes to the last.
    Utf16(Range<usize>),
}

/// Calls `on_found` with everything of at least [`LEAST`] characters that reaches into `own`, in
/// ascending order. What began before `own` is given from the first byte of `own` on, and whole
/// behind it.
#[inline]
pub(in crate::detect) fn walk(bytes: &[u8], own: Range<usize>, mut on_found: impl FnMut(Found)) {
    let mut from = own.start;
    let mut probe = own.start;
    // A run that ends less than its least length behind the last probe reaches into what follows.
    while probe < own.end {
        let class = CLASS[usize::from(bytes[probe])];
        if class == 0 && bytes.get(probe + 1) != Some(&0) {
            probe += LEAST;
            continue;
        }
        let end = match class {
            RUN if bytes.get(probe + 1) != Some(&0) => {
                run_at(bytes, probe, (from, own.start), &mut on_found)
            }
            _ => utf16_at(bytes, probe, (from, &own), &mut on_found),
        };
        from = end;
        probe = end + LEAST - 1;
    }
    // What begins behind the last probe and goes on behind `own` is found here if it is long enough.
    if own.end > from && own.end > own.start {
        let last = own.end - 1;
        if is_run(bytes[last]) && bytes.get(last + 1) != Some(&0) {
            run_at(bytes, last, (from, own.start), &mut on_found);
        } else if bytes.get(last + 1) == Some(&0) || bytes[last] == 0 {
            utf16_at(bytes, last, (from, &own), &mut on_found);
        }
    }
}

/// Looks at the run around a byte; returns where it ends.
fn run_at(
    bytes: &[u8],
    probe: usize,
    (from, own_start): (usize, usize),
    on_found: &mut impl FnMut(Found),
) -> usize {
    let back = bytes[from..probe].iter().rev().take_while(|&&byte| is_run(byte)).count();
    let ahead = bytes[probe..].iter().take_while(|&&byte| is_run(byte)).count();
    let (start, end) = (probe - back, probe + ahead);
    // A run that is cut by the beginning of the searched part is as long as it is.
    let before = if start == own_start {
        let before = bytes[..own_start].iter().rev().take(LEAST);
        before.take_while(|&&byte| is_run(byte)).count()
    } else {
        0
    };
    if end - start + before >= LEAST {
        on_found(Found::Run(start..end));
    }
    end
}

/// Looks at the stretch of UTF-16 around a byte; returns where the search goes on.
fn utf16_at(
    bytes: &[u8],
    probe: usize,
    (from, own): (usize, &Range<usize>),
    on_found: &mut impl FnMut(Found),
) -> usize {
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
                    Found::Run(_) => false,
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
