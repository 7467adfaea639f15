//! Scans inputs with the detector and collects findings.
//!
//! Input: sources, and options. Output: an [`Outcome`], which does not depend on the number of
//! workers. It prints nothing; matches are reported during the scan through
//! [`Scan::listener`].

mod change;
mod describe;
mod engine;
mod history;
mod input;
mod members;
mod options;
mod outcome;
mod scope;
mod sightings;
mod version;
mod worker;

pub use input::Input;
pub use options::Scan;
pub use outcome::{Counts, Outcome, Strictness, is_excluded};

use crate::source::Run;
use engine::Engine;

impl Scan<'_> {
    /// Scans everything that the inputs yield.
    #[must_use]
    pub fn run(&self, inputs: &[Input], run: &Run) -> Outcome {
        let engine = Engine::new(self, run);
        for input in inputs {
            match input {
                Input::Source(source) => source.read(&engine, run),
                Input::Repositories(repositories) => {
                    history::scan_repositories(&engine, repositories);
                }
                Input::Change(change) => change::scan_change(&engine, &**change),
            }
        }
        Outcome {
            findings: engine.collector.finish(),
            diagnostics: run.take_diagnostics(),
            notes: run.take_notes(),
            repositories: run.take_repositories(),
            counts: Counts::of(&run.tally),
            unused: Vec::new(),
            unused_acknowledgments: Vec::new(),
            interrupted: run.is_interrupted(),
        }
    }
}
