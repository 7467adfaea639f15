//! What the git object that was searched last holds in encoded text and, if it is an archive, in its
//! members.
//!
//! Input: a token and its place. Output: the length of its text and its encoding, or its places in the
//! members. A token in encoded text is recognized where that begins, so that its object must be
//! searched from its beginning. Places in one object follow each other, so that each object is searched
//! once, however many tokens it holds.

use super::Workers;
use super::members::Telling;
use crate::detect::encoding::Encoding;
use crate::detect::{Match, Within};
use crate::finding::{Fingerprint, Location, Occurrence, Part, Token};
use crate::source::Traced;
use ddpatrol_pack::ObjectId;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The text of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Its length in bytes.
    pub(super) len: usize,
    pub(super) encoding: Encoding,
}

impl Span {
    pub(super) fn of(found: &Match) -> Self {
        Self { len: found.end - found.start, encoding: found.encoding }
    }
}

/// The spans of one object, by token and offset.
type OfObject = HashMap<(Fingerprint, usize, usize), Span>;

/// An archive and the path that it has in a commit.
type Archive = (ObjectId, PathBuf);

/// What the last objects hold.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Mutex<Option<(ObjectId, Arc<OfObject>)>>,
    members: Mutex<Option<(Archive, Arc<Vec<Occurrence>>)>>,
    location: Mutex<Option<(Encoded, Arc<Location>)>>,
}

/// Encoded text in an object that has a path.
type Encoded = (ObjectId, Option<PathBuf>, u64, Span);

impl Spans {
    /// Finds a token at its place.
    pub(super) fn get(
        &self,
        workers: &Workers<'_>,
        token: &Token,
        place: &Traced<'_>,
    ) -> Option<Span> {
        let spans = recall(&self.spans, object(place), || search(workers, place.bytes));
        spans.get(&(token.fingerprint, token.rule, place.offset as usize)).copied()
    }

    /// Returns the location of encoded text, made by `make` unless it is that of the last token.
    pub(super) fn location(
        &self,
        place: &Traced<'_>,
        span: Span,
        make: impl FnOnce() -> Location,
    ) -> Location {
        let path = place.path.map(Path::to_owned);
        let key = object(place).map(|object| (object, path, place.offset, span));
        Location::clone(&recall(&self.location, key, make))
    }

    /// Lists the places in the members of an archive; `None` if the object is none.
    pub(super) fn members(
        &self,
        workers: &Workers<'_>,
        path: &Path,
        place: &Traced<'_>,
    ) -> Option<Arc<Vec<Occurrence>>> {
        let (walk, format) = workers.archive(place.bytes, Telling::Again)?;
        let key = object(place).map(|object| (object, path.to_owned()));
        Some(recall(&self.members, key, || walk.places((place.bytes, format), path)))
    }
}

/// Returns the object whose content the bytes of a place are. Only such bytes are known by an id.
fn object(place: &Traced<'_>) -> Option<ObjectId> {
    place.trace.filter(|_| place.part == Part::Content).map(|trace| trace.object)
}

/// Returns what is known under `key`, or makes it; without a key nothing is kept.
fn recall<K: PartialEq, T>(
    last: &Mutex<Option<(K, Arc<T>)>>,
    key: Option<K>,
    make: impl FnOnce() -> T,
) -> Arc<T> {
    let lock = || last.lock().unwrap_or_else(|poison| poison.into_inner());
    let Some(key) = key else { return Arc::new(make()) };
    if let Some((_, known)) = lock().as_ref().filter(|(known, _)| *known == key) {
        return Arc::clone(known);
    }
    let made = Arc::new(make());
    *lock() = Some((key, Arc::clone(&made)));
    made
}

fn search(workers: &Workers<'_>, bytes: &[u8]) -> OfObject {
    let detector = workers.scan.detector;
    let mut spans = OfObject::new();
    let text = (bytes, Within::WHOLE);
    detector.find(text, 0..bytes.len(), &mut workers.scratch(), |found, secret| {
        let token = Token::new(detector, found, secret);
        let key = (token.fingerprint, token.rule, found.start);
        spans.entry(key).or_insert_with(|| Span::of(&found));
    });
    spans
}
