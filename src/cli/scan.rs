//! `ddpatrol scan`.

use super::args::{Color, FailOn, ReportFormat, ScanArgs};
use super::output::Output;
use super::progress::Progress;
use super::{Exit, GATE, complain, is_closed_pipe, load_rules};
use crate::detect::{Detector, Evidence};
use crate::finding::Occurrence;
use crate::report::document::{Document, DocumentOptions};
use crate::report::redact::Redactor;
use crate::report::text::TextOptions;
use crate::report::{escape, json, sarif, text};
use crate::scan::{Outcome, Scan};
use crate::source::files::{Files, FilesOptions, Met};
use crate::source::git::history::HistoryOptions;
use crate::source::git::repo::Repository;
use crate::source::git::repositories::Repositories;
use crate::source::stdin::Stdin;
use crate::source::window::Context;
use crate::source::{Run, Source};
use anyhow::Context as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub(super) fn run(args: &ScanArgs) -> anyhow::Result<Exit> {
    let started = Instant::now();
    let known = load_rules(&args.rules.added)?;
    let all = Arc::new(known);
    let wanted = if args.rules.only.is_empty() {
        Arc::clone(&all)
    } else {
        Arc::new(all.restricted_to(&args.rules.only)?)
    };
    let gate = Redactor::new(Detector::new(all)?);
    let redactor = GATE.get_or_init(|| gate);
    let detector = Detector::new(wanted)?;
    let outputs = Output::open_all(&args.reports)?;
    let run = Arc::new(Run::default());
    stop_on_signal(&run)?;
    let session = Session { args, detector: &detector, redactor, started };
    session.run(outputs, &run)
}

/// Asks the workers to stop at the first signal and ends at once at the second.
fn stop_on_signal(run: &Arc<Run>) -> anyhow::Result<()> {
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
    args: &'a ScanArgs,
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
        let on_match = |found: &Occurrence| streams.write(found);
        let scan = Scan {
            detector: self.detector,
            redactor: self.redactor,
            keep_shaped: self.args.show_shaped || self.args.fail_on == FailOn::Shaped,
            on_match: Some(&on_match),
        };
        let sources = self.sources(scan.context(), own)?;
        let progress = self.shows_progress().then(|| Progress::start(Arc::clone(run)));
        let outcome = scan.run(&sources, run);
        drop(progress);
        let document = telling.document(&outcome);
        let mut failure = streams.finish(&document).err();
        let told = reports.iter().any(|it| it.format == ReportFormat::Text && it.is_stdout());
        if !told || self.args.run.quiet {
            self.complain_of_gaps(&document);
        }
        for output in reports {
            if let Err(error) = self.write(&document, output) {
                failure.get_or_insert(error);
            }
        }
        self.exit(&outcome, failure)
    }

    fn sources(&self, context: Context, own: Vec<PathBuf>) -> anyhow::Result<Vec<Box<dyn Source>>> {
        let mut sources: Vec<Box<dyn Source>> = Vec::new();
        let (stdin, paths): (Vec<_>, Vec<_>) =
            self.args.paths.iter().cloned().partition(|path| path == Path::new("-"));
        if !stdin.is_empty() {
            sources.push(Box::new(Stdin::new(io::stdin, context)));
        }
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.args.run.threads.map_or_else(cores, usize::from);
        let (named, paths) = self.repositories(paths)?;
        let met = Met::default();
        if !paths.is_empty() {
            let files = Files::new(FilesOptions {
                paths,
                no_ignore: self.args.files.no_ignore,
                exclude: self.args.files.exclude.clone(),
                max_file_size: self.args.files.max_file_size.map(|size| size.0),
                own,
                threads,
                context,
                repositories: (!self.args.what.files_only).then(|| Arc::clone(&met)),
            })?;
            sources.push(Box::new(files));
        }
        if !self.args.what.files_only {
            let options = HistoryOptions { threads, context };
            sources.push(Box::new(Repositories::new(named, met, options)));
        }
        Ok(sources)
    }

    /// Sorts the paths: repositories whose history is to be read, and what is to be read as files.
    fn repositories(
        &self,
        paths: Vec<PathBuf>,
    ) -> anyhow::Result<(Vec<(Repository, PathBuf)>, Vec<PathBuf>)> {
        if self.args.what.files_only {
            return Ok((Vec::new(), paths));
        }
        let (mut named, mut files) = (Vec::new(), Vec::new());
        for path in paths {
            let only = self.args.what.history_only;
            match Repository::at(&path)? {
                Some(repository) => {
                    if !only && repository.work_tree.is_some() {
                        files.push(path.clone());
                    }
                    named.push((repository, path));
                }
                None if only => anyhow::bail!(
                    "{}: it is no git repository, nor the top of a work tree",
                    path.display()
                ),
                None => files.push(path),
            }
        }
        Ok((named, files))
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

    /// Prints to standard error what was not looked at, where no text report tells it.
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

    fn write(&self, document: &Document, mut output: Output) -> anyhow::Result<()> {
        let options = TextOptions {
            color: self.colors(&output),
            quiet: self.args.run.quiet,
            elapsed: self.started.elapsed(),
        };
        let format = output.format;
        let out = output.writer();
        match format {
            ReportFormat::Text => text::write(document, options, out)?,
            ReportFormat::Json => json::write(document, out)?,
            ReportFormat::Sarif => sarif::write(document, out)?,
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
        } else if outcome.findings.iter().any(|finding| fails(finding.evidence)) {
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
