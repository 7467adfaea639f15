//! `ddpatrol staged` and `ddpatrol range`.

use super::Exit;
use super::args::{ChangeArgs, RangeArgs, StagedArgs};
use super::session::{self, Scene, Sources, Task};
use crate::source::git::changes::{Range, RangeOptions, Revisions, Staged};
use crate::source::git::repo::{Environment, Repository};
use anyhow::Context;
use std::ffi::OsString;
use std::io::Read;

pub(super) fn staged(args: &StagedArgs) -> anyhow::Result<Exit> {
    let sources = |scene: &Scene<'_>| -> anyhow::Result<Sources> {
        let repository = discover(&args.change)?;
        let changes = repository.staged()?;
        Ok(vec![Box::new(Staged::new(repository, changes, scene.threads))])
    };
    session::run(&Task {
        telling: &args.telling,
        all: args.change.all,
        sources: &sources,
        finish: &|| Ok(()),
    })
}

pub(super) fn range(args: &RangeArgs) -> anyhow::Result<Exit> {
    let mut revisions = Revisions { list: args.revisions.clone(), not: args.not.clone() };
    if args.stdin {
        revisions.list.append(&mut read_revisions()?);
    }
    let sources = |scene: &Scene<'_>| -> anyhow::Result<Sources> {
        let options = RangeOptions { threads: scene.threads };
        let range = Range::new(discover(&args.change)?, &revisions, options)?;
        for note in &range.notes {
            scene.run.note(note.clone());
        }
        Ok(vec![Box::new(range)])
    };
    session::run(&Task {
        telling: &args.telling,
        all: args.change.all,
        sources: &sources,
        finish: &|| Ok(()),
    })
}

/// Finds the repository as git does: what a hook's environment names, else where we are.
fn discover(args: &ChangeArgs) -> anyhow::Result<Repository> {
    let here = match &args.repo {
        Some(path) => path.clone(),
        None => std::env::current_dir().context("the current folder cannot be read")?,
    };
    // A repository that is named is meant, whatever a hook has set for its own.
    let environment = match &args.repo {
        Some(_) => Environment::default(),
        None => Environment::read(|name| std::env::var_os(name)),
    };
    Ok(Repository::discover(&here, &environment)?)
}

fn read_revisions() -> anyhow::Result<Vec<OsString>> {
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
