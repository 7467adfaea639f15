//! One worker of a scan: blobs and git objects in, matches to what the workers share.

use super::members::{self, Telling};
use super::scope::{names, own, within};
use super::version::ObjectVersion;
use super::workers::{Numbers, Workers};
use crate::blob::{Blob, Origin};
use crate::detect::version::{Found, Head, Heads};
use crate::detect::{Evidence, Match, Scratch};
use crate::finding::{Gatherer, Span, Window};
use crate::lock::lock;
use crate::source::archive::{self, Signs};
use crate::source::git::lfs::Pointer;
use crate::source::{Code, Gap, ObjectVisitor, Seen, Visitor, add};
use ddpatrol_pack::{Fault, From, Kind, Object, ObjectId};
use std::path::Path;

/// What every pointer of Git LFS begins with.
const POINTER_HEAD: &[u8] = b"version ";

/// What a worker owns.
pub(super) struct Worker<'a> {
    shared: &'a Workers<'a>,
    scratch: Scratch,
    /// The first or the last bytes of an object.
    part: Vec<u8>,
    gatherer: Gatherer<'a>,
    numbers: Numbers,
    /// The tokens of the object that is read.
    found: Vec<(u32, Span)>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(shared: &'a Workers<'a>) -> Self {
        let Workers { scan, collector, .. } = shared;
        Self {
            shared,
            scratch: shared.scratch(),
            part: Vec::new(),
            gatherer: Gatherer::new(scan.told(), collector, scan.on_match),
            numbers: Numbers::default(),
            found: Vec::new(),
        }
    }
}

impl Visitor for Worker<'_> {
    fn visit(&mut self, blob: &Blob<'_>) {
        if let Origin::Object(id, kind) = blob.origin {
            self.visit_whole(blob, (id, kind));
            return;
        }
        let Self { shared: Workers { scan, run, .. }, scratch, gatherer, .. } = self;
        let within = within(blob.origin, blob.offset);
        let mut window = Window::new(blob);
        let mut on_match = |found: Match, token: &[u8]| {
            if run.is_interrupted() {
                return;
            }
            if found.evidence == Evidence::Shaped {
                add(&run.tally.shaped, 1);
                if !scan.keep_shaped {
                    return;
                }
            }
            gatherer.add(&mut window, (found, token));
        };
        scan.detector.find((blob.bytes, within), blob.own.clone(), scratch, &mut on_match);
        if run.is_interrupted() {
            return;
        }
        self.tell_overrun(blob.origin);
    }
}

impl Worker<'_> {
    /// Notes the tokens in a git object that was read whole, or in a window of it.
    fn visit_whole(&mut self, blob: &Blob<'_>, object: (ObjectId, Kind)) {
        let Self { shared, scratch, numbers, found: list, .. } = self;
        let mut names = names(blob.origin, blob.bytes);
        let within = within(blob.origin, blob.offset);
        let bytes = (blob.bytes, within);
        shared.scan.detector.find(bytes, blob.own.clone(), scratch, |found, token| {
            if names.as_mut().is_none_or(|names| names.have(&found)) {
                let span = span(&found, blob.offset);
                list.push((numbers.of(shared, found, token), span));
            }
        });
        shared.note(object, list);
        self.tell_overrun(blob.origin);
        self.open(blob);
    }
}

/// Returns where a match in bytes at an offset is.
fn span(found: &Match, offset: u64) -> Span {
    Span { offset: offset + found.start as u64, len: (found.end - found.start) as u64 }
}

impl Worker<'_> {
    /// Tells of what was packed so that it was not unpacked to its end.
    fn tell_overrun(&mut self, origin: Origin<'_>) {
        if self.scratch.take_overrun() {
            members::tell_overrun(self.shared.run, origin);
        }
    }

    /// Opens an object that is an archive and was read whole; one that comes in windows is told.
    fn open(&mut self, blob: &Blob<'_>) {
        let Origin::Object(id, Kind::Blob) = blob.origin else { return };
        if blob.offset > 0 || blob.own.start > 0 {
            return;
        }
        if blob.own.end == blob.bytes.len() {
            self.add_pointer(Pointer::parse(blob.bytes));
            self.unpack((id, Kind::Blob), blob.bytes);
        } else if self.shared.scan.archives.is_some()
            && archive::detect(blob.bytes, Path::new("")).is_some()
        {
            let path = members::synthetic(blob.origin);
            let message = "an archive in a git object this large is not opened";
            self.shared.run.report(Gap::Opaque, Code::ObjectSize, Some(path), message);
        }
    }
}

