//! The redactor: masks everything that looks like a token in output.
//!
//! Input: any bytes (a path, a line of a file, an error, an argument). Output: [`Clean`] text, the only
//! text that reports and messages consist of. It masks more than the detector reports: every candidate of
//! every rule, proven or not, and the beginnings of tokens that are cut off. Parts that a rule declares
//! public (prefix, alias) remain. It does not escape text for its destination.

use crate::candidate::PossibleToken;
use crate::encoded::looks_like_base64;
use crate::pem;
use crate::rules::Rule;
use crate::{Detector, Scratch};
use ddpatrol_token::ByteSet;
use ddpatrol_token::secret::MASK;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The minimum length of a cut-off secret that is masked, in characters.
const SHORTEST_MASKED: usize = 8;
/// Text of lower-case letters only counts as a word if it is shorter than this, in characters:
/// `npm_installer`.
const LONGEST_WORD: usize = 20;

/// The minimum length of a run of base64 that may contain a secret encoded more than once, in characters.
const MIN_RUN: usize = 40;

/// Which long runs are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunFilter {
    /// Runs that mix lower case, upper case and digits, as base64 does.
    Mixed,
    /// All runs, because not all characters of a run are known.
    Any,
}

fn is_base64(byte: u8) -> bool {
    ByteSet::BASE64URL.contains(byte) || matches!(byte, b'+' | b'/')
}

/// Masks secrets of all rules, including those that the scan does not use.
///
/// All workers share one redactor; each masks with its own [`Masker`].
#[derive(Debug)]
pub struct Redactor {
    detector: Arc<Detector>,
}

/// A redactor and the search state of one worker, reused for every text.
#[derive(Debug)]
pub struct Masker<'a> {
    redactor: &'a Redactor,
    scratch: Scratch,
}

/// Bytes whose secrets are masked.
///
/// The writer of each format must still escape them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clean(Vec<u8>);

impl Clean {
    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Removes zeros, so that UTF-16 is readable as text.
    #[must_use]
    pub fn without_zeros(mut self) -> Self {
        self.0.retain(|&byte| byte != 0);
        self
    }

    /// Returns the text, with bytes that are not UTF-8 escaped as `\xNN`.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(escape_invalid(&self.0)),
        }
    }

    /// Returns `true` if the bytes are UTF-8.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        std::str::from_utf8(&self.0).is_ok()
    }
}

impl Clean {
    /// Joins texts with a separator between them.
    #[must_use]
    pub fn join(parts: &[Self], separator: &'static str) -> Self {
        let parts: Vec<&[u8]> = parts.iter().map(Self::as_bytes).collect();
        Self(parts.join(separator.as_bytes()))
    }
}

/// Text of the program itself, which contains no secret.
impl From<&'static str> for Clean {
    fn from(text: &'static str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl Serialize for Clean {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// Deserializes text that the caller has masked: every string of a saved report passes a [`Redactor`]
/// before.
impl<'de> Deserialize<'de> for Clean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into_bytes()))
    }
}

fn escape_invalid(bytes: &[u8]) -> String {
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
    /// Creates a redactor for the rules of `detector`, which a scan may share.
    #[must_use]
    pub fn new(detector: impl Into<Arc<Detector>>) -> Self {
        Self { detector: detector.into() }
    }

    /// Returns the detector of the secrets to mask.
    #[must_use]
    pub fn detector(&self) -> &Arc<Detector> {
        &self.detector
    }

    /// Returns a masker for one worker.
    #[must_use]
    pub fn masker(&self) -> Masker<'_> {
        Masker { redactor: self, scratch: Scratch::default() }
    }

    /// Returns the number of bytes around a displayed part that the masker needs to find secrets cut by it.
    #[must_use]
    pub fn context_len(&self) -> usize {
        self.detector.token_lookahead()
    }

    /// Masks the secrets in `bytes`. For more than a few texts, [`Masker::clean`] is faster.
    #[must_use]
    pub fn clean(&self, bytes: &[u8]) -> Clean {
        self.masker().clean(bytes)
    }
}

