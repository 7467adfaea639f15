//! Numbers the tokens in git objects, and collects the sightings of all workers.
//!
//! Input: tokens and spans. Output: sightings, without commits and paths.

use crate::detect::Evidence;
use ddpatrol_pack::ObjectId;
use ddpatrol_scan::finding::Token;
use ddpatrol_scan::sighting::{EncodedSpan, Holder, ShapedSighting, Sighting, TokenKey, TokenNo};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The tokens in git objects, and the sightings that no source has taken yet.
#[derive(Default)]
pub(super) struct Sightings {
    tokens: Vec<Arc<Token>>,
    numbers: HashMap<TokenKey, TokenNo>,
    list: Vec<Sighting>,
    /// The smallest object that contains each shaped match.
    shaped: BTreeMap<TokenNo, ObjectId>,
    /// Shaped matches in objects that an earlier scan has read, and that this scan had not found.
    recalled: HashSet<TokenKey>,
}

/// Whether a token was seen before in any git object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    Known,
}

impl Sightings {
    /// Returns the number of a token.
    pub(super) fn number(&mut self, token: &Token) -> (TokenNo, Novelty) {
        let next = TokenNo(self.tokens.len() as u32);
        let key = TokenKey::from(token);
        let number = *self.numbers.entry(key).or_insert(next);
        if number != next {
            return (number, Novelty::Known);
        }
        self.tokens.push(Arc::new(token.clone()));
        let novelty = if self.recalled.contains(&key) { Novelty::Known } else { Novelty::New };
        (number, novelty)
    }

    /// Adds a shaped match that an earlier scan has found.
    pub(super) fn recall_shaped(&mut self, key: TokenKey) -> Novelty {
        let is_new = !self.numbers.contains_key(&key) && self.recalled.insert(key);
        if is_new { Novelty::New } else { Novelty::Known }
    }

    /// Records that a holder contains a shaped match.
    pub(super) fn add_shaped(&mut self, token: TokenNo, holder: Holder) {
        if let Holder::Object(id, _) = holder {
            let smallest = self.shaped.entry(token).or_insert(id);
            *smallest = id.min(*smallest);
        }
    }

    /// Takes the shaped matches since the last call.
    pub(super) fn take_shaped(&mut self) -> Vec<ShapedSighting> {
        let shaped = std::mem::take(&mut self.shaped).into_iter();
        let key = |token| TokenKey::from(&**self.token(token));
        shaped.map(|(token, object)| ShapedSighting { key: key(token), object }).collect()
    }

    /// Returns a token.
    pub(super) fn token(&self, number: TokenNo) -> &Arc<Token> {
        &self.tokens[number.0 as usize]
    }

    pub(super) fn is_shaped(&self, number: TokenNo) -> bool {
        self.token(number).evidence == Evidence::Shaped
    }

    /// Adds a sighting.
    pub(super) fn add(&mut self, sighting: Sighting) {
        self.list.push(sighting);
    }

    /// Takes the sightings since the last call: sorted, one for each token and holder.
    pub(super) fn take(&mut self) -> Vec<Sighting> {
        let mut list = std::mem::take(&mut self.list);
        list.sort_by_key(|it| (it.token, it.holder));
        // An object that was read in windows has a sighting for each window.
        list.dedup_by(|next, previous| {
            let is_same = (next.token, next.holder) == (previous.token, previous.holder);
            if is_same {
                previous.spans = merge(&previous.spans, &next.spans);
                previous.is_in_members |= next.is_in_members;
            }
            is_same
        });
        list
    }
}

fn merge(a: &[EncodedSpan], b: &[EncodedSpan]) -> Arc<[EncodedSpan]> {
    let mut spans = [a, b].concat();
    spans.sort_unstable();
    spans.dedup_by_key(|it| (it.offset, it.len));
    spans.into()
}

/// Creates the sightings in one holder from the spans of its tokens, in any order; empties the list.
pub(super) fn sightings_in(
    holder: Holder,
    found: &mut Vec<(TokenNo, EncodedSpan)>,
) -> Vec<Sighting> {
    found.sort_unstable();
    found.dedup_by_key(|(token, span)| (*token, span.offset, span.len));
    let sightings = found.chunk_by(|a, b| a.0 == b.0).map(|same| Sighting {
        token: same[0].0,
        holder,
        spans: same.iter().map(|it| it.1).collect(),
        is_in_members: false,
    });
    let sightings = sightings.collect();
    found.clear();
    sightings
}
