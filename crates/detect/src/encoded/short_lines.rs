//! Searches lines of folded base64 and hex that are shorter than an encoded token.
//!
//! Input: runs of [`MIN_LINE`] or more characters. Output: candidates. Such runs are frequent in source code, so only
//! those are followed to another line that contain a literal, end with half of one, or begin with the other half.
//! Lines of [`MIN_RUN`] or more characters are followed by the evidence that they look like base64.

use super::EncodedSearch;
use super::class::{MIN_LINE, MIN_RUN, is_run};
use super::line_borders::text_end;
use super::line_prefix::{self, LINE_LOOKAHEAD, LINE_LOOKBEHIND};
use crate::candidate::{Candidate, OnCandidate};
use crate::scratch::Scratch;
use crate::search::Search;
use std::ops::Range;

/// Maximum distance from the end of a line of encoded text to the encoded text of the next one.
const MAX_DISTANCE: usize = LINE_LOOKAHEAD;

/// Number of bytes before the encoded text of a line that decide whether it continues the line before.
pub(crate) const CONTINUED_LOOKBEHIND: usize = MAX_DISTANCE + LINE_LOOKBEHIND + 1;

impl EncodedSearch<'_> {
    /// Searches a run that is too short for an encoded token, and contains at least a part of a literal.
    #[cold]
    pub(super) fn short_line(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        // The byte before decides where the run begins.
        let first = run.start.saturating_sub(1);
        let on: OnCandidate<'_> = &mut |candidate, token| {
            let inspected_start = candidate.inspected_start.min(first);
            on(Candidate { inspected_start, ..candidate }, token);
        };
        let text = &search.bytes[run.clone()];
        let own = Search { part: run.clone(), ..search.clone() };
        self.search_run(&own, run, scratch, on);
        if self.literals.edges().is_end(text) {
            let end = text_end(search.bytes, run.end);
            let inspected = line_prefix::inspected(search.bytes, end);
            let start = run.start.max(inspected.start);
            on(
                Candidate {
                    inspected_start: inspected.start,
                    start,
                    inspected_end: inspected.end,
                    found: None,
                },
                &[],
            );
            self.cross(search, end, scratch, on);
        }
        self.line_start(search, run, scratch, on);
    }

    /// Searches a run for the rests of literals that began in the line before.
    fn line_start(
        &self,
        search: &Search<'_>,
        run: &Range<usize>,
        scratch: &mut Scratch,
        on: OnCandidate<'_>,
    ) {
        let bytes = search.bytes;
        for offset in self.literals.edges().starts(&bytes[run.clone()]) {
            let next = run.start + offset;
            let inspected_start = next.saturating_sub(CONTINUED_LOOKBEHIND);
            let inspected_end = run.end.max(next + self.literals.longest) + 1;
            on(Candidate { inspected_start, start: next, inspected_end, found: None }, &[]);
            for run_end in short_runs_before(bytes, next) {
                self.cross(search, text_end(bytes, run_end), scratch, on);
            }
        }
    }
}

/// Lists the ends of the runs that may be a short line before encoded text at `at`, the nearest first.
fn short_runs_before(bytes: &[u8], at: usize) -> impl Iterator<Item = usize> {
    let least = at.saturating_sub(MAX_DISTANCE);
    let mut start = at;
    std::iter::from_fn(move || {
        while start > least {
            let skipped = bytes[least..start].iter().rev().take_while(|&&it| !is_run(it)).count();
            let end = start - skipped;
            let len = bytes[least..end].iter().rev().take_while(|&&byte| is_run(byte)).count();
            start = end - len;
            if (MIN_LINE..MIN_RUN).contains(&len) {
                return Some(end);
            }
        }
        None
    })
}
