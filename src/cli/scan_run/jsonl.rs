//! JSONL reports, which are written while the scan runs.
//!
//! Input: matches of all workers, and the document at the end. Output: a line for each.

use crate::cli::output::Output;
use crate::cli::policy::Policy;
use crate::report::document::{Document, DocumentBuilder, Record};
use crate::report::json;
use crate::rules::RuleSet;
use ddpatrol_scan::finding::{Finding, Fingerprint, Location, Occurrence};
use ddpatrol_scan::lock::lock;
use std::sync::Mutex;

/// The JSONL reports of a scan.
pub(super) struct JsonlStreams<'a> {
    /// All workers write to the same outputs, so the record of a match is also created under this lock.
    state: Mutex<JsonlState<'a>>,
    rules: &'a RuleSet,
}

struct JsonlState<'a> {
    outputs: Vec<Output>,
    builder: DocumentBuilder<'a>,
    /// The first write error.
    failure: Option<anyhow::Error>,
    /// The last written match.
    last: Option<LastMatch>,
}

/// A written match and its record.
struct LastMatch {
    fingerprint: Fingerprint,
    location: Location,
    record: Record,
}

impl JsonlState<'_> {
    /// Returns the record of a match that differs from the last match only in its position.
    fn repeated(&mut self, found: Occurrence<'_>, rules: &RuleSet) -> Option<&Record> {
        let Occurrence { token, location } = found;
        let last = self.last.as_mut()?;
        let is_again = last.fingerprint == token.fingerprint
            && last.record.rule == rules.rules()[token.rule].id
            && last.location.differs_in_position_only(location);
        let place = last.record.locations.first_mut().filter(|_| is_again)?;
        place.move_to(location);
        Some(&last.record)
    }
}

impl<'a> JsonlStreams<'a> {
    /// Creates the state of the reports that are written to `outputs`.
    pub(super) fn new(
        outputs: Vec<Output>,
        builder: DocumentBuilder<'a>,
        rules: &'a RuleSet,
    ) -> Self {
        let state = JsonlState { outputs, builder, failure: None, last: None };
        Self { state: Mutex::new(state), rules }
    }

    /// Writes one match; does nothing after a write error.
    pub(super) fn write(&self, found: Occurrence<'_>, policy: &Policy) {
        let mut state = lock(&self.state);
        if state.failure.is_some() {
            return;
        }
        if state.repeated(found, self.rules).is_none() {
            let mut finding = [Finding::from(found)];
            policy.suppress(&mut finding, state.builder.masker());
            let [finding] = &finding;
            let record = state.builder.occurrence(finding);
            state.last = Some(LastMatch {
                fingerprint: found.token.fingerprint,
                location: found.location.clone(),
                record,
            });
        }
        let JsonlState { outputs, failure, last, .. } = &mut *state;
        let Some(last) = last else { return };
        for output in outputs {
            if let Err(error) = json::write_match(&last.record, output.writer()) {
                failure.get_or_insert(error.into());
            }
        }
    }

    /// Writes the lines after the matches.
    pub(super) fn finish(self, document: &Document) -> anyhow::Result<()> {
        let state = self.state.into_inner().unwrap_or_else(|poison| poison.into_inner());
        let JsonlState { outputs, failure, .. } = state;
        if let Some(error) = failure {
            return Err(error);
        }
        for mut output in outputs {
            json::write_end(document, output.writer())?;
            output.finish()?;
        }
        Ok(())
    }
}
