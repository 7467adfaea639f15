//! The places of a finding, one by one.
//!
//! A [`Place`] of a document stands for further places that differ from it in where they begin only; an
//! [`ObjectRecord`] for all that the token has in an object. JSON lists them all: they are made while it
//! is written, so that none but the first ones takes more room than its position. Such a place has an
//! empty snippet.

use super::{Place, Record};
use crate::blob::Position;
use crate::finding::{Spot, end_of};
use crate::report::redact::Clean;
use crate::report::trace::ObjectRecord;
use serde::ser::{SerializeSeq, Serializer};

impl Place {
    /// Returns the number of places that it stands for.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.further.len()
    }

    /// Makes a further place of one that differs in its position only.
    fn move_to(&mut self, spot: &Spot) {
        let start = Position { line: self.line, column: self.column };
        let end = end_of(spot, (start, Position { line: self.end_line, column: self.end_column }));
        (self.line, self.column) = (spot.start.line, spot.start.column);
        (self.end_line, self.end_column) = (end.line, end.column);
        self.offset = spot.offset;
    }

    /// Calls `on_place` with every place that it stands for, itself first.
    fn each<E>(&self, on_place: &mut dyn FnMut(&Self) -> Result<(), E>) -> Result<(), E> {
        on_place(self)?;
        if self.further.is_empty() {
            return Ok(());
        }
        let mut place = Self { snippet: Clean::default(), ..self.clone() };
        place.further = Default::default();
        for spot in self.further.list() {
            place.move_to(spot);
            on_place(&place)?;
        }
        Ok(())
    }
}

impl Record {
    /// Returns the number of places where the token is.
    #[must_use]
    pub fn count(&self) -> usize {
        self.locations.iter().map(Place::count).sum()
    }

    /// Calls `on_place` with every place, those that another one stands for right behind it.
    ///
    /// # Errors
    /// What `on_place` fails with, at the first failure.
    pub fn each_place<E>(
        &self,
        on_place: &mut dyn FnMut(&Place) -> Result<(), E>,
    ) -> Result<(), E> {
        self.locations.iter().try_for_each(|place| place.each(on_place))
    }
}

/// Writes a list of all places.
pub(super) fn serialize<S: Serializer>(
    locations: &[Place],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let len = locations.iter().map(Place::count).sum();
    let mut list = serializer.serialize_seq(Some(len))?;
    for place in locations {
        place.each(&mut |place| list.serialize_element(place))?;
    }
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
