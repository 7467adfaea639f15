//! Locations of a finding, and their expansion in JSON.
//!
//! Input: the locations and git objects of a finding. Output: each location by itself. `build` creates the
//! records.
//!
//! A [`LocationRecord`] can represent further locations that differ only in their position; an
//! [`ObjectRecord`] represents all spans of the token in an object. JSON lists each of them: they are expanded
//! while it is written, so that further locations need memory only for their positions. An expanded location
//! has an empty snippet.

use super::suppression::InlineRecord;
use super::{uris, web_links};
use crate::escape;
use crate::trace::{ObjectRecord, TraceRecord};
use ddpatrol_detect::redact::Clean;
use ddpatrol_scan::blob::Position;
use ddpatrol_scan::commit::MessageStart;
use ddpatrol_scan::finding::{Location, Part, Spot, Spots, end_of};
use ddpatrol_scan::place::{STDIN, object_text};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One location.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LocationRecord {
    /// The path; `null` for standard input, or for a git object without a path. Bytes that are not UTF-8 are
    /// written as `\xNN`.
    pub path: Option<Clean>,
    /// The bytes of the path in hexadecimal, only if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
    /// The path relative to the top of the work tree, or in a bare repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_path: Option<Clean>,
    /// The URI reference in SARIF, only if it differs from `repository_path`, or from `path` outside of
    /// repositories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The path of the archive, for a member of one: the beginning of `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Clean>,
    /// The names of the members that lead from the archive to the place, the outermost first; only if there
    /// is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Clean>,
    /// The owners of the path, as `CODEOWNERS` in `HEAD` names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Clean>,
    /// The web page of the line in the commit that introduced it, if the host of a remote is a known forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `content`; `name` for the last component of the path; `commit` or `tag` for the text of such an
    /// object; `ref` for the name of a reference of the repository at `path`.
    pub part: Part,
    /// The line, from 1. In a commit or tag: the line in its message, or in the object for a token in the
    /// header.
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
    /// The line in the object, for a commit or tag. It equals `line` for a token in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_line: Option<u64>,
    /// The line around it, masked and truncated.
    pub snippet: Clean,
    /// Its encodings, outermost first, if it is encoded: `base64 of gzip of base64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Its attribution, for a location in a repository's history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<TraceRecord>,
    /// For a location in a change: `new`, `moved`, `already-there` or `also-unpushed`.
    #[serde(rename = "standing", skip_serializing_if = "Option::is_none")]
    pub change_status: Option<ChangeStatusWord>,
    /// The path of the token in the base, if it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<Clean>,
    /// The inline allow comment in its line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<InlineRecord>,
    /// Whether the baseline lists the token, but not at this path.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new_place: bool,
    /// For a location in a container image: the layer, and the command that created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Clean>,
    /// Further locations that differ from this one only in their position, and have no snippet.
    #[serde(skip)]
    pub further: Spots,
    /// The beginning of the message, in a commit or tag; `None` in a saved report.
    #[serde(skip)]
    pub message: Option<MessageStart>,
}

/// Status of a token in a change, as in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeStatusWord {
    /// The base does not contain it.
    New,
    /// The base contains it at another path.
    Moved,
    /// The base contains it at this path.
    #[serde(rename = "already-there")]
    Preexisting,
    /// It is not part of the judged push, but also not pushed yet.
    AlsoUnpushed,
}

impl ChangeStatusWord {
    /// Returns its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Moved => "moved",
            Self::Preexisting => "already-there",
            Self::AlsoUnpushed => "also-unpushed",
        }
    }
}

