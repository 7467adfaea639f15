//! Worker of a scan.
//!
//! Input: blobs and git objects. Output: matches, to the shared state of the workers.

use super::engine::{Engine, TokenNumbers};
use super::members::{self, ArchiveContent, EncodedPlace, IsArchive, Reporting};
use super::scope::{names, own, within};
use super::version::ObjectVersion;
use crate::detect::delta::{DeltaCandidate, DeltaCandidates, DeltaMatch, DerivedCandidates};
use crate::detect::{Evidence, Haystack, Match, Scratch};
use crate::source::archive::{Format, Parts};
use crate::source::{
    ArchiveHint, BlobSink, PushOrder, ScannedObject, Sink, Sinks, Turn, add, archive,
};
use ddpatrol_pack::{Fault, Kind, Object, PieceSource};
use ddpatrol_scan::Issue;
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::finding::{MatchWindow, WorkerCollector};
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{EncodedSpan, Holder, TokenNo};
use std::ops::Range;
use std::path::Path;

/// A worker of a scan, with the scratch space that it owns.
pub(super) struct Worker<'a> {
    engine: &'a Engine<'a>,
    scratch: Scratch,
    /// The first or the last bytes of an object.
    part: Vec<u8>,
    gatherer: WorkerCollector<'a>,
    numbers: TokenNumbers,
    /// The tokens of the object that is read.
    found: Vec<(TokenNo, EncodedSpan)>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(engine: &'a Engine<'a>) -> Self {
        let Engine { scan, collector, .. } = engine;
        Self {
            engine,
            scratch: engine.scratch(),
            part: Vec::new(),
            gatherer: WorkerCollector::new(scan.describer(), collector, scan.output()),
            numbers: TokenNumbers::default(),
            found: Vec::new(),
        }
    }
}

impl Sinks for Engine<'_> {
    fn sink(&self) -> Box<dyn Sink + '_> {
        Box::new(Worker::new(self))
    }

    fn order(&self) -> PushOrder {
        if self.scan.listener.is_some() { PushOrder::ByPath } else { PushOrder::Any }
    }

    fn reserve_turns(&self, entries: usize) -> Turn {
        self.reserve(entries)
    }
}

impl BlobSink for Worker<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        let holder = match blob.origin {
            Origin::Object(id, kind) => Some(Holder::Object(id, kind)),
            Origin::Lfs(id) => Some(Holder::Lfs(id)),
            Origin::Text(number) => Some(Holder::Text(number)),
            Origin::File(_) | Origin::Name(_) | Origin::Stdin | Origin::Ref(..) => None,
        };
        if let Some(holder) = holder {
            self.visit_held(blob, holder);
            return;
        }
        let Self { engine, scratch, gatherer, .. } = self;
        let Engine { scan, run, .. } = engine;
        let within = within(blob.origin, blob.offset);
        let mut window = MatchWindow::new(blob);
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
            gatherer.add(&mut window, found, token);
        };
        let haystack = Haystack { bytes: blob.bytes, kind: within };
        scan.detector.find(haystack, blob.own.clone(), scratch, &mut on_match);
        let archives = scratch.take_archives();
        if let (false, Some(walk)) = (archives.is_empty(), engine.walk(Reporting::Full)) {
            let place = match blob.origin {
                Origin::File(place) => place.to_place(),
                _ => Place::Stdin,
            };
            let place = EncodedPlace { blob: &place, offset: blob.offset };
            let on_member = &mut |window: &mut MatchWindow<'_>, found: Match, token: &[u8]| {
                if found.evidence == Evidence::Proven || scan.keep_shaped {
                    gatherer.add(window, found, token);
                }
            };
            walk.encoded(&archives, &place, on_member);
        }
        if run.is_interrupted() {
            return;
        }
        self.report_overrun(blob.origin);
    }
}

