//! The redactor: masks everything that looks like a token in text that goes out.
//!
//! Input: bytes from anywhere (a path, a line of a file, an error, an argument). Output: [`Clean`] text,
//! the only text that reports and messages are made of. It masks more than the detector reports: every
//! candidate of every rule, proven or not, and the beginnings of tokens that were cut off. The parts that
//! a rule calls public (prefix, alias) remain. It does not escape text for its destination.

use crate::candidate::PossibleToken;
use crate::encoded::looks_like_base64;
use crate::{Detector, Scratch};
use ddpatrol_token::ByteSet;
use ddpatrol_token::secret::MASK;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::ops::Range;

/// How many characters of what could be a cut-off secret are masked.
const SHORTEST_MASKED: usize = 8;
/// Fewer lower-case letters than this, and nothing else, are taken for a word: `npm_installer`. One
/// in a thousand secrets begins with eight of them.
const LONGEST_WORD: usize = 20;

/// The shortest run of base64 in which a secret may be encoded more than once, in characters.
const LEAST_RUN: usize = 40;

/// The long runs that are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// Runs that mix lower case, upper case and digits, as base64 does.
    Mixed,
    /// All runs, because not all characters of a run are known.
    Any,
}

fn is_base64(byte: u8) -> bool {
    ByteSet::BASE64URL.contains(byte) || matches!(byte, b'+' | b'/')
}

/// Masks secrets. It knows all rules, also those that a scan was restricted from.
///
/// All workers share one; each masks through a [`Masker`] of its own.
#[derive(Debug)]
pub struct Redactor {
    detector: Detector,
}

/// A redactor and the memory that one worker searches with, reused from text to text.
#[derive(Debug)]
pub struct Masker<'a> {
    redactor: &'a Redactor,
    scratch: Scratch,
}

/// Bytes that have passed the gate.
///
/// They are still not safe for every place: the writer of each format escapes them for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clean(Vec<u8>);

impl Clean {
    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Drops zeros: what is left of UTF-16 reads as text.
    #[must_use]
    pub fn without_zeros(mut self) -> Self {
        self.0.retain(|&byte| byte != 0);
        self
    }

    /// Returns the text, with bytes that are no UTF-8 spelled as `\xNN`.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(spell(&self.0)),
        }
    }

    /// Returns `true` if the bytes are UTF-8.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        std::str::from_utf8(&self.0).is_ok()
    }
}

impl Serialize for Clean {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// Reads text that the caller has cleaned: every string of a saved report passes a [`Redactor`] before
/// it is deserialized.
impl<'de> Deserialize<'de> for Clean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into_bytes()))
    }
}

fn spell(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

impl Redactor {
    /// Makes a gate that knows the rules of `detector`.
    #[must_use]
    pub fn new(detector: Detector) -> Self {
        Self { detector }
    }

    /// Returns a masker for one worker.
    #[must_use]
    pub fn masker(&self) -> Masker<'_> {
        Masker { redactor: self, scratch: Scratch::default() }
    }

    /// Returns how many bytes around what is shown must be seen so that no secret is cut into it.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.detector.lookahead()
    }

    /// Masks the secrets in `bytes`. For more than a few texts, [`Masker::clean`] is faster.
    #[must_use]
    pub fn clean(&self, bytes: &[u8]) -> Clean {
        self.masker().clean(bytes)
    }
}

