//! `ddpatrol scan`.

use super::args::ScanArgs;
use super::session::{self, Scene, Sources, Task};
use super::{Exit, GATE};
use crate::source::Source;
use crate::source::files::{Files, FilesOptions, Met};
use crate::source::git::history::HistoryOptions;
use crate::source::git::repo::Repository;
use crate::source::git::repositories::Repositories;
use crate::source::git::state::State;
use crate::source::stdin::Stdin;
use anyhow::Context;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn run(args: &ScanArgs) -> anyhow::Result<Exit> {
    let state = RefCell::new(None);
    let sources = |scene: &Scene<'_>| {
        let opened = open_state(args, scene)?;
        state.replace(opened.clone());
        sources(args, scene, opened)
    };
    let save = || match state.borrow().as_ref() {
        Some(state) => state.save().context("the state cannot be written"),
        None => Ok(()),
    };
    let task = Task { telling: &args.telling, all: true, sources: &sources, finish: &save };
    session::run(&task)
}

/// Opens the state file, and notes why an existing one is not used.
fn open_state(args: &ScanArgs, scene: &Scene<'_>) -> anyhow::Result<Option<Arc<State>>> {
    let Some(path) = &args.what.state else { return Ok(None) };
    let (state, why) = State::open(path.clone(), scene.rules, scene.keep_shaped)
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
) -> anyhow::Result<Sources> {
    let Scene { context, own, threads, .. } = scene;
    let (context, threads) = (*context, *threads);
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    let (stdin, paths): (Vec<_>, Vec<_>) =
        args.paths.iter().cloned().partition(|path| path == Path::new("-"));
    if !stdin.is_empty() {
        sources.push(Box::new(Stdin::new(io::stdin, context)));
    }
    let (named, paths) = repositories(args, paths)?;
    let met = Met::default();
    if !paths.is_empty() {
        let files = Files::new(FilesOptions {
            paths,
            no_ignore: args.files.no_ignore,
            exclude: args.files.exclude.clone(),
            max_file_size: args.files.max_file_size.map(|size| size.0),
            own: own.clone(),
            threads,
            context,
            repositories: (!args.what.files_only).then(|| Arc::clone(&met)),
        })?;
        sources.push(Box::new(files));
    }
    if !args.what.files_only {
        let options = HistoryOptions { threads, context, state, redactor: GATE.get() };
        sources.push(Box::new(Repositories::new(named, met, options)));
    }
    Ok(sources)
}

/// A repository and the path by which it was named.
type Named = (Repository, PathBuf);

/// Sorts the paths: repositories whose history is to be read, and what is to be read as files.
fn repositories(
    args: &ScanArgs,
    paths: Vec<PathBuf>,
) -> anyhow::Result<(Vec<Named>, Vec<PathBuf>)> {
    if args.what.files_only {
        return Ok((Vec::new(), paths));
    }
    let (mut named, mut files) = (Vec::new(), Vec::new());
    for path in paths {
        let only = args.what.history_only;
        let found = match Repository::at(&path) {
            // The walk of its files meets what is broken, and tells it.
            Err(_) if !only => None,
            found => found?,
        };
        match found {
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
