//! Further places of a token in one content, held in a few bytes each.
//!
//! The first places of a token in a content are [`Location`]s with all that is known of them; beyond
//! [`MOST_WHOLE`], a location stands for all that differ from it in where they begin only.

use super::{Inline, Location};
use crate::blob::Position;
use ddpatrol_detect::encoding::Encoding;
use std::collections::HashMap;
use std::sync::Arc;

/// How many places of a token in one content have a location of their own.
pub(crate) const MOST_WHOLE: usize = 100;

/// Where a further place begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The offset of the first byte.
    pub offset: u64,
    /// The line and the column.
    pub start: Position,
}

/// The further places that a location stands for, in ascending order; cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spots(Option<Arc<Vec<Spot>>>);

impl Spots {
    /// Returns the number of places.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Returns `true` if there is none.
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

    /// Sorts the places, and drops those that occur twice and those for which `is_known` is true.
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

/// Where a match ends, seen from where it begins: with an offset and a position of its beginning the
/// end follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Extent {
    len: u64,
    lines: u64,
    /// The width, or the column of the end if that is in another line.
    columns: u64,
}

/// What places have in common that one location can stand for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape {
    extent: Extent,
    encoding: Encoding,
    inline: Option<Inline>,
}

/// One place, without what all places of the token in its content have in common.
#[derive(Clone, Debug)]
pub struct MatchPosition {
    pub offset: u64,
    pub len: u64,
    pub start: Position,
    pub end: Position,
    pub encoding: Encoding,
    pub inline: Option<Inline>,
}

impl Extent {
    fn new(len: u64, start: Position, end: Position) -> Self {
        let lines = end.line.saturating_sub(start.line);
        let from = if lines == 0 { start.column } else { 0 };
        Self { len, lines, columns: end.column.saturating_sub(from) }
    }
}

impl Location {
    /// Returns the number of places that the location stands for.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.further.len()
    }

    /// Returns `true` if another place in the same content, both without the text around them, is as
    /// this one, but for where it begins and ends.
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

    fn stands_for(&self, position: &MatchPosition) -> bool {
        self.encoding == position.encoding
            && self.inline == position.inline
            && self.extent() == Extent::new(position.len, position.start, position.end)
    }
}

/// The places of one token in one content.
#[derive(Debug, Default)]
pub struct TokenLocations {
    locations: Vec<Location>,
    /// The location that stands for the last further place.
    last: Option<usize>,
    by_shape: HashMap<Shape, usize>,
}

impl TokenLocations {
    /// Adds a place; `whole` makes a location of it, with the text around it, which is called for few.
    /// Returns the location if it was made.
    pub fn add(
        &mut self,
        position: MatchPosition,
        whole: impl FnOnce(MatchPosition) -> Location,
    ) -> Option<&Location> {
        if self.locations.len() < MOST_WHOLE {
            self.locations.push(whole(position));
            return self.locations.last();
        }
        let spot = Spot { offset: position.offset, start: position.start };
        let last = self.last.and_then(|last| self.locations.get_mut(last));
        if let Some(last) = last.filter(|it| it.stands_for(&position)) {
            last.further.push(spot);
            return None;
        }
        if self.by_shape.is_empty() {
            let shapes = self.locations.iter().enumerate().map(|(at, it)| (shape(it), at));
            self.by_shape = shapes.collect();
        }
        let key = Shape {
            extent: Extent::new(position.len, position.start, position.end),
            encoding: position.encoding,
            inline: position.inline.clone(),
        };
        if let Some(&known) = self.by_shape.get(&key) {
            self.last = Some(known);
            self.locations[known].further.push(spot);
            return None;
        }
        self.last = Some(self.locations.len());
        self.by_shape.insert(key, self.locations.len());
        self.locations.push(whole(position));
        self.locations.last()
    }

    /// Returns the locations, each place in them once.
    pub fn finish(mut self) -> Vec<Location> {
        if self.locations.iter().all(|it| it.further.is_empty()) {
            return self.locations;
        }
        let mut known: Vec<(u64, Shape)> =
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

fn shape(location: &Location) -> Shape {
    let Location { encoding, inline, .. } = location;
    Shape { extent: location.extent(), encoding: *encoding, inline: inline.clone() }
}

/// Returns where a further place ends whose leader extends from `start` to `end`.
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
