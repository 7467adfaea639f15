//! The places of tokens in git objects that are known to hold them.
//!
//! In come the bytes of an object, tokens and their offsets; out go locations to the collector. What is
//! encoded or lies in the members of an archive is searched for once, however many tokens there are.

use super::members::{self, Telling};
use super::workers::Workers;
use crate::blob::{Origin, Position};
use crate::detect::encoding::Encoding;
use crate::detect::{Evidence, Match, Scratch, Within};
use crate::finding::{
    Collector, Common, Fingerprint, Gathered, Gatherer, HeldObject, Location, Matched, Occurrence,
    OnMatch, Seen, Sights, Span, Spots, Token, end_of, plain,
};
use crate::redact::Clean;
use crate::source::{Opened, Traced};
use ddpatrol_pack::Kind;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// For how many paths of one archive the places in its members are remembered.
const MOST_PATHS: usize = 8;

/// How many bytes encode a token, and how.
type Extent = (usize, Encoding);

/// The encoded text of tokens, by the token and the offset at which it begins.
type Encoded = HashMap<(Fingerprint, usize, usize), Extent>;

/// Bytes that hold tokens.
pub(super) struct Reopened<'a> {
    workers: &'a Workers<'a>,
    bytes: &'a [u8],
    sights: Sights<'a>,
    scratch: Scratch,
    /// All encoded matches by where they begin, once one was not found near its offset.
    encoded: Option<Encoded>,
    /// What the members hold at the last paths, if that was asked for.
    members: Vec<Members>,
}

/// The places of tokens.
type ByToken = HashMap<(Fingerprint, usize), Vec<Location>>;

/// The places in the members of an archive at a path.
struct Members {
    path: PathBuf,
    tokens: ByToken,
}

impl<'a> Reopened<'a> {
    pub(super) fn new(workers: &'a Workers<'a>, bytes: &'a [u8]) -> Self {
        let sights = Sights::new(bytes, 0, Position::start_of(bytes));
        let scratch = workers.scratch();
        Self { workers, bytes, sights, scratch, encoded: None, members: Vec::new() }
    }

    /// Returns how many bytes spell a token that begins at `at`, and in what it is encoded.
    fn span(&mut self, token: &Token, at: usize) -> Option<Extent> {
        let secret = token.secret.expose();
        if self.bytes.get(at..)?.starts_with(secret) {
            return Some((secret.len(), Encoding::PLAIN));
        }
        let detector = self.workers.scan.detector;
        let near = at..self.bytes.len().min(at + detector.lookbehind() + 1);
        let mut span = None;
        let text = (self.bytes, Within::WHOLE);
        detector.find_near(text, near, &mut self.scratch, |found, bytes| {
            if found.start == at && found.rule == token.rule && bytes == secret {
                span.get_or_insert(extent(&found));
            }
        });
        // What is encoded whole is recognized where the whole begins.
        span.or_else(|| self.encoded().get(&(token.fingerprint, token.rule, at)).copied())
    }

    fn encoded(&mut self) -> &Encoded {
        let Self { workers, bytes, scratch, encoded, .. } = self;
        encoded.get_or_insert_with(|| {
            let mut all = Encoded::new();
            let text = (*bytes, Within::WHOLE);
            workers.scan.detector.find(text, 0..bytes.len(), scratch, |found, secret| {
                if !found.encoding.is_plain() {
                    let key = (Fingerprint::of(secret), found.rule, found.start);
                    all.entry(key).or_insert_with(|| extent(&found));
                }
            });
            all
        })
    }

