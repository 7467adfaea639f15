//! A scan: sources through the detector into findings.
//!
//! In come sources and options; out comes an [`Outcome`] that is the same for the same input,
//! whatever the number of workers. It prints nothing; what is to be shown while the scan runs goes
//! through [`Scan::on_match`].

use crate::blob::Blob;
use crate::detect::{Detector, Evidence, Match, Scratch};
use crate::finding::{Collector, Finding, Occurrence, context};
use crate::report::redact::Redactor;
use crate::source::window::Context;
use crate::source::{Diagnostic, Gap, Run, Source, Visitor, Visitors, add};
use std::sync::atomic::Ordering;

/// How many bytes are searched between two looks at the wish to stop, so that even a blob made of
/// look-alikes is left within a tenth of a second.
const STRETCH: usize = 8 * 1024;

/// Takes every match as it is found, on the worker that found it.
pub type OnMatch<'a> = &'a (dyn Fn(&Occurrence) + Sync);

/// How to scan.
pub struct Scan<'a> {
    /// What finds tokens.
    pub detector: &'a Detector,
    /// What masks them.
    pub redactor: &'a Redactor,
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
    /// What was looked at and left out.
    pub counts: Counts,
    /// Whether the scan was interrupted.
    pub interrupted: bool,
}

/// The counts of a finished scan; see [`crate::source::Tally`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is documented at the tally it is read from")]
pub struct Counts {
    pub files: u64,
    pub bytes: u64,
    pub shaped: u64,
    pub ignored: u64,
    pub excluded: u64,
    pub too_large: u64,
    pub symlinks: u64,
    pub special: u64,
    pub git_folders: u64,
}

impl Outcome {
    /// Tells whether everything that was to be looked at was: under `strict`, also what is opaque.
    #[must_use]
    pub fn is_complete(&self, strict: bool) -> bool {
        let matters = |gap: &Diagnostic| strict || gap.kind == Gap::Unread;
        !self.interrupted && !self.diagnostics.iter().any(matters)
    }
}

impl Scan<'_> {
    /// Returns the context that windows must keep for this scan.
    #[must_use]
    pub fn context(&self) -> Context {
        context(self.detector, self.redactor)
    }

    /// Looks at everything that the sources hold.
    #[must_use]
    pub fn run(&self, sources: &[Box<dyn Source + '_>], run: &Run) -> Outcome {
        let workers = Workers { scan: self, collector: Collector::default(), run };
        for source in sources {
            source.visit(&workers, run);
        }
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let tally = &run.tally;
        Outcome {
            findings: workers.collector.finish(),
            diagnostics: run.take_diagnostics(),
            counts: Counts {
                files: count(&tally.files),
                bytes: count(&tally.bytes),
                shaped: count(&tally.shaped),
                ignored: count(&tally.ignored),
                excluded: count(&tally.excluded),
                too_large: count(&tally.too_large),
                symlinks: count(&tally.symlinks),
                special: count(&tally.special),
                git_folders: count(&tally.git_folders),
            },
            interrupted: run.is_interrupted(),
        }
    }
}

/// Makes one worker per thread.
struct Workers<'a> {
    scan: &'a Scan<'a>,
    collector: Collector,
    run: &'a Run,
}

impl Visitors for Workers<'_> {
    fn make(&self) -> Box<dyn Visitor + '_> {
        Box::new(Worker { shared: self, scratch: Scratch::default() })
    }
}

struct Worker<'a> {
    shared: &'a Workers<'a>,
    scratch: Scratch,
}

impl Visitor for Worker<'_> {
    fn visit(&mut self, blob: &Blob<'_>) {
        let Workers { scan, collector, run } = self.shared;
        // Matches come in ascending order, so that one walk over the blob positions all of them.
        let (mut at, mut position) = (0, blob.position);
        let mut on_match = |found: Match| {
            if run.is_interrupted() {
                return;
            }
            if found.evidence == Evidence::Shaped {
                add(&run.tally.shaped, 1);
                if !scan.keep_shaped {
                    return;
                }
            }
            position.advance(&blob.bytes[at..found.start]);
            at = found.start;
            let tools = (scan.detector, scan.redactor);
            let occurrence = Occurrence::new(tools, blob, found, position);
            if let Some(on_match) = scan.on_match {
                on_match(&occurrence);
            }
            collector.add(occurrence);
        };
        for start in blob.own.clone().step_by(STRETCH) {
            if run.is_interrupted() {
                return;
            }
            let stretch = start..blob.own.end.min(start + STRETCH);
            scan.detector.find(blob.bytes, stretch, &mut self.scratch, &mut on_match);
        }
    }
}
