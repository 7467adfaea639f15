//! A scan: sources through the detector into findings.
//!
//! In come sources and options; out comes an [`Outcome`] that is the same for the same input,
//! whatever the number of workers. It prints nothing; what is to be shown while the scan runs goes
//! through [`Scan::on_match`].

mod members;
mod spans;
mod worker;

use crate::blob::{Origin, Position};
use crate::config::Exclude;
use crate::detect::encoding::Encoding;
use crate::detect::version::Heads;
use crate::detect::{Detector, Evidence, Match, Scratch, Within};
use crate::finding::baseline::Roots;
use crate::finding::suppression::Unused;
use crate::finding::{
    Collector, Finding, Fingerprint, HeldObject, InlineAllow, Location, Occurrence, Part, Standing,
    Token, Told, around, context, plain, wide,
};
use crate::report::redact::Redactor;
use crate::source::archive::{ArchiveOptions, Format};
use crate::source::git::Names;
use crate::source::git::repositories::root_of;
use crate::source::window::Context;
use crate::source::{
    Diagnostic, Gap, Held, ObjectVisitor, Run, Scanned, Source, Traced, Visitors, add,
};
use ddpatrol_pack::{HashKind, Kind, ObjectId};
use members::{Telling, Walk};
use spans::{Span, Spans};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use worker::Worker;

/// Takes every match as it is found, on the worker that found it.
pub type OnMatch<'a> = &'a (dyn Fn(&Occurrence) + Sync);

/// How to scan.
pub struct Scan<'a> {
    /// What finds tokens.
    pub detector: &'a Detector,
    /// What masks them.
    pub redactor: &'a Redactor,
    /// Whether a token's own line may allow it.
    pub inline: InlineAllow,
    /// How archives in git objects are read; without it they are looked at as they are.
    pub archives: Option<ArchiveOptions>,
    /// Whether look-alikes become findings, or are counted only.
    pub keep_shaped: bool,
    /// Called for every match that becomes a finding, at once and in no order.
    pub on_match: Option<OnMatch<'a>>,
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The findings, sorted.
    pub findings: Vec<Finding>,
    /// What was not looked at, sorted by path.
    pub diagnostics: Vec<Diagnostic>,
    /// What the user should know of how the scan was understood.
    pub notes: Vec<String>,
    /// The repositories whose history was read.
    pub repositories: Vec<Scanned>,
    /// What was looked at and left out.
    pub counts: Counts,
    /// Entries of the allow list and the baseline that no finding needed.
    pub unused: Vec<Unused>,
    /// Whether the scan was interrupted.
    pub interrupted: bool,
}

/// The counts of a finished scan; see [`crate::source::Tally`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented at the tally it is read from")]
pub struct Counts {
    pub files: u64,
    pub git_files: u64,
    pub bytes: u64,
    pub archives: u64,
    pub members: u64,
    pub unpacked: u64,
    pub shaped: u64,
    pub ignored: u64,
    pub excluded: u64,
    pub too_large: u64,
    pub symlinks: u64,
    pub special: u64,
    pub git_folders: u64,
    pub objects: u64,
    /// Tokens that the base of a change has, too.
    pub already_there: u64,
}

impl Outcome {
    /// Tells whether everything that was to be looked at was: under `strict`, also what is opaque.
    #[must_use]
    pub fn is_complete(&self, strict: bool) -> bool {
        let matters = |gap: &Diagnostic| strict || gap.kind == Gap::Unread;
        !self.interrupted && !self.diagnostics.iter().any(matters)
    }
}

impl Outcome {
    /// Leaves out what stands at paths that the configuration excludes, and counts the places: those
    /// in histories and changes, which no walk of files has left out.
    pub fn leave_out(&mut self, exclude: &Exclude, roots: &Roots) {
        if exclude.is_empty() {
            return;
        }
        let mut left_out = 0;
        self.findings.retain_mut(|finding| {
            let before = finding.locations.len();
            finding.locations.retain(|place| !is_left_out(place, exclude, roots));
            left_out += before - finding.locations.len();
            !finding.locations.is_empty()
        });
        self.counts.excluded += left_out as u64;
    }

    /// Leaves out what the base of a change has at the same path, and counts the tokens.
    pub fn set_known_aside(&mut self) {
        let is_known = |place: &Location| place.standing == Some(Standing::AlreadyThere);
        let mut known = 0;
        self.findings.retain_mut(|finding| {
            let is_all_known = finding.locations.iter().all(is_known);
            known += u64::from(is_all_known);
            finding.locations.retain(|place| !is_known(place));
            !is_all_known
        });
        self.counts.already_there = known;
    }
}

