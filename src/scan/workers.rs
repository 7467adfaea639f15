//! The state that the workers of a scan share: the findings so far, and the tokens in git objects.
//!
//! Workers hand in matches; the collector and the list of held tokens come out. It creates no worker.

use super::held::HeldTokens;
use super::members::{self, Telling, Walk};
use super::options::Scan;
use crate::detect::{Evidence, Match, Scratch};
use crate::finding::{Collector, HeldObject, Span, Tokens};
use crate::lock::lock;
use crate::source::archive::Format;
use crate::source::git::lfs::Pointer;
use crate::source::{Held, Run, add};
use ddpatrol_pack::{Kind, ObjectId};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

/// The state that all workers of a scan share.
pub(super) struct Workers<'a> {
    pub(super) scan: &'a Scan<'a>,
    pub(super) collector: Collector,
    pub(super) held: Mutex<HeldTokens>,
    pub(super) pointers: Mutex<BTreeSet<Pointer>>,
    pub(super) run: &'a Run,
}

impl Workers<'_> {
    pub(super) fn held(&self) -> MutexGuard<'_, HeldTokens> {
        lock(&self.held)
    }

    /// Creates scratch space for one worker. Its searches end when the scan is interrupted.
    pub(super) fn scratch(&self) -> Scratch {
        Scratch::interruptible(self.run.stop_flag())
    }

    /// Records the tokens that a git object holds, and empties the list of their spans.
    pub(super) fn note(&self, (id, kind): (ObjectId, Kind), found: &mut Vec<(u32, Span)>) {
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

    /// Returns the walk and the format for bytes that are an archive; `None` if they are not, or if
    /// archives are not unpacked.
    pub(super) fn archive(&self, bytes: &[u8], telling: Telling) -> Option<(Walk<'_>, Format)> {
        let options = self.scan.archives.as_ref()?;
        let walk = Walk { detector: self.scan.detector, options, run: self.run, telling };
        Some((walk, members::format(bytes)?))
    }

    /// Finds the tokens in the members of an archive.
    pub(super) fn find_members(&self, bytes: &[u8], numbers: &mut Numbers) -> BTreeSet<u32> {
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

/// The numbers of the tokens that one worker has found.
#[derive(Default)]
pub(super) struct Numbers {
    tokens: Tokens,
    /// The number of each among those of all workers.
    shared: Vec<u32>,
}

impl Numbers {
    /// Returns the number of a token among those of all workers.
    pub(super) fn of(&mut self, workers: &Workers<'_>, found: Match, secret: &[u8]) -> u32 {
        let own = self.tokens.number(workers.scan.detector, found, secret);
        if let Some(&known) = self.shared.get(own) {
            return known;
        }
        let (number, is_new) = workers.held().number(self.tokens.get(own));
        // A shaped match in a thousand versions of a file is counted once.
        let is_shaped = found.evidence == Evidence::Shaped;
        add(&workers.run.tally.shaped, u64::from(is_shaped && is_new));
        self.shared.push(number);
        number
    }
}
