//! `ddpatrol staged` and `ddpatrol range`.

use super::Exit;
use super::args::{ChangeArgs, RangeArgs, ReportFormat, StagedArgs, TellingArgs};
use super::decide::{Ground, Heed};
use super::session::{self, Scene, Sources, Task};
use super::staged_paths::Selection;
use crate::finding::baseline::{Reach, Roots};
use crate::source::Run;
use crate::source::git::changes::{Range, RangeOptions, Revisions, Snapshot, Staged};
use crate::source::git::repo::{Environment, Repository};
use anyhow::Context;
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) fn staged(args: &StagedArgs) -> anyhow::Result<Exit> {
    if let Some(range) = framework_range(args) {
        let revisions = Revisions { list: vec![range], not: Vec::new() };
        let (telling, change) = (&args.telling, &args.change);
        return Judging { telling, change, trust: Trust::Base }.judge(&revisions);
    }
    let run = session::begin()?;
    let repository = discover(args.change.repo.as_ref())?;
    let top = top(&repository);
    let sources = |scene: &Scene<'_>| -> anyhow::Result<Sources> {
        let changes = repository.staged()?;
        if args.paths.is_empty() {
            return Ok(vec![Box::new(Staged::new(repository, changes, scene.threads))]);
        }
        let mut selection = Selection::new(&args.paths, changes, &top)?;
        let changes = std::mem::take(&mut selection.changes);
        let archives = args.telling.archives.options(scene.context);
        let mut sources = selection.sources(archives, scene)?;
        if !changes.is_empty() {
            sources.push(Box::new(Staged::new(repository, changes, scene.threads)));
        }
        Ok(sources)
    };
    let task = Task {
        telling: &args.telling,
        all: args.change.all,
        is_staged: true,
        ground: Ground::Folder(top.clone()),
        roots: Roots { here: top.clone(), tops: vec![top.clone()] },
        heed: Heed::Baseline,
        reach: Reach::Unknown,
        default_report: Some(ReportFormat::Text),
        finish: &|_| Ok(()),
    };
    session::run(task, Box::new(sources), &run)
}

/// Returns the range that the pre-commit framework runs for: it sets these variables beside the paths.
fn framework_range(args: &StagedArgs) -> Option<OsString> {
    if args.paths.is_empty() {
        return None;
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let mut range = variable("PRE_COMMIT_FROM_REF")?;
    range.push("..");
    range.push(variable("PRE_COMMIT_TO_REF")?);
    Some(range)
}

pub(super) fn range(args: &RangeArgs) -> anyhow::Result<Exit> {
    let mut revisions = Revisions { list: args.revisions.clone(), not: args.not.clone() };
    if args.stdin {
        revisions.list.append(&mut read_revisions()?);
    }
    let trust = if args.trust_head { Trust::Head } else { Trust::Base };
    let judging = Judging { telling: &args.telling, change: &args.change, trust };
    // `git rev-list A..B` lists nothing where there is nothing new.
    if args.stdin && revisions.list.is_empty() {
        judging.nothing()
    } else {
        judging.judge(&revisions)
    }
}

/// Whose configuration decides about a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// That of its base.
    Base,
    /// That of the work tree.
    Head,
}

/// How a range is judged.
pub(super) struct Judging<'a> {
    pub(super) telling: &'a TellingArgs,
    pub(super) change: &'a ChangeArgs,
    pub(super) trust: Trust,
}

impl Judging<'_> {
    /// Judges the range that revisions mean.
    pub(super) fn judge(&self, revisions: &Revisions) -> anyhow::Result<Exit> {
        let run = session::begin()?;
        let threads = session::threads(&self.telling.run);
        let repository = discover(self.change.repo.as_ref())?;
        let range = Range::new(repository, revisions, RangeOptions { threads })?;
        for note in &range.notes {
            run.note(note.clone());
        }
        let top = top(range.repository());
        let task = self.task(self.ground(&range, top.clone(), &run)?, top);
        session::run(task, Box::new(|_| Ok(vec![Box::new(range)])), &run)
    }

    /// Reports that there is nothing to judge.
    fn nothing(&self) -> anyhow::Result<Exit> {
        let run = session::begin()?;
        let top = top(&discover(self.change.repo.as_ref())?);
        run.note("standard input names no revision: nothing was scanned".to_owned());
        let task = self.task(Ground::Nowhere { top: top.clone() }, top);
        session::run(task, Box::new(|_| Ok(Vec::new())), &run)
    }

    fn task(&self, ground: Ground, top: PathBuf) -> Task<'_> {
        Task {
            telling: self.telling,
            all: self.change.all,
            is_staged: false,
            ground,
            roots: Roots { here: top.clone(), tops: vec![top] },
            heed: Heed::Baseline,
            reach: Reach::Unknown,
            default_report: Some(ReportFormat::Text),
            finish: &|_| Ok(()),
        }
    }

    fn ground(&self, range: &Range, top: PathBuf, run: &Arc<Run>) -> anyhow::Result<Ground> {
        if self.trust == Trust::Head {
            return Ok(Ground::Folder(top));
        }
        let Some(base) = range.ground() else { return Ok(Ground::Nowhere { top }) };
        let open = |commit| Snapshot::new(range.repository(), commit, run).map(Box::new);
        let base = open(base).context("the configuration of the base cannot be read")?;
        // What is wrong with the head the scan itself will tell.
        let head = range.head().and_then(|head| open(head).ok());
        Ok(Ground::Commit { base, head, top })
    }
}

/// Returns the folder that the paths of a repository's files count from.
fn top(repository: &Repository) -> PathBuf {
    let top = repository.work_tree.as_ref().unwrap_or(&repository.git_dir);
    std::fs::canonicalize(top).unwrap_or_else(|_| top.clone())
}

/// Finds the repository as git does: what a hook's environment names, else where we are.
pub(super) fn discover(repo: Option<&PathBuf>) -> anyhow::Result<Repository> {
    let here = match repo {
        Some(path) => path.clone(),
        None => std::env::current_dir().context("the current folder cannot be read")?,
    };
    // A repository that is named is meant, whatever a hook has set for its own.
    let environment = match repo {
        Some(_) => Environment::default(),
        None => Environment::read(|name| std::env::var_os(name)),
    };
    Ok(Repository::discover(&here, &environment)?)
}

/// Reads revisions from standard input, one a line.
pub(super) fn read_revisions() -> anyhow::Result<Vec<OsString>> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("the revisions cannot be read from standard input")?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(revision).collect())
}

/// Reads a line: a revision, or what git tells `pre-push` and `pre-receive` hooks of a reference.
fn revision(line: &str) -> OsString {
    let is_id = |word: &str| {
        matches!(word.len(), 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        [_, local, _, remote] if is_id(local) && is_id(remote) => {
            format!("{remote}..{local}").into()
        }
        [old, new, _] if is_id(old) && is_id(new) => format!("{old}..{new}").into(),
        _ => line.into(),
    }
}