/// Tells whether a place of a history or a change stands at an excluded path.
#[must_use]
pub fn is_left_out(place: &Location, exclude: &Exclude, roots: &Roots) -> bool {
    let is_path = matches!(place.part, Part::Content | Part::Name);
    let is_git = place.trace.is_some() || place.standing.is_some();
    let path = place.path.as_deref().filter(|_| is_path && is_git);
    let top = place.trace.as_ref().map(|trace| roots.whole(root_of(&trace.repository)));
    let top = top.as_ref().unwrap_or(&roots.here);
    path.is_some_and(|path| exclude.has_below(&roots.whole(path), top))
}

impl Scan<'_> {
    /// Returns the context that windows must keep for this scan.
    #[must_use]
    pub fn context(&self) -> Context {
        context(self.detector, self.redactor)
    }

    fn told(&self) -> Told<'_> {
        Told { detector: self.detector, redactor: self.redactor, inline: self.inline }
    }

    /// Looks at everything that the sources hold.
    #[must_use]
    pub fn run(&self, sources: &[Box<dyn Source + '_>], run: &Run) -> Outcome {
        let workers = Workers {
            scan: self,
            collector: Collector::default(),
            held: Mutex::default(),
            spans: Spans::default(),
            run,
        };
        for source in sources {
            source.visit(&workers, run);
        }
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &run.tally;
        Outcome {
            findings: workers.collector.finish(),
            diagnostics: run.take_diagnostics(),
            notes: run.take_notes(),
            repositories: run.take_repositories(),
            counts: Counts {
                files: count(&tally.files),
                git_files: count(&tally.git_files),
                bytes: count(&tally.bytes),
                archives: count(&tally.archives),
                members: count(&tally.members),
                unpacked: count(&tally.unpacked),
                shaped: count(&tally.shaped),
                ignored: count(&tally.ignored),
                excluded: count(&tally.excluded),
                too_large: count(&tally.too_large),
                symlinks: count(&tally.symlinks),
                special: count(&tally.special),
                git_folders: count(&tally.git_folders),
                objects: count(&tally.objects),
                already_there: 0,
            },
            unused: Vec::new(),
            interrupted: run.is_interrupted(),
        }
    }
}

/// Makes one worker per thread.
struct Workers<'a> {
    scan: &'a Scan<'a>,
    collector: Collector,
    held: Mutex<HeldTokens>,
    spans: Spans,
    run: &'a Run,
}

/// The tokens in git objects: each once, and which objects hold them.
#[derive(Default)]
struct HeldTokens {
    tokens: Vec<Token>,
    numbers: HashMap<(Fingerprint, usize), u32>,
    held: Vec<Held>,
}

impl HeldTokens {
    /// Returns the number of a token; tells whether it is new.
    fn number(&mut self, token: Token) -> (u32, bool) {
        let next = self.tokens.len() as u32;
        let number = *self.numbers.entry((token.fingerprint, token.rule)).or_insert(next);
        if number == next {
            self.tokens.push(token);
        }
        (number, number == next)
    }
}

