//! `ddpatrol scan`.

use super::args::{ReportFormat, ScanArgs};
use super::decide::{Ground, Heed};
use super::exit::Exit;
use super::messages::GATE;
use super::session::{self, Ended, Inputs, Scene, Task};
use super::signals;
use crate::scan::Input;
use crate::shell::quote;
use crate::source::archive::{Packs, Unpacking};
use crate::source::files::{Discovered, Files, FilesOptions, UserRules};
use crate::source::git::history::HistoryOptions;
use crate::source::git::repo::{Environment, Repository};
use crate::source::git::state::State;
use crate::source::repositories::Repositories;
use crate::source::stdin::Stdin;
use crate::source::{Code, Run, Severity};
use anyhow::Context;
use ddpatrol_scan::finding::baseline::{Reach, Roots};
use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn run(args: &ScanArgs) -> anyhow::Result<Exit> {
    run_then(args, Heed::Baseline, &|_| Ok(()))
}

/// Scans, and goes on with what was found unless the scan was interrupted.
pub(super) fn run_then(
    args: &ScanArgs,
    heed: Heed,
    then: &dyn Fn(&Ended<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    let run = signals::begin()?;
    let state = RefCell::new(None);
    let sources = |scene: &Scene<'_>| {
        let opened = open_state(args, scene)?;
        state.replace(opened.clone());
        sources(args, scene, opened)
    };
    let finish = |ended: &Ended<'_>| {
        if let Some(state) = state.borrow().as_ref() {
            state.finish().context("cannot write the state")?;
        }
        then(ended)
    };
    let roots = roots(&args.paths)?;
    let task = Task {
        telling: &args.telling,
        all: true,
        scanned: &args.paths,
        operation: None,
        ground: Ground::Folder(start(&roots, &args.paths)),
        reach: reach(args, &roots),
        roots,
        heed,
        default_report: (heed == Heed::Baseline).then_some(ReportFormat::Text),
        finish: &finish,
    };
    session::run(task, Box::new(sources), &run)
}

/// Tells how far a scan looks: at all that a baseline knows if it covers the work trees that it touches.
fn reach(args: &ScanArgs, roots: &Roots) -> Reach {
    if !is_whole(args) {
        return Reach::Unknown;
    }
    let (mut plain, mut paths) = (Vec::new(), Vec::new());
    for path in args.paths.iter().filter(|path| path.as_os_str() != "-") {
        let whole = path.canonicalize().unwrap_or_else(|_| roots.whole(path));
        if !roots.tops.iter().any(|top| whole.starts_with(top)) {
            plain.push(roots.below(path));
        }
        paths.push(whole);
    }
    let mut grounds: Vec<PathBuf> = roots.tops.clone();
    if grounds.is_empty() {
        grounds.push(roots.here.clone());
    }
    // A baseline in a folder above may know other work trees, too.
    let baseline = args.telling.baseline.as_ref().map(|it| roots.here.join(it));
    let baseline = baseline.and_then(|it| it.parent()?.canonicalize().ok());
    grounds.extend(baseline);
    if grounds.iter().all(|ground| paths.iter().any(|path| ground.starts_with(path))) {
        return Reach::All;
    }
    // A part of a work tree is looked at without its history, so nothing can be said of what it had.
    if roots.tops.is_empty() && !plain.is_empty() { Reach::Below(plain) } else { Reach::Unknown }
}

/// Tells whether a scan looks at all there is below its paths.
fn is_whole(args: &ScanArgs) -> bool {
    let narrowed = args.what.files_only || args.what.history_only || args.what.state.is_some();
    let is_limited = args.files.max_file_size.is_some() || !args.files.exclude.is_empty();
    !narrowed
        && !is_limited
        && !args.telling.archives.no_archives
        && args.telling.rules.only.is_empty()
}

