//! A scan: sources through the detector into findings.
//!
//! Input: sources and options. Output: an [`Outcome`], which is the same for the same input, whatever
//! the number of workers. It prints nothing; matches are reported during the scan through
//! [`Scan::on_match`].

mod held;
mod members;
mod options;
mod outcome;
mod reopened;
mod scope;
mod version;
mod worker;
mod workers;

pub use options::Scan;
pub use outcome::{Counts, Outcome, is_left_out};

use crate::blob::Origin;
use crate::detect::{Evidence, Within};
use crate::finding::{Collector, HeldObject};
use crate::lock::lock;
use crate::source::git::lfs::Pointer;
use crate::source::{Held, ObjectVisitor, Opened, Run, Source, Visitors};
use reopened::Reopened;
use std::sync::{Arc, Mutex};
use worker::Worker;
use workers::{Numbers, Workers};

impl Scan<'_> {
    /// Scans everything that the sources yield.
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
        Outcome {
            findings: workers.collector.finish(),
            diagnostics: run.take_diagnostics(),
            notes: run.take_notes(),
            repositories: run.take_repositories(),
            counts: Counts::of(&run.tally),
            unused: Vec::new(),
            interrupted: run.is_interrupted(),
        }
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
        std::mem::take(&mut *lock(&self.pointers)).into_iter().collect()
    }

    fn has_held(&self) -> bool {
        !self.held().held.is_empty()
    }

    fn take_held(&self) -> Vec<Held> {
        let mut held = std::mem::take(&mut self.held().held);
        held.sort_unstable();
        // An object that was read in windows has an entry for each window.
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
