//! The run of a scan, shared by all commands that scan.
//!
//! Input: a job and its sources. Output: reports and an exit code. The search itself is in `scan`, the
//! verification and revocation of its findings in `response`, the reports that are written while it runs in
//! `jsonl`.

mod jsonl;
mod response;
mod turns;

use self::jsonl::{JsonlFilter, JsonlStreams};
use super::args::{ReportFormat, RunArgs, SharedArgs};
use super::exit::{Exit, is_closed_pipe};
use super::messages::{install_redactor, print_error};
use super::next_steps::StepsInput;
use super::output::{Output, ReportOptions};
use super::policy::{BaselineMode, Policy, PolicySource};
use super::progress::Progress;
use super::verify::IssuerActions;
use crate::config::{Exclude, FailLevel};
use crate::detect::{Detector, Evidence};
use crate::redact::Redactor;
use crate::report::document::{
    self, DescribedRules, Document, DocumentBuilder, DocumentOptions, Note, Paths, Record,
};
use crate::report::escape;
use crate::report::next_steps::NextStepsContext;
use crate::rules::RuleSet;
use crate::scan::{Input, Outcome, Scan};
use crate::source::Run;
use anyhow::bail;
use ddpatrol_scan::blob::Context;
use ddpatrol_scan::finding::coverage::Coverage;
use ddpatrol_scan::finding::roots::Roots;
use ddpatrol_scan::finding::{Finding, context};
use ddpatrol_scan::quantity::count;
use ddpatrol_scan::workers::Workers;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Maximum number of issues printed to standard error.
const MAX_ISSUES: usize = 20;

/// The inputs of a scan.
pub(super) type Inputs = Vec<Input>;

/// Creates the sources, once the context of windows and the temporary files of the scan are known.
pub(super) type OpenSources<'a> = Box<dyn FnOnce(&ScanContext<'_>) -> anyhow::Result<Inputs> + 'a>;

/// A scan to run, and its policy.
pub(super) struct Job<'a> {
    pub(super) shared: &'a SharedArgs,
    /// Whether preexisting tokens fail the scan, too.
    pub(super) all: bool,
    /// The source of the policy.
    pub(super) source: PolicySource,
    /// The folders that paths are relative to.
    pub(super) roots: Roots,
    pub(super) baseline_mode: BaselineMode,
    /// The paths that the user names; empty for a change.
    pub(super) scanned: &'a [PathBuf],
    /// The context of the next steps.
    pub(super) steps: StepsInput,
    /// The part of the baseline that the scan covers, in which unused entries can be reported.
    pub(super) reach: Coverage,
    /// The report format if the user requests no report.
    pub(super) default_report: Option<ReportFormat>,
    /// Called after a scan that was not interrupted.
    pub(super) finish: &'a dyn Fn(&Finished<'_>) -> anyhow::Result<()>,
}

/// A completed scan.
pub(super) struct Finished<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) rules: &'a RuleSet,
    pub(super) policy: &'a Policy,
    pub(super) redactor: &'a Redactor,
}

/// The parts of a scan that sources need.
pub(super) struct ScanContext<'a> {
    pub(super) context: Context,
    /// Reports that are being written, which must not be scanned.
    pub(super) own: Vec<PathBuf>,
    pub(super) workers: Arc<Workers>,
    pub(super) run: Arc<Run>,
    pub(super) rules: &'a RuleSet,
    pub(super) keep_shaped: bool,
    pub(super) exclude: &'a Exclude,
    /// The folder that relative paths are relative to.
    pub(super) here: &'a Path,
}

/// Creates the workers of a scan.
pub(super) fn workers(args: &RunArgs) -> Arc<Workers> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Workers::new(args.threads.map_or_else(cores, usize::from)))
}

