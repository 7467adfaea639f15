//! `ddpatrol staged` and `ddpatrol range`.

use super::args::{ChangeArgs, RangeArgs, ReportFormat, SharedArgs, StagedArgs};
use super::exit::Exit;
use super::hook::RefLine;
use super::next_steps::{CommandLine, StepsInput};
use super::policy::{BaselineMode, PolicySource};
use super::scan_run::{self, Inputs, Job, ScanContext};
use super::signals;
use super::staged_paths::Selection;
use super::urls;
use super::usage::paths::refuse_as_revision;
use crate::decode;
use crate::report::next_steps::{HookKind, Surface};
use crate::scan::Input;
use crate::source::Run;
use crate::source::git::changes::{Range, RangeOptions, Revisions, Snapshot, Staged};
use crate::source::git::repo::{Environment, Operation, Progress, Repository};
use anyhow::{Context, bail};
use ddpatrol_pack::ObjectId;
use ddpatrol_scan::finding::baseline::{Coverage, Roots};
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) fn staged(args: &StagedArgs) -> anyhow::Result<Exit> {
    if let Some(range) = framework_range() {
        let revisions = Revisions { list: vec![range], ..Revisions::default() };
        let (shared, change) = (&args.shared, &args.change);
        let steps = StepsInput::of_user(None);
        return ChangeScan { shared, change, trust: Trust::Base, steps }.scan_revisions(&revisions);
    }
    let run = signals::begin()?;
    let repository = discover(args.change.repo.as_ref())?;
    let is_bare = repository.work_tree.is_none() && !repository.git_dir.join("index").exists();
    if is_bare && std::env::var_os("GIT_INDEX_FILE").is_none() {
        let shown = repository.git_dir.display();
        bail!(
            "{shown} is a bare repository, in which nothing can be staged: `ddpatrol scan` scans it"
        );
    }
    let top = top(&repository);
    let progress = progress(&repository)?;
    let during = progress.clone();
    let sources = |scan_context: &ScanContext<'_>| -> anyhow::Result<Inputs> {
        let changes = repository.staged()?;
        let staged = |changes| {
            Input::change(
                Staged::new(repository, changes, Arc::clone(&scan_context.workers)).during(during),
            )
        };
        if args.paths.is_empty() {
            return Ok(vec![staged(changes)]);
        }
        let mut selection = Selection::new(&args.paths, changes, &top)?;
        let changes = std::mem::take(&mut selection.changes);
        let archives = args.shared.archives.options(scan_context.context);
        let mut sources = selection.sources(archives, scan_context)?;
        if !changes.is_empty() {
            sources.push(staged(changes));
        }
        Ok(sources)
    };
    let job = Job {
        shared: &args.shared,
        all: args.change.all,
        scanned: &[],
        steps: StepsInput {
            surface: Surface::Hook(HookKind::PreCommit),
            operation: progress.operation,
            command: None,
        },
        source: PolicySource::Folder(top.clone()),
        roots: Roots { here: top.clone(), tops: vec![top.clone()] },
        baseline_mode: BaselineMode::Apply,
        reach: Coverage::Unknown,
        default_report: Some(ReportFormat::Text),
        finish: &|_| Ok(()),
    };
    scan_run::run(job, Box::new(sources), &run)
}

/// Returns the range for which the pre-commit framework runs the command, from its variables.
fn framework_range() -> Option<OsString> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let mut range = variable("PRE_COMMIT_FROM_REF")?;
    range.push("..");
    range.push(variable("PRE_COMMIT_TO_REF")?);
    Some(range)
}

pub(super) fn range(args: &RangeArgs, words: &[OsString]) -> anyhow::Result<Exit> {
    let (list, not) = (args.revisions.clone(), args.not.clone());
    let mut revisions = Revisions { list, not, names: Vec::new() };
    args.revisions.iter().try_for_each(|it| refuse_as_revision(it))?;
    if args.stdin {
        read_revisions(&mut revisions)?;
    }
    let trust = if args.trust_head { Trust::Head } else { Trust::Base };
    let command = CommandLine::new(words).filter(|_| !args.stdin);
    let steps = StepsInput::of_user(command);
    let change_scan = ChangeScan { shared: &args.shared, change: &args.change, trust, steps };
    // `git rev-list A..B` prints nothing if the range is empty.
    if args.stdin && revisions.list.is_empty() {
        change_scan.scan_nothing()
    } else {
        change_scan.scan_revisions(&revisions)
    }
}

/// The source of a range's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The base of the range.
    Base,
    /// The work tree.
    Head,
}

/// The scan of a change.
pub(super) struct ChangeScan<'a> {
    pub(super) shared: &'a SharedArgs,
    pub(super) change: &'a ChangeArgs,
    pub(super) trust: Trust,
    pub(super) steps: StepsInput,
}

