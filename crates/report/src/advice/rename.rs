//! Steps for tokens in the names of branches, tags and other references.
//!
//! Input: the references of a finding. Output: commands that rename them. A command contains a pattern instead
//! of the name, so it contains no secret.

use super::draft::{Draft, MAX_COMMANDS};
use super::target_repository::TargetRepository;
use crate::document::Paths;
use crate::remediation::StepKind;
use crate::shell::quote;
use crate::steps_context::{HookKind, NextStepsContext, Surface};
use ddpatrol_scan::finding::{Finding, Location};
use std::collections::HashSet;
use std::path::PathBuf;

/// Returns the steps that rename references: one with commands, and one for the references that need other
/// commands.
pub(super) fn rename(
    finding: &Finding,
    names: &[&Location],
    paths: &mut Paths,
    context: &NextStepsContext,
) -> Vec<Draft> {
    let mut used = HashSet::new();
    let (mut described, mut commands, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let git = git(name, paths, context);
        match git.and_then(|git| Some((Rename::new(finding, name, &mut used)?, git))) {
            Some((rename, git)) if commands.len() < MAX_COMMANDS => {
                described.push(*name);
                commands.push(rename.command(&git));
            }
            _ => others.push(*name),
        }
    }
    [(described, commands), (others, Vec::new())]
        .into_iter()
        .filter_map(|(names, commands)| Some(Draft::new(StepKind::Rename, text(&names)?, commands)))
        .collect()
}

/// Returns the instructions for references.
fn text(names: &[&Location]) -> Option<String> {
    let first = names.first()?.snippet.text();
    let first = ["refs/heads/", "refs/tags/", "refs/remotes/"]
        .iter()
        .find_map(|it| first.strip_prefix(it))
        .unwrap_or(&first);
    let more = match names.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    Some(format!(
        "Rename the branch or tag {first}{more}, and delete the old name wherever it was pushed."
    ))
}

/// Returns the `git` command for the repository of a reference; `None` if it is in an archive.
fn git(name: &Location, paths: &mut Paths, context: &NextStepsContext) -> Option<String> {
    // The references of a push to a server are renamed in the clone that pushes them.
    if context.surface == Surface::Hook(HookKind::PreReceive) {
        return Some("git".to_owned());
    }
    let top: PathBuf = paths.top_of_git_dir(name.path.as_ref()?.as_file()?);
    let top = paths.command_top(top);
    Some(TargetRepository::new(top, paths).git())
}

/// A reference, and its new name.
struct Rename<'a> {
    /// The pattern below the namespace.
    pattern: &'a str,
    namespace: Namespace<'a>,
    /// The new name below the namespace.
    new: String,
}

/// The kind of a reference.
enum Namespace<'a> {
    Branch,
    /// A branch of a remote with this name.
    Remote(&'a str),
    /// A tag or another reference; the beginning of the name.
    Other(&'a str),
}

impl<'a> Namespace<'a> {
    /// Splits a pattern into the kind and the rest.
    fn split(pattern: &'a str) -> Option<(Self, &'a str)> {
        if let Some(rest) = pattern.strip_prefix("refs/heads/") {
            return Some((Self::Branch, rest));
        }
        if let Some((remote, rest)) =
            pattern.strip_prefix("refs/remotes/").and_then(|it| it.split_once('/'))
        {
            return Some((Self::Remote(remote), rest))
                .filter(|_| !remote.contains('?') && !remote.starts_with('-'));
        }
        let start = pattern.match_indices('/').nth(1)?.0 + 1;
        let (start, rest) = pattern.split_at(start);
        Some((Self::Other(start), rest)).filter(|_| !start.contains('?'))
    }
}

impl<'a> Rename<'a> {
    /// Chooses a name with the fingerprint in place of the token.
    fn new(finding: &Finding, name: &'a Location, used: &mut HashSet<String>) -> Option<Self> {
        let whole = std::str::from_utf8(name.name_pattern.as_ref()?.as_bytes()).ok()?;
        let (namespace, pattern) = Namespace::split(whole)?;
        let at = usize::try_from(name.offset).ok()?.checked_sub(whole.len() - pattern.len())?;
        let end = at.checked_add(usize::try_from(name.len).ok()?)?;
        let fingerprint = finding.fingerprint.to_string();
        let label = format!("token-{}", fingerprint.get(..12)?);
        let new = [pattern.get(..at)?, &label, pattern.get(end..)?].concat().replace('?', "_");
        // A branch cannot begin with a dash.
        let new = new.trim_start_matches('-');
        let start = &whole[..whole.len() - pattern.len()];
        let mut names =
            std::iter::once(new.to_owned()).chain((2..).map(|it| format!("{new}-{it}")));
        let new = names.find(|it| used.insert(format!("{start}{it}")))?;
        Some(Self { pattern, namespace, new })
    }

    /// Returns the command. It does nothing if no reference matches the pattern.
    fn command(&self, git: &str) -> String {
        let Self { pattern, new, .. } = self;
        let list = |options: &str, format: &str, start: &str| {
            let (format, pattern) = (quote(format), quote(&format!("{start}{pattern}")));
            format!("{git} for-each-ref {options}--format={format} {pattern}")
        };
        // `xargs` removes the quotes that `--shell` adds.
        match self.namespace {
            Namespace::Branch => {
                let listed = list(
                    "--shell ",
                    &format!("%(refname:lstrip=2) {}", quoted(new)),
                    "refs/heads/",
                );
                let dashes = if pattern.starts_with('-') { " --" } else { "" };
                format!("{listed} | xargs -r {git} branch -m{dashes}")
            }
            Namespace::Remote(remote) => {
                let new = quoted(&format!("refs/heads/{new}"));
                let refs = format!("%(refname):{new} :refs/heads/%(refname:lstrip=3)");
                let listed = list("--shell ", &refs, &format!("refs/remotes/{remote}/"));
                format!("{listed} | xargs -r {git} push --quiet {}", quote(remote))
            }
            Namespace::Other(start) => {
                let new = literal(&format!("{start}{new}"));
                let lines = format!("create {new} %(objectname)%0adelete %(refname)");
                format!("{} | {git} update-ref --stdin", list("", &lines, start))
            }
        }
    }
}

/// Escapes text for a format of `git for-each-ref`.
fn literal(text: &str) -> String {
    text.replace('%', "%%")
}

/// Quotes a name for `xargs`, in a format of `git for-each-ref`.
fn quoted(name: &str) -> String {
    literal(&quote(name))
}
