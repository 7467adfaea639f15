//! Remediation of a finding, in order: revoke, replace, clean, prevent.
//!
//! Input: a finding. Output: steps with commands, which contain paths and the public part of a token, never
//! the secret. Commands work in any folder of the user's repository; commands for another repository contain
//! the absolute path of its folder.

use super::document::Paths;
use crate::detect::encoding::Encoding;
use crate::redact::{Clean, Masker};
use crate::rules::Rule;
use crate::shell::quote;
use crate::source::git::repo::Operation;
use crate::source::repositories::root_of;
use ddpatrol_pack::Kind;
use ddpatrol_scan::finding::{ChangeStatus, Finding, Location, Part, archives, is_member};
use ddpatrol_token::ByteSet;
use ddpatrol_token::secret::MASK;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The purpose of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    /// Invalidate the token.
    Revoke,
    /// Give its users another token.
    Replace,
    /// Remove it from its locations.
    Clean,
    /// Keep the next token from being committed.
    Prevent,
}

/// One step of the remediation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationStep {
    /// Its purpose.
    pub aim: Aim,
    /// Instructions in a sentence or two.
    pub text: Clean,
    /// Commands for a POSIX shell in any folder of the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Clean>,
}

/// The clone in which the history is rewritten. Each finding has a folder of its own, so that a clone of
/// another repository, or one left over from before, is never pushed instead.
const CLONE: &str = "\"$clone\"";
/// Maximum number of blobs in a command.
const MAX_BLOBS: usize = 30;

/// A step before redaction.
struct Draft {
    aim: Aim,
    text: String,
    commands: Vec<String>,
}

impl Draft {
    fn new(aim: Aim, text: impl Into<String>, commands: Vec<String>) -> Self {
        Self { aim, text: text.into(), commands }
    }
}

/// The repository in which commands run.
struct TargetRepository {
    /// Its folder, if the user's current folder is not in it.
    elsewhere: Option<String>,
    is_bare: bool,
    /// The staged files that contain the finding, as quoted pathspecs.
    staged: Vec<String>,
}

/// Returns the steps for a finding.
pub(super) fn steps(
    finding: &Finding,
    rule: &Rule,
    masker: &mut Masker<'_>,
    paths: &mut Paths,
    operation: Option<Operation>,
) -> Vec<RemediationStep> {
    let revoke = rule
        .advice_for(finding.token.uuid)
        .unwrap_or_else(|| format!("Revoke it where {} issued it.", rule.issuer));
    let replace = "Replace it with a new token wherever it is used, stored in a secret store or the \
                   environment.";
    let target = TargetRepository::of(finding, paths);
    let install = match &target.elsewhere {
        Some(folder) => format!("ddpatrol hook install --repo {}", quote(folder)),
        None => "ddpatrol hook install".to_owned(),
    };
    let prevent = "Install the pre-commit hook.";
    let drafts = [
        Draft::new(Aim::Revoke, revoke, Vec::new()),
        Draft::new(Aim::Replace, replace, Vec::new()),
        clean(finding, rule, &target, operation),
        Draft::new(Aim::Prevent, prevent, vec![install]),
    ];
    let mut masked = |text: &String| masker.clean(text.as_bytes());
    drafts
        .iter()
        .map(|draft| RemediationStep {
            aim: draft.aim,
            text: masked(&draft.text),
            commands: draft.commands.iter().map(&mut masked).collect(),
        })
        .collect()
}

/// Returns the step that removes a token from its locations.
fn clean(
    finding: &Finding,
    rule: &Rule,
    target: &TargetRepository,
    operation: Option<Operation>,
) -> Draft {
    let places = &finding.locations;
    let git = target.git();
    let traces = || {
        let all = places.iter().filter_map(|it| it.trace.as_deref());
        all.filter(|it| !is_member(&it.repository))
    };
    if traces().next().is_none() {
        return untraced(places, target, operation);
    }
    if !traces().any(|it| it.reachable) {
        let text = "No branch or tag reaches it: unstage it if it is staged, then delete unreachable \
                    objects. This also deletes the reflogs and all stashes; turn stashes that you need \
                    into branches first (`git stash branch`). Servers and clones keep it until they do \
                    the same.";
        let expire = format!("{git} reflog expire --expire=now --all");
        return Draft::new(Aim::Clean, text, vec![expire, format!("{git} gc --prune=now")]);
    }
    // Editing the change does not remove what the base has elsewhere.
    let is_new = |it: &Location| {
        matches!(it.change_status, Some(ChangeStatus::New | ChangeStatus::AlsoUnpushed))
    };
    let is_change = places.iter().any(is_new);
    let introduced = traces().find_map(|it| it.introduced.as_deref());
    if let (true, Some(commit)) = (is_change, introduced) {
        let text = format!(
            "Remove it from the commits that contain it; the first is {}. On the branch with that commit, \
             mark the commit `edit` (after a merge, insert the line `break`), remove the token, and amend. \
             A later commit that removes it leaves it in the history.",
            &commit.id.to_string()[..12]
        );
        // The root commit has no parent to start from.
        let id = commit.id;
        let from = format!("\"$({git} rev-parse --quiet --verify {id}^ || echo --root)\"");
        let rebase = format!("{git} rebase --interactive --rebase-merges {from}");
        return Draft::new(Aim::Clean, text, vec![rebase]);
    }
    rewrite(finding, rule, target)
}

