//! `ddpatrol scan`.

use super::args::{ReportFormat, ScanArgs};
use super::exit::Exit;
use super::messages::MESSAGE_REDACTOR;
use super::next_steps::{CommandLine, StepsInput};
use super::policy::{BaselineMode, PolicySource, note_ignored};
use super::scan_run::{self, Finished, Inputs, Job, ScanContext};
use super::signals;
use super::usage::paths::{broken_links, refuse_misplaced};
use crate::report::shell::quote;
use crate::scan::Input;
use crate::source::Run;
use crate::source::archive::{ArchiveSettings, ExtractedRepos};
use crate::source::files::{Discovered, Files, FilesOptions, UserRules};
use crate::source::git::cache::State;
use crate::source::git::history::HistoryOptions;
use crate::source::git::repo::{Environment, Repository};
use crate::source::repositories::Repositories;
use crate::source::stdin::Stdin;
use anyhow::{Context, bail};
use ddpatrol_scan::Issue;
use ddpatrol_scan::finding::coverage::{Coverage, CoveredPath};
use ddpatrol_scan::finding::roots::Roots;
use ddpatrol_scan::issue::GitIssue;
use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn run(args: &ScanArgs, words: &[OsString]) -> anyhow::Result<Exit> {
    // A stream cannot be read again.
    let is_stream =
        |path: &PathBuf| path.as_os_str() == "-" || path.starts_with("/dev") || is_pipe(path);
    let is_repeatable = !args.paths.iter().any(is_stream);
    let command = CommandLine::new(words).filter(|_| is_repeatable);
    scan(args, BaselineMode::Apply, StepsInput::of_user(command), &|_| Ok(()))
}

/// Scans, and then calls `then` unless the scan was interrupted.
pub(super) fn run_then(
    args: &ScanArgs,
    baseline_mode: BaselineMode,
    then: &dyn Fn(&Finished<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    scan(args, baseline_mode, StepsInput::of_user(None), then)
}

fn scan(
    args: &ScanArgs,
    baseline_mode: BaselineMode,
    steps: StepsInput,
    then: &dyn Fn(&Finished<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    refuse_misplaced(&args.paths, &args.shared.output.reports()?)?;
    let run = signals::begin()?;
    broken_links(&args.paths).for_each(|note| run.note(note));
    let state = RefCell::new(None);
    let sources = |scan_context: &ScanContext<'_>| {
        let opened = open_state(args, scan_context)?;
        state.replace(opened.clone());
        sources(args, scan_context, opened)
    };
    let finish = |finished: &Finished<'_>| {
        if let Some(state) = state.borrow().as_ref() {
            let path = args.state.as_deref().unwrap_or(Path::new("")).display();
            state.finish().with_context(|| format!("cannot write the state file {path}"))?;
        }
        then(finished)
    };
    let roots = roots(&args.paths)?;
    let start = start(&roots, &args.paths);
    if let Some(note) = note_ignored(&args.shared, &start, &args.paths) {
        run.note(note);
    }
    let job = Job {
        shared: &args.shared,
        all: true,
        scanned: &args.paths,
        steps,
        source: PolicySource::Folder(start),
        reach: reach(args, &roots),
        roots,
        baseline_mode,
        default_report: (baseline_mode == BaselineMode::Apply).then_some(ReportFormat::Text),
        finish: &finish,
    };
    scan_run::run(job, Box::new(sources), &run)
}

/// Returns the reach of a scan: all tokens of a baseline, if the scan covers its work trees completely.
fn reach(args: &ScanArgs, roots: &Roots) -> Coverage {
    if !is_whole(args) {
        return Coverage::Unknown;
    }
    let (mut plain, mut paths) = (Vec::new(), Vec::new());
    for path in args.paths.iter().filter(|path| path.as_os_str() != "-") {
        let whole = path.canonicalize().unwrap_or_else(|_| roots.whole(path));
        if !roots.tops.iter().any(|top| whole.starts_with(top)) {
            let name = roots.below(path).into();
            let is_folder = path.is_dir();
            plain.push(if is_folder { CoveredPath::Folder(name) } else { CoveredPath::File(name) });
        }
        paths.push(whole);
    }
    let mut folders: Vec<PathBuf> = roots.tops.clone();
    if folders.is_empty() {
        folders.push(roots.here.clone());
    }
    // A baseline in a folder above may contain tokens of other work trees.
    let baseline = args.shared.baseline.as_ref().map(|it| roots.here.join(it));
    let baseline = baseline.and_then(|it| it.parent()?.canonicalize().ok());
    folders.extend(baseline);
    if folders.iter().all(|folder| paths.iter().any(|path| folder.starts_with(path))) {
        return Coverage::All;
    }
    // A part of a work tree is scanned without its history, so missing tokens cannot be detected.
    if roots.tops.is_empty() && !plain.is_empty() {
        Coverage::Below(plain)
    } else {
        Coverage::Unknown
    }
}

