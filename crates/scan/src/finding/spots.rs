//! Further places of a token in one content, in a few bytes each.
//!
//! Input: positions of matches. Output: [`Location`]s. The first [`MAX_FULL`] places of a token in a content
//! are full locations. Beyond them, one location represents all places that differ from it only in their
//! start; these are its spots. Nothing is read here.

use super::{Inline, Location};
use crate::blob::Position;
use crate::commit::MessageStart;
use ddpatrol_detect::encoding::Encoding;
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of full locations of a token in one content.
pub(crate) const MAX_FULL: usize = 100;

/// The start of a further place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The offset of the first byte.
    pub offset: u64,
    /// The line and the column.
    pub start: Position,
}

/// The further places that a location represents, in ascending order; cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spots(Option<Arc<Vec<Spot>>>);

impl Spots {
    /// Returns the number of places.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Returns `true` if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the places.
    #[must_use]
    pub fn list(&self) -> &[Spot] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    fn push(&mut self, spot: Spot) {
        Arc::make_mut(self.0.get_or_insert_default()).push(spot);
    }

    /// Sorts the places, and removes duplicates and those for which `is_known` returns `true`.
    fn tidy(&mut self, is_known: impl Fn(&Spot) -> bool) {
        let Some(list) = &mut self.0 else { return };
        let list = Arc::make_mut(list);
        if !list.is_sorted() {
            list.sort_unstable();
        }
        list.dedup();
        list.retain(|spot| !is_known(spot));
        if list.is_empty() {
            self.0 = None;
        }
    }
}

/// The extent of a match, relative to its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Extent {
    len: u64,
    lines: u64,
    /// The width; the column of the end if it is on another line.
    columns: u64,
}

/// The properties shared by places that one location can represent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SpotGroup {
    extent: Extent,
    encoding: Encoding,
    inline: Option<Inline>,
}

/// The position of one match, without the data shared by all places of the token in its content.
#[derive(Clone, Debug)]
pub struct MatchPosition {
    pub offset: u64,
    pub len: u64,
    pub start: Position,
    pub end: Position,
    pub encoding: Encoding,
    pub inline: Option<Inline>,
}

impl MatchPosition {
    /// Counts its lines from the beginning of a message, if it is in the message.
    pub fn count_from(&mut self, message: &MessageStart) {
        self.start.line = message.line(self.start.line, self.offset);
        self.end.line = message.line(self.end.line, self.offset);
    }
}

impl Extent {
    fn new(len: u64, start: Position, end: Position) -> Self {
        let lines = end.line.saturating_sub(start.line);
        let from = if lines == 0 { start.column } else { 0 };
        Self { len, lines, columns: end.column.saturating_sub(from) }
    }
}

impl Location {
    /// Returns the number of places that the location represents.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.further.len()
    }

    /// Returns `true` if another location in the same content differs only in its position, and neither has a
    /// snippet.
    pub fn differs_in_position_only(&self, other: &Self) -> bool {
        let same = |a: &Self, b: &Self| {
            (&a.snippet, a.encoding, a.part, a.len) == (&b.snippet, b.encoding, b.part, b.len)
                && (&a.path, &a.inline, &a.layer) == (&b.path, &b.inline, &b.layer)
                && (&a.trace, &a.change_status) == (&b.trace, &b.change_status)
        };
        self.snippet.as_bytes().is_empty() && same(self, other)
    }

    fn extent(&self) -> Extent {
        Extent::new(self.len, self.start, self.end)
    }

    fn represents(&self, position: &MatchPosition) -> bool {
        self.encoding == position.encoding
            && self.inline == position.inline
            && self.extent() == Extent::new(position.len, position.start, position.end)
    }
}

/// The places of one token in one content.
#[derive(Debug, Default)]
pub struct TokenLocations {
    locations: Vec<Location>,
    /// The location that represents the last further place.
    last: Option<usize>,
    by_group: HashMap<SpotGroup, usize>,
}

impl TokenLocations {
    /// Adds a place. `full` creates a location with the text around it; it is called for few places. Returns
    /// the location if one was created.
    pub fn add(
        &mut self,
        position: MatchPosition,
        full: impl FnOnce(MatchPosition) -> Location,
    ) -> Option<&Location> {
        if self.locations.len() < MAX_FULL {
            self.locations.push(full(position));
            return self.locations.last();
        }
        let spot = Spot { offset: position.offset, start: position.start };
        let last = self.last.and_then(|last| self.locations.get_mut(last));
        if let Some(last) = last.filter(|it| it.represents(&position)) {
            last.further.push(spot);
            return None;
        }
        if self.by_group.is_empty() {
            let groups = self.locations.iter().enumerate().map(|(at, it)| (shape(it), at));
            self.by_group = groups.collect();
        }
        let key = SpotGroup {
            extent: Extent::new(position.len, position.start, position.end),
            encoding: position.encoding,
            inline: position.inline.clone(),
        };
        if let Some(&known) = self.by_group.get(&key) {
            self.last = Some(known);
            self.locations[known].further.push(spot);
            return None;
        }
        self.last = Some(self.locations.len());
        self.by_group.insert(key, self.locations.len());
        self.locations.push(full(position));
        self.locations.last()
    }

    /// Returns the locations without duplicate places.
    pub fn finish(mut self) -> Vec<Location> {
        if self.locations.iter().all(|it| it.further.is_empty()) {
            return self.locations;
        }
        let mut known: Vec<(u64, SpotGroup)> =
            self.locations.iter().map(|it| (it.offset, shape(it))).collect();
        known.sort_unstable_by_key(|it| it.0);
        for location in self.locations.iter_mut().filter(|it| !it.further.is_empty()) {
            let own = shape(location);
            location.further.tidy(|spot| {
                let first = known.partition_point(|it| it.0 < spot.offset);
                known[first..].iter().take_while(|it| it.0 == spot.offset).any(|it| it.1 == own)
            });
        }
        self.locations
    }
}

fn shape(location: &Location) -> SpotGroup {
    let Location { encoding, inline, .. } = location;
    SpotGroup { extent: location.extent(), encoding: *encoding, inline: inline.clone() }
}

/// Returns the end of a further place, whose representative extends from `start` to `end`.
#[must_use]
pub fn end_of(spot: &Spot, (start, end): (Position, Position)) -> Position {
    if end.line == start.line {
        let width = end.column.saturating_sub(start.column);
        return Position { line: spot.start.line, column: spot.start.column + width };
    }
    Position { line: spot.start.line + (end.line - start.line), column: end.column }
}

impl From<Vec<Spot>> for Spots {
    fn from(list: Vec<Spot>) -> Self {
        Self((!list.is_empty()).then(|| Arc::new(list)))
    }
}
