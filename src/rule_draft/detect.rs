//! Derives the description of a format from sample tokens.
//!
//! Input: tokens of one format, which are never part of an error. Output: their prefix, and the first variant
//! of alphabet, checksum and coverage that verifies all of them. Formats with several variable parts are not
//! derived.

use super::{ChecksumDraft, CoverageDraft, RuleDraft};
use ddpatrol_token::format::MIN_HEAD_LEN;
use ddpatrol_token::{Algorithm, ByteSet, Checksum, Encoding, Secret};
use std::collections::BTreeSet;

/// The alphabets to try, the smallest first.
const ALPHABETS: [&str; 7] =
    ["hex", "hex-upper", "base36", "base32", "base62", "base64url", "base64"];

/// The algorithms to try.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::Crc32, Algorithm::Sha256];

/// The lengths of truncated digests to try, in characters.
const DIGEST_LENGTHS: [usize; 4] = [6, 8, 10, 16];

/// The minimum length of a secret part, in characters.
const MIN_SECRET: usize = 8;

/// The evidence that the tried variants must leave, in bits.
const MIN_BITS: f64 = 20.0;

/// Sample tokens of one format.
#[derive(Debug)]
pub struct Samples(Vec<Secret>);

/// Sample tokens cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplesError {
    /// There is none.
    #[error("no sample token: enter one token per line")]
    Empty,
    /// A sample has other characters than tokens.
    #[error("sample {0} is no token: a token is one word of printable ASCII")]
    NoToken(usize),
    /// A sample begins in another way.
    #[error("sample {0} does not begin with the prefix: give the samples of one format")]
    Prefix(usize),
}

