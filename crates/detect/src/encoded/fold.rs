//! The ways in which encoded text may be folded into several pieces.
//!
//! Input: bytes, and the offset where a piece ends. Output: the offset of the next piece. It decodes nothing.

use super::digit::base64_digit;
use super::escape::escaped_digit;
use super::gap::{skip_fold, skip_join};
use super::line_prefix::{Gap, Line};
use crate::candidate::Match;
use crate::encoding::Layer;
use std::ops::Range;

/// A way in which encoded text is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    /// Lines with indentation and comment marks, and adjacent string literals.
    Plain,
    /// The elements of a list of strings.
    List,
    /// The soft line breaks of quoted-printable.
    Soft,
    /// Lines with a prefix that repeats or counts.
    Lines(Line),
}

impl Fold {
    /// Lists the folds to try for encoded text whose first piece contains `at`, other than [`Fold::Plain`].
    pub(crate) fn others(bytes: &[u8], at: usize) -> impl Iterator<Item = Self> {
        [Self::List, Self::Soft].into_iter().chain(Line::around(bytes, at).map(Self::Lines))
    }

    /// Returns the offset of the first byte that the fold depends on, if the encoded text contains `at`.
    pub(crate) fn start(self, at: usize) -> usize {
        match self {
            Self::Lines(line) => line.start().saturating_sub(1),
            Self::Plain | Self::List | Self::Soft => at,
        }
    }

    /// Finds the next piece. `at` is the offset after the characters of the current one.
    pub(crate) fn next(&mut self, bytes: &[u8], at: usize) -> Gap {
        if at >= bytes.len() {
            return Gap::Open;
        }
        match self {
            Self::Plain => match skip_fold(bytes, at).or_else(|| skip_join(bytes, at)) {
                Some(next) if next < bytes.len() => Gap::Next(next),
                Some(_) => Gap::Open,
                None => Gap::Closed,
            },
            Self::List => list(bytes, at),
            Self::Soft => soft(bytes, at),
            Self::Lines(line) => line.next(bytes, at),
        }
    }
}

/// Lists the parts of a match that encode the token, without the prefixes of the lines into which it is folded.
/// Other matches are one part.
pub(crate) fn pieces(bytes: &[u8], found: &Match) -> Vec<Range<usize>> {
    let Match { start, end, encoding, .. } = *found;
    let whole = std::iter::once(start..end).collect();
    let is_folded = matches!(encoding.outermost(), Some(Layer::Base64 | Layer::Hex))
        && Fold::Plain.pieces(bytes, start..end).is_none();
    if !is_folded {
        return whole;
    }
    let mut pieces = Fold::others(bytes, start).filter_map(|it| it.pieces(bytes, start..end));
    pieces.next().unwrap_or(whole)
}

impl Fold {
    /// Takes encoded text apart. Returns `None` if it is folded in another way.
    pub(crate) fn pieces(mut self, bytes: &[u8], whole: Range<usize>) -> Option<Vec<Range<usize>>> {
        let mut pieces = Vec::new();
        let mut start = whole.start;
        loop {
            let mut at = start;
            while at < whole.end {
                match bytes.get(at).and_then(|&byte| base64_digit(byte)) {
                    Some(_) => at += 1,
                    None => match escaped_digit(&bytes[at..]) {
                        Some((_, len)) => at += len,
                        None => break,
                    },
                }
            }
            pieces.push(start..at.min(whole.end));
            if at >= whole.end {
                return Some(pieces);
            }
            match self.next(bytes, at) {
                Gap::Next(next) if next < whole.end => start = next,
                Gap::Next(_) | Gap::Closed | Gap::Open => return None,
            }
        }
    }
}

/// Skips the characters between two elements of a list: `", "`.
fn list(bytes: &[u8], at: usize) -> Gap {
    const MAX: usize = 80;
    let rest = &bytes[at..bytes.len().min(at + MAX)];
    let blanks =
        |from: usize| rest[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    // Quotes may be escaped in code inside a string.
    let quote =
        |from: usize| from + rest[from..].iter().take_while(|&&it| it == b'\\').count().min(3);
    let opened = quote(0);
    let Some(&mark) = rest.get(opened).filter(|byte| b"\"'`".contains(byte)) else {
        return Gap::Closed;
    };
    let mut len = opened + 1;
    len += blanks(len);
    if rest.get(len).is_some_and(|&byte| byte != b',') {
        return Gap::Closed;
    }
    len = rest.len().min(len + 1);
    len += blanks(len);
    len = quote(len);
    match (rest.get(len), rest.get(len + 1)) {
        (None, _) if at + rest.len() == bytes.len() => Gap::Open,
        (Some(&second), None) if second == mark && at + rest.len() == bytes.len() => Gap::Open,
        (Some(&second), Some(&byte)) if second == mark && base64_digit(byte).is_some() => {
            Gap::Next(at + len + 1)
        }
        _ => Gap::Closed,
    }
}

/// Skips a soft line break of quoted-printable.
fn soft(bytes: &[u8], at: usize) -> Gap {
    let rest = &bytes[at..];
    let Some(end) = [&b"=\n"[..], b"=\r\n"].into_iter().find(|end| rest.starts_with(end)) else {
        let is_cut = rest.len() < 3 && b"=\r\n".starts_with(rest);
        return if is_cut { Gap::Open } else { Gap::Closed };
    };
    match rest.get(end.len()) {
        None => Gap::Open,
        Some(&byte) if base64_digit(byte).is_some() => Gap::Next(at + end.len()),
        Some(_) => Gap::Closed,
    }
}
