//! JSONL reports, which are written while the scan runs.
//!
//! Input: matches of all workers, and the document at the end. Output: a line for each, in the
//! order of the files and git objects that contain the matches, whatever the number of workers.

use super::turns::{TurnLock, TurnState};
use crate::cli::output::Output;
use crate::cli::policy::Policy;
use crate::report::document::{Document, DocumentBuilder, Record};
use crate::report::json;
use crate::rules::RuleSet;
use crate::scan::is_excluded;
use ddpatrol_scan::Turn;
use ddpatrol_scan::finding::{
    ChangeStatus, Finding, Fingerprint, Location, MatchListener, Occurrence,
};

/// The number of bytes of lines whose turn has not come at which workers wait.
const MAX_KEPT: usize = 16 << 20;

/// The matches that are written.
#[derive(Clone, Copy)]
pub(super) struct JsonlFilter<'a> {
    pub(super) policy: &'a Policy,
    /// Whether preexisting tokens are written, too.
    pub(super) all: bool,
}

impl JsonlFilter<'_> {
    fn has(&self, place: &Location) -> bool {
        let is_shown = self.all || place.change_status != Some(ChangeStatus::Preexisting);
        is_shown && !is_excluded(place, &self.policy.exclude, &self.policy.decisions.roots)
    }
}

/// The JSONL reports of a scan.
pub(super) struct JsonlStreams<'a> {
    /// All workers write to the same outputs, so the record of a match is also created under this lock.
    state: TurnLock<JsonlState<'a>>,
    rules: &'a RuleSet,
    filter: JsonlFilter<'a>,
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
            && last.record.rule == rules[token.rule].id
            && last.location.differs_in_position_only(location);
        let place = last.record.locations.first_mut().filter(|_| is_again)?;
        place.move_to(location);
        Some(&last.record)
    }
}

impl JsonlState<'_> {
    /// Returns the record of a match.
    fn record(&mut self, found: Occurrence<'_>, streams: &JsonlStreams<'_>) -> Option<&Record> {
        if self.repeated(found, streams.rules).is_none() {
            let mut finding = [Finding::from(found)];
            streams.filter.policy.suppress(&mut finding, self.builder.masker());
            let [finding] = &finding;
            let record = self.builder.occurrence(finding);
            self.last = Some(LastMatch {
                fingerprint: found.token.fingerprint,
                location: found.location.clone(),
                record,
            });
        }
        self.last.as_ref().map(|last| &last.record)
    }

    /// Writes lines to all outputs.
    fn write(&mut self, lines: &[u8]) {
        if lines.is_empty() || self.failure.is_some() {
            return;
        }
        for output in &mut self.outputs {
            let writer = output.writer();
            if let Err(error) = writer.write_all(lines).and_then(|()| writer.flush()) {
                self.failure.get_or_insert(error.into());
            }
        }
    }
}

impl MatchListener for JsonlStreams<'_> {
    /// Writes one match, or keeps its line until its turn; does nothing after a write error.
    fn found(&self, turn: Option<Turn>, occurrence: Occurrence<'_>) {
        if !self.filter.has(occurrence.location) {
            return;
        }
        let mut state = self.state.lock(turn);
        let TurnState { turns, output } = &mut *state;
        if output.failure.is_some() {
            return;
        }
        let mut line = Vec::new();
        let written = output.record(occurrence, self).map(|it| json::write_match(it, &mut line));
        if let Some(Err(error)) = written {
            output.failure.get_or_insert(error.into());
            return;
        }
        match turn.filter(|turn| !turns.is_due(*turn)) {
            Some(turn) => turns.keep(turn, &line),
            None => output.write(&line),
        }
    }

    fn end(&self, turn: Turn) {
        self.state.end(turn, |output, due| output.write(due));
    }
}

impl<'a> JsonlStreams<'a> {
    /// Creates the state of the reports that are written to `outputs`.
    pub(super) fn new(
        outputs: Vec<Output>,
        builder: DocumentBuilder<'a>,
        rules: &'a RuleSet,
        filter: JsonlFilter<'a>,
    ) -> Self {
        let state = JsonlState { outputs, builder, failure: None, last: None };
        Self { state: TurnLock::new(state, MAX_KEPT), rules, filter }
    }

    /// Writes the lines after the matches.
    pub(super) fn finish(self, document: &Document) -> anyhow::Result<()> {
        let JsonlState { outputs, failure, .. } = self.state.into_output();
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