/// Returns the step that removes a token from a history that a branch or tag reaches.
fn rewrite(finding: &Finding, rule: &Rule, target: &TargetRepository) -> Draft {
    let places = &finding.locations;
    let text = "Rewrite the history in a fresh clone with git-filter-repo, force-push, then ask everyone \
                to re-clone. Forks, caches and pull requests keep the old history, so revoke the token \
                first.";
    let mut text = text.to_owned();
    // A relative URL of a remote is relative to the top, and also works in a folder beside it. Nothing is
    // pushed after a command has failed.
    let mut commands = vec![format!(
        "{} && url=$(git remote get-url origin) && clone=$(mktemp -d ../cleaned.XXXXXX) &&",
        target.cd()
    )];
    commands.push(format!("git clone --mirror \"$url\" {CLONE} &&"));
    let mut filter = format!("git -C {CLONE} filter-repo");
    let has = |part| places.iter().any(|it| it.part == part);
    let is_traced = |it: &&Location| it.trace.is_some() && it.part == Part::Content;
    let (plain, encoded): (Vec<_>, Vec<_>) =
        places.iter().filter(is_traced).partition(|it| is_plain(it));
    let in_message = has(Part::Commit) || has(Part::Tag);
    if !plain.is_empty() || in_message {
        let expression = quote(&expression(finding, rule));
        commands.push(format!("printf '%s\\n' {expression} > {CLONE}.txt &&"));
        filter.push_str(&format!(" --replace-text {CLONE}.txt"));
    }
    if in_message {
        filter.push_str(&format!(" --replace-message {CLONE}.txt"));
    }
    if !encoded.is_empty() {
        text.push_str(
            " Encoded or packed tokens cannot be replaced in place, so the files that contain them are \
             removed: add clean files instead.",
        );
        match blobs(finding) {
            Some(ids) => {
                commands.push(format!("printf '%s\\n' {ids} > {CLONE}.ids &&"));
                filter.push_str(&format!(" --strip-blobs-with-ids {CLONE}.ids"));
            }
            None => text.push_str(" The JSON report lists them, for --strip-blobs-with-ids."),
        }
    }
    if has(Part::Name) || has(Part::Ref) {
        text.push_str(
            " It also occurs in names: rename those files (--path-rename), branches and tags.",
        );
    }
    if commands.len() == 2 {
        // Names are renamed by hand, so there is nothing to run.
        return Draft::new(Aim::Clean, text, Vec::new());
    }
    commands.push(format!("{filter} &&"));
    let refs = ["heads", "tags", "notes"].map(|kind| format!("'refs/{kind}/*:refs/{kind}/*'"));
    commands.push(format!("git -C {CLONE} push --force \"$url\" {}", refs.join(" ")));
    Draft::new(Aim::Clean, text, commands)
}

/// Returns `true` if a token is in plain text in a file, neither encoded nor in an archive.
fn is_plain(place: &Location) -> bool {
    place.encoding == Encoding::PLAIN
        && place.layer.is_none()
        && !place.path.as_deref().is_some_and(is_member)
}

/// Returns the blobs that contain a token encoded or packed; `None` if there are too many.
fn blobs(finding: &Finding) -> Option<String> {
    let len = finding.secret.expose().len() as u64;
    let blobs = finding.objects.iter().filter(|it| it.kind == Kind::Blob);
    // Tokens in members of an archive have no length here.
    let blobs = blobs.filter(|it| it.is_in_members || it.spans.iter().any(|span| span.len != len));
    let mut ids: Vec<String> = blobs.map(|it| it.id.to_string()).collect();
    ids.sort();
    ids.dedup();
    (!ids.is_empty() && ids.len() <= MAX_BLOBS).then(|| ids.join(" "))
}