/// Returns `true` if a scan reads everything below its paths.
fn is_whole(args: &ScanArgs) -> bool {
    let narrowed = args.what.files_only || args.what.history_only || args.state.is_some();
    let is_limited = args.files.max_file_size.is_some() || !args.files.exclude.is_empty();
    !narrowed
        && !is_limited
        && !args.shared.archives.no_archives
        && args.shared.rules.only.is_empty()
}

/// Finds the tops of the work trees that contain the paths.
fn roots(paths: &[PathBuf]) -> anyhow::Result<Roots> {
    let here =
        std::env::current_dir().context("cannot read the current folder; was it removed?")?;
    let nothing = Environment::default();
    let found = paths.iter().filter_map(|path| {
        let folder = if path.is_dir() { path } else { path.parent()? };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Repository::discover(folder, &nothing).ok()?.work_tree
    });
    let mut tops: Vec<PathBuf> = found.filter_map(|top| top.canonicalize().ok()).collect();
    tops.sort();
    tops.dedup();
    Ok(Roots { here, tops })
}

/// Returns the folder where the search for a configuration begins: the deepest that contains all paths.
fn start(roots: &Roots, paths: &[PathBuf]) -> PathBuf {
    let whole = |path: &PathBuf| {
        let whole = path.canonicalize().unwrap_or_else(|_| roots.whole(path));
        let folder = if whole.is_dir() { Some(&*whole) } else { whole.parent() };
        folder.unwrap_or(Path::new("/")).to_owned()
    };
    let named = paths.iter().filter(|path| path.as_os_str() != "-");
    let common = |a: PathBuf, b: PathBuf| -> PathBuf {
        a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    };
    named.map(whole).reduce(common).unwrap_or_else(|| roots.here.clone())
}

/// Opens the state file; adds a note if an existing one cannot be used.
fn open_state(
    args: &ScanArgs,
    scan_context: &ScanContext<'_>,
) -> anyhow::Result<Option<Arc<State>>> {
    let Some(path) = &args.state else { return Ok(None) };
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty() && !it.is_dir());
    if let Some(folder) = folder {
        bail!("cannot write the state file {}: {} is no folder", path.display(), folder.display());
    }
    // The results of an earlier scan depend on these options as well.
    let settings = format!("{} {:?}", scan_context.keep_shaped, args.shared.archives);
    let (state, why) = State::open(path.clone(), scan_context.rules, &settings)
        .with_context(|| format!("cannot read the state file {}", path.display()))?;
    if let Some(why) = why {
        scan_context
            .run
            .note(format!("state file {} not used, {why}: everything is read", path.display()));
    }
    Ok(Some(Arc::new(state)))
}

fn sources(
    args: &ScanArgs,
    scan_context: &ScanContext<'_>,
    state: Option<Arc<State>>,
) -> anyhow::Result<Inputs> {
    let ScanContext { context, own, workers, .. } = scan_context;
    let (context, threads) = (*context, workers.count());
    let mut sources = Inputs::new();
    let packs = (!args.what.files_only).then(ExtractedRepos::default);
    let options = args.shared.archives.options(context);
    let archives = options.map(|options| ArchiveSettings { options, repositories: packs.clone() });
    let (stdin, paths): (Vec<_>, Vec<_>) =
        args.paths.iter().cloned().partition(|path| path == Path::new("-"));
    if !stdin.is_empty() {
        sources.push(Input::source(Stdin::new(io::stdin, context, archives.clone())));
    }
    let (pipes, paths): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| is_pipe(path));
    for path in pipes {
        let open = {
            let path = path.clone();
            move || NamedPipe::new(&path)
        };
        sources.push(Input::source(Stdin::new(open, context, archives.clone()).named(path)));
    }
    let (named, paths) = repositories(args, paths, &scan_context.run);
    if !args.what.files_only {
        note_unread_histories(&named, &paths, &scan_context.run);
    }
    let met = Discovered::default();
    let options = FilesOptions {
        paths,
        no_ignore: args.files.no_ignore,
        user_rules: user_rules(),
        exclude: args.files.exclude.clone(),
        configured: scan_context.exclude.clone(),
        here: scan_context.here.to_owned(),
        max_file_size: args.files.max_file_size.map(|size| size.0),
        own: own.clone(),
        threads,
        context,
        archives,
        repositories: (!args.what.files_only).then(|| Arc::clone(&met)),
        is_store: false,
    };
    let files = Files::new(options.clone())?;
    if !options.paths.is_empty() {
        sources.push(Input::source(files));
    }
    if let Some(packs) = packs {
        let history = HistoryOptions {
            workers: Arc::clone(workers),
            context,
            state,
            redactor: MESSAGE_REDACTOR.get(),
        };
        let repositories = Repositories::new(named, met, packs, history, options);
        sources.push(Input::Repositories(Box::new(repositories)));
    }
    Ok(sources)
}