/// Finds the tops of the work trees that paths lie in.
fn roots(paths: &[PathBuf]) -> anyhow::Result<Roots> {
    let here = std::env::current_dir().context("the current folder cannot be read")?;
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

/// Returns the folder that the search for a configuration begins in: the deepest that holds all paths.
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

/// Opens the state file, and notes why an existing one is not used.
fn open_state(args: &ScanArgs, scene: &Scene<'_>) -> anyhow::Result<Option<Arc<State>>> {
    let Some(path) = &args.what.state else { return Ok(None) };
    // What an earlier scan has found and reported depends on these options, too.
    let settings = format!("{} {:?}", scene.keep_shaped, args.telling.archives);
    let (state, why) = State::open(path.clone(), scene.rules, &settings)
        .with_context(|| format!("the state {} cannot be read", path.display()))?;
    if let Some(why) = why {
        scene.run.note(format!("the state {} is not used, {why}: all is read", path.display()));
    }
    Ok(Some(Arc::new(state)))
}

fn sources(
    args: &ScanArgs,
    scene: &Scene<'_>,
    state: Option<Arc<State>>,
) -> anyhow::Result<Inputs> {
    let Scene { context, own, workers, .. } = scene;
    let (context, threads) = (*context, workers.count());
    let mut sources = Inputs::new();
    let packs = (!args.what.files_only).then(Packs::default);
    let options = args.telling.archives.options(context);
    let archives = options.map(|options| Unpacking { options, repositories: packs.clone() });
    let (stdin, paths): (Vec<_>, Vec<_>) =
        args.paths.iter().cloned().partition(|path| path == Path::new("-"));
    if !stdin.is_empty() {
        sources.push(Input::source(Stdin::new(io::stdin, context, archives.clone())));
    }
    let (pipes, paths): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| is_pipe(path));
    for path in pipes {
        let open = {
            let path = path.clone();
            move || Pipe::new(&path)
        };
        sources.push(Input::source(Stdin::new(open, context, archives.clone()).named(path)));
    }
    let (named, paths) = repositories(args, paths, &scene.run);
    if !args.what.files_only {
        note_unread_histories(&named, &paths, &scene.run);
    }
    let met = Discovered::default();
    let options = FilesOptions {
        paths,
        no_ignore: args.files.no_ignore,
        user_rules: user_rules(),
        exclude: args.files.exclude.clone(),
        configured: scene.exclude.clone(),
        here: scene.here.to_owned(),
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
        let history =
            HistoryOptions { workers: Arc::clone(workers), context, state, redactor: GATE.get() };
        let repositories = Repositories::new(named, met, packs, history, options);
        sources.push(Input::Repositories(Box::new(repositories)));
    }
    Ok(sources)
}

/// Reads what the user's own settings say about ignore rules.
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

/// A named pipe. Opening it waits for a writer, so its failure is that of the first read.
struct Pipe(Result<File, Option<io::Error>>);

impl Pipe {
    fn new(path: &Path) -> Self {
        Self(File::open(path).map_err(Some))
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Ok(file) => file.read(buffer),
            Err(error) => error.take().map_or(Ok(0), Err),
        }
    }
}

/// Notes of folders below the top of a work tree that the history they lie in is not read.
fn note_unread_histories(named: &[Named], paths: &[PathBuf], run: &Run) {
    let read: HashSet<_> = named.iter().map(|(it, _)| it.common_dir.canonicalize().ok()).collect();
    let mut noted = HashSet::new();
    for path in paths.iter().filter(|path| path.is_dir()) {
        let found = Repository::discover(path, &Environment::default()).ok();
        let Some((repository, top)) =
            found.and_then(|it| it.work_tree.clone().map(|top| (it, top)))
        else {
            continue;
        };
        // The walk of a folder above it meets it.
        let top_path = top.canonicalize().unwrap_or_else(|_| top.clone());
        let is_met =
            paths.iter().any(|it| it.canonicalize().is_ok_and(|it| top_path.starts_with(it)));
        let is_read = is_met || read.contains(&repository.common_dir.canonicalize().ok());
        if !is_read && noted.insert(top.clone()) {
            run.note(format!(
                "the history that {} lies in is not read: `ddpatrol scan {}` reads it",
                path.display(),
                quote(&top.to_string_lossy())
            ));
        }
    }
}

/// A repository and the path by which it was named.
type Named = (Repository, PathBuf);

/// Sorts the paths: repositories whose history is to be read, and what is to be read as files.
///
/// With `--history-only`, a path that is no repository, or a broken one, is reported; the others are
/// scanned.
fn repositories(args: &ScanArgs, paths: Vec<PathBuf>, run: &Run) -> (Vec<Named>, Vec<PathBuf>) {
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
                run.report_message(
                    Severity::Unread,
                    Code::RepositoryUnreadable,
                    Some(path),
                    error.to_string(),
                );
            }
            Ok(None) if only => {
                let (code, message) = match path.symlink_metadata() {
                    Ok(_) => {
                        let message = "not a git repository, nor the top of a work tree";
                        (Code::NotARepository, message)
                    }
                    Err(_) => (Code::FileMissing, "no such file or folder"),
                };
                run.report_message(Severity::Unread, code, Some(path), message);
            }
            // The walk of the files meets a broken repository, and reports it.
            Ok(None) | Err(_) => files.push(path),
        }
    }
    (named, files)
}