/// Returns the step that removes a token from locations outside of histories.
fn untraced(places: &[Location], target: &TargetRepository, operation: Option<Operation>) -> Draft {
    let git = target.git();
    let staged = &target.staged;
    if let (false, Some(operation)) = (staged.is_empty(), operation) {
        // `git reset -- FILE` would restore HEAD's version and discard the changes of the other side.
        let text = format!(
            "Remove it from the file, then stage the file again with `git add`. Do not unstage or \
             reset the file: a {} is in progress, and its changes to the file would be lost.",
            operation.name()
        );
        return Draft::new(Aim::Clean, text, Vec::new());
    }
    if !staged.is_empty() {
        let text = "Remove it from the file and stage the file again; nothing is committed yet.";
        let command = format!("{git} reset --quiet -- {}", staged.join(" "));
        return Draft::new(Aim::Clean, text, vec![command]);
    }
    let text = match places.first().map(|it| (it.part, &it.path)) {
        Some((Part::Ref, _)) => {
            "Rename the branch or tag, and delete the old name wherever it was pushed."
        }
        Some((Part::Name, _)) => "Rename the file. Copies elsewhere keep the name.",
        Some((_, None)) => "Remove it from its source. Copies elsewhere keep it.",
        _ => "Remove it from the file. Copies elsewhere keep it.",
    };
    Draft::new(Aim::Clean, text, Vec::new())
}

/// Returns the staged paths, relative to the top, as quoted pathspecs.
fn staged(places: &[Location], paths: &Paths) -> Vec<String> {
    let is_staged = |it: &&Location| {
        it.change_status.is_some() && matches!(it.part, Part::Content | Part::Name)
    };
    let staged = places.iter().filter(is_staged);
    let staged = staged.filter_map(|it| it.path.as_deref());
    let mut files: Vec<String> = staged.map(|path| quote(&from_top(&file(path, paths)))).collect();
    files.sort();
    files.dedup();
    files
}

/// Returns the file of a staged location: for the member of an archive, the archive.
fn file(path: &Path, paths: &Paths) -> String {
    let exists = |path: &Path| paths.whole(path).is_file();
    let file = if exists(path) {
        None
    } else {
        // The name of a folder may also end in `!`.
        archives(path).find(|it| exists(it)).or_else(|| archives(path).next())
    };
    file.as_deref().unwrap_or(path).to_string_lossy().into_owned()
}

/// Returns the git-filter-repo expression that matches this token, and its replacement. It contains only the
/// public part of the token.
fn expression(finding: &Finding, rule: &Rule) -> String {
    let redacted = &finding.token.redacted;
    let public = redacted.strip_suffix(MASK).unwrap_or(redacted);
    let hidden = finding.secret.expose().len().saturating_sub(public.len());
    let is_plain = rule.format.segments().iter().all(|segment| {
        segment
            .set
            .ranges()
            .into_iter()
            .all(|(first, last)| (first..=last).all(|byte| ByteSet::BASE62.contains(byte)))
    });
    let class = if is_plain { "[0-9A-Za-z]" } else { "[0-9A-Za-z._=-]" };
    let escaped: String = public
        .chars()
        .flat_map(|c| {
            let is_special = !c.is_ascii_alphanumeric() && c != '_';
            is_special.then_some('\\').into_iter().chain([c])
        })
        .collect();
    format!("regex:{escaped}{class}{{{hidden}}}==>{public}REMOVED")
}

impl TargetRepository {
    /// Returns the repository that contains a finding.
    fn of(finding: &Finding, paths: &mut Paths) -> Self {
        let is_inside = |it: &&Location| match it.trace.as_deref() {
            Some(trace) => !is_member(&trace.repository),
            None => it.change_status.is_some(),
        };
        let mut locations = finding.locations.iter().filter(is_inside);
        // The git directory of a linked work tree is elsewhere, so paths are more reliable.
        let top = locations
            .clone()
            .find_map(|it| Some(paths.within(it)?.top.to_path_buf()))
            .or_else(|| {
                let git_dir = locations.find_map(|it| Some(&it.trace.as_deref()?.repository))?;
                Some(paths.whole(root_of(git_dir)))
            });
        let is_bare = top.as_ref().is_some_and(|top| !top.join(".git").exists());
        let elsewhere = top.filter(|top| !paths.is_current(top));
        Self {
            elsewhere: elsewhere.map(|top| top.to_string_lossy().into_owned()),
            is_bare,
            staged: staged(&finding.locations, paths),
        }
    }

    /// Returns the `git` command for the repository.
    fn git(&self) -> String {
        let folder = self.elsewhere.as_deref();
        folder.map_or_else(|| "git".to_owned(), |folder| format!("git -C {}", quote(folder)))
    }

    /// Returns a command that changes to the top of the repository.
    fn cd(&self) -> String {
        match &self.elsewhere {
            Some(folder) => format!("cd {}", quote(folder)),
            None if self.is_bare => "cd \"$(git rev-parse --absolute-git-dir)\"".to_owned(),
            None => "cd \"$(git rev-parse --show-toplevel)\"".to_owned(),
        }
    }
}

/// Returns the pathspec of a path that is relative to the top of the work tree.
fn from_top(path: &str) -> String {
    // Characters after `:/` may be further pathspec magic, and wildcards match other files.
    let is_plain = path.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
    match is_plain && !path.contains(['*', '?', '[', '\\']) {
        true => format!(":/{path}"),
        false => format!(":(top,literal){path}"),
    }
}

#[cfg(test)]
mod tests;