impl Workers<'_> {
    fn held(&self) -> MutexGuard<'_, HeldTokens> {
        self.held.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Makes what a worker needs to search; its searches end when the scan is interrupted.
    fn scratch(&self) -> Scratch {
        Scratch::interruptible(self.run.stop_flag())
    }

    /// Notes a token in a git object and returns its number.
    fn note(&self, found: Match, token: &[u8], object: (ObjectId, Kind), at: u64) -> u32 {
        self.note_span(found, token, object, (at, (found.end - found.start) as u64))
    }

    /// Notes a token that a git object holds at an offset, with a length.
    fn note_span(
        &self,
        found: Match,
        token: &[u8],
        (object, kind): (ObjectId, Kind),
        (at, len): (u64, u64),
    ) -> u32 {
        let token = Token::new(self.scan.detector, found, token);
        let mut held = self.held();
        let (token, is_new) = held.number(token);
        if found.evidence == Evidence::Shaped {
            // History repeats itself: a look-alike in a thousand versions is one.
            add(&self.run.tally.shaped, u64::from(is_new));
            if !self.scan.keep_shaped {
                return token;
            }
        }
        held.held.push(Held { token, object, kind, offset: at, len });
        token
    }

    /// Notes tokens that an object has from its delta base.
    fn inherit(&self, heads: &Heads, object: ObjectId, kind: Kind) {
        if heads.list.iter().all(|head| head.found.is_none()) {
            return;
        }
        let mut held = self.held();
        for (start, found) in heads.list.iter().filter_map(|it| Some((it.start, it.found?))) {
            let is_shaped = held.tokens[found.token as usize].evidence == Evidence::Shaped;
            if !is_shaped || self.scan.keep_shaped {
                let (offset, len) = (u64::from(start), u64::from(found.len));
                held.held.push(Held { token: found.token, object, kind, offset, len });
            }
        }
    }

    /// Returns the length of a token's text that begins at the place's offset, and its encoding.
    fn span(&self, token: &Token, place: &Traced<'_>) -> Option<Span> {
        let detector = self.scan.detector;
        let (bytes, at) = (place.bytes, place.offset as usize);
        let is_it = |found: &Match, secret: &[u8]| {
            found.start == at && found.rule == token.rule && secret == token.secret.expose()
        };
        let mut span = None;
        let near = at..bytes.len().min(at + detector.lookbehind() + 1);
        detector.find_near((bytes, Within::WHOLE), near, &mut self.scratch(), |found, secret| {
            if is_it(&found, secret) {
                span.get_or_insert(Span::of(&found));
            }
        });
        // What is encoded whole is recognized where the whole begins.
        span.or_else(|| self.spans.get(self, token, place))
    }

    /// Describes a place, without what commits have to do with it.
    fn location(&self, place: &Traced<'_>, Span { len, encoding }: Span) -> Location {
        let at = place.offset as usize;
        let mut start = Position::start_of(place.bytes);
        start.advance(&place.bytes[..at]);
        let mut end = start;
        end.advance(&place.bytes[at..at + len]);
        let (start, end) = match encoding.is_utf16() {
            true => wide((start, end), (place.bytes, at, 0), (len, encoding)),
            false => (start, end),
        };
        Location {
            path: place.path.map(plain),
            part: place.part,
            offset: place.offset,
            len: len as u64,
            start,
            end,
            snippet: around(self.scan.redactor, place.bytes, at..at + len, encoding),
            encoding,
            trace: None,
            standing: None,
            inline: self.scan.told().inline(place.part, place.bytes, (at..at + len, encoding)),
            is_new_place: false,
            layer: None,
        }
    }

    /// Tells whether bytes are an archive that is to be opened, and how it is walked.
    fn archive(&self, bytes: &[u8], telling: Telling) -> Option<(Walk<'_>, Format)> {
        let options = self.scan.archives.as_ref()?;
        let walk = Walk { scan: self.scan, options, run: self.run, telling };
        Some((walk, members::format(bytes)?))
    }

    /// Finds the tokens in the members of an archive.
    fn find_members(&self, bytes: &[u8], tokens: &mut Vec<(u32, u64)>) {
        let Some((walk, format)) = self.archive(bytes, Telling::First) else { return };
        let path = Path::new("an archive in git");
        walk.walk((bytes, format), path, &mut |_, found, token| {
            if found.evidence == Evidence::Proven || self.scan.keep_shaped {
                let token = Token::new(self.scan.detector, found, token);
                let place = (self.held().number(token).0, members::NOWHERE.0);
                // Where it stands in the archive's own bytes it may be told again.
                if !tokens.contains(&place) {
                    tokens.push(place);
                }
            }
        });
    }

    /// Adds a place, and the object that holds it.
    fn tell(&self, occurrence: Occurrence, place: &Traced<'_>, len: u64) {
        if let Some(trace) = place.trace.filter(|trace| trace.kind != Kind::Tree) {
            let (id, kind, offset) = (trace.object, trace.kind, place.offset);
            let object = HeldObject { id, kind, offset, len };
            self.collector.add_object(&occurrence.token, object);
        }
        if let Some(on_match) = self.scan.on_match {
            on_match(&occurrence);
        }
        self.collector.add(occurrence);
    }

    /// Adds the places of a token in the members of an archive; returns `true` if there are any.
    fn place_members(&self, token: &Token, place: &Traced<'_>) -> bool {
        let object = place.trace.map(|trace| Origin::Object(trace.object, trace.kind));
        let path =
            place.path.map_or_else(|| members::synthetic(object.unwrap_or(Origin::Stdin)), plain);
        let Some(places) = self.spans.members(self, &path, place) else { return false };
        let is_its = |it: &&Occurrence| {
            it.token.rule == token.rule && it.token.secret.expose() == token.secret.expose()
        };
        let mut is_any = false;
        for occurrence in places.iter().filter(is_its) {
            let mut occurrence = occurrence.clone();
            occurrence.location.trace = place.trace.map(Arc::clone);
            occurrence.location.standing = place.standing.cloned();
            self.tell(occurrence, place, members::NOWHERE.1);
            is_any = true;
        }
        is_any
    }

    /// Notes the tokens in the members of a git object, if it is an archive; tells whether it is.
    fn unpack(&self, (id, kind): (ObjectId, Kind), bytes: &[u8]) -> bool {
        let Some((walk, format)) = self.archive(bytes, Telling::First) else { return false };
        let path = members::synthetic(Origin::Object(id, kind));
        walk.walk((bytes, format), &path, &mut |_, found, token| {
            let (offset, len) = members::NOWHERE;
            self.note_span(found, token, (id, kind), (offset, len));
        });
        true
    }
}