/// Runs a scan, writes its reports and returns its exit code.
pub(super) fn run(
    mut job: Job<'_>,
    sources: OpenSources<'_>,
    run: &Arc<Run>,
) -> anyhow::Result<Exit> {
    let started = Start { instant: Instant::now(), time: document::now() };
    let shared = job.shared;
    let roots = std::mem::take(&mut job.roots);
    let mut policy = Policy::read(shared, &job.source, roots, job.baseline_mode)?;
    policy.decisions.coverage = job.reach.clone();
    if let PolicySource::Folder(start) = &job.source {
        policy.read_folders(shared, start, job.scanned, job.baseline_mode);
    }
    std::mem::take(&mut policy.notes).into_iter().for_each(|note| run.note(note));
    let wanted = Arc::clone(&policy.rules);
    let redactor = install_redactor(&policy.known)?;
    // A second detector would double the time that preparing the search takes.
    let detector = if std::ptr::eq(redactor.detector().rules(), &*wanted) {
        Arc::clone(redactor.detector())
    } else {
        Arc::new(Detector::new(wanted)?)
    };
    let outputs = Output::open_all(&shared.output.reports()?, job.default_report)?;
    let context = job.steps.context(shared, redactor);
    let scan_run = ScanRun {
        job: &job,
        context: &context,
        args: shared,
        detector: &detector,
        redactor,
        policy: &policy,
        started,
    };
    scan_run.run(outputs, sources, run)
}

struct ScanRun<'a> {
    job: &'a Job<'a>,
    context: &'a NextStepsContext,
    args: &'a SharedArgs,
    detector: &'a Detector,
    redactor: &'a Redactor,
    policy: &'a Policy,
    started: Start,
}

/// The start of a scan.
struct Start {
    instant: Instant,
    time: String,
}