impl Worker<'_> {
    /// Records the tokens in a holder that was read whole, or in a window of it.
    fn visit_held(&mut self, blob: &Blob<'_>, holder: Holder) {
        let Self { engine, scratch, numbers, found: list, .. } = self;
        let mut names = names(blob.origin, blob.bytes);
        let within = within(blob.origin, blob.offset);
        let haystack = Haystack { bytes: blob.bytes, kind: within };
        engine.scan.detector.find(haystack, blob.own.clone(), scratch, |found, token| {
            if names.as_mut().is_none_or(|names| names.contain(&found)) {
                let span = span(&found, blob.offset);
                list.push((numbers.of(engine, found, token), span));
            }
        });
        engine.record(holder, list);
        self.report_overrun(blob.origin);
        self.open(blob, holder);
    }
}

/// Returns the span of a match in bytes that start at an offset.
fn span(found: &Match, offset: u64) -> EncodedSpan {
    EncodedSpan {
        offset: offset + found.start as u64,
        len: (found.end - found.start) as u64,
        encoding: found.encoding,
    }
}

impl Worker<'_> {
    /// Reports encoded text that was not decoded to its end.
    fn report_overrun(&mut self, origin: Origin<'_>) {
        if self.scratch.take_overrun() {
            members::report_overrun(self.engine.run, origin);
        }
    }

    /// Opens an object that is an archive and was read whole; reports one that comes in windows.
    fn open(&mut self, blob: &Blob<'_>, holder: Holder) {
        let is_content = matches!(holder, Holder::Object(_, Kind::Blob) | Holder::Lfs(_));
        let encoded = self.scratch.take_archives();
        if !is_content {
            return;
        }
        if blob.offset > 0 || blob.own.start > 0 {
            // Archives in windows after the first are not walked again for their places.
            if !encoded.is_empty() {
                self.engine.run.report(Issue::ArchiveInLargeObject, Some(holder.place()));
            }
            return;
        }
        if blob.own.end == blob.bytes.len() {
            let content = ArchiveContent { bytes: blob.bytes, encoded: &encoded };
            self.engine.record_members(holder, &content, &mut self.numbers);
        } else if self.engine.scan.archives.is_some() {
            let issue = match archive::detect(blob.bytes, Path::new("")) {
                Some(Format::Unopened(format)) => Issue::Archive(format.issue()),
                Some(_) => Issue::ArchiveInLargeObject,
                None if !encoded.is_empty() => Issue::ArchiveInLargeObject,
                None => return,
            };
            self.engine.run.report(issue, Some(holder.place()));
        }
    }
}

impl Worker<'_> {
    /// Records the tokens of an object that was searched, or whose tokens follow from its delta base.
    fn record(&mut self, heads: &DeltaCandidates, holder: Holder) {
        let found = heads.list.iter().filter_map(|it| Some((it.start, it.found?)));
        self.found.extend(found.map(|(start, found)| {
            let (offset, len) = (u64::from(start), u64::from(found.len));
            (TokenNo(found.token), EncodedSpan { offset, len, encoding: found.encoding })
        }));
        self.engine.record(holder, &mut self.found);
    }
}

