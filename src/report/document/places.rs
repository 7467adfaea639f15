//! The places of a finding, one by one.
//!
//! A [`Place`] of a document stands for further places that differ from it in where they begin only; an
//! [`ObjectRecord`] for all that the token has in an object. JSON lists them all: they are made while it
//! is written, so that none but the first ones takes more room than its position. Such a place has an
//! empty snippet.

use super::{Place, Record};
use crate::blob::Position;
use crate::finding::{Location, Spot, Spots, end_of};
use crate::redact::Clean;
use crate::report::trace::ObjectRecord;
use serde::ser::{SerializeSeq, Serializer};

impl Place {
    /// Returns the number of places that it stands for.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.further.len()
    }

    /// Makes it the place of a location that differs in its position only.
    pub(crate) fn move_to(&mut self, location: &Location) {
        (self.line, self.column) = (location.start.line, location.start.column);
        (self.end_line, self.end_column) = (location.end.line, location.end.column);
        self.offset = location.offset;
    }

    /// Makes it a further place that it stands for.
    fn move_to_spot(&mut self, spot: &Spot) {
        let start = Position { line: self.line, column: self.column };
        let end = end_of(spot, (start, Position { line: self.end_line, column: self.end_column }));
        (self.line, self.column) = (spot.start.line, spot.start.column);
        (self.end_line, self.end_column) = (end.line, end.column);
        self.offset = spot.offset;
    }

    /// Returns a copy that stands for nothing else, without the text around it.
    fn bare(&self) -> Self {
        Self { snippet: Clean::default(), further: Spots::default(), ..self.clone() }
    }

    /// Returns `true` if two places are in the same content.
    fn is_beside(&self, other: &Self) -> bool {
        let content = |place: &Self| {
            let git = place.git.as_ref();
            let commit = git.and_then(|git| git.introduced.as_ref());
            (git.map(|git| git.object.clone()), commit.map(|commit| commit.commit.clone()))
        };
        (&self.path, self.part) == (&other.path, other.part) && content(self) == content(other)
    }
}

impl Record {
    /// Returns the number of places where the token is.
    #[must_use]
    pub fn count(&self) -> usize {
        count(&self.locations)
    }

    /// Calls `on_place` with every place, those in one content by their offsets.
    ///
    /// # Errors
    /// What `on_place` fails with, at the first failure.
    pub fn each_place<E>(
        &self,
        on_place: &mut dyn FnMut(&Place) -> Result<(), E>,
    ) -> Result<(), E> {
        each(&self.locations, on_place)
    }
}

fn count(places: &[Place]) -> usize {
    places.iter().map(Place::count).sum()
}

fn each<E>(places: &[Place], on_place: &mut dyn FnMut(&Place) -> Result<(), E>) -> Result<(), E> {
    for beside in places.chunk_by(Place::is_beside) {
        let mut moved: Vec<Option<Place>> = vec![None; beside.len()];
        let mut on_number = |(at, number): (usize, usize)| match number.checked_sub(1) {
            None => on_place(&beside[at]),
            Some(further) => {
                let moved = moved[at].get_or_insert_with(|| beside[at].bare());
                moved.move_to_spot(&beside[at].further.list()[further]);
                on_place(moved)
            }
        };
        // Mostly only the last one stands for others, all of which are behind it.
        if numbers(beside).is_sorted_by_key(|(offset, ..)| offset) {
            numbers(beside).try_for_each(|(_, at, number)| on_number((at, number)))?;
        } else {
            let mut order: Vec<(u64, usize, usize)> = numbers(beside).collect();
            order.sort_unstable();
            order.into_iter().try_for_each(|(_, at, number)| on_number((at, number)))?;
        }
    }
    Ok(())
}

/// Lists all that places stand for: the offset, the number of the place that stands for it, and its own
/// number there, 0 for the place itself.
fn numbers(places: &[Place]) -> impl Iterator<Item = (u64, usize, usize)> {
    places.iter().enumerate().flat_map(|(at, place)| {
        let spots = place.further.list().iter().map(|spot| spot.offset);
        let offsets = std::iter::once(place.offset).chain(spots).enumerate();
        offsets.map(move |(number, offset)| (offset, at, number))
    })
}

/// Writes a list of all places.
pub(super) fn serialize<S: Serializer>(
    locations: &[Place],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(count(locations)))?;
    each(locations, &mut |place| list.serialize_element(place))?;
    list.end()
}

/// Writes a list of objects, one entry for each place that the token has in one.
pub(super) fn serialize_objects<S: Serializer>(
    objects: &[ObjectRecord],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let len = objects.iter().map(|object| object.spans.len().max(1)).sum();
    let mut list = serializer.serialize_seq(Some(len))?;
    for object in objects {
        list.serialize_element(object)?;
        let Some((_, further)) = object.spans.split_first() else { continue };
        if further.is_empty() {
            continue;
        }
        let mut next = object.clone();
        for span in further {
            (next.offset, next.length) = (span.offset, span.len);
            list.serialize_element(&next)?;
        }
    }
    list.end()
}
