//! The places of a finding, and how JSON lists them one by one.
//!
//! Input: the places and git objects of a finding. Output: each place by itself. Places are made from
//! locations elsewhere (`build`).
//!
//! A [`LocationRecord`] of a document represents further places that differ from it in where they begin only; an
//! [`ObjectRecord`] all that the token has in an object. JSON lists them all: they are made while it is
//! written, so that none but the first ones takes more room than its position. Such a place has an empty
//! snippet.

use super::paths;
use super::suppression::InlineRecord;
use crate::redact::Clean;
use crate::report::trace::{ObjectRecord, TraceRecord};
use ddpatrol_scan::blob::Position;
use ddpatrol_scan::finding::{Location, Part, Spot, Spots, end_of};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LocationRecord {
    /// The path; `null` is standard input, or a git object that has none. Bytes that are no UTF-8
    /// are spelled `\xNN`.
    pub path: Option<Clean>,
    /// The path's bytes in hexadecimal, only where they are no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
    /// The path below the top of the work tree that the place is in, or in a bare repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_path: Option<Clean>,
    /// The URI reference in SARIF, only if it differs from `repository_path`, or from `path` outside of
    /// repositories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// `content`; `name` where the token is in the last component of the path; `commit` or `tag`
    /// in the text of such an object; `ref` in the name of a reference of the repository at `path`.
    pub part: Part,
    /// The line, from 1.
    pub line: u64,
    /// The column in UTF-16 code units, from 1.
    pub column: u64,
    /// The line of the end.
    pub end_line: u64,
    /// The column after the last character.
    pub end_column: u64,
    /// The offset in bytes, from 0.
    pub offset: u64,
    /// The length in bytes.
    pub length: u64,
    /// The line around it, masked and cut.
    pub snippet: Clean,
    /// In what it is encoded there, the outermost first, if it is: `base64 of gzip of base64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// How it came in, for a place in a repository's history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<TraceRecord>,
    /// For a place in a change: `new`, `moved`, `already-there` or `also-unpushed`.
    #[serde(rename = "standing", skip_serializing_if = "Option::is_none")]
    pub change_status: Option<ChangeStatusWord>,
    /// The path that the base has it at, where it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Clean>,
    /// What its own line says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<InlineRecord>,
    /// Whether the baseline knows the token, but not at this path.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_place: bool,
    /// For a place in a container image: the layer, and the command that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Clean>,
    /// Further places that differ from this one in where they begin only, and have no snippet.
    #[serde(skip)]
    pub further: Spots,
}

/// Whether a token in a change is new, as a word in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeStatusWord {
    /// The base does not have it.
    New,
    /// The base has it at another path.
    Moved,
    /// The base has it at this path.
    #[serde(rename = "already-there")]
    Preexisting,
    /// It is not part of the push that was judged, but not pushed yet either.
    AlsoUnpushed,
}

impl LocationRecord {
    /// Returns the URI reference of the place: relative to the base of URIs if it is below.
    #[must_use]
    pub fn uri(&self) -> Cow<'_, str> {
        match (&self.uri, &self.path, &self.git) {
            (Some(uri), ..) => uri.into(),
            (None, Some(path), _) => {
                paths::uri(self.repository_path.as_ref().unwrap_or(path)).into()
            }
            (None, None, Some(git)) => format!("git/{}/{}", git.kind, git.object).into(),
            (None, None, None) => "stdin".into(),
        }
    }

    /// Returns the path that [`LocationRecord::uri`] encodes.
    pub(in crate::report) fn uri_path(&self) -> Option<Cow<'_, [u8]>> {
        let path = self.path.as_ref()?;
        match &self.uri {
            Some(uri) => paths::path_of_uri(uri).map(Cow::Owned),
            None => Some(self.repository_path.as_ref().unwrap_or(path).as_bytes().into()),
        }
    }

    /// Returns the number of places that it represents.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.further.len()
    }

    /// Moves it to a location that differs in its position only.
    pub(crate) fn move_to(&mut self, location: &Location) {
        (self.line, self.column) = (location.start.line, location.start.column);
        (self.end_line, self.end_column) = (location.end.line, location.end.column);
        self.offset = location.offset;
    }

    /// Moves it to a further place that it represents.
    fn move_to_spot(&mut self, spot: &Spot) {
        let start = Position { line: self.line, column: self.column };
        let end = end_of(spot, (start, Position { line: self.end_line, column: self.end_column }));
        (self.line, self.column) = (spot.start.line, spot.start.column);
        (self.end_line, self.end_column) = (end.line, end.column);
        self.offset = spot.offset;
    }

    /// Returns a copy that represents nothing else, without the text around it.
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

/// Counts all places.
pub(super) fn count(places: &[LocationRecord]) -> usize {
    places.iter().map(LocationRecord::count).sum()
}

/// Calls `on_place` with every place, those in one content by their offsets.
pub(super) fn each<E>(
    places: &[LocationRecord],
    on_place: &mut dyn FnMut(&LocationRecord) -> Result<(), E>,
) -> Result<(), E> {
    for beside in places.chunk_by(LocationRecord::is_beside) {
        let mut moved: Vec<Option<LocationRecord>> = vec![None; beside.len()];
        let mut on_entry = |entry: LocationIndex| match entry.further {
            None => on_place(&beside[entry.place]),
            Some(further) => {
                let place = &beside[entry.place];
                let moved = moved[entry.place].get_or_insert_with(|| place.bare());
                moved.move_to_spot(&place.further.list()[further]);
                on_place(moved)
            }
        };
        // Usually only the last place represents others, all of which follow it.
        if entries(beside).is_sorted_by_key(|entry| entry.offset) {
            entries(beside).try_for_each(&mut on_entry)?;
        } else {
            let mut order: Vec<LocationIndex> = entries(beside).collect();
            order.sort_unstable();
            order.into_iter().try_for_each(on_entry)?;
        }
    }
    Ok(())
}

/// A place, or a further place that it represents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LocationIndex {
    offset: u64,
    /// The index of the place.
    place: usize,
    /// The index among its further places; `None` for the place itself.
    further: Option<usize>,
}

/// Lists places and the further places that they represent.
fn entries(places: &[LocationRecord]) -> impl Iterator<Item = LocationIndex> {
    places.iter().enumerate().flat_map(|(place, it)| {
        let own = LocationIndex { offset: it.offset, place, further: None };
        let spots = it.further.list().iter().enumerate();
        let spots = spots.map(move |(at, spot)| LocationIndex {
            offset: spot.offset,
            place,
            further: Some(at),
        });
        std::iter::once(own).chain(spots)
    })
}

/// Writes a list of all places.
pub(super) fn serialize<S: Serializer>(
    locations: &[LocationRecord],
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

#[cfg(test)]
mod tests;