impl Sink for Worker<'_> {
    fn begin(&mut self, turn: Turn) {
        self.gatherer.begin(turn);
    }

    fn end(&mut self) {
        self.gatherer.end();
    }

    fn object(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&ScannedObject>,
    ) -> Result<ScannedObject, Fault> {
        let detector = self.engine.scan.detector;
        let (id, kind) = (object.id(), object.kind());
        let hint = self.hint(object, base);
        let is_binary = kind == Kind::Blob && is_binary(object, base);
        let is_open = hint == ArchiveHint::Archive
            || hint == ArchiveHint::PerhapsElsewhere
                && is_binary
                && archive::may_be_elsewhere(&mut ObjectParts { object, part: &mut self.part });
        // The contents of an archive do not follow from those of its delta base.
        let base = base.filter(|_| !is_open);
        let version = ObjectVersion(object);
        let derived = base
            .and_then(|base| detector.derive_candidates(&version, &base.heads, &mut self.scratch));
        let (mut heads, parts) = match derived {
            Some(DerivedCandidates { candidates, parts }) if parts.is_empty() => {
                self.record(&candidates, Holder::Object(id, kind));
                return Ok(ScannedObject { heads: candidates, hint, is_binary });
            }
            Some(DerivedCandidates { candidates, parts }) => (candidates, parts),
            None => (DeltaCandidates::default(), Vec::new()),
        };
        let origin = Origin::Object(id, kind);
        let bytes = object.assemble()?;
        for part in &parts {
            self.search_part(origin, bytes, part.clone(), &mut heads);
        }
        if parts.is_empty() || heads.needs_full_scan {
            heads = DeltaCandidates::default();
            self.scratch.take_archives();
            self.search_part(origin, bytes, own(kind, bytes), &mut heads);
        }
        self.record(&heads, Holder::Object(id, kind));
        heads.list.sort_by_key(|head| head.start);
        heads.list.dedup();
        self.report_overrun(origin);
        let encoded = self.scratch.take_archives();
        if is_open || !encoded.is_empty() {
            let holder = Holder::Object(id, kind);
            let content = ArchiveContent { bytes, encoded: &encoded };
            let is_archive = self.engine.record_members(holder, &content, &mut self.numbers);
            heads.needs_full_scan |= is_archive == IsArchive::Yes;
        }
        Ok(ScannedObject { heads, hint, is_binary })
    }
}

impl Worker<'_> {
    /// Searches a part of an object, and adds its candidates to `heads`.
    fn search_part(
        &mut self,
        origin: Origin<'_>,
        bytes: &[u8],
        part: Range<usize>,
        heads: &mut DeltaCandidates,
    ) {
        let mut names = names(origin, bytes);
        let Self { engine, scratch, numbers, .. } = self;
        let haystack = Haystack { bytes, kind: within(origin, 0) };
        let detector = engine.scan.detector;
        heads.needs_full_scan |=
            detector.find_candidates(haystack, part, scratch, |place, found| {
                let is_text = |(found, _): &(Match, _)| {
                    names.as_mut().is_none_or(|names| names.contain(found))
                };
                let found = found.filter(is_text).map(|(found, token)| {
                    let TokenNo(token) = numbers.of(engine, found, token);
                    let len = (found.end - found.start) as u32;
                    DeltaMatch { token, len, encoding: found.encoding }
                });
                let (from, start) = (place.inspected_start as u32, place.start as u32);
                heads.list.push(DeltaCandidate {
                    inspected_start: from,
                    start,
                    inspected_end: place.inspected_end as u32,
                    found,
                });
            });
    }

    /// Returns what the first bytes of an object look like: in most cases, those of its base do.
    fn hint(&mut self, object: &Object<'_>, base: Option<&ScannedObject>) -> ArchiveHint {
        if object.kind() != Kind::Blob || self.engine.scan.archives.is_none() {
            return ArchiveHint::None;
        }
        let head = members::HEAD.min(object.len() as usize);
        let first = object.pieces().first();
        let is_copied = first
            .is_some_and(|it| it.from == PieceSource::Base(0) && it.len as usize >= members::HEAD);
        if let (true, Some(base)) = (is_copied, base) {
            return base.hint;
        }
        self.part.clear();
        object.read(0..head, &mut self.part);
        archive::archive_hint(&self.part)
    }
}

/// Returns `true` if an object contains a byte that occurs in archives and not in text.
fn is_binary(object: &Object<'_>, base: Option<&ScannedObject>) -> bool {
    // Of a delta whose base was not seen nothing is known.
    base.map_or(!object.base().is_empty(), |base| base.is_binary)
        || memchr::memchr3(0, 5, 0x1f, object.fresh()).is_some()
}

/// The parts of an object, which are copied from its pieces.
struct ObjectParts<'a, 'o> {
    object: &'a Object<'o>,
    part: &'a mut Vec<u8>,
}

impl Parts for ObjectParts<'_, '_> {
    fn size(&mut self) -> u64 {
        self.object.len()
    }

    fn part(&mut self, range: Range<u64>) -> &[u8] {
        let to = |at: u64| at.min(self.object.len()) as usize;
        self.part.clear();
        self.object.read(to(range.start)..to(range.end), self.part);
        self.part
    }
}
