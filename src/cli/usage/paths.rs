//! Refuses paths that do not exist and are obviously something else: a URL, a revision, a position in a file.
//!
//! Input: the paths of a command. Output: an error with the command that does what was probably intended. A
//! path that is only missing is not refused: the scan reports it.

use crate::cli::args::{Args, ReportArg, ReportFormat};
use crate::cli::urls;
use crate::report::shell::quote;
use crate::source::git::repo::{Environment, Repository};
use anyhow::bail;
use clap::CommandFactory;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Fails if a path of `scan` is obviously something else.
pub(in crate::cli) fn refuse_misplaced(
    paths: &[PathBuf],
    reports: &[ReportArg],
) -> anyhow::Result<()> {
    for path in paths {
        let is_missing = path.as_os_str() != "-" && path.symlink_metadata().is_err();
        if is_missing && let Some(advice) = advice(path, paths.len(), reports) {
            bail!("{advice}");
        }
    }
    Ok(())
}

fn advice(path: &Path, number: usize, reports: &[ReportArg]) -> Option<String> {
    if let Some(advice) = urls::advice(path) {
        return Some(advice);
    }
    let text = path.to_str()?;
    let shown = quote(text);
    // A text file is more likely to be scanned.
    let format = ReportFormat::of_file(path).filter(|it| *it != ReportFormat::Text);
    if let Some(format) = format
        && reports.iter().any(|it| it.path.is_none() && it.format == format)
    {
        return Some(format!(
            "{text} does not exist: to write the report to it, use `--report {}={shown}`",
            format.name()
        ));
    }
    if is_range(text) {
        return Some(format!(
            "{text} is a range of revisions, not a path: run `ddpatrol range {shown}`"
        ));
    }
    if is_revision(text) || text.starts_with("HEAD~") || text.starts_with("HEAD^") {
        return Some(format!(
            "{text} is a revision, not a path: `ddpatrol scan` scans the whole history, and \
             `ddpatrol range {}` the commits since a base",
            quote(&format!("BASE..{text}"))
        ));
    }
    if let Some(file) = without_position(text) {
        return Some(format!(
            "{text} does not exist: a file is given without a line, `ddpatrol scan {}`",
            quote(file)
        ));
    }
    if text.contains(['*', '?']) {
        return Some(format!(
            "no path matches {shown}: the shell expands patterns, if they match and are not quoted"
        ));
    }
    if text.starts_with("~/") {
        return Some(format!("{text} does not exist: the shell expands `~` if it is not quoted"));
    }
    if text.starts_with('-') {
        return Some(format!("{text} does not exist: options precede `--`, paths follow it"));
    }
    let is_command = Args::command().find_subcommand(text).is_some_and(|it| !it.is_hide_set());
    (is_command && number == 1)
        .then(|| format!("{text} does not exist: to run this command, use `ddpatrol {text}`"))
}

/// Returns notes about symbolic links among the paths whose targets do not exist.
pub(in crate::cli) fn broken_links(paths: &[PathBuf]) -> impl Iterator<Item = String> {
    paths.iter().filter_map(|path| {
        let is_broken = path.metadata().is_err_and(|it| it.kind() == ErrorKind::NotFound);
        let target = path.read_link().ok().filter(|_| is_broken)?;
        let (path, target) = (path.display(), target.display());
        Some(format!("{path} is a symbolic link to {target}, which does not exist"))
    })
}

/// Fails if a revision is unknown, but a path exists with its name.
pub(in crate::cli) fn refuse_as_revision(revision: &OsStr) -> anyhow::Result<()> {
    let path = Path::new(revision);
    let Some(text) = revision.to_str().filter(|_| path.exists()) else { return Ok(()) };
    if is_revision(text) {
        return Ok(());
    }
    bail!(
        "{text} is a path, not a revision: run `ddpatrol scan {0}`, or `ddpatrol staged {0}` for its \
         staged changes",
        quote(text)
    )
}

/// Returns `true` if git knows a revision, or both ends of a range, in the repository of the current folder.
pub(in crate::cli) fn is_revision(text: &str) -> bool {
    let Ok(here) = std::env::current_dir() else { return false };
    let environment = Environment::read(|name| std::env::var_os(name));
    let Ok(repository) = Repository::discover(&here, &environment) else { return false };
    let ends: Vec<&str> = text.split("..").map(|it| it.trim_matches('.')).collect();
    let is_known =
        |end: &&str| !end.starts_with('-') && repository.resolve(OsStr::new(end)).is_ok();
    let mut named = ends.iter().filter(|end| !end.is_empty()).peekable();
    ends.len() <= 2 && named.peek().is_some() && named.all(is_known)
}

/// Returns `true` if a text that is no path looks like a range of revisions.
pub(super) fn is_range(text: &str) -> bool {
    let is_end = |end: &str| !end.starts_with(['.', '/', '\\']) && !end.ends_with('/');
    text.split_once("..").is_some_and(|(base, head)| {
        !base.is_empty() && is_end(base) && is_end(head.strip_prefix('.').unwrap_or(head))
    })
}

/// Returns the file of a position such as `src/main.rs:3:7`, if the file exists.
fn without_position(text: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let (mut file, mut found) = (text, None);
    while let Some((before, _)) = file.rsplit_once(':').filter(|(_, end)| is_number(end)) {
        file = before;
        found = Some(file).filter(|it| Path::new(it).exists()).or(found);
    }
    found
}
