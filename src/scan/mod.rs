//! A scan: sources through the detector into findings.
//!
//! In come sources and options; out comes an [`Outcome`] that is the same for the same input,
//! whatever the number of workers. It prints nothing; what is to be shown while the scan runs goes
//! through [`Scan::on_match`].

mod members;
mod reopened;
mod worker;

use crate::blob::{Context, Origin};
use crate::config::Exclude;
use crate::detect::{Detector, Evidence, Match, Scratch, Within};
use crate::finding::baseline::Roots;
use crate::finding::suppression::Unused;
use crate::finding::{
    Collector, Finding, Fingerprint, HeldObject, InlineAllow, Location, OnMatch, Part, Span,
    Standing, Token, Tokens, Told, context,
};
use crate::redact::Redactor;
use crate::source::archive::{ArchiveOptions, Format};
use crate::source::git::Names;
use crate::source::git::lfs::Pointer;
use crate::source::git::repositories::root_of;
use crate::source::{
    Diagnostic, Gap, Held, ObjectVisitor, Opened, Run, Scanned, Source, Visitors, add,
};
use ddpatrol_pack::{HashKind, Kind, ObjectId};
use members::{Telling, Walk};
use reopened::Reopened;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use worker::Worker;

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
            finding.locations.retain(|place| {
                let is_left_out = is_left_out(place, exclude, roots);
                left_out += if is_left_out { place.count() } else { 0 };
                !is_left_out
            });
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
            pointers: Mutex::default(),
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
    pointers: Mutex<BTreeSet<Pointer>>,
    run: &'a Run,
}

/// The tokens in git objects: each once, and which objects hold them.
#[derive(Default)]
struct HeldTokens {
    tokens: Vec<Arc<Token>>,
    numbers: HashMap<(Fingerprint, usize), u32>,
    held: Vec<Held>,
}

impl HeldTokens {
    /// Returns the number of a token; tells whether it is new.
    fn number(&mut self, token: &Token) -> (u32, bool) {
        let next = self.tokens.len() as u32;
        let number = *self.numbers.entry((token.fingerprint, token.rule)).or_insert(next);
        if number == next {
            self.tokens.push(Arc::new(token.clone()));
        }
        (number, number == next)
    }

    fn is_shaped(&self, number: u32) -> bool {
        self.tokens[number as usize].evidence == Evidence::Shaped
    }
}

/// The numbers of the tokens that one worker has met.
#[derive(Default)]
struct Numbers {
    tokens: Tokens,
    /// The number of each among those of all workers.
    shared: Vec<u32>,
}

impl Numbers {
    /// Returns the number of a token among those of all workers.
    fn of(&mut self, workers: &Workers<'_>, found: Match, secret: &[u8]) -> u32 {
        let own = self.tokens.number(workers.scan.detector, found, secret);
        if let Some(&known) = self.shared.get(own) {
            return known;
        }
        let (number, is_new) = workers.held().number(self.tokens.get(own));
        // History repeats itself: a look-alike in a thousand versions is one.
        let is_shaped = found.evidence == Evidence::Shaped;
        add(&workers.run.tally.shaped, u64::from(is_shaped && is_new));
        self.shared.push(number);
        number
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

    /// Notes the tokens that a git object holds, and empties the list of their spans.
    fn note(&self, (id, kind): (ObjectId, Kind), found: &mut Vec<(u32, Span)>) {
        if found.is_empty() {
            return;
        }
        found.sort_unstable();
        found.dedup();
        let mut held = self.held();
        for same in found.chunk_by(|a, b| a.0 == b.0) {
            let token = same[0].0;
            if self.scan.keep_shaped || !held.is_shaped(token) {
                let spans = same.iter().map(|it| it.1).collect();
                held.held.push(Held { token, object: HeldObject { id, kind, spans } });
            }
        }
        found.clear();
    }

    /// Tells whether bytes are an archive that is to be opened, and how it is walked.
    fn archive(&self, bytes: &[u8], telling: Telling) -> Option<(Walk<'_>, Format)> {
        let options = self.scan.archives.as_ref()?;
        let walk = Walk { scan: self.scan, options, run: self.run, telling };
        Some((walk, members::format(bytes)?))
    }

    /// Finds the tokens in the members of an archive.
    fn find_members(&self, bytes: &[u8], numbers: &mut Numbers) -> BTreeSet<u32> {
        let mut found_in_members = BTreeSet::new();
        let Some((walk, format)) = self.archive(bytes, Telling::First) else {
            return found_in_members;
        };
        let path = Path::new("an archive in git");
        walk.walk((bytes, format), path, &mut |_, found, token| {
            let number = numbers.of(self, found, token);
            if found.evidence == Evidence::Proven || self.scan.keep_shaped {
                found_in_members.insert(number);
            }
        });
        found_in_members
    }
}

impl Visitors for Workers<'_> {
    fn make(&self) -> Box<dyn ObjectVisitor + '_> {
        Box::new(Worker::new(self))
    }

    fn find(&self, bytes: &[u8]) -> Vec<(u32, u64)> {
        let (mut tokens, mut numbers) = (Vec::new(), Numbers::default());
        let mut scratch = self.scratch();
        let text = (bytes, Within::WHOLE);
        self.scan.detector.find(text, 0..bytes.len(), &mut scratch, |found, token| {
            let number = numbers.of(self, found, token);
            if found.evidence == Evidence::Proven || self.scan.keep_shaped {
                tokens.push((number, found.start as u64));
            }
        });
        if scratch.take_overrun() {
            members::tell_overrun(self.run, Origin::Stdin);
        }
        let in_members = self.find_members(bytes, &mut numbers);
        tokens.extend(in_members.into_iter().map(|token| (token, members::NOWHERE.offset)));
        tokens
    }

    fn take_pointers(&self) -> Vec<Pointer> {
        let mut pointers = self.pointers.lock().unwrap_or_else(|poison| poison.into_inner());
        std::mem::take(&mut *pointers).into_iter().collect()
    }

    fn has_held(&self) -> bool {
        !self.held().held.is_empty()
    }

    fn take_held(&self) -> Vec<Held> {
        let mut held = std::mem::take(&mut self.held().held);
        held.sort_unstable();
        // One that came in windows has an entry for each.
        held.dedup_by(|next, kept| {
            let mut both = vec![kept.object.clone(), next.object.clone()];
            HeldObject::tidy(&mut both);
            let is_same = next.token == kept.token && both.len() == 1;
            if is_same {
                kept.object = both.remove(0);
            }
            is_same
        });
        let tokens = &self.held().tokens;
        for it in &held {
            self.collector.add_object(&tokens[it.token as usize], it.object.clone());
        }
        held
    }

    fn hold(&self, token: u32, object: HeldObject) {
        let token = Arc::clone(&self.held().tokens[token as usize]);
        self.collector.add_object(&token, object);
    }

    fn open<'a>(&'a self, bytes: &'a [u8]) -> Box<dyn Opened + 'a> {
        Box::new(Reopened::new(self, bytes))
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
