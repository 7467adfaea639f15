//! What all commands that scan share: from sources to reports and an exit code.

use super::args::{Color, FailOn, ReportFormat, TellingArgs};
use super::output::Output;
use super::progress::Progress;
use super::respond::Responding;
use super::{Exit, GATE, complain, is_closed_pipe, load_rules};
use crate::detect::{Detector, Evidence};
use crate::finding::{InlineAllow, Occurrence, Standing};
use crate::report::document::{Document, DocumentOptions};
use crate::report::redact::Redactor;
use crate::report::text::TextOptions;
use crate::report::{escape, github, html, json, markdown, sarif, text};
use crate::rules::RuleSet;
use crate::scan::{Outcome, Scan};
use crate::source::window::Context;
use crate::source::{Run, Source};
use anyhow::Context as _;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a command scans.
pub(super) type Sources = Vec<Box<dyn Source>>;

/// What a command scans, and how it judges what it finds.
pub(super) struct Task<'a> {
    pub(super) telling: &'a TellingArgs,
    /// Whether tokens that the base of a change has fail, too.
    pub(super) all: bool,
    /// Makes the sources, once the context of windows and the files of the scan's own making are
    /// known.
    pub(super) sources: &'a dyn Fn(&Scene<'_>) -> anyhow::Result<Sources>,
    /// What follows a scan that was not interrupted.
    pub(super) finish: &'a dyn Fn() -> anyhow::Result<()>,
}

/// What sources need to know of the scan.
pub(super) struct Scene<'a> {
    pub(super) context: Context,
    /// Reports that are being written.
    pub(super) own: Vec<PathBuf>,
    pub(super) threads: usize,
    pub(super) run: Arc<Run>,
    pub(super) rules: &'a RuleSet,
    pub(super) keep_shaped: bool,
}

/// Runs a scan and tells its outcome.
pub(super) fn run(args: &Task<'_>) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let telling = args.telling;
    let known = load_rules(&telling.rules.added)?;
    let all = Arc::new(known);
    let wanted = if telling.rules.only.is_empty() {
        Arc::clone(&all)
    } else {
        Arc::new(all.restricted_to(&telling.rules.only)?)
    };
    let gate = Redactor::new(Detector::new(all)?);
    let redactor = GATE.get_or_init(|| gate);
    let detector = Detector::new(wanted)?;
    let outputs = Output::open_all(&telling.reports)?;
    let run = Arc::new(Run::default());
    stop_on_signal(&run)?;
    let session = Session { task: args, args: telling, detector: &detector, redactor, started };
    session.run(outputs, &run)
}

/// Asks the workers to stop at the first signal and ends at once at the second.
pub(super) fn stop_on_signal(run: &Arc<Run>) -> anyhow::Result<()> {
    let run = Arc::clone(run);
    ctrlc::set_handler(move || {
        if run.is_interrupted() {
            #[expect(clippy::exit, reason = "the user asked twice; reports are lost knowingly")]
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        run.interrupt();
    })
    .context("signals cannot be handled")
}

struct Session<'a> {
    task: &'a Task<'a>,
    args: &'a TellingArgs,
    detector: &'a Detector,
    redactor: &'a Redactor,
    started: Instant,
}

