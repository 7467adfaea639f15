//! What all commands that scan share: from sources to reports and an exit code.

use super::args::{ReportFormat, RunArgs, TellingArgs};
use super::decide::{Decided, Ground, Heed};
use super::exit::{Exit, is_closed_pipe};
use super::messages::{complain, install_redactor};
use super::output::{Output, Telling};
use super::progress::Progress;
use super::respond::Responding;
use super::signals;
use crate::config::{Exclude, Level};
use crate::detect::{Detector, Evidence};
use crate::redact::Redactor;
use crate::report::document::{Document, DocumentBuilder, DocumentOptions, Paths, Record};
use crate::report::{escape, json};
use crate::rules::RuleSet;
use crate::scan::{Input, Outcome, Scan, is_excluded};
use crate::source::Run;
use crate::source::git::repo::Operation;
use anyhow::bail;
use ddpatrol_scan::blob::Context;
use ddpatrol_scan::finding::baseline::{Reach, Roots};
use ddpatrol_scan::finding::{ChangeStatus, Finding, Fingerprint, Location, Occurrence, context};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::workers::Workers;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a command scans.
pub(super) type Inputs = Vec<Input>;

/// Makes the sources, once the context of windows and the files of the scan's own making are known.
pub(super) type Open<'a> = Box<dyn FnOnce(&Scene<'_>) -> anyhow::Result<Inputs> + 'a>;

/// What a command scans, and how it judges what it finds.
pub(super) struct Task<'a> {
    pub(super) telling: &'a TellingArgs,
    /// Whether tokens that the base of a change has fail, too.
    pub(super) all: bool,
    /// Where the configuration is from.
    pub(super) ground: Ground,
    /// Where paths count from.
    pub(super) roots: Roots,
    pub(super) heed: Heed,
    /// The paths that the user names; none for a change.
    pub(super) scanned: &'a [PathBuf],
    /// The merge or similar that the commit of what is staged ends.
    pub(super) operation: Option<Operation>,
    /// How far it looks: which decisions could be needed, so that those that are not are told.
    pub(super) reach: Reach,
    /// The report where the user asks for none.
    pub(super) default_report: Option<ReportFormat>,
    /// What follows a scan that was not interrupted.
    pub(super) finish: &'a dyn Fn(&Ended<'_>) -> anyhow::Result<()>,
}

/// A scan that has ended.
pub(super) struct Ended<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) rules: &'a RuleSet,
    pub(super) decided: &'a Decided,
    pub(super) gate: &'a Redactor,
}

/// What sources need to know of the scan.
pub(super) struct Scene<'a> {
    pub(super) context: Context,
    /// Reports that are being written.
    pub(super) own: Vec<PathBuf>,
    pub(super) workers: Arc<Workers>,
    pub(super) run: Arc<Run>,
    pub(super) rules: &'a RuleSet,
    pub(super) keep_shaped: bool,
    pub(super) exclude: &'a Exclude,
    /// The folder that relative paths count from.
    pub(super) here: &'a Path,
}

/// Prepares the workers of a scan.
pub(super) fn workers(args: &RunArgs) -> Arc<Workers> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Workers::new(args.threads.map_or_else(cores, usize::from)))
}

/// Runs a scan and tells its outcome.
pub(super) fn run(mut task: Task<'_>, sources: Open<'_>, run: &Arc<Run>) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let telling = task.telling;
    let roots = std::mem::take(&mut task.roots);
    let mut decided = Decided::read(telling, &task.ground, roots, task.heed)?;
    decided.decisions.reach = task.reach.clone();
    std::mem::take(&mut decided.notes).into_iter().for_each(|note| run.note(note));
    let all = Arc::new(decided.known.clone());
    let wanted = if telling.rules.only.is_empty() {
        Arc::new(decided.rules.clone())
    } else {
        Arc::new(decided.rules.restricted_to(&telling.rules.only)?)
    };
    let redactor = install_redactor(&all)?;
    let detector = Detector::new(wanted)?;
    let outputs = Output::open_all(&telling.reports, task.default_report)?;
    let session = Session {
        task: &task,
        args: telling,
        detector: &detector,
        redactor,
        decided: &decided,
        started,
    };
    session.run(outputs, sources, run)
}

struct Session<'a> {
    task: &'a Task<'a>,
    args: &'a TellingArgs,
    detector: &'a Detector,
    redactor: &'a Redactor,
    decided: &'a Decided,
    started: Instant,
}

