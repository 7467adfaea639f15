//! State that the workers of a scan share: findings, and tokens in git objects.
//!
//! Input: matches of workers. Output: the collector and the sightings. This file does not depend on sources.

use super::members::{self, Walk};
use super::options::Scan;
use super::sightings::{Novelty, Sightings};
use crate::detect::{Evidence, Match, Scratch};
use crate::source::archive::Format;
use crate::source::{Run, add};
use ddpatrol_scan::finding::{Collector, Location, Tokens, WorkerCollector};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::sighting::{EncodedSpan, Holder, Sighting, TokenKey, TokenNo};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// The state that all workers of a scan share.
pub(super) struct Engine<'a> {
    pub(super) scan: &'a Scan<'a>,
    pub(super) collector: Collector,
    sightings: Mutex<Sightings>,
    pub(super) run: &'a Run,
}

impl<'a> Engine<'a> {
    pub(super) fn new(scan: &'a Scan<'a>, run: &'a Run) -> Self {
        Self { scan, collector: Collector::default(), sightings: Mutex::default(), run }
    }

    pub(super) fn sightings(&self) -> MutexGuard<'_, Sightings> {
        lock(&self.sightings)
    }

    /// Takes the sightings since the last call.
    pub(super) fn take_sightings(&self) -> Vec<Sighting> {
        self.sightings().take()
    }

    /// Returns the keys of all tokens seen so far, by their numbers.
    pub(super) fn keys(&self) -> Vec<TokenKey> {
        self.sightings().keys()
    }

    /// Creates scratch space for one worker. Its searches end when the scan is interrupted.
    pub(super) fn scratch(&self) -> Scratch {
        Scratch::interruptible(self.run.stop_flag())
    }

    /// Records the tokens in the bytes of a holder, and empties the list of their spans.
    pub(super) fn record(&self, holder: Holder, found: &mut Vec<(TokenNo, EncodedSpan)>) {
        if found.is_empty() {
            return;
        }
        let new = super::sightings::sightings_in(holder, found);
        let mut sightings = self.sightings();
        for sighting in new {
            if self.scan.keep_shaped || !sightings.is_shaped(sighting.token) {
                sightings.add(sighting);
            }
        }
    }

    /// Returns the walk over the members of an archive, and its format; `None` if the bytes are not
    /// an archive, or if archives are not unpacked.
    fn archive(&self, bytes: &[u8]) -> Option<(Walk<'_>, Format)> {
        let options = self.scan.archives.as_ref()?;
        let walk = Walk { detector: self.scan.detector, options, run: self.run };
        Some((walk, members::format(bytes)?))
    }

    /// Records the tokens in the members of an archive; returns whether the bytes are one.
    pub(super) fn record_members(
        &self,
        holder: Holder,
        bytes: &[u8],
        numbers: &mut TokenNumbers,
    ) -> IsArchive {
        let Some((walk, format)) = self.archive(bytes) else { return IsArchive::No };
        let path = members::object_path(holder);
        let collector = Collector::default();
        let mut gatherer = WorkerCollector::new(self.scan.describer(), &collector, None);
        walk.walk(bytes, format, &path, &mut |window, found, secret| {
            numbers.of(self, found, secret);
            if found.evidence == Evidence::Proven || self.scan.keep_shaped {
                gatherer.add(window, (found, secret));
            }
        });
        drop(gatherer);
        for finding in collector.into_findings() {
            let token = finding.token();
            let members = finding.locations.into_iter().map(|it| below(it, &path)).collect();
            let mut sightings = self.sightings();
            let (token, _) = sightings.number(&token);
            sightings.add(Sighting { token, holder, spans: Arc::new([]), members });
        }
        IsArchive::Yes
    }
}

/// Whether bytes are an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsArchive {
    Yes,
    No,
}

/// Removes the path of the archive from the path of a location in a member.
fn below(location: Location, archive: &Path) -> Location {
    let cut = |path: &Path| {
        let bytes = path.as_os_str().as_encoded_bytes();
        let rest = bytes.strip_prefix(archive.as_os_str().as_encoded_bytes());
        members::path_from(rest.unwrap_or(bytes))
    };
    Location { path: location.path.as_deref().map(cut), ..location }
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
        if let Some(&known) = self.shared.get(own) {
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
