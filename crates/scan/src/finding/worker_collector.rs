//! Collects the matches of one worker.
//!
//! Input: windows and matches. Output: the locations of each token, to the [`Collector`], one content at a
//! time. Describing a token and locking the collector cost far more than finding the token again, so both
//! happen once per content. The rest is flushed when the worker's collector is dropped.

use super::spots::{MatchPosition, Spots, TokenLocations};
use super::{
    ChangeStatus, Collector, Location, MatchDescriber, Matched, Occurrence, OnMatch, Part, Token,
    Trace, WindowMatches,
};
use crate::blob::Blob;
use crate::commit::MessageStart;
use crate::place::Place;
use ddpatrol_detect::redact::Clean;
use ddpatrol_detect::{Detector, Match};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Maximum number of open contents: windows of an archive alternate with those of its members.
const MAX_OPEN: usize = 8;
/// Maximum number of token descriptions kept when the next content begins.
const MAX_TOKENS: usize = 4096;

/// Numbered descriptions of tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    list: Vec<Token>,
    by_hash: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
    last: Option<usize>,
}

impl Tokens {
    /// Returns the number of a token with these bytes, from 0.
    pub fn number(&mut self, detector: &Detector, found: Match, bytes: &[u8]) -> usize {
        let is_it = |token: &Token| token.rule == found.rule && token.secret.expose() == bytes;
        if let Some(last) = self.last.filter(|&last| is_it(&self.list[last])) {
            return last;
        }
        let same = self.by_hash.entry(self.hasher.hash_one((found.rule, bytes))).or_default();
        let known = same.iter().copied().find(|&at| is_it(&self.list[at]));
        let number = known.unwrap_or_else(|| {
            same.push(self.list.len());
            self.list.push(Token::new(detector, found, bytes));
            self.list.len() - 1
        });
        self.last = Some(number);
        number
    }

    /// Returns the token with a number.
    pub fn get(&self, number: usize) -> &Token {
        &self.list[number]
    }

    /// Returns the number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Removes all tokens.
    pub fn clear(&mut self) {
        self.list.clear();
        self.by_hash.clear();
        self.last = None;
    }
}

/// The data shared by all locations in one content.
#[derive(Clone, Debug)]
pub struct LocationContext {
    /// The file or folder; `None` for standard input.
    pub path: Option<Place>,
    /// The part of the input.
    pub part: Part,
    /// The description of a container image layer.
    pub layer: Option<Arc<str>>,
    /// The attribution, for content of a history.
    pub trace: Option<Arc<Trace>>,
    /// The status relative to the base, for content of a change.
    pub change_status: Option<ChangeStatus>,
    /// The beginning of the message, in a commit or tag.
    pub message: Option<MessageStart>,
}

/// One match, and the window that it is in.
pub struct WindowMatch<'a, 'w> {
    /// The token.
    pub token: &'a Token,
    /// Describes matches in the window.
    pub window: &'a mut WindowMatches<'w>,
    /// The position of the token in the window.
    pub matched: Matched,
}

impl LocationContext {
    /// Adds a match to the locations of its token, and calls `on_match` with it.
    pub fn add_match(
        &self,
        locations: &mut TokenLocations,
        describer: &mut MatchDescriber<'_>,
        seen: WindowMatch<'_, '_>,
        on_match: Option<OnMatch<'_>>,
    ) {
        let WindowMatch { token, window, matched } = seen;
        let mut position = window.position(describer, self.part, &matched);
        if let Some(message) = &self.message {
            position.count_from(message);
        }
        let bare = on_match.map(|on_match| (on_match, position.clone()));
        let added = locations
            .add(position, |position| self.location(position, window.snippet(describer, &matched)));
        let Some((on_match, position)) = bare else { return };
        match added {
            Some(location) => on_match(Occurrence { token, location }),
            None => {
                let location = &self.location(position, Clean::default());
                on_match(Occurrence { token, location });
            }
        }
    }

    fn location(&self, position: MatchPosition, snippet: Clean) -> Location {
        Location {
            path: self.path.clone(),
            part: self.part,
            offset: position.offset,
            len: position.len,
            start: position.start,
            end: position.end,
            snippet,
            encoding: position.encoding,
            trace: self.trace.clone(),
            change_status: self.change_status.clone(),
            inline: position.inline,
            is_new_place: false,
            layer: self.layer.clone(),
            further: Spots::default(),
            message: self.message,
        }
    }
}