impl Visitors for Workers<'_> {
    fn make(&self) -> Box<dyn ObjectVisitor + '_> {
        Box::new(Worker { shared: self, scratch: self.scratch(), part: Vec::new() })
    }

    fn find(&self, bytes: &[u8]) -> Vec<(u32, u64)> {
        let mut tokens = Vec::new();
        let mut scratch = self.scratch();
        let text = (bytes, Within::WHOLE);
        self.scan.detector.find(text, 0..bytes.len(), &mut scratch, |found, token| {
            let token = Token::new(self.scan.detector, found, token);
            let (number, is_new) = self.held().number(token);
            let is_shaped = found.evidence == Evidence::Shaped;
            add(&self.run.tally.shaped, u64::from(is_shaped && is_new));
            if !is_shaped || self.scan.keep_shaped {
                tokens.push((number, found.start as u64));
            }
        });
        if scratch.take_overrun() {
            members::tell_overrun(self.run, Origin::Stdin);
        }
        self.find_members(bytes, &mut tokens);
        tokens
    }

    fn has_held(&self) -> bool {
        !self.held().held.is_empty()
    }

    fn take_held(&self) -> Vec<Held> {
        let mut held = std::mem::take(&mut self.held().held);
        held.sort_unstable();
        held.dedup();
        let tokens = &self.held().tokens;
        for &Held { token, object, kind, offset, len } in &held {
            let object = HeldObject { id: object, kind, offset, len };
            self.collector.add_object(&tokens[token as usize], object);
        }
        held
    }

    fn hold(&self, token: u32, object: HeldObject) {
        let token = self.held().tokens[token as usize].clone();
        self.collector.add_object(&token, object);
    }

    fn place(&self, token: u32, place: &Traced<'_>) {
        let token = self.held().tokens[token as usize].clone();
        let at = place.offset as usize;
        let span = self.span(&token, place);
        if span.is_none() && (self.place_members(&token, place) || self.run.is_interrupted()) {
            return;
        }
        // A place is told, whatever stands there by now.
        let plain_len = token.secret.expose().len().min(place.bytes.len() - at);
        let bare = Span { len: plain_len, encoding: Encoding::PLAIN };
        let span = span.unwrap_or(bare);
        // All that packed content holds is at the place of the whole.
        let mut location = match span.encoding.is_plain() {
            true => self.location(place, span),
            false => self.spans.location(place, span, || self.location(place, span)),
        };
        location.trace = place.trace.map(Arc::clone);
        location.standing = place.standing.cloned();
        self.tell(Occurrence { token, location }, place, span.len as u64);
    }
}

/// Says what kind of bytes an origin has.
fn within(origin: Origin<'_>, offset: u64) -> Within {
    match origin {
        Origin::Object(_, Kind::Tree) => Within::Names,
        _ => Within::Text { offset },
    }
}

/// The names in which a tree's tokens must lie; `None` for what is no tree.
fn names<'a>(origin: Origin<'_>, bytes: &'a [u8]) -> Option<Names<'a>> {
    match origin {
        Origin::Object(id, Kind::Tree) => Some(Names::new(bytes, id.as_bytes().len())),
        _ => None,
    }
}

/// Where in an object tokens can begin: behind the ids with which commits begin, which are long enough
/// to be taken for encoded text, and are too short to be any.
fn own(kind: Kind, bytes: &[u8]) -> Range<usize> {
    let mut start = 0;
    if kind == Kind::Commit {
        while let Some(len) = id_line(&bytes[start..]) {
            start += len;
        }
    }
    start..bytes.len()
}

/// The length of a line that names a tree or a parent, if bytes begin with one.
fn id_line(bytes: &[u8]) -> Option<usize> {
    let word = [&b"tree "[..], b"parent "].into_iter().find(|word| bytes.starts_with(word))?;
    let line = &bytes[word.len()..];
    let len = [HashKind::Sha1, HashKind::Sha256]
        .map(|hash| 2 * hash.len())
        .into_iter()
        .find(|&len| line.get(len) == Some(&b'\n'))?;
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    line[..len].iter().all(is_digit).then_some(word.len() + len + 1)
}
