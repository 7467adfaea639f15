//! State that the workers of a scan share: findings, and tokens in git objects.
//!
//! Input: matches of workers. Output: the collector and the sightings. This file does not depend on sources.

use super::members::{ArchiveContent, IsArchive, Reporting, Walk};
use super::options::Scan;
use super::sightings::{Novelty, Sightings};
use crate::detect::{Evidence, Haystack, Match, Scratch};
use crate::source::{Run, Turn, add};
use ddpatrol_scan::finding::{Collector, Finding, Tokens, WorkerCollector};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::place::Place;
use ddpatrol_scan::sighting::{
    EncodedSpan, Holder, Placement, ShapedSighting, Sighting, TokenKey, TokenNo,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// The state that all workers of a scan share.
pub(super) struct Engine<'a> {
    pub(super) scan: &'a Scan<'a>,
    pub(super) collector: Collector,
    sightings: Mutex<Sightings>,
    /// The number of turns that sources have reserved.
    turns: AtomicU64,
    pub(super) run: &'a Run,
}

impl<'a> Engine<'a> {
    pub(super) fn new(scan: &'a Scan<'a>, run: &'a Run) -> Self {
        let (collector, sightings) = (Collector::default(), Mutex::default());
        Self { scan, collector, sightings, turns: AtomicU64::new(0), run }
    }

    pub(super) fn sightings(&self) -> MutexGuard<'_, Sightings> {
        lock(&self.sightings)
    }

    /// Reserves consecutive turns; returns the first.
    pub(super) fn reserve(&self, entries: usize) -> Turn {
        Turn(self.turns.fetch_add(entries as u64, Ordering::Relaxed))
    }

    /// Takes the sightings since the last call.
    pub(super) fn take_sightings(&self) -> Vec<Sighting> {
        self.sightings().take()
    }

    /// Returns the key of a token.
    pub(super) fn key_of(&self, token: TokenNo) -> TokenKey {
        TokenKey::from(&**self.sightings().token(token))
    }

    /// Sorts placements by holder, so that each holder is read once, and then by place and token. The numbers
    /// of tokens depend on the order in which workers found them, so they are not compared.
    pub(super) fn sort(&self, placements: &mut [Placement]) {
        let sightings = self.sightings();
        let key = |it: &Placement| TokenKey::from(&**sightings.token(it.token));
        let introduced = |it: &Placement| {
            let trace = it.trace.as_deref()?;
            Some((trace.order, trace.introduced.as_ref().map(|commit| commit.id)))
        };
        placements.sort_by(|a, b| {
            let by_holder = (a.holder, &a.name, a.part).cmp(&(b.holder, &b.name, b.part));
            let by_place = || (&a.path, introduced(a)).cmp(&(&b.path, introduced(b)));
            let by_token = || (&a.spans, key(a)).cmp(&(&b.spans, key(b)));
            by_holder.then_with(by_place).then_with(by_token)
        });
    }

    /// Creates scratch space for one worker. Its searches end when the scan is interrupted.
    pub(super) fn scratch(&self) -> Scratch {
        let scratch = Scratch::interruptible(self.run.stop_flag());
        if self.scan.archives.is_some() { scratch.collecting_archives() } else { scratch }
    }

    /// Returns the walk over the archives that blobs contain; `None` if archives are not unpacked.
    pub(super) fn walk(&self, reporting: Reporting) -> Option<Walk<'_>> {
        let options = self.scan.archives.as_ref()?;
        Some(Walk { detector: self.scan.detector, options, run: self.run, reporting })
    }

    /// Records the tokens in the bytes of a holder, and empties the list of their spans.
    pub(super) fn record(&self, holder: Holder, found: &mut Vec<(TokenNo, EncodedSpan)>) {
        if found.is_empty() {
            return;
        }
        let new = super::sightings::sightings_in(holder, found);
        let mut sightings = self.sightings();
        for sighting in new {
            let is_shaped = sightings.is_shaped(sighting.token);
            if is_shaped {
                sightings.add_shaped(sighting.token, holder);
            }
            if self.scan.keep_shaped || !is_shaped {
                sightings.add(sighting);
            }
        }
    }

    /// Counts shaped matches that an earlier scan has found, unless this scan has found them, too.
    pub(super) fn recall_shaped(&self, known: impl Iterator<Item = TokenKey>) {
        let mut sightings = self.sightings();
        let new = known.filter(|&key| sightings.recall_shaped(key) == Novelty::New).count();
        add(&self.run.tally.shaped, new as u64);
    }

    /// Takes the shaped matches in git objects since the last call.
    pub(super) fn take_shaped(&self) -> Vec<ShapedSighting> {
        self.sightings().take_shaped()
    }

    /// Records the tokens in the members of an archive, and of archives that are encoded in the bytes;
    /// returns whether there are any.
    pub(super) fn record_members(
        &self,
        holder: Holder,
        content: &ArchiveContent<'_>,
        numbers: &mut TokenNumbers,
    ) -> IsArchive {
        let Some(walk) = self.walk(Reporting::Full) else { return IsArchive::No };
        let mut tokens = BTreeSet::new();
        let is_archive = walk.content(content, &holder.place(), &mut |_, found, secret| {
            tokens.insert(numbers.of(self, found, secret));
        });
        let mut sightings = self.sightings();
        for token in tokens {
            if sightings.is_shaped(token) {
                sightings.add_shaped(token, holder);
                if !self.scan.keep_shaped {
                    continue;
                }
            }
            sightings.add(Sighting { token, holder, spans: Arc::new([]), is_in_members: true });
        }
        is_archive
    }

    /// Returns the findings in the members of an archive at a place, and in archives that are encoded in the
    /// bytes. They were searched before, so nothing is counted or reported again.
    pub(super) fn findings_in_members(&self, bytes: &[u8], place: &Place) -> Vec<Finding> {
        let Some(walk) = self.walk(Reporting::Silent) else { return Vec::new() };
        let mut scratch = self.scratch();
        let whole = 0..bytes.len();
        walk.detector.find(Haystack::whole(bytes), whole, &mut scratch, |_, _| {});
        let content = ArchiveContent { bytes, encoded: &scratch.take_archives() };
        let collector = Collector::default();
        let mut matches = WorkerCollector::new(self.scan.describer(), &collector, None);
        walk.content(&content, place, &mut |window, found, secret| {
            if found.evidence == Evidence::Proven || self.scan.keep_shaped {
                matches.add(window, found, secret);
            }
        });
        drop(matches);
        collector.into_findings().collect()
    }
}

/// The numbers of the tokens that one worker has found.
#[derive(Default)]
pub(super) struct TokenNumbers {
    tokens: Tokens,
    /// The shared number of each token.
    shared: Vec<TokenNo>,
}

impl TokenNumbers {
    /// Returns the shared number of a token.
    pub(super) fn of(&mut self, engine: &Engine<'_>, found: Match, secret: &[u8]) -> TokenNo {
        let own = self.tokens.number(engine.scan.detector, found, secret);
        if let Some(&known) = self.shared.get(own.index()) {
            return known;
        }
        let (number, novelty) = engine.sightings().number(self.tokens.get(own));
        // A shaped match in a thousand versions of a file is counted once.
        let is_new_shape = found.evidence == Evidence::Shaped && novelty == Novelty::New;
        add(&engine.run.tally.shaped, u64::from(is_new_shape));
        self.shared.push(number);
        number
    }
}
