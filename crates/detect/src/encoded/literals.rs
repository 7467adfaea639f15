//! The literals of the encoded forms of the rules' heads, and the searchers for them.
//!
//! Input: the heads of the rules whose tokens are searched for in encoded text. Output: searchers for their
//! literals, and the forms that a literal may belong to. Decoding decides ([`super::start`]).

use super::base64_run::looks_like_base64;
use super::broken::BrokenHeads;
use super::class::{MIN_RUN, is_run};
use super::decode::Scheme;
use super::needles::{self, Escape, EscapeNeedle, Form, RunNeedle};
use crate::prefilter::Prefilter;
use aho_corasick::BuildError;

/// The literals to search for in long runs.
#[derive(Debug)]
pub(crate) struct Literals {
    pub(super) needles: Vec<RunNeedle>,
    pub(super) prefilter: Prefilter,
    pub(super) longest: usize,
    pub(super) escapes: Vec<EscapeNeedle>,
    pub(super) escape_prefilter: Prefilter,
    /// For each anchor character, the parts of heads before it.
    before: Vec<Vec<Box<[u8]>>>,
    pub(crate) broken: BrokenHeads,
}

impl Literals {
    pub(crate) fn new<'a>(heads: impl Iterator<Item = &'a [u8]>) -> Result<Self, BuildError> {
        let mut heads: Vec<&[u8]> = heads.collect();
        heads.sort_unstable();
        heads.dedup();
        let mut before: Vec<Vec<Box<[u8]>>> = vec![Vec::new(); 256];
        for head in &heads {
            let (byte, at) = needles::anchor(head);
            before[usize::from(byte)].push(head[..at].into());
        }
        let bytes = (0..=u8::MAX).filter(|&byte| !before[usize::from(byte)].is_empty());
        let escapes = needles::escape_needles(&bytes.collect::<Vec<u8>>());
        let needles = needles::run_needles(&heads);
        let texts: Vec<&[u8]> = needles.iter().map(|needle| &*needle.text).collect();
        let prefilter = Prefilter::new(&texts)?;
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        let texts: Vec<&[u8]> = escapes.iter().map(|needle| &*needle.text).collect();
        let escape_prefilter = Prefilter::new(&texts)?;
        let broken = BrokenHeads::new(&heads);
        Ok(Self { needles, prefilter, longest, escapes, escape_prefilter, before, broken })
    }

    /// Returns, for each head with this anchor character, the part of the head before it.
    pub(super) fn before(&self, escape: Escape) -> impl Iterator<Item = &[u8]> {
        self.before[usize::from(escape.byte)].iter().map(|before| &**before)
    }

    /// Returns `true` if text ends with the beginning of a literal of hex. The literal may continue in the
    /// next line.
    pub(super) fn may_begin_hex(&self, text: &[u8]) -> bool {
        let is_hex = |form: &Form| form.scheme == Scheme::Hex;
        let mut needles = self.needles.iter().filter(|needle| needle.forms.iter().any(is_hex));
        text.iter().rev().take(MIN_RUN / 2).all(u8::is_ascii_hexdigit)
            && needles
                .any(|needle| (1..needle.text.len()).any(|len| text.ends_with(&needle.text[..len])))
    }

    /// Returns `true` if a run may contain an encoded token.
    pub(crate) fn may_contain_token(&self, run: &[u8]) -> bool {
        let mut parts = run.split(|&byte| !is_run(byte)).filter(|it| it.len() >= MIN_RUN);
        let is_encoded = |part: &[u8]| {
            self.prefilter.is_match(part)
                || looks_like_base64(part)
                || self.may_begin_hex(part)
                || self.broken.is_rest(part)
        };
        parts.any(is_encoded)
            || self.broken.is_rest(run)
            || self.escape_prefilter.is_match(run)
            || self.broken.has_escaped_gap(run)
    }
}
