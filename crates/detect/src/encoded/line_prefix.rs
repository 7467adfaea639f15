//! Follows encoded text from line to line behind a prefix that repeats or counts.
//!
//! Input: bytes, and an offset in the first line of the encoded text. Output: the offset where its next line
//! continues. The prefix of a line is learned from the line before: a time stamp, a line number, the mark of a
//! patch, or the beginning of a JSON record. It decodes nothing; whether the lines belong together is decided
//! by the checksum of the token.
//!
//! A prefix matches the one before if they are equal, except that
//! - numbers may differ, and so may other words with digits, and words of at most three letters;
//! - blanks may be replaced by the digits of a growing number.
//!
//! If the line before has more text in front, such as a label, the rest of that text may be missing. The text
//! after the encoded characters of a line is skipped, whatever it is.

use super::breaks;
use super::class::MIN_RUN;
use super::digit::base64_digit;
use std::ops::Range;

/// Maximum length of a prefix, and of the text after the encoded characters, in bytes.
const MAX_AFFIX: usize = 256;

/// Maximum number of encoded characters in a line.
const MAX_PAYLOAD: usize = 256;

/// Maximum distance from an encoded character to the beginning of its line, in bytes.
pub(crate) const LINE_LOOKBEHIND: usize = MAX_AFFIX + MAX_PAYLOAD;

/// Number of bytes after the encoded characters of a line that decide whether and where they continue.
pub(crate) const LINE_LOOKAHEAD: usize = 2 * MAX_AFFIX + MIN_RUN;

/// The number of bytes of prefix and suffix per line that a window has room for.
pub(crate) const USUAL_AFFIXES: usize = 160;

/// The text between two pieces of encoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The next piece begins at this offset.
    Next(usize),
    /// The encoded text ends.
    Closed,
    /// Bytes after the end of the input decide.
    Open,
}

/// How lines end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    /// A line feed.
    LineFeed,
    /// The escape sequence `\n`.
    Escape,
}

/// A line of encoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The offset of its prefix.
    start: usize,
    /// The offset of its first encoded character.
    payload: usize,
    end: LineEnd,
}

impl Line {
    /// Lists the ways to read the line around `at`, which is an encoded character: where it begins, and
    /// where its encoded characters begin.
    pub(crate) fn around(bytes: &[u8], at: usize) -> impl Iterator<Item = Self> {
        let least = at.saturating_sub(MAX_PAYLOAD);
        let run = bytes[least..at].iter().rev().take_while(|&&it| base64_digit(it).is_some());
        let run = at - run.count();
        // The letter of an escape, as in `\t`, is not encoded text.
        let run = if run > 0 && run < at && bytes[run - 1] == b'\\' { run + 1 } else { run };
        [LineEnd::LineFeed, LineEnd::Escape]
            .into_iter()
            .filter_map(move |end| Some((end, line_start(bytes, run, end)?)))
            .flat_map(move |(end, start)| {
                payloads(&bytes[..at], start, run).into_iter().flatten().map(move |payload| Self {
                    start,
                    payload,
                    end,
                })
            })
    }

    /// Returns the offset where the line begins.
    pub(crate) fn start(self) -> usize {
        self.start
    }

    /// Finds the next line. `at` is the offset after the encoded characters of this one.
    pub(crate) fn next(&mut self, bytes: &[u8], at: usize) -> Gap {
        // Padding ends base64.
        if bytes.get(at) == Some(&b'=') {
            return Gap::Closed;
        }
        let limit = bytes.len().min(at + MAX_AFFIX);
        let Some(start) = line_end(&bytes[..limit], at, self.end) else {
            return if limit == bytes.len() { Gap::Open } else { Gap::Closed };
        };
        let template = Template { bytes, prefix: self.start..self.payload, end: at };
        let next = template.find_in(start);
        if let Gap::Next(payload) = next {
            *self = Self { start, payload, ..*self };
        }
        next
    }
}

/// Returns the range of bytes that decides whether and where the encoded text that ends at `end` continues in
/// another line: its line and the next one, each up to the limits of their lengths.
pub(super) fn inspected(bytes: &[u8], end: usize) -> Range<usize> {
    let least = end.saturating_sub(LINE_LOOKBEHIND + 1);
    let most = bytes.len().min(end + LINE_LOOKAHEAD);
    let line_end = memchr::memchr(b'\n', &bytes[end..most]).map_or(most, |at| end + at + 1);
    // Lines that end in an escape sequence are not limited to a line.
    if escaped_line_end(&bytes[end..line_end]).is_some() {
        return least..end + LINE_LOOKAHEAD;
    }
    let line_start = memchr::memrchr(b'\n', &bytes[least..end]).map_or(least, |at| least + at);
    let next_end = memchr::memchr(b'\n', &bytes[line_end..most]);
    line_start..next_end.map_or(end + LINE_LOOKAHEAD, |at| line_end + at + 1)
}

/// Returns the offset of the first line end that is written as `\n`.
fn escaped_line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\\', bytes).find(|&found| bytes.get(found + 1) == Some(&b'n'))
}

/// Returns the start of the line that contains `at`.
fn line_start(bytes: &[u8], at: usize, end: LineEnd) -> Option<usize> {
    let least = at.saturating_sub(MAX_AFFIX);
    let before = &bytes[least..at];
    match end {
        LineEnd::LineFeed => match memchr::memrchr(b'\n', before) {
            Some(found) => Some(least + found + 1),
            None => (least == 0).then_some(0),
        },
        LineEnd::Escape => {
            let quote = memchr::memrchr3(b'"', b'\'', b'`', before).map(|found| found + 1);
            let mut ends = memchr::memrchr_iter(b'\\', before);
            let line = ends.find(|&found| before.get(found + 1) == Some(&b'n'));
            let line = line.map(|found| found + 2);
            quote.max(line).map(|found| least + found)
        }
    }
}