impl ChangeScan<'_> {
    /// Scans the range that revisions name.
    fn scan_revisions(&self, revisions: &Revisions) -> anyhow::Result<Exit> {
        // Listing the commits of a long range takes a while.
        signals::begin()?;
        let options = RangeOptions { workers: scan_run::workers(&self.shared.run) };
        let repository = discover(self.change.repo.as_ref())?;
        self.scan(Range::new(repository, revisions, options)?, None)
    }

    /// Scans a range; tokens of the range `also` are listed, but do not fail.
    pub(super) fn scan(&self, range: Range, also: Option<Range>) -> anyhow::Result<Exit> {
        let run = signals::begin()?;
        for note in range.notes.iter().chain(also.iter().flat_map(|it| &it.notes)) {
            run.note(note.clone());
        }
        let top = top(range.repository());
        let job = self.job(self.source(&range, top.clone(), &run)?, top);
        let mut sources: Inputs = vec![Input::change(range)];
        sources.extend(also.map(Input::change));
        scan_run::run(job, Box::new(|_| Ok(sources)), &run)
    }

    /// Reports that there is nothing to scan.
    fn scan_nothing(&self) -> anyhow::Result<Exit> {
        let run = signals::begin()?;
        let top = top(&discover(self.change.repo.as_ref())?);
        run.note("no revisions on standard input: nothing was scanned".to_owned());
        // There is no change that could decide about itself.
        let job = self.job(PolicySource::Folder(top.clone()), top);
        scan_run::run(job, Box::new(|_| Ok(Vec::new())), &run)
    }

    fn job(&self, source: PolicySource, top: PathBuf) -> Job<'_> {
        Job {
            shared: self.shared,
            all: self.change.all,
            scanned: &[],
            steps: self.steps.clone(),
            source,
            roots: Roots { here: top.clone(), tops: vec![top] },
            baseline_mode: BaselineMode::Apply,
            reach: Coverage::Unknown,
            default_report: Some(ReportFormat::Text),
            finish: &|_| Ok(()),
        }
    }

    fn source(&self, range: &Range, top: PathBuf, run: &Arc<Run>) -> anyhow::Result<PolicySource> {
        if self.trust == Trust::Head {
            return Ok(PolicySource::Folder(top));
        }
        let open = |commit| Snapshot::new(range.repository(), commit, run).map(Box::new);
        // The scan itself reports errors in the head.
        let head = range.head().and_then(|head| open(head).ok());
        let Some(base) = range.policy_base() else {
            return Ok(PolicySource::NoBase { head, top });
        };
        let base = open(base).context("cannot read the configuration of the base")?;
        Ok(PolicySource::Commit { base, head, top })
    }
}

/// Returns the operation that the next commit ends. In `pre-merge-commit` git has not recorded it yet,
/// and passes the merged commits in variables.
fn progress(repository: &Repository) -> anyhow::Result<Progress> {
    let mut progress = repository.progress()?;
    let named = std::env::vars_os().filter_map(|(name, _)| {
        let id = name.to_str()?.strip_prefix("GITHEAD_")?;
        id.parse::<ObjectId>().ok().filter(|id| id.kind() == repository.hash)
    });
    let merged: Vec<ObjectId> = named.filter(|id| !progress.sources.contains(id)).collect();
    if !merged.is_empty() {
        progress.operation.get_or_insert(Operation::Merge);
        progress.sources.extend(merged);
    }
    Ok(progress)
}

/// Returns the folder that the paths of a repository's files are relative to.
pub(super) fn top(repository: &Repository) -> PathBuf {
    let top = repository.work_tree.as_ref().unwrap_or(&repository.git_dir);
    std::fs::canonicalize(top).unwrap_or_else(|_| top.clone())
}

/// Finds the repository as git does: by the environment of a hook, else from the current folder.
pub(super) fn discover(repo: Option<&PathBuf>) -> anyhow::Result<Repository> {
    let here = match repo {
        Some(path) => {
            urls::refuse(path)?;
            // The `.git` of a linked work tree is a file.
            if path.is_file() && path.file_name().is_none_or(|name| name != ".git") {
                bail!(
                    "--repo {}: a file, not a folder: name the folder of a repository",
                    path.display()
                );
            }
            path.clone()
        }
        None => {
            std::env::current_dir().context("cannot read the current folder; was it removed?")?
        }
    };
    // An explicit repository takes precedence over the environment that git sets for a hook.
    let environment = match repo {
        Some(_) => Environment::default(),
        None => Environment::read(|name| std::env::var_os(name)),
    };
    if let Some(git_dir) = environment.git_dir.as_ref().filter(|it| !here.join(it).exists()) {
        bail!(
            "GIT_DIR is set to {}, which does not exist: correct it, or unset it to use the repository of \
             the current folder",
            git_dir.display()
        );
    }
    Ok(Repository::discover(&here, &environment)?)
}

/// Reads revisions from standard input, one per line, or the lines that git passes to `pre-push` and
/// `pre-receive` hooks.
fn read_revisions(revisions: &mut Revisions) -> anyhow::Result<()> {
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text).context("cannot read revisions from standard input")?;
    // Windows tools may write UTF-16; in git's lines, names of references may be any bytes.
    let text = decode::text(text.clone()).map_or(text, String::into_bytes);
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines.filter(|line| !line.is_empty()) {
        let Some(of_git) = RefLine::of_receive(line).or_else(|| RefLine::of_push(line)) else {
            let text = std::str::from_utf8(line).context("invalid revision: not UTF-8 text")?;
            revisions.list.push(text.into());
            continue;
        };
        revisions.list.extend(of_git.range().map(OsString::from));
        revisions.names.extend(of_git.update().into_iter().flat_map(|it| it.names));
    }
    Ok(())
}