/// The matches in one content.
#[derive(Debug)]
struct Content {
    common: LocationContext,
    tokens: ByToken,
}

/// A window whose matches are collected.
pub struct MatchWindow<'a> {
    blob: &'a Blob<'a>,
    matches: WindowMatches<'a>,
    is_entered: bool,
}

impl<'a> MatchWindow<'a> {
    /// Creates the state for the matches in a window.
    #[must_use]
    pub fn new(blob: &'a Blob<'a>) -> Self {
        let matches = WindowMatches::new(blob.bytes, blob.offset, blob.position);
        Self { blob, matches, is_entered: false }
    }
}

/// The locations of each token, by its number.
#[derive(Debug, Default)]
pub(crate) struct ByToken {
    list: Vec<(usize, TokenLocations)>,
    by_number: HashMap<usize, usize>,
}

impl ByToken {
    /// Returns the locations of a token.
    pub(crate) fn of(&mut self, token: usize) -> &mut TokenLocations {
        let next = self.list.len();
        let at = match self.list.last() {
            Some((last, _)) if *last == token => next - 1,
            _ => *self.by_number.entry(token).or_insert(next),
        };
        if at == next {
            self.list.push((token, TokenLocations::default()));
        }
        &mut self.list[at].1
    }

    /// Returns the locations of all tokens.
    pub(crate) fn into_list(self) -> Vec<(usize, TokenLocations)> {
        self.list
    }
}

/// Collects the matches of one worker.
pub struct WorkerCollector<'a> {
    describer: MatchDescriber<'a>,
    collector: &'a Collector,
    on_match: Option<OnMatch<'a>>,
    tokens: Tokens,
    /// The contents that may have more windows, the most recent last.
    open: Vec<Content>,
}

impl<'a> WorkerCollector<'a> {
    /// Creates a collector that forwards locations to `collector`, and calls `on_match` with each match.
    #[must_use]
    pub fn new(
        describer: MatchDescriber<'a>,
        collector: &'a Collector,
        on_match: Option<OnMatch<'a>>,
    ) -> Self {
        Self { describer, collector, on_match, tokens: Tokens::default(), open: Vec::new() }
    }

    /// Adds a match in a window.
    pub fn add(&mut self, window: &mut MatchWindow<'_>, (found, secret): (Match, &[u8])) {
        let MatchWindow { blob, matches, is_entered } = window;
        if !std::mem::replace(is_entered, true) {
            self.enter(blob);
        }
        let Self { describer, tokens, open, on_match, .. } = self;
        let Some(content) = open.last_mut() else { return };
        let number = tokens.number(describer.detector, found, secret);
        let matched = Matched { range: found.start..found.end, encoding: found.encoding };
        let seen = WindowMatch { token: tokens.get(number), window: matches, matched };
        let Content { common, tokens: by_token } = content;
        common.add_match(by_token.of(number), describer, seen, *on_match);
    }

    /// Makes the content of a window the current one, and begins it if it is new.
    fn enter(&mut self, blob: &Blob<'_>) {
        let (path, part) = Location::place(blob.origin);
        let is_it = |it: &Content| it.common.path == path && it.common.part == part;
        let known = self.open.iter().position(is_it);
        match known {
            Some(known) if blob.offset > 0 => {
                let content = self.open.remove(known);
                self.open.push(content);
                return;
            }
            Some(known) => {
                let content = self.open.remove(known);
                self.close(content);
            }
            None => {}
        }
        if self.open.len() >= MAX_OPEN {
            let content = self.open.remove(0);
            self.close(content);
        }
        if self.tokens.len() > MAX_TOKENS {
            self.close_all();
            self.tokens.clear();
        }
        let layer = blob.layer.cloned();
        let (trace, change_status, message) = (None, None, None);
        let common = LocationContext { path, part, layer, trace, change_status, message };
        self.open.push(Content { common, tokens: ByToken::default() });
    }

    fn close(&self, content: Content) {
        for (token, locations) in content.tokens.into_list() {
            self.collector.add(self.tokens.get(token), locations);
        }
    }

    fn close_all(&mut self) {
        for content in std::mem::take(&mut self.open) {
            self.close(content);
        }
    }
}

impl Drop for WorkerCollector<'_> {
    fn drop(&mut self) {
        self.close_all();
    }
}