impl Samples {
    /// Reads samples, one per line.
    ///
    /// # Errors
    /// [`SamplesError`] if there are none, or a line is no token.
    pub fn parse(text: &[u8]) -> Result<Self, SamplesError> {
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        let mut samples: Vec<Secret> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if !line.iter().all(u8::is_ascii_graphic) {
                return Err(SamplesError::NoToken(samples.len() + 1));
            }
            if samples.iter().all(|known| known.expose() != line) {
                samples.push(Secret::new(line));
            }
        }
        if samples.is_empty() { Err(SamplesError::Empty) } else { Ok(Self(samples)) }
    }

    /// Lists the samples.
    #[must_use]
    pub fn list(&self) -> &[Secret] {
        &self.0
    }

    fn tokens(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Secret::expose)
    }

    /// Returns the prefix that all samples share, up to its last `_`, `-` or `.` in the first characters.
    /// Returns `None` if they share none.
    #[must_use]
    pub fn prefix(&self) -> Option<String> {
        const MAX_PREFIX: usize = 24;
        let first = self.0.first()?.expose();
        let is_shared = |len: &usize| self.tokens().all(|token| token.starts_with(&first[..*len]));
        let shared = (0..=first.len().min(MAX_PREFIX)).take_while(is_shared).last()?;
        let is_mark = |byte: &u8| matches!(byte, b'_' | b'-' | b'.');
        let end = first[..shared].iter().rposition(is_mark)? + 1;
        let prefix = String::from_utf8(first[..end].to_vec()).ok()?;
        (end >= MIN_HEAD_LEN).then_some(prefix)
    }

    /// Returns a draft without a checksum: the alphabet and the lengths of the rest of the samples.
    ///
    /// # Errors
    /// [`SamplesError::Prefix`] if a sample does not begin with the prefix.
    pub fn plain(&self, prefix: &str) -> Result<RuleDraft, SamplesError> {
        let rests = self.rests(prefix)?;
        let lengths: BTreeSet<usize> = rests.iter().map(|rest| rest.len()).collect();
        Ok(RuleDraft {
            prefix: prefix.to_owned(),
            alphabet: alphabet(rests.iter().copied()),
            lengths: lengths.into_iter().collect(),
            checksum: None,
        })
    }

    /// Returns the draft whose checksum verifies all samples. Returns `None` if no known variant does, or if
    /// the samples are too few to tell it from a coincidence.
    ///
    /// # Errors
    /// [`SamplesError::Prefix`] if a sample does not begin with the prefix.
    pub fn verified(&self, prefix: &str) -> Result<Option<RuleDraft>, SamplesError> {
        let rests = self.rests(prefix)?;
        let shortest = rests.iter().map(|rest| rest.len()).min().unwrap_or(0);
        let (mut tried, mut found) = (0_usize, None);
        for (algorithm, encoding, length) in variants() {
            // A separator may also be a character of the alphabet.
            for separator in ["_", "-", ".", ""] {
                if shortest < MIN_SECRET + separator.len() + length {
                    continue;
                }
                let secrets = rests
                    .iter()
                    .map(|rest| rest[..rest.len() - length].strip_suffix(separator.as_bytes()));
                let Some(secrets) = secrets.collect::<Option<Vec<&[u8]>>>() else { continue };
                for &coverage in coverages(separator) {
                    tried += 1;
                    let lengths: BTreeSet<usize> = secrets.iter().map(|it| it.len()).collect();
                    let draft = RuleDraft {
                        prefix: prefix.to_owned(),
                        alphabet: alphabet(secrets.iter().copied()),
                        lengths: lengths.into_iter().collect(),
                        checksum: Some(ChecksumDraft {
                            separator: separator.to_owned(),
                            algorithm,
                            encoding: encoding.to_owned(),
                            length,
                            coverage,
                        }),
                    };
                    if found.is_none() && self.is_verified_by(&draft) {
                        found = Some(draft);
                    }
                }
            }
        }
        Ok(found.filter(|draft| self.is_evident(draft, tried)))
    }

    /// Returns `true` if a draft verifies all samples.
    #[must_use]
    pub fn is_verified_by(&self, draft: &RuleDraft) -> bool {
        let format = draft.format();
        format.is_ok_and(|format| self.tokens().all(|token| format.check(token).is_proven()))
    }

    /// Returns `true` if it is no coincidence that one of the tried variants verifies all samples.
    fn is_evident(&self, draft: &RuleDraft, tried: usize) -> bool {
        let bits = draft.format().ok().and_then(|format| Some(format.evidence_bits()?.checksum));
        bits.is_some_and(|bits| bits * self.0.len() as f64 - (tried as f64).log2() >= MIN_BITS)
    }

    /// Returns the parts of the samples after the prefix.
    fn rests(&self, prefix: &str) -> Result<Vec<&[u8]>, SamplesError> {
        let rest = |(at, token)| {
            <[u8]>::strip_prefix(token, prefix.as_bytes()).ok_or(SamplesError::Prefix(at + 1))
        };
        self.tokens().enumerate().map(rest).collect()
    }
}

/// Lists the algorithms with each encoding and length.
fn variants() -> impl Iterator<Item = (Algorithm, &'static str, usize)> {
    ALGORITHMS.into_iter().flat_map(|algorithm| {
        Encoding::names().flat_map(move |name| {
            let required = Encoding::parse(name)
                .and_then(|encoding| Checksum::required_width(algorithm, encoding));
            let lengths = required.map_or_else(|| DIGEST_LENGTHS.to_vec(), |width| vec![width]);
            lengths.into_iter().map(move |length| (algorithm, name, length))
        })
    })
}

/// Lists the coverages that differ.
fn coverages(separator: &str) -> &'static [CoverageDraft] {
    use CoverageDraft::{All, PrefixAndSecret, Secret};
    if separator.is_empty() { &[Secret, All] } else { &[Secret, All, PrefixAndSecret] }
}

/// Returns the name of the smallest alphabet that has all characters of some texts, or else a class.
fn alphabet<'a>(texts: impl Iterator<Item = &'a [u8]> + Clone) -> String {
    let has_all = |name: &&&str| {
        let set = ByteSet::parse(name);
        set.is_some_and(|set| texts.clone().all(|text| set.contains_all(text)))
    };
    match ALPHABETS.iter().find(has_all) {
        Some(name) => (*name).to_owned(),
        None => {
            let bytes = texts.flatten();
            bytes.fold(ByteSet::BASE62, |set, &byte| set.with(byte, byte)).to_string()
        }
    }
}