impl Session<'_> {
    fn run(&self, outputs: Vec<Output>, run: &Arc<Run>) -> anyhow::Result<Exit> {
        let root = std::env::current_dir().ok();
        let telling = DocumentOptions {
            rules: self.detector.rules(),
            redactor: self.redactor,
            strict: self.args.strict,
            show_secrets: self.args.show_secrets,
            root: root.as_deref(),
        };
        let own = outputs.iter().filter_map(Output::temporary).collect();
        let (streams, reports): (Vec<Output>, Vec<Output>) =
            outputs.into_iter().partition(|output| output.format == ReportFormat::Jsonl);
        let streams = Streams { outputs: Mutex::new((streams, None)), telling };
        let all = self.task.all;
        let on_match = |found: &Occurrence| {
            if all || found.location.standing != Some(Standing::AlreadyThere) {
                streams.write(found);
            }
        };
        let scan = Scan {
            detector: self.detector,
            redactor: self.redactor,
            inline: InlineAllow::Counts,
            keep_shaped: self.args.show_shaped || self.args.fail_on == FailOn::Shaped,
            on_match: Some(&on_match),
        };
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.args.run.threads.map_or_else(cores, usize::from);
        let responding = Responding::new(&self.args.responding, run)?;
        let scene = Scene {
            context: scan.context(),
            own,
            threads,
            run: Arc::clone(run),
            rules: self.detector.rules(),
            keep_shaped: scan.keep_shaped,
        };
        let sources = (self.task.sources)(&scene)?;
        let progress = self.shows_progress().then(|| Progress::start(Arc::clone(run)));
        let mut outcome = scan.run(&sources, run);
        drop(progress);
        if !self.task.all {
            outcome.set_known_aside();
        }
        let elapsed = self.started.elapsed();
        let mut document = telling.document(&outcome);
        let mut failure = None;
        if !outcome.interrupted {
            match responding.respond(&outcome.findings, &document) {
                Ok(responses) => {
                    outcome.interrupted = run.is_interrupted();
                    document.interrupted = outcome.interrupted;
                    document.answer(&responses, self.redactor);
                    if responding.has_failed(&responses) {
                        failure = Some(anyhow::anyhow!("not every token was revoked"));
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        if let Err(error) = streams.finish(&document) {
            failure.get_or_insert(error);
        }
        if !outcome.interrupted
            && let Err(error) = (self.task.finish)()
        {
            failure.get_or_insert(error);
        }
        let told = reports.iter().any(Output::shows_gaps);
        if !told || self.args.run.quiet {
            self.complain_of_gaps(&document);
        }
        for output in reports {
            if let Err(error) = self.write(&document, elapsed, output) {
                failure.get_or_insert(error);
            }
        }
        self.exit(&outcome, failure)
    }

    fn shows_progress(&self) -> bool {
        !self.args.run.quiet && io::stderr().is_terminal()
    }

    fn colors(&self, output: &Output) -> bool {
        match self.args.run.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                output.is_stdout() && io::stdout().is_terminal() && !refused && !dumb
            }
        }
    }

    /// Prints to standard error what was not looked at, where no report that people see tells it.
    fn complain_of_gaps(&self, document: &Document) {
        for note in &document.diagnostics {
            if self.args.run.quiet && !note.is_unread() {
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

    fn write(
        &self,
        document: &Document,
        elapsed: Duration,
        mut output: Output,
    ) -> anyhow::Result<()> {
        let options =
            TextOptions { color: self.colors(&output), quiet: self.args.run.quiet, elapsed };
        let format = output.format;
        let out = output.writer();
        match format {
            ReportFormat::Text => text::write(document, options, out)?,
            ReportFormat::Json => json::write(document, out)?,
            ReportFormat::Sarif => sarif::write(document, out)?,
            ReportFormat::Html => html::write(document, out)?,
            ReportFormat::Markdown => markdown::write(document, out)?,
            ReportFormat::Github => github::write(document, out)?,
            ReportFormat::Jsonl => {}
        }
        output.finish()
    }

    /// Decides the exit code, in the one place where that is done.
    fn exit(&self, outcome: &Outcome, failure: Option<anyhow::Error>) -> anyhow::Result<Exit> {
        let failure = failure.filter(|error| !is_closed_pipe(error));
        if let Some(error) = &failure {
            complain(&format!("{error:#}"));
        }
        let fails = |evidence| match self.args.fail_on {
            FailOn::Proven => evidence == Evidence::Proven,
            FailOn::Shaped => true,
            FailOn::Never => false,
        };
        Ok(if outcome.interrupted {
            Exit::Interrupted
        } else if outcome
            .findings
            .iter()
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

/// The reports that are written line by line while the scan runs, and the first failure to write.
struct Streams<'a> {
    outputs: Mutex<(Vec<Output>, Option<anyhow::Error>)>,
    telling: DocumentOptions<'a>,
}

impl Streams<'_> {
    /// Writes one match; after a failure nothing more.
    fn write(&self, found: &Occurrence) {
        let mut guard = self.outputs.lock().unwrap_or_else(|poison| poison.into_inner());
        let (outputs, failure) = &mut *guard;
        if outputs.is_empty() || failure.is_some() {
            return;
        }
        let record = self.telling.occurrence(found);
        for output in outputs {
            if let Err(error) = json::write_match(&record, output.writer()) {
                failure.get_or_insert(error.into());
            }
        }
    }

    /// Writes what follows the matches.
    fn finish(self, document: &Document) -> anyhow::Result<()> {
        let (outputs, failure) =
            self.outputs.into_inner().unwrap_or_else(|poison| poison.into_inner());
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
