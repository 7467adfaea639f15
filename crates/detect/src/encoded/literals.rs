//! The literals of the encoded forms of the rules' heads, and the searchers for them.
//!
//! Input: the heads of the rules whose tokens are searched for in encoded text. Output: searchers for their
//! literals, and the forms that a literal may belong to. Decoding decides ([`super::start`]).

use super::base64_run::looks_like_base64;
use super::broken::BrokenHeads;
use super::class::{MIN_RUN, is_run};
use super::needles::{self, Escape, EscapeNeedle, RunNeedle};
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

    /// Returns `true` if a run may contain an encoded token.
    pub(crate) fn may_contain_token(&self, run: &[u8]) -> bool {
        let mut parts = run.split(|&byte| !is_run(byte)).filter(|it| it.len() >= MIN_RUN);
        let is_encoded = |part: &[u8]| {
            self.prefilter.is_match(part) || looks_like_base64(part) || self.broken.is_rest(part)
        };
        parts.any(is_encoded)
            || self.broken.is_rest(run)
            || self.escape_prefilter.is_match(run)
            || self.broken.has_escaped_gap(run)
    }
}
