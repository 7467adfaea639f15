//! Converts placements of tokens in git objects to locations: line, column and snippet.
//!
//! Input: placements, and the bytes that contain the tokens. Output: locations, to the collector. Nothing
//! is searched, except the members of archives: the sightings contain where each token is and how it is
//! encoded.

use super::engine::Engine;
use crate::redact::Clean;
use ddpatrol_scan::blob::Position;
use ddpatrol_scan::commit::MessageStart;
use ddpatrol_scan::finding::{
    Finding, Location, LocationContext, MatchDescriber, MatchOutput, Matched, Occurrence, Spots,
    Token, TokenLocations, WindowMatch, WindowMatches, end_of,
};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{EncodedSpan, Holder, Placement, TokenKey};
use std::collections::HashMap;
use std::sync::Arc;

/// Adds the locations of placements to the collector.
pub(super) struct Describer<'a> {
    engine: &'a Engine<'a>,
    describer: MatchDescriber<'a>,
}

impl<'a> Describer<'a> {
    pub(super) fn new(engine: &'a Engine<'a>) -> Self {
        Self { engine, describer: engine.scan.describer() }
    }

    /// Adds the locations of placements. `read` returns the bytes of a holder, or reports why it cannot
    /// be read; placements in one holder should follow each other, so that it is read once.
    pub(super) fn describe<B: AsRef<[u8]>>(
        &mut self,
        placements: &[Placement],
        read: &mut dyn FnMut(Holder) -> Option<B>,
    ) {
        let is_same = |a: &Placement, b: &Placement| {
            (a.holder, a.name.is_none()) == (b.holder, b.name.is_none())
        };
        for same in placements.chunk_by(is_same) {
            if self.engine.run.is_interrupted() {
                return;
            }
            let Some(first) = same.first() else { continue };
            if first.name.is_some() {
                for placement in same {
                    let name = placement.name.as_deref().unwrap_or_default();
                    self.place(placement, &mut Content::new(name));
                }
            } else if let Some(bytes) = read(first.holder) {
                let mut content = Content::new(bytes.as_ref());
                content.message = match first.holder {
                    Holder::Object(_, kind) => MessageStart::find(kind, bytes.as_ref()),
                    Holder::Lfs(_) | Holder::Text(_) => None,
                };
                for placement in same {
                    self.place(placement, &mut content);
                }
            }
        }
    }

    fn place(&mut self, placement: &Placement, content: &mut Content<'_>) {
        let Engine { scan, run, collector, .. } = self.engine;
        let token = Arc::clone(self.engine.sightings().token(placement.token));
        let common = LocationContext {
            path: placement.path.as_ref().map(Place::plain),
            part: placement.part,
            layer: None,
            trace: placement.trace.clone(),
            change_status: placement.change_status.clone(),
            message: content.message,
        };
        let mut collected = TokenLocations::default();
        for span in placement.spans.iter() {
            if run.is_interrupted() {
                break;
            }
            let matched = content.matched(span);
            let seen = WindowMatch { token: &token, window: &mut content.window, matched };
            common.add_match(&mut collected, &mut self.describer, seen, scan.output());
        }
        let mut locations = collected.finish();
        locations.extend(self.in_members(placement, content, &token));
        if locations.is_empty() {
            return;
        }
        collector.add_locations(&token, locations);
        if let Some(object) = placement.object_of_change() {
            collector.add_object(&token, object);
        }
    }

    /// Returns the locations in the members of the archive at a placement's path.
    fn in_members(
        &self,
        placement: &Placement,
        content: &mut Content<'_>,
        token: &Token,
    ) -> Vec<Location> {
        let Placement { trace, change_status, holder, .. } = placement;
        if !placement.is_in_members {
            return Vec::new();
        }
        let archive = placement.path.as_ref().map_or_else(|| holder.place(), Place::plain);
        let place = |location: &Location| Location {
            trace: trace.clone(),
            change_status: change_status.clone(),
            ..location.clone()
        };
        let members = content.members(self.engine, archive);
        let locations: Vec<Location> =
            members.get(&TokenKey::from(token)).into_iter().flatten().map(place).collect();
        if let Some(output) = self.engine.scan.output() {
            locations.iter().for_each(|location| report_each(token, location, output));
        }
        locations
    }
}

/// The number of paths of one archive whose members are remembered.
const MAX_PATHS: usize = 8;

/// The locations in the members of an archive, by token.
type MemberLocations = HashMap<TokenKey, Vec<Location>>;

/// Bytes that contain tokens.
struct Content<'a> {
    bytes: &'a [u8],
    window: WindowMatches<'a>,
    /// The beginning of the message, in a commit or tag.
    message: Option<MessageStart>,
    /// The locations in members for the last paths of the archive that were needed.
    members: Vec<(Place, MemberLocations)>,
}

impl<'a> Content<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let window = WindowMatches::new(bytes, 0, Position::start_of(bytes));
        Self { bytes, window, message: None, members: Vec::new() }
    }

    /// Returns the locations in the members of the archive at a place. Each place is walked once.
    fn members(&mut self, engine: &Engine<'_>, archive: Place) -> &MemberLocations {
        let known = self.members.iter().position(|(path, _)| *path == archive);
        let at = known.unwrap_or_else(|| {
            let findings = engine.findings_in_members(self.bytes, &archive);
            let by_token = |it: Finding| (TokenKey::from(&it), it.locations);
            let locations = findings.into_iter().map(by_token).collect();
            if self.members.len() >= MAX_PATHS {
                self.members.remove(0);
            }
            self.members.push((archive, locations));
            self.members.len() - 1
        });
        &self.members[at].1
    }

    /// Returns the match at a span, clamped to the bytes, which may have changed since the
    /// search.
    fn matched(&self, span: &EncodedSpan) -> Matched {
        let len = self.bytes.len();
        let clamp = |offset: u64| usize::try_from(offset).map_or(len, |it| it.min(len));
        let range = clamp(span.offset)..clamp(span.offset.saturating_add(span.len));
        Matched { range, encoding: span.encoding }
    }
}

/// Reports each location that a location represents.
fn report_each(token: &Token, location: &Location, output: MatchOutput<'_>) {
    output.report(Occurrence { token, location });
    let mut bare = Location { further: Spots::default(), ..location.clone() };
    for spot in location.further.list() {
        bare.snippet = Clean::default();
        bare.end = end_of(spot, bare.start, bare.end);
        (bare.offset, bare.start) = (spot.offset, spot.start);
        output.report(Occurrence { token, location: &bare });
    }
}
