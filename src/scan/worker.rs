//! One worker of a scan: blobs and git objects in, matches to what the workers share.

use super::{Workers, members, names, own, within};
use crate::blob::{Blob, Origin};
use crate::detect::version::{Found, Head, Heads};
use crate::detect::{Evidence, Match, Scratch};
use crate::finding::{Location, Occurrence, Token};
use crate::source::archive::{self, Signs};
use crate::source::{Gap, ObjectVisitor, Seen, Visitor, add};
use ddpatrol_pack::{Fault, From, Kind, Object};
use std::path::Path;

/// What a worker owns.
pub(super) struct Worker<'a> {
    pub(super) shared: &'a Workers<'a>,
    pub(super) scratch: Scratch,
    /// The first or the last bytes of an object.
    pub(super) part: Vec<u8>,
}

impl Visitor for Worker<'_> {
    fn visit(&mut self, blob: &Blob<'_>) {
        let Workers { scan, collector, run, .. } = self.shared;
        // Matches come in ascending order, so that one walk over the blob positions all of them.
        let (mut at, mut position) = (0, blob.position);
        let mut names = names(blob.origin, blob.bytes);
        let within = within(blob.origin, blob.offset);
        let mut last: Option<Location> = None;
        let mut on_match = |found: Match, token: &[u8]| {
            if run.is_interrupted() {
                return;
            }
            if let Origin::Object(id, kind) = blob.origin {
                if names.as_mut().is_none_or(|names| names.have(&found)) {
                    self.shared.note(found, token, (id, kind), blob.offset + found.start as u64);
                }
                return;
            }
            if found.evidence == Evidence::Shaped {
                add(&run.tally.shaped, 1);
                if !scan.keep_shaped {
                    return;
                }
            }
            if found.start < at {
                // What is encoded may begin before what was recognized earlier.
                (at, position) = (0, blob.position);
            }
            position.advance(&blob.bytes[at..found.start]);
            at = found.start;
            let occurrence = match &last {
                // All that packed content holds is at the place of the whole.
                Some(place) if place.is_of(blob, &found) => Occurrence {
                    token: Token::new(scan.detector, found, token),
                    location: place.clone(),
                },
                _ => Occurrence::new(scan.told(), blob, (found, token), position),
            };
            if !found.encoding.is_plain() {
                last = Some(occurrence.location.clone());
            }
            if let Some(on_match) = scan.on_match {
                on_match(&occurrence);
            }
            collector.add(occurrence);
        };
        let bytes = (blob.bytes, within);
        scan.detector.find(bytes, blob.own.clone(), &mut self.scratch, &mut on_match);
        if run.is_interrupted() {
            return;
        }
        self.tell_overrun(blob.origin);
        self.open(blob);
    }
}

impl Worker<'_> {
    /// Tells of what was packed so that it was not unpacked to its end.
    fn tell_overrun(&mut self, origin: Origin<'_>) {
        if self.scratch.take_overrun() {
            members::tell_overrun(self.shared.run, origin);
        }
    }

    /// Opens an object that is an archive and was read whole; one that comes in windows is told.
    fn open(&self, blob: &Blob<'_>) {
        let Origin::Object(id, Kind::Blob) = blob.origin else { return };
        if blob.offset > 0 || blob.own.start > 0 {
            return;
        }
        if blob.own.end == blob.bytes.len() {
            self.shared.unpack((id, Kind::Blob), blob.bytes);
        } else if self.shared.scan.archives.is_some()
            && archive::detect(blob.bytes, Path::new("")).is_some()
        {
            let path = members::synthetic(blob.origin);
            let message = "an archive in a git object this large is not opened";
            self.shared.run.report(Gap::Opaque, Some(path), message);
        }
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
        let inherited =
            base.and_then(|base| detector.inherit(object, &base.heads, &mut self.scratch));
        if let Some(heads) = inherited {
            self.shared.inherit(&heads, id, kind);
            return Ok(Seen { heads, signs, may_end_as_zip });
        }
        let bytes = object.whole()?;
        let mut heads = Heads::default();
        let origin = Origin::Object(id, kind);
        let mut names = names(origin, bytes);
        let text = (bytes, within(origin, 0));
        let part = own(kind, bytes);
        heads.is_intricate = detector.heads(text, part, &mut self.scratch, |place, found| {
            let is_text =
                |(found, _): &(Match, _)| names.as_mut().is_none_or(|names| names.have(found));
            let found = found.filter(is_text).map(|(found, token)| {
                let number = self.shared.note(found, token, (id, kind), place.start as u64);
                Found { token: number, len: (found.end - found.start) as u32 }
            });
            let (from, start) = (place.from as u32, place.start as u32);
            heads.list.push(Head { from, start, reach: place.reach as u32, found });
        });
        heads.list.sort_by_key(|head| head.start);
        self.tell_overrun(origin);
        if is_open {
            heads.is_intricate |= self.shared.unpack((id, kind), bytes);
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