impl Masker<'_> {
    /// Returns how many bytes around what is shown must be seen so that no secret is cut into it.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.redactor.reach()
    }

    /// Masks the secrets in `bytes`.
    #[must_use]
    pub fn clean(&mut self, bytes: &[u8]) -> Clean {
        self.clean_part(bytes, 0..bytes.len())
    }

    /// Masks the secrets in `bytes` and returns what is left of `part`.
    ///
    /// The bytes around the part are looked at, so that a token that reaches into it is masked.
    #[must_use]
    pub fn clean_part(&mut self, bytes: &[u8], part: Range<usize>) -> Clean {
        self.mask(bytes, part, Vec::new())
    }

    /// Masks the secrets in a line of content, and `matched`, which holds one in disguise.
    ///
    /// What is encoded more than once is not told from other data here, so all of a long run that may
    /// be base64 is masked; a line of content can bear that, a path could not.
    #[must_use]
    pub fn clean_line(&mut self, bytes: &[u8], part: Range<usize>, matched: Range<usize>) -> Clean {
        // A multiple of four, so that encodings keep their alignment.
        let surplus = matched.len().saturating_sub(2 * self.reach()) / 4 * 4;
        if surplus == 0 {
            return self.mask_line(bytes, part, &matched, Run::Mixed);
        }
        // All of the match is masked, so its middle cannot matter: it may be megabytes.
        let cut = matched.start + self.reach();
        let short = [&bytes[..cut], &bytes[cut + surplus..]].concat();
        let moved = |at: usize| if at > cut { at.saturating_sub(surplus).max(cut) } else { at };
        let part = moved(part.start)..moved(part.end);
        let matched = matched.start..matched.end - surplus;
        self.mask_line(&short, part, &matched, Run::Any)
    }

    /// Masks the secrets in a line, `matched`, and long runs of base64; of runs that reach into `matched`
    /// those of the given kind.
    fn mask_line(
        &mut self,
        bytes: &[u8],
        part: Range<usize>,
        matched: &Range<usize>,
        kind: Run,
    ) -> Clean {
        let mut masked = vec![matched.clone()];
        let mut at = part.start;
        while at < part.end {
            let run = bytes[at..].iter().take_while(|&&it| is_base64(it)).count();
            // A run that the part cuts is seen from where it begins.
            let before = bytes[..at].iter().rev().take_while(|&&it| is_base64(it)).count();
            let whole = at - before..at + run;
            let is_in = whole.start < matched.end && matched.start < whole.end;
            let is_told = is_in && kind == Run::Any || looks_like_base64(&bytes[whole.clone()]);
            if whole.len() >= LEAST_RUN && is_told {
                masked.push(whole);
            }
            at += run.max(1);
        }
        self.mask(bytes, part, masked)
    }

    fn mask(&mut self, bytes: &[u8], part: Range<usize>, further: Vec<Range<usize>>) -> Clean {
        let mut clean = Vec::with_capacity(part.len());
        let mut at = part.start;
        for masked in self.secrets(bytes, further) {
            let end = masked.end.min(part.end);
            if end <= at {
                continue;
            }
            let start = masked.start.max(at);
            if start >= part.end {
                break;
            }
            clean.extend_from_slice(&bytes[at..start]);
            clean.extend_from_slice(MASK.as_bytes());
            at = end;
        }
        clean.extend_from_slice(&bytes[at..part.end]);
        Clean(clean)
    }

    /// Lists the parts to be masked, in ascending order, without overlaps.
    fn secrets(&mut self, bytes: &[u8], further: Vec<Range<usize>>) -> Vec<Range<usize>> {
        let mut secrets = further;
        let Self { redactor: Redactor { detector }, scratch } = self;
        detector.candidates(bytes, scratch, |place| {
            let PossibleToken { rule, start, longest_end } = place;
            let format = &detector.rules().rules()[rule].format;
            let public = start + format.public_len();
            let mut like = start + format.matching_prefix(&bytes[start..]);
            if format.layouts().iter().any(|layout| layout.variable().is_some()) {
                // A segment of any length may have swallowed what follows it.
                let rest = bytes[like..].iter().take_while(|&&it| ByteSet::BASE64URL.contains(it));
                like += rest.count();
            }
            let is_word =
                |text: &[u8]| text.len() < LONGEST_WORD && text.iter().all(u8::is_ascii_lowercase);
            if like >= public + SHORTEST_MASKED && !is_word(&bytes[public..like]) {
                secrets.push(public..like);
            }
            if let Some(end) = longest_end {
                secrets.push(public..end);
            }
        });
        secrets.extend(detector.disguised(bytes, scratch));
        secrets.sort_by_key(|secret| (secret.start, secret.end));
        let mut merged: Vec<Range<usize>> = Vec::new();
        for secret in secrets {
            match merged.last_mut() {
                Some(last) if secret.start <= last.end => last.end = last.end.max(secret.end),
                _ => merged.push(secret),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests;