impl LocationRecord {
    /// Returns the URI reference of the location, relative to the base of URIs if it is below the base.
    #[must_use]
    pub fn uri(&self) -> Cow<'_, str> {
        match (&self.uri, &self.path, &self.git) {
            (Some(uri), ..) => uri.into(),
            (None, Some(path), _) => {
                uris::uri(self.repository_path.as_ref().unwrap_or(path)).into()
            }
            (None, None, Some(git)) => object_text(&git.kind, &git.object).into(),
            (None, None, None) => STDIN.into(),
        }
    }

    /// Returns the path that [`LocationRecord::uri`] encodes.
    pub(crate) fn uri_path(&self) -> Option<Cow<'_, [u8]>> {
        let path = self.path.as_ref()?;
        match &self.uri {
            Some(uri) => uris::path_of_uri(uri).map(Cow::Owned),
            None => Some(self.repository_path.as_ref().unwrap_or(path).as_bytes().into()),
        }
    }

    /// Returns the name of the member in its archive, which begins with `!`.
    pub(crate) fn member(&self) -> Option<&[u8]> {
        let (path, archive) = (self.path.as_ref()?, self.archive.as_ref()?);
        path.as_bytes().strip_prefix(archive.as_bytes()).filter(|it| it.starts_with(b"!"))
    }

    /// Returns the URI reference of the file: of the archive, for a member of one.
    pub(crate) fn file_uri(&self) -> Cow<'_, str> {
        let uri = self.uri();
        let end = self.member().map(escape::uri_path);
        let archive = end.and_then(|end| uri.strip_suffix(&*end).map(str::to_owned));
        archive.map_or(uri, Cow::Owned)
    }

    /// Returns the path that [`LocationRecord::file_uri`] encodes.
    pub(crate) fn file_path(&self) -> Option<Cow<'_, [u8]>> {
        let path = self.uri_path()?;
        let archive = self.member().and_then(|end| path.strip_suffix(end).map(<[u8]>::to_vec));
        Some(archive.map_or(path, Cow::Owned))
    }

    /// Returns the number of locations that it represents.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.further.len()
    }

    /// Calls `on_place` with it and every further location that it represents.
    ///
    /// # Errors
    /// Returns the first error of `on_place`.
    pub(crate) fn each<E>(
        &self,
        on_place: &mut dyn FnMut(&Self) -> Result<(), E>,
    ) -> Result<(), E> {
        each(std::slice::from_ref(self), on_place)
    }

    /// Moves it to a location that differs only in its position.
    pub fn move_to(&mut self, location: &Location) {
        (self.line, self.column) = (location.start.line, location.start.column);
        (self.end_line, self.end_column) = (location.end.line, location.end.column);
        self.offset = location.offset;
        self.find_line();
    }

    /// Moves it to a further location that it represents.
    fn move_to_spot(&mut self, spot: &Spot) {
        let start = Position { line: self.line, column: self.column };
        let end = end_of(spot, start, Position { line: self.end_line, column: self.end_column });
        (self.line, self.column) = (spot.start.line, spot.start.column);
        (self.end_line, self.end_column) = (end.line, end.column);
        self.offset = spot.offset;
        self.find_line();
    }

    /// Sets its line in the object, and makes the link lead to its line.
    fn find_line(&mut self) {
        self.object_line = self.message.map(|it| it.object_line(self.line, self.offset));
        if let Some(url) = &mut self.url {
            *url = web_links::at_line(url, self.line);
        }
    }

    /// Formats its line in a commit or tag.
    pub(crate) fn message_line(&self) -> String {
        let part = match self.object_line {
            // Reports of older versions count the lines of the object.
            None => "",
            // Such as the name of the author.
            Some(line) if line == self.line => "header ",
            Some(_) => "message ",
        };
        format!("{part}line {}", self.line)
    }

    /// Returns a copy without snippet and further locations.
    fn bare(&self) -> Self {
        Self { snippet: Clean::default(), further: Spots::default(), ..self.clone() }
    }

    /// Returns `true` if two locations are in the same content.
    fn is_beside(&self, other: &Self) -> bool {
        let content = |place: &Self| {
            let git = place.git.as_ref();
            let commit = git.and_then(|git| git.introduced.as_ref());
            (git.map(|git| git.object.clone()), commit.map(|commit| commit.commit.clone()))
        };
        (&self.path, self.part) == (&other.path, other.part) && content(self) == content(other)
    }
}

/// Counts all locations.
pub(super) fn count(places: &[LocationRecord]) -> usize {
    places.iter().map(LocationRecord::count).sum()
}

/// Calls `on_place` with every location; locations in the same content are in the order of their offsets.
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
        // Usually only the last location represents others, all of which follow it.
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

/// The index of a location, or of a further location that it represents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LocationIndex {
    offset: u64,
    /// The index of the record.
    place: usize,
    /// The index among its further locations; `None` for the record itself.
    further: Option<usize>,
}

/// Lists locations and the further locations that they represent.
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

/// Serializes all locations as a list.
pub(super) fn serialize<S: Serializer>(
    locations: &[LocationRecord],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(count(locations)))?;
    each(locations, &mut |place| list.serialize_element(place))?;
    list.end()
}

/// Serializes objects as a list with an entry for each span of the token.
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