    /// Adds the places of a token in the members of an archive; returns whether there are any.
    fn place_members(&mut self, token: &Token, place: &Traced<'_>) -> bool {
        let object = place.trace.map(|trace| Origin::Object(trace.object, trace.kind));
        let path =
            place.path.map_or_else(|| members::synthetic(object.unwrap_or(Origin::Stdin)), plain);
        let known = self.members.iter().position(|members| members.path == path);
        let known = match known {
            Some(known) => known,
            None => {
                let Some(tokens) = self.walk_members(&path) else { return false };
                if self.members.len() >= MOST_PATHS {
                    self.members.remove(0);
                }
                self.members.push(Members { path, tokens });
                self.members.len() - 1
            }
        };
        let key = (token.fingerprint, token.rule);
        let Some(locations) = self.members[known].tokens.get(&key) else { return false };
        let traced = locations.iter().map(|location| Location {
            trace: place.trace.map(Arc::clone),
            standing: place.standing.cloned(),
            ..location.clone()
        });
        let traced: Vec<Location> = traced.collect();
        if let Some(on_match) = self.workers.scan.on_match {
            traced.iter().for_each(|location| tell_each(token, location, on_match));
        }
        self.workers.collector.add_locations(token, traced);
        self.hold(token, place, vec![members::NOWHERE]);
        true
    }

    /// Finds the places of all tokens in the members of the archive that the bytes are, if they are one.
    fn walk_members(&self, path: &Path) -> Option<ByToken> {
        let Workers { scan, .. } = self.workers;
        let (walk, format) = self.workers.archive(self.bytes, Telling::Again)?;
        let collector = Collector::default();
        let mut gatherer = Gatherer::new(scan.told(), &collector, None);
        walk.walk((self.bytes, format), path, &mut |window, found, secret| {
            if found.evidence == Evidence::Proven || scan.keep_shaped {
                gatherer.add(window, (found, secret));
            }
        });
        drop(gatherer);
        Some(collector.into_locations())
    }

    /// Notes that an object of a change holds a token; those of a history are known.
    fn hold(&self, token: &Token, place: &Traced<'_>, mut spans: Vec<Span>) {
        let trace = place.trace.filter(|trace| trace.kind != Kind::Tree);
        let (Some(trace), Some(_), false) = (trace, place.standing, spans.is_empty()) else {
            return;
        };
        spans.sort_unstable();
        spans.dedup();
        let (id, kind) = (trace.object, trace.kind);
        let object = HeldObject { id, kind, spans: spans.into() };
        self.workers.collector.add_object(token, object);
    }
}

impl Opened for Reopened<'_> {
    fn place(&mut self, token: u32, offsets: &[u64], place: &Traced<'_>) {
        let Workers { scan, run, collector, .. } = self.workers;
        let token = Arc::clone(&self.workers.held().tokens[token as usize]);
        let common = Common {
            path: place.path.map(plain),
            part: place.part,
            layer: None,
            trace: place.trace.map(Arc::clone),
            standing: place.standing.cloned(),
        };
        let (mut gathered, mut spans) = (Gathered::default(), Vec::new());
        let mut is_in_members = None;
        for &offset in offsets {
            if run.is_interrupted() {
                break;
            }
            let at = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
            let span = self.span(&token, at);
            if span.is_none()
                && *is_in_members.get_or_insert_with(|| self.place_members(&token, place))
            {
                continue;
            }
            // An interrupted search finds nothing.
            if span.is_none() && run.is_interrupted() {
                break;
            }
            // A place is reported, whatever is there by now.
            let plain_len = token.secret.expose().len().min(self.bytes.len() - at);
            let (len, encoding) = span.unwrap_or((plain_len, Encoding::PLAIN));
            if place.standing.is_some() {
                spans.push(Span { offset, len: len as u64 });
            }
            let matched = Matched { range: at..at + len, encoding };
            let seen = Seen { token: &token, sights: &mut self.sights, matched };
            common.gather(&mut gathered, scan.told(), seen, scan.on_match);
        }
        let locations = gathered.finish();
        if !locations.is_empty() {
            collector.add_locations(&token, locations);
            self.hold(&token, place, spans);
        }
    }
}

fn extent(found: &Match) -> Extent {
    (found.end - found.start, found.encoding)
}

/// Calls `on_match` with each place that a location stands for.
fn tell_each(token: &Token, location: &Location, on_match: OnMatch<'_>) {
    on_match(Occurrence { token, location });
    let mut bare = Location { further: Spots::default(), ..location.clone() };
    for spot in location.further.list() {
        bare.snippet = Clean::default();
        bare.end = end_of(spot, (bare.start, bare.end));
        (bare.offset, bare.start) = (spot.offset, spot.start);
        on_match(Occurrence { token, location: &bare });
    }
}
