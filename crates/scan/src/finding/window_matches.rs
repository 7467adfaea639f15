//! Describes the matches in one window: positions, inline comments, and the text around them.
//!
//! Input: matches. Output: [`MatchPosition`]s and masked text. Matches are not collected here. All tokens in
//! an encoded run are at the position of the run, which can have megabytes: such a run is described and
//! masked once for all its tokens.

use super::collect::MatchDescriber;
use super::spots::MatchPosition;
use super::utf16::TextPositions;
use super::{Part, around};
use crate::blob::Position;
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::redact::Clean;
use std::collections::HashMap;
use std::ops::Range;

/// Minimum length of a match whose description is cached, in bytes.
const LONG: usize = 4 * 1024;

/// A match without its token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matched {
    /// The bytes in the window.
    pub range: Range<usize>,
    /// The encoding of the token.
    pub encoding: Encoding,
}

/// The cached description of a long match.
#[derive(Debug)]
struct CachedMatch {
    position: MatchPosition,
    snippet: Option<Clean>,
}

/// Describes the matches in one window.
#[derive(Debug)]
pub struct WindowMatches<'a> {
    bytes: &'a [u8],
    offset: u64,
    positions: TextPositions<'a>,
    long: HashMap<Matched, CachedMatch>,
}

impl<'a> WindowMatches<'a> {
    /// Creates the descriptions for a window at an offset, whose first byte is at `start`.
    pub fn new(bytes: &'a [u8], offset: u64, start: Position) -> Self {
        let positions = TextPositions::new(bytes, offset, start);
        Self { bytes, offset, positions, long: HashMap::new() }
    }

    /// Describes a match without the text around it.
    pub fn position(
        &mut self,
        describer: &mut MatchDescriber<'_>,
        part: Part,
        matched: &Matched,
    ) -> MatchPosition {
        if matched.range.len() < LONG {
            return self.describe(describer, part, matched);
        }
        if let Some(known) = self.long.get(matched) {
            return known.position.clone();
        }
        let position = self.describe(describer, part, matched);
        let known = CachedMatch { position: position.clone(), snippet: None };
        self.long.insert(matched.clone(), known);
        position
    }

    fn describe(
        &mut self,
        describer: &mut MatchDescriber<'_>,
        part: Part,
        matched: &Matched,
    ) -> MatchPosition {
        let Matched { range, encoding } = matched;
        let (start, end) = self.positions.of(range, *encoding);
        MatchPosition {
            offset: self.offset + range.start as u64,
            len: range.len() as u64,
            start,
            end,
            encoding: *encoding,
            inline: describer.inline(part, self.bytes, range.clone(), *encoding),
        }
    }

    /// Returns a pattern that the name of a reference matches; the window is the name.
    pub fn name_pattern(
        &self,
        describer: &mut MatchDescriber<'_>,
        matched: &Matched,
    ) -> Option<Clean> {
        let Matched { range, encoding } = matched;
        let encoded = Some(range).filter(|_| !encoding.is_plain());
        describer.masker.name_pattern(self.bytes, encoded)
    }

    /// Masks the text around a match.
    pub fn snippet(&mut self, describer: &mut MatchDescriber<'_>, matched: &Matched) -> Clean {
        let Matched { range, encoding } = matched;
        let mut mask = || around(&mut describer.masker, self.bytes, range.clone(), *encoding);
        match self.long.get_mut(matched) {
            Some(known) => known.snippet.get_or_insert_with(mask).clone(),
            None => mask(),
        }
    }
}