/// Reads the user's settings for ignore rules.
pub(super) fn user_rules() -> UserRules {
    let excludes_file = ignore::gitignore::gitconfig_excludes_path();
    UserRules { excludes_file, home: std::env::home_dir() }
}

/// Returns `true` for a named pipe, such as a shell makes for `<(command)`.
#[cfg(unix)]
fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_pipe(_: &Path) -> bool {
    false
}

/// A named pipe. Opening it blocks until there is a writer; an error is returned by the first read.
struct NamedPipe(Result<File, Option<io::Error>>);

impl NamedPipe {
    fn new(path: &Path) -> Self {
        Self(File::open(path).map_err(Some))
    }
}

impl Read for NamedPipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Ok(file) => file.read(buffer),
            Err(error) => error.take().map_or(Ok(0), Err),
        }
    }
}

/// Adds notes for folders below the top of a work tree whose history is not scanned.
fn note_unread_histories(named: &[NamedRepository], paths: &[PathBuf], run: &Run) {
    let read: HashSet<_> = named.iter().map(|(it, _)| it.common_dir.canonicalize().ok()).collect();
    let mut noted = HashSet::new();
    for path in paths.iter().filter(|path| path.is_dir()) {
        let found = Repository::discover(path, &Environment::default()).ok();
        let Some((repository, top)) =
            found.and_then(|it| it.work_tree.clone().map(|top| (it, top)))
        else {
            continue;
        };
        // The walk of a folder above finds the repository.
        let top_path = top.canonicalize().unwrap_or_else(|_| top.clone());
        let is_met =
            paths.iter().any(|it| it.canonicalize().is_ok_and(|it| top_path.starts_with(it)));
        let is_read = is_met || read.contains(&repository.common_dir.canonicalize().ok());
        if !is_read && noted.insert(top.clone()) {
            run.note(format!(
                "the history of the repository of {} is not scanned: run `ddpatrol scan {}`",
                path.display(),
                quote(&top.to_string_lossy())
            ));
        }
    }
}

/// A repository and the path that the user gave.
type NamedRepository = (Repository, PathBuf);

/// Splits the paths into repositories whose history is scanned, and paths that are scanned as files.
///
/// With `--history-only`, a path that is not a repository, or a corrupt one, is reported; the others
/// are scanned.
fn repositories(
    args: &ScanArgs,
    paths: Vec<PathBuf>,
    run: &Run,
) -> (Vec<NamedRepository>, Vec<PathBuf>) {
    if args.what.files_only {
        return (Vec::new(), paths);
    }
    let (mut named, mut files) = (Vec::new(), Vec::new());
    for path in paths {
        let only = args.what.history_only;
        match Repository::at(&path) {
            Ok(Some(repository)) => {
                if !only && repository.work_tree.is_some() {
                    files.push(path.clone());
                }
                named.push((repository, path));
            }
            Err(error) if only => {
                run.report(GitIssue::RepositoryUnreadable { source: error.into() }, Some(path));
            }
            Ok(None) if only => {
                let issue = match path.symlink_metadata() {
                    Ok(_) => GitIssue::NotARepository.into(),
                    Err(_) => Issue::PathMissing,
                };
                run.report(issue, Some(path));
            }
            // The walk of the files finds and reports a corrupt repository.
            Ok(None) | Err(_) => files.push(path),
        }
    }
    (named, files)
}
