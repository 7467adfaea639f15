//! Finds the anchors of rules in bytes.
//!
//! Input: rules that have an anchor; then bytes. Output: the positions of their anchors. It does not decide whether
//! a token is there.

use crate::prefilter::Prefilter;
use crate::rules::{RuleIndex, RuleSet};
use aho_corasick::BuildError;
use ddpatrol_token::Anchor;

/// A search for the anchors of some rules.
#[derive(Debug)]
pub(crate) struct AnchorSearch {
    pub(crate) needles: Vec<Box<[u8]>>,
    pub(crate) prefilter: Prefilter,
    /// For each needle, the rules whose anchor begins with it.
    pub(crate) rules: Vec<Vec<RuleIndex>>,
}

impl AnchorSearch {
    /// Prepares the search for the anchors of `searched`.
    pub(crate) fn new(rules: &RuleSet, searched: &[RuleIndex]) -> Result<Self, BuildError> {
        let anchor = |rule: RuleIndex| rules[rule].format.anchor();
        let needles = needles(searched.iter().filter_map(|&rule| anchor(rule)));
        let with = |needle: &[u8]| {
            let has_needle =
                |&rule: &RuleIndex| anchor(rule).is_some_and(|it| it.text.starts_with(needle));
            searched.iter().copied().filter(has_needle).collect()
        };
        let rules = needles.iter().map(|needle| with(needle)).collect();
        Ok(Self { prefilter: Prefilter::new(&needles)?, needles, rules })
    }
}

/// Lists anchors, without those that begin with another: the shorter one finds them.
fn needles<'a>(anchors: impl Iterator<Item = &'a Anchor>) -> Vec<Box<[u8]>> {
    let mut needles: Vec<&[u8]> = anchors.map(|anchor| &*anchor.text).collect();
    needles.sort_unstable();
    needles.dedup_by(|longer, shorter| longer.starts_with(shorter));
    needles.into_iter().map(Into::into).collect()
}