impl Worker<'_> {
    /// Notes the tokens in the members of a git object, if it is an archive; returns whether it is.
    fn unpack(&mut self, object: (ObjectId, Kind), bytes: &[u8]) -> bool {
        let Self { shared, numbers, found: list, .. } = self;
        let Some((walk, format)) = shared.archive(bytes, Telling::First) else { return false };
        let path = members::synthetic(Origin::Object(object.0, object.1));
        let mut last = None;
        walk.walk((bytes, format), &path, &mut |_, found, token| {
            let number = numbers.of(shared, found, token);
            if last.replace(number) != Some(number) {
                list.push((number, members::NOWHERE));
            }
        });
        shared.note(object, list);
        true
    }

    /// Notes a small blob that is a pointer of Git LFS.
    fn note_pointer(&mut self, object: &mut Object<'_>) {
        self.part.clear();
        object.read(0..POINTER_HEAD.len().min(object.len() as usize), &mut self.part);
        if self.part != POINTER_HEAD {
            return;
        }
        self.part.clear();
        object.read(0..object.len() as usize, &mut self.part);
        self.add_pointer(Pointer::parse(&self.part));
    }

    fn add_pointer(&self, pointer: Option<Pointer>) {
        if let Some(pointer) = pointer {
            lock(&self.shared.pointers).insert(pointer);
        }
    }

    /// Notes the tokens of an object that was searched or is made from its delta base.
    fn note(&mut self, heads: &Heads, object: (ObjectId, Kind)) {
        let found = heads.list.iter().filter_map(|it| Some((it.start, it.found?)));
        self.found.extend(found.map(|(start, found)| {
            let (offset, len) = (u64::from(start), u64::from(found.len));
            (found.token, Span { offset, len })
        }));
        self.shared.note(object, &mut self.found);
    }
}

impl ObjectVisitor for Worker<'_> {
    fn visit_object(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&Seen>,
    ) -> Result<Seen, Fault> {
        let detector = self.shared.scan.detector;
        let (id, kind) = (object.id(), object.kind());
        let signs = self.signs(object, base);
        if kind == Kind::Blob && object.len() < Pointer::MAX_LEN as u64 {
            self.note_pointer(object);
        }
        let may_end_as_zip = kind == Kind::Blob && may_end_as_zip(object, base);
        let is_open = signs == Signs::Archive
            || signs == Signs::PerhapsAtEnd && may_end_as_zip && {
                // Scripts and programs are many; few of them end as a zip does.
                let len = object.len() as usize;
                self.part.clear();
                object.read(len.saturating_sub(archive::END_REACH)..len, &mut self.part);
                archive::ends_as_zip(&self.part)
            };
        // What an archive holds does not follow from its bytes.
        let base = base.filter(|_| !is_open);
        let version = ObjectVersion(object);
        let inherited =
            base.and_then(|base| detector.inherit(&version, &base.heads, &mut self.scratch));
        if let Some(heads) = inherited {
            self.note(&heads, (id, kind));
            return Ok(Seen { heads, signs, may_end_as_zip });
        }
        let bytes = object.whole()?;
        let mut heads = Heads::default();
        let origin = Origin::Object(id, kind);
        let mut names = names(origin, bytes);
        let Self { shared, scratch, numbers, .. } = self;
        let text = (bytes, within(origin, 0));
        let part = own(kind, bytes);
        heads.is_intricate = detector.heads(text, part, scratch, |place, found| {
            let is_text =
                |(found, _): &(Match, _)| names.as_mut().is_none_or(|names| names.have(found));
            let found = found.filter(is_text).map(|(found, token)| {
                let number = numbers.of(shared, found, token);
                Found { token: number, len: (found.end - found.start) as u32 }
            });
            let (from, start) = (place.from as u32, place.start as u32);
            heads.list.push(Head { from, start, reach: place.reach as u32, found });
        });
        self.note(&heads, (id, kind));
        heads.list.sort_by_key(|head| head.start);
        self.tell_overrun(origin);
        if is_open {
            heads.is_intricate |= self.unpack((id, kind), bytes);
        }
        Ok(Seen { heads, signs, may_end_as_zip })
    }
}

impl Worker<'_> {
    /// Tells what the first bytes of an object say: those of its base, mostly.
    fn signs(&mut self, object: &Object<'_>, base: Option<&Seen>) -> Signs {
        if object.kind() != Kind::Blob || self.shared.scan.archives.is_none() {
            return Signs::None;
        }
        let head = members::HEAD.min(object.len() as usize);
        let first = object.pieces().first();
        let is_copied =
            first.is_some_and(|it| it.from == From::Base(0) && it.len as usize >= members::HEAD);
        if let (true, Some(base)) = (is_copied, base) {
            return base.signs;
        }
        self.part.clear();
        object.read(0..head, &mut self.part);
        archive::signs(&self.part)
    }
}

/// Tells whether a byte that the end of every zip has stands anywhere in an object.
fn may_end_as_zip(object: &Object<'_>, base: Option<&Seen>) -> bool {
    // Of a delta whose base was not seen nothing is known.
    base.map_or(!object.base().is_empty(), |base| base.may_end_as_zip)
        || memchr::memchr(archive::END_OF_ZIP, object.fresh()).is_some()
}