impl Session<'_> {
    fn run(&self, outputs: Vec<Output>, sources: Open<'_>, run: &Arc<Run>) -> anyhow::Result<Exit> {
        let paths = self.paths()?;
        let options = DocumentOptions {
            rules: self.detector.rules(),
            redactor: self.redactor,
            strict: self.args.strict,
            show_secrets: self.args.show_secrets,
            operation: self.task.operation,
        };
        let own = outputs.iter().filter_map(Output::temporary).collect();
        let (streams, reports): (Vec<Output>, Vec<Output>) =
            outputs.into_iter().partition(|output| output.format == ReportFormat::Jsonl);
        let decided = self.decided;
        let is_streamed = !streams.is_empty();
        let builder = DocumentBuilder::new(options, paths.clone());
        let state = StreamState { outputs: streams, builder, failure: None, last: None };
        let streams = Streams { state: Mutex::new(state), rules: options.rules };
        let all = self.task.all;
        let on_match = |found: Occurrence<'_>| {
            let place = found.location;
            if (all || place.change_status != Some(ChangeStatus::Preexisting))
                && !is_excluded(place, &decided.exclude, &decided.decisions.roots)
            {
                streams.write(found, decided);
            }
        };
        let scan = Scan {
            detector: self.detector,
            redactor: self.redactor,
            inline: decided.inline,
            archives: self.args.archives.options(context(self.detector, self.redactor)),
            keep_shaped: self.args.show_shaped || decided.fail_on == Level::Shaped,
            on_match: is_streamed.then_some(&on_match),
        };
        let workers = workers(&self.args.run);
        let responding = Responding::new(&self.args.responding, run)?;
        let scene = Scene {
            context: scan.context(),
            own,
            workers,
            run: Arc::clone(run),
            rules: self.detector.rules(),
            keep_shaped: scan.keep_shaped,
            exclude: &decided.exclude,
            here: &decided.decisions.roots.here,
        };
        let sources = sources(&scene)?;
        let mut outcome = self.scan(&scan, &sources, run);
        let elapsed = self.started.elapsed();
        let mut document = DocumentBuilder::new(options, paths).document(&outcome);
        let mut failure = None;
        if !outcome.interrupted {
            failure = self.respond(&responding, &mut outcome, &mut document).err();
        }
        if let Err(error) = streams.finish(&document) {
            failure.get_or_insert(error);
        }
        let rules = self.detector.rules();
        if !outcome.interrupted
            && let Err(error) = (self.task.finish)(&Ended {
                outcome: &outcome,
                rules,
                decided,
                gate: self.redactor,
            })
        {
            failure.get_or_insert(error);
        }
        if let Err(error) = self.tell(&document, reports, elapsed) {
            failure.get_or_insert(error);
        }
        self.exit(&outcome, failure)
    }

    /// Asks issuers about the tokens and has them revoked, as far as the user wants that.
    fn respond(
        &self,
        responding: &Responding<'_>,
        outcome: &mut Outcome,
        document: &mut Document,
    ) -> anyhow::Result<()> {
        let responses = responding.respond(&outcome.findings, document)?;
        outcome.interrupted = signals::was_interrupted();
        document.interrupted = outcome.interrupted;
        document.add_responses(&responses, self.redactor);
        if responding.has_failed(&responses) {
            bail!("not every token was revoked");
        }
        Ok(())
    }

    fn paths(&self) -> anyhow::Result<Paths> {
        let base = self.args.path_base.as_deref();
        if let Some(base) = base.filter(|base| !base.is_dir()) {
            bail!("cannot use --path-base {}: not a directory", base.display());
        }
        Ok(Paths::new(&self.decided.decisions.roots, self.task.scanned, base))
    }

    /// Looks at what the sources hold, and sets aside what does not count.
    fn scan(&self, scan: &Scan<'_>, sources: &Inputs, run: &Arc<Run>) -> Outcome {
        let shows_progress = !self.args.run.quiet && io::stderr().is_terminal();
        let progress = shows_progress.then(|| Progress::start(Arc::clone(run)));
        let mut outcome = scan.run(sources, run);
        run.finish();
        drop(progress);
        if !self.task.all {
            outcome.remove_preexisting();
        }
        let Decided { exclude, decisions, .. } = self.decided;
        outcome.remove_excluded(exclude, &decisions.roots);
        let unused = decisions.apply(&mut outcome.findings, &mut self.redactor.masker());
        if !outcome.interrupted {
            outcome.unused = unused;
        }
        outcome
    }

    /// Writes all reports; returns the first failure.
    fn tell(
        &self,
        document: &Document,
        reports: Vec<Output>,
        elapsed: Duration,
    ) -> anyhow::Result<()> {
        let told = reports.iter().any(Output::shows_gaps);
        if !told || self.args.run.quiet {
            self.complain_of_gaps(document);
        }
        let telling = Telling {
            color: self.args.run.color,
            quiet: self.args.run.quiet,
            elapsed: Some(elapsed),
            suppressed: self.args.suppressed(),
        };
        let written = reports.into_iter().map(|output| output.write(document, &telling));
        // Every report is written, whatever became of the one before it.
        written.collect::<Vec<_>>().into_iter().collect()
    }

    /// Prints to standard error what was not looked at, where no report that people see tells it.
    fn complain_of_gaps(&self, document: &Document) {
        for note in &document.diagnostics {
            // Of a change, quiet hooks say what they have not read.
            if self.args.run.quiet && !note.is_unread() && !self.task.scanned.is_empty() {
                continue;
            }
            let path = note.path.as_ref().map(|path| format!("{}: ", path.text()));
            let text = format!("{}{}", path.unwrap_or_default(), note.message.text());
            let _ = writeln!(io::stderr(), "ddpatrol: {}", escape::terminal(&text));
        }
        if document.interrupted {
            complain("interrupted: the report is partial");
        }
    }

    /// Decides the exit code, in the one place where that is done.
    fn exit(&self, outcome: &Outcome, failure: Option<anyhow::Error>) -> anyhow::Result<Exit> {
        let failure = failure.filter(|error| !is_closed_pipe(error));
        if let Some(error) = &failure {
            complain(&format!("{error:#}"));
        }
        let fails = |evidence| match self.decided.fail_on {
            Level::Proven => evidence == Evidence::Proven,
            Level::Shaped => true,
            Level::Never => false,
        };
        Ok(if outcome.interrupted {
            Exit::Interrupted
        } else if outcome
            .findings
            .iter()
            .filter(|finding| finding.suppression.is_none())
            .any(|finding| fails(finding.evidence) && (self.task.all || finding.is_new()))
        {
            Exit::Found
        } else if failure.is_some() || !outcome.is_complete(self.args.strict) {
            Exit::Failed
        } else {
            Exit::Good
        })
    }
}