impl ScanRun<'_> {
    fn run(
        &self,
        outputs: Vec<Output>,
        sources: OpenSources<'_>,
        run: &Arc<Run>,
    ) -> anyhow::Result<Exit> {
        let paths = self.paths()?;
        let options = DocumentOptions {
            rules: self.detector.rules(),
            redactor: self.redactor,
            strict: self.args.strict,
            show_secrets: self.args.show_secrets,
            context: self.context,
            described: described_rules(&outputs),
        };
        let own = outputs.iter().filter_map(Output::temporary).collect();
        let (streams, reports): (Vec<Output>, Vec<Output>) =
            outputs.into_iter().partition(|output| output.format == ReportFormat::Jsonl);
        let policy = self.policy;
        let is_streamed = !streams.is_empty();
        let builder = DocumentBuilder::new(options, paths.clone());
        let filter = JsonlFilter { policy, all: self.job.all };
        let streams = JsonlStreams::new(streams, builder, options.rules, filter);
        let scan = Scan {
            detector: self.detector,
            redactor: self.redactor,
            inline: policy.inline,
            archives: self.args.archives.options(context(self.detector, self.redactor)),
            keep_shaped: self.args.show_shaped || policy.fail_on == FailLevel::Shaped,
            listener: is_streamed.then_some(&streams),
        };
        let workers = workers(&self.args.run);
        let actions = IssuerActions::new(&self.args.responding, run)?;
        let scan_context = ScanContext {
            context: scan.context(),
            own,
            workers,
            run: Arc::clone(run),
            rules: self.detector.rules(),
            keep_shaped: scan.keep_shaped,
            exclude: &policy.exclude,
            here: &policy.decisions.roots.here,
        };
        let sources = sources(&scan_context)?;
        let mut outcome = self.scan(&scan, &sources, run);
        let elapsed = self.started.instant.elapsed();
        let mut document = DocumentBuilder::new(options, paths).document(&outcome);
        document.start_time = Some(self.started.time.clone());
        let mut failure = None;
        let mut reports = reports;
        let shows_issues = reports.iter().any(Output::shows_issues) && !self.args.run.quiet;
        if !outcome.interrupted {
            let response = self.respond(&actions, &mut outcome, &mut document, &mut reports);
            failure = response.err();
        }
        document.end_time = Some(document::now());
        if let Err(error) = streams.finish(&document) {
            failure.get_or_insert(error);
        }
        let rules = self.detector.rules();
        if !outcome.interrupted
            && let Err(error) = (self.job.finish)(&Finished {
                outcome: &outcome,
                rules,
                policy,
                redactor: self.redactor,
            })
        {
            failure.get_or_insert(error);
        }
        if !shows_issues {
            self.print_issues(&document);
        }
        if let Err(error) = self.write_reports(&outcome, &document, reports, elapsed) {
            failure.get_or_insert(error);
        }
        self.exit(&outcome, &document, failure)
    }

    fn paths(&self) -> anyhow::Result<Paths> {
        let base = self.args.path_base.as_deref();
        if let Some(base) = base.filter(|base| !base.is_dir()) {
            bail!("invalid --path-base {}: not a directory", base.display());
        }
        Ok(Paths::new(&self.policy.decisions.roots, self.job.scanned, base))
    }

    /// Scans the sources, sets preexisting tokens aside and applies exclusions and decisions.
    fn scan(&self, scan: &Scan<'_>, sources: &Inputs, run: &Arc<Run>) -> Outcome {
        let shows_progress = !self.args.run.quiet && io::stderr().is_terminal();
        let progress = shows_progress.then(|| Progress::start(Arc::clone(run)));
        let mut outcome = scan.run(sources, run);
        run.finish();
        drop(progress);
        if !self.job.all {
            outcome.remove_preexisting();
        }
        let Policy { exclude, decisions, .. } = self.policy;
        outcome.remove_excluded(exclude, &decisions.roots);
        let unused_acknowledgments = self.policy.acknowledge(&mut outcome.diagnostics);
        let masker = &mut self.redactor.masker();
        let unused = self.policy.suppress(&mut outcome.findings, masker);
        outcome.notes.extend(self.policy.folder_notes());
        if !outcome.interrupted {
            outcome.unused = unused;
            outcome.unused_acknowledgments = unused_acknowledgments;
        }
        outcome
    }

    /// Writes all reports; returns the first failure.
    fn write_reports(
        &self,
        outcome: &Outcome,
        document: &Document,
        reports: Vec<Output>,
        elapsed: Duration,
    ) -> anyhow::Result<()> {
        let options = ReportOptions {
            color: self.args.run.color,
            quiet: self.args.run.quiet,
            elapsed: Some(elapsed),
            suppressed: self.args.suppressed(),
            listing: self.args.listing,
            failing: self.failing(outcome, document),
            context: self.context,
        };
        let written = reports.into_iter().map(|output| output.write(document, &options));
        // All reports are written, even if one of them fails.
        written.collect::<Vec<_>>().into_iter().collect()
    }

    /// Prints the issues of the scan to standard error.
    fn print_issues(&self, document: &Document) {
        // For a change or with --strict, both kinds of issues are errors, which --quiet prints.
        let is_short = self.args.run.quiet && !self.args.strict && !self.job.scanned.is_empty();
        let open = document.diagnostics.iter().filter(|it| it.acknowledged.is_none());
        let mut notes: Vec<&Note> = open.filter(|it| it.is_unread() || !is_short).collect();
        notes.sort_by_key(|it| !it.is_unread());
        // One more issue needs as many lines as their count.
        let most = if notes.len() <= MAX_ISSUES + 1 { notes.len() } else { MAX_ISSUES };
        for note in &notes[..most] {
            let _ = writeln!(io::stderr(), "ddpatrol: {}", escape::terminal(&note.line()));
        }
        if most < notes.len() {
            let more = count(notes.len() - most, "more item");
            print_error(&format!("{more} not scanned, which JSON reports list"));
        }
        if document.interrupted {
            print_error("interrupted: the report is incomplete");
        }
    }

    /// Returns the number of tokens that fail the scan.
    fn failing(&self, outcome: &Outcome, document: &Document) -> usize {
        let fails = |finding: &Finding, record: &Record| match self.policy.fail_on {
            FailLevel::Proven => finding.evidence == Evidence::Proven,
            FailLevel::Shaped => true,
            FailLevel::Live => record.is_verified_live(),
            FailLevel::Never => false,
        };
        outcome
            .findings
            .iter()
            .zip(&document.findings)
            .filter(|(finding, _)| finding.suppression.is_none())
            .filter(|(finding, it)| fails(finding, it) && (self.job.all || finding.is_new()))
            .count()
    }

    /// Returns the exit code of the scan.
    fn exit(
        &self,
        outcome: &Outcome,
        document: &Document,
        failure: Option<anyhow::Error>,
    ) -> anyhow::Result<Exit> {
        let failure = failure.filter(|error| !is_closed_pipe(error));
        if let Some(error) = &failure {
            print_error(&format!("{error:#}"));
        }
        Ok(if outcome.interrupted {
            Exit::Interrupted
        } else if self.failing(outcome, document) > 0 {
            Exit::Findings
        } else if failure.is_some() || !outcome.is_complete(self.args.strict.into()) {
            Exit::Failed
        } else {
            Exit::Clean
        })
    }
}

/// Returns the rules that the document must describe for these reports.
fn described_rules(outputs: &[Output]) -> DescribedRules {
    let is_sarif = |output: &Output| output.format == ReportFormat::Sarif;
    if outputs.iter().any(is_sarif) { DescribedRules::All } else { DescribedRules::Found }
}