/// Returns the offset after the end of the line that contains `at`.
fn line_end(bytes: &[u8], at: usize, end: LineEnd) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let line = memchr::memchr(b'\n', rest);
    match end {
        LineEnd::LineFeed => line.map(|found| at + found + 1),
        LineEnd::Escape => {
            let rest = &rest[..line.unwrap_or(rest.len())];
            escaped_line_end(rest).map(|found| at + found + 2)
        }
    }
}

/// Lists the offsets where the encoded characters of a line may begin, if `bytes` ends with one, and `run` is
/// the start of the characters that base64 can contain.
fn payloads(bytes: &[u8], start: usize, run: usize) -> [Option<usize>; 5] {
    let mut all = [Some(run), None, None, None, colored(bytes, start, run)];
    // The marks of a patch, or `file-12-` of grep.
    let is_mark = |at: usize| matches!(bytes.get(at), Some(b'+' | b'-' | b'/'));
    if run == start || bytes[run - 1] == b' ' {
        let marks = (run..run + 2).take_while(|&at| is_mark(at)).count();
        all[1] = (marks > 0).then_some(run + 1);
        all[2] = (marks > 1).then_some(run + 2);
    }
    let dash = memchr::memrchr2(b'-', b'_', &bytes[run.min(bytes.len())..]);
    all[3] = dash.map(|at| run + at + 1).filter(|at| !all.contains(&Some(*at)));
    all
}

/// Returns the offset after the control sequence, such as the one of a color, whose end is at the start of a run.
fn colored(bytes: &[u8], start: usize, run: usize) -> Option<usize> {
    let digits = bytes[run..].iter().take_while(|it| it.is_ascii_digit()).count();
    let last = run + digits;
    let is_letter = bytes.get(last).is_some_and(u8::is_ascii_alphabetic);
    (is_letter && breaks::ends_at(&bytes[start..], last - start)).then_some(last + 1)
}

/// The prefix of one line, compared with the beginning of the next.
struct Template<'a> {
    bytes: &'a [u8],
    prefix: Range<usize>,
    /// The offset after the encoded characters of the line.
    end: usize,
}

impl Template<'_> {
    /// Finds the encoded characters of the line that begins at `start`.
    fn find_in(&self, start: usize) -> Gap {
        let Self { bytes, ref prefix, .. } = *self;
        let (mut known, mut at) = (prefix.start, start);
        // The start of the last word, in case that word is encoded text already.
        let mut word = start;
        while known < prefix.end {
            let Some(&byte) = bytes.get(at) else { return Gap::Open };
            let expected = bytes[known];
            if expected.is_ascii_alphanumeric() {
                word = at;
                let old = word_len(&bytes[known..prefix.end]);
                let new = word_len(&bytes[at..]);
                let is_last = known + old == prefix.end;
                let new = if is_last { old } else { new };
                let Some(other) = bytes.get(at..at + new) else { return Gap::Open };
                if !is_last && at + new == bytes.len() {
                    return Gap::Open;
                }
                if !may_follow(&bytes[known..known + old], other) {
                    return self.rest(at);
                }
                (known, at) = (known + old, at + new);
            } else if is_blank(expected) {
                let old = blanks(&bytes[known..prefix.end]);
                let new = blanks(&bytes[at..]);
                let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
                // A number may have grown into its padding.
                let is_padding = is_digit(Some(&byte)) || is_digit(bytes[start..at].last());
                if new == 0 && !is_padding {
                    return self.rest(word);
                }
                (known, at) = (known + old, at + new);
                word = at;
            } else if byte == expected {
                (known, at) = (known + 1, at + 1);
            } else {
                return self.rest(word);
            }
        }
        match bytes.get(at) {
            None => Gap::Open,
            Some(&byte) if base64_digit(byte).is_some() => Gap::Next(at),
            Some(_) => self.rest(word),
        }
    }

    /// Decides on a line whose prefix ends at `at`, earlier than that of the line before: all characters up
    /// to its end must be encoded text.
    fn rest(&self, at: usize) -> Gap {
        let rest = &self.bytes[at..self.bytes.len().min(at + MAX_PAYLOAD)];
        let len = rest.iter().take_while(|&&byte| base64_digit(byte).is_some()).count();
        let len = len + rest[len..].iter().take_while(|&&byte| byte == b'=').count();
        match rest.get(len) {
            None if rest.len() < MAX_PAYLOAD => Gap::Open,
            Some(&byte)
                if len > 0 && (byte == self.bytes[self.end] || b"\r\n\\".contains(&byte)) =>
            {
                Gap::Next(at)
            }
            _ => Gap::Closed,
        }
    }
}

/// Returns `true` if a word of a prefix may differ from that of the line before in this way.
fn may_follow(old: &[u8], new: &[u8]) -> bool {
    let has_digit = |word: &[u8]| word.iter().any(u8::is_ascii_digit);
    let is_hex = |word: &[u8]| word.iter().all(u8::is_ascii_hexdigit);
    old == new
        || has_digit(old) && has_digit(new)
        || old.len() == new.len() && (old.len() <= 3 || is_hex(old) && is_hex(new))
}

fn word_len(bytes: &[u8]) -> usize {
    bytes.iter().take(MAX_AFFIX).take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take(MAX_AFFIX).take_while(|&&byte| is_blank(byte)).count()
}