impl Masker<'_> {
    /// Returns the number of bytes around a displayed part that the masker needs to find secrets cut by it.
    #[must_use]
    pub fn context_len(&self) -> usize {
        self.redactor.context_len()
    }

    /// Masks the secrets in `bytes`.
    #[must_use]
    pub fn clean(&mut self, bytes: &[u8]) -> Clean {
        self.clean_part(bytes, 0..bytes.len())
    }

    /// Masks the secrets in `bytes` and returns the masked `part`.
    ///
    /// The bytes around the part are inspected, so that a token that overlaps it is masked.
    #[must_use]
    pub fn clean_part(&mut self, bytes: &[u8], part: Range<usize>) -> Clean {
        self.mask(bytes, part, Vec::new())
    }

    /// Masks the secrets in a line of content, and `matched`, which contains an encoded one.
    ///
    /// Secrets that are encoded more than once are not decoded here, so every long run that may be base64 is
    /// masked as a whole. That suits lines of content; paths would lose too much.
    #[must_use]
    pub fn clean_line(&mut self, bytes: &[u8], part: Range<usize>, matched: Range<usize>) -> Clean {
        // A multiple of four, so that encodings keep their alignment.
        let surplus = matched.len().saturating_sub(2 * self.context_len()) / 4 * 4;
        if surplus == 0 {
            return self.mask_line(bytes, part, &matched, RunFilter::Mixed);
        }
        // The whole match is masked, so its middle, which may be megabytes, is skipped.
        let cut = matched.start + self.context_len();
        let short = [&bytes[..cut], &bytes[cut + surplus..]].concat();
        let moved = |at: usize| if at > cut { at.saturating_sub(surplus).max(cut) } else { at };
        let part = moved(part.start)..moved(part.end);
        let matched = matched.start..matched.end - surplus;
        self.mask_line(&short, part, &matched, RunFilter::Any)
    }

    /// Masks the secrets in a line, `matched`, and long runs of base64. `kind` selects among runs that overlap
    /// `matched`.
    fn mask_line(
        &mut self,
        bytes: &[u8],
        part: Range<usize>,
        matched: &Range<usize>,
        kind: RunFilter,
    ) -> Clean {
        let masked = Self::runs(bytes, &part, matched, kind);
        self.mask(bytes, part, masked)
    }

    /// Returns a pattern that matches `name`, the name of a git reference: `?` replaces each masked byte, and
    /// each byte that is not visible ASCII. `encoded` is the range of an encoded token. Returns `None` if a
    /// slash would be masked, which `?` does not match.
    #[must_use]
    pub fn name_pattern(&mut self, name: &[u8], encoded: Option<&Range<usize>>) -> Option<Clean> {
        let runs = |it| Self::runs(name, &(0..name.len()), it, RunFilter::Mixed);
        let extra = encoded.map(runs).unwrap_or_default();
        let mut pattern = name.to_vec();
        for masked in self.secrets(name, extra) {
            if name[masked.clone()].contains(&b'/') {
                return None;
            }
            pattern[masked].fill(b'?');
        }
        pattern.iter_mut().filter(|byte| !byte.is_ascii_graphic()).for_each(|byte| *byte = b'?');
        Some(Clean(pattern))
    }

    /// Lists `matched` and the long runs of base64 in a part of a line.
    fn runs(
        bytes: &[u8],
        part: &Range<usize>,
        matched: &Range<usize>,
        kind: RunFilter,
    ) -> Vec<Range<usize>> {
        let mut masked = vec![matched.clone()];
        let mut at = part.start;
        while at < part.end {
            let run = bytes[at..].iter().take_while(|&&it| is_base64(it)).count();
            // A run that the part cuts is evaluated from its beginning.
            let before = bytes[..at].iter().rev().take_while(|&&it| is_base64(it)).count();
            let whole = at - before..at + run;
            let is_in = whole.start < matched.end && matched.start < whole.end;
            let is_masked =
                is_in && kind == RunFilter::Any || looks_like_base64(&bytes[whole.clone()]);
            if whole.len() >= MIN_RUN && is_masked {
                masked.push(whole);
            }
            at += run.max(1);
        }
        masked
    }

    fn mask(&mut self, bytes: &[u8], part: Range<usize>, extra: Vec<Range<usize>>) -> Clean {
        let mut clean = Vec::with_capacity(part.len());
        let mut at = part.start;
        for masked in self.secrets(bytes, extra) {
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

    /// Lists the spans to mask, in ascending order, without overlaps.
    fn secrets(&mut self, bytes: &[u8], extra: Vec<Range<usize>>) -> Vec<Range<usize>> {
        let mut secrets = extra;
        let Self { redactor: Redactor { detector }, scratch } = self;
        detector.possible_tokens(bytes, scratch, |place| {
            let PossibleToken { rule, start, longest_end } = place;
            let Rule { format, verifier: None, .. } = &detector.rules()[rule] else {
                return;
            };
            let public = start + format.public_len();
            let mut matched_end = start + format.matching_prefix(&bytes[start..]);
            if format.layouts().iter().any(|layout| layout.variable().is_some()) {
                // A segment of variable length may have consumed the following segments.
                let rest =
                    bytes[matched_end..].iter().take_while(|&&it| ByteSet::BASE64URL.contains(it));
                matched_end += rest.count();
            }
            let is_word =
                |text: &[u8]| text.len() < LONGEST_WORD && text.iter().all(u8::is_ascii_lowercase);
            if matched_end >= public + SHORTEST_MASKED && !is_word(&bytes[public..matched_end]) {
                secrets.push(public..matched_end);
            }
            if let Some(end) = longest_end {
                secrets.push(public..end);
            }
        });
        secrets.extend(detector.headless_spans(bytes, scratch));
        secrets.extend(detector.mask_spans(bytes, scratch));
        secrets.extend(pem::secrets(bytes));
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