/// The reports that are written line by line while the scan runs.
struct Streams<'a> {
    /// All workers write to the same outputs, so the record of a match is made under their lock, too.
    state: Mutex<StreamState<'a>>,
    rules: &'a RuleSet,
}

struct StreamState<'a> {
    outputs: Vec<Output>,
    builder: DocumentBuilder<'a>,
    /// The first failure to write.
    failure: Option<anyhow::Error>,
    /// The match that was written last.
    last: Option<LastMatch>,
}

/// A match that was written, and what was written of it.
struct LastMatch {
    fingerprint: Fingerprint,
    location: Location,
    record: Record,
}

impl StreamState<'_> {
    /// Returns the record of a match that differs from the last one in its position only.
    fn again(&mut self, found: Occurrence<'_>, rules: &RuleSet) -> Option<&Record> {
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

impl Streams<'_> {
    /// Writes one match; after a failure nothing more.
    fn write(&self, found: Occurrence<'_>, decided: &Decided) {
        let mut state = lock(&self.state);
        if state.failure.is_some() {
            return;
        }
        if state.again(found, self.rules).is_none() {
            let mut finding = [Finding::from(found)];
            decided.decisions.apply(&mut finding, state.builder.masker());
            let [finding] = &finding;
            let record = state.builder.occurrence(finding);
            state.last = Some(LastMatch {
                fingerprint: found.token.fingerprint,
                location: found.location.clone(),
                record,
            });
        }
        let StreamState { outputs, failure, last, .. } = &mut *state;
        let Some(last) = last else { return };
        for output in outputs {
            if let Err(error) = json::write_match(&last.record, output.writer()) {
                failure.get_or_insert(error.into());
            }
        }
    }

    /// Writes what follows the matches.
    fn finish(self, document: &Document) -> anyhow::Result<()> {
        let state = self.state.into_inner().unwrap_or_else(|poison| poison.into_inner());
        let StreamState { outputs, failure, .. } = state;
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
