//! Moves notes to the new ids of their commits.
//!
//! Input: a clone that git-filter-repo has rewritten, with its list of old and new commits. Output: one more
//! commit or two in each reference of notes. Notes of commits that were not rewritten stay.

use super::repository::{Reference, git, output, references};
use anyhow::{Context, bail};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// The author of the commits, because git requires one.
const IDENTITY: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "ddpatrol"),
    ("GIT_AUTHOR_EMAIL", "ddpatrol@localhost"),
    ("GIT_COMMITTER_NAME", "ddpatrol"),
    ("GIT_COMMITTER_EMAIL", "ddpatrol@localhost"),
];

/// Moves all notes of a rewritten clone.
pub(super) fn rewrite(clone: &Path) -> anyhow::Result<()> {
    let references = references(clone)?;
    let notes: Vec<&Reference> =
        references.iter().filter(|it| it.name.starts_with(b"refs/notes/")).collect();
    if notes.is_empty() {
        return Ok(());
    }
    let map = std::fs::read_to_string(clone.join("filter-repo/commit-map"))
        .context("cannot read the list of rewritten commits")?;
    let pairs = map.lines().filter_map(|line| line.split_once(' '));
    let pairs = pairs.map(|(old, new)| (old, new.trim()));
    // A removed commit has no new id.
    let moved = pairs.filter(|(old, new)| old != new && new.bytes().any(|digit| digit != b'0'));
    let moved: HashMap<&str, &str> = moved.collect();
    for reference in notes {
        rewrite_reference(clone, reference, &moved).context("cannot move the notes")?;
    }
    Ok(())
}

fn rewrite_reference(
    clone: &Path,
    reference: &Reference,
    moved: &HashMap<&str, &str>,
) -> anyhow::Result<()> {
    let name = std::str::from_utf8(&reference.name).context("the reference is not UTF-8")?;
    let option = format!("--ref={name}");
    let listed = output(git(clone).args(["notes", &option, "list"]))?;
    let listed = String::from_utf8_lossy(&listed);
    let objects = listed.lines().filter_map(|line| Some(line.split_once(' ')?.1));
    let (mut copies, mut removals) = (String::new(), String::new());
    for old in objects {
        if let Some(new) = moved.get(old) {
            copies.push_str(&format!("{old} {new}\n"));
            removals.push_str(&format!("{old}\n"));
        }
    }
    if copies.is_empty() {
        return Ok(());
    }
    run(clone, &["notes", &option, "copy", "--force", "--stdin"], &copies)?;
    run(clone, &["notes", &option, "remove", "--ignore-missing", "--stdin"], &removals)
}

/// Runs git with an input.
fn run(clone: &Path, args: &[&str], input: &str) -> anyhow::Result<()> {
    let mut command = git(clone);
    command.args(args).envs(IDENTITY).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.stdout(Stdio::null()).spawn()?;
    child.stdin.take().context("no pipe")?.write_all(input.as_bytes())?;
    let ran = child.wait_with_output()?;
    if !ran.status.success() {
        bail!("{}", String::from_utf8_lossy(&ran.stderr).trim());
    }
    Ok(())
}
