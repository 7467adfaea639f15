//! What to do about a finding, in order: revoke, replace, clean, prevent.
//!
//! Takes a finding; returns steps with commands, which hold paths and the public part of a token, never
//! the secret. Commands work in any folder of the repository that the user is in; those for another
//! repository name its folder by an absolute path.

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

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    /// The token is to be made worthless.
    Revoke,
    /// Whoever used it needs another.
    Replace,
    /// It is to be taken out of where it stands.
    Clean,
    /// The next one is not to get there.
    Prevent,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemediationStep {
    /// What it is for.
    pub aim: Aim,
    /// What to do, in a sentence or two.
    pub text: Clean,
    /// Commands for a POSIX shell that do it, started in any folder of the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Clean>,
}

/// Where the history is rewritten: a folder of its own for each finding, so that no other repository's
/// clone, nor one that is left over, is pushed in its place.
const CLONE: &str = "\"$clone\"";
/// How many blobs a command names at the most.
const MOST_BLOBS: usize = 30;

/// A step before it has passed the redactor.
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

/// The repository that commands are for.
struct TargetRepository {
    /// Its folder, if the user's folder is in another repository or in none.
    elsewhere: Option<String>,
    is_bare: bool,
    /// The staged files that hold the finding, as quoted pathspecs.
    staged: Vec<String>,
}

/// Lists the steps for a finding.
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
    let replace = "Replace it where it is used by a new token, which lives in a secret store or the \
                   environment.";
    let target = TargetRepository::of(finding, paths);
    let install = match &target.elsewhere {
        Some(folder) => format!("ddpatrol hook install --repo {}", quote(folder)),
        None => "ddpatrol hook install".to_owned(),
    };
    let prevent = "Let a hook stop the next one before it is committed.";
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

/// Says how to take a token out of where it stands.
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
        let text = "No branch or tag reaches it: unstage it if it is staged, then let git forget what is \
                    unreachable. That drops the reflogs and all stashes, too, so make branches of those \
                    that you need (`git stash branch`). Servers and clones keep it until they do the same.";
        let expire = format!("{git} reflog expire --expire=now --all");
        return Draft::new(Aim::Clean, text, vec![expire, format!("{git} gc --prune=now")]);
    }
    // What the base has elsewhere is not to be had out by editing the change.
    let is_new = |it: &Location| {
        matches!(it.change_status, Some(ChangeStatus::New | ChangeStatus::AlsoUnpushed))
    };
    let is_change = places.iter().any(is_new);
    let brought = traces().find_map(|it| it.introduced.as_deref());
    if let (true, Some(commit)) = (is_change, brought) {
        let text = format!(
            "Take it out of the commits that hold it, the first is {}. On the branch that holds that \
             commit, mark it `edit` (behind a merge, insert the line `break`), take the token out, amend. \
             A later commit that removes it leaves it in the history.",
            &commit.id.to_string()[..12]
        );
        // The first commit of all has no parent to begin behind.
        let id = commit.id;
        let from = format!("\"$({git} rev-parse --quiet --verify {id}^ || echo --root)\"");
        let rebase = format!("{git} rebase --interactive --rebase-merges {from}");
        return Draft::new(Aim::Clean, text, vec![rebase]);
    }
    rewrite(finding, rule, target)
}

/// Says how to take a token out of a history that a branch or tag reaches.
fn rewrite(finding: &Finding, rule: &Rule, target: &TargetRepository) -> Draft {
    let places = &finding.locations;
    let text = "Rewrite the history in a fresh clone, with git-filter-repo; then push it by force, and \
                have everybody clone anew. Forks, caches and pull requests keep the old one, so do \
                this after the token is revoked.";
    let mut text = text.to_owned();
    // The URL of a remote counts from the top, and works beside it, too. Nothing is pushed after a
    // command has failed.
    let mut commands = vec![format!(
        "{} && url=$(git remote get-url origin) && clone=$(mktemp -d ../cleaned.XXXXXX) &&",
        target.cd()
    )];
    commands.push(format!("git clone --mirror \"$url\" {CLONE} &&"));
    let mut filter = format!("git -C {CLONE} filter-repo");
    let has = |part| places.iter().any(|it| it.part == part);
    let is_traced = |it: &&Location| it.trace.is_some() && it.part == Part::Content;
    let (plain, disguised): (Vec<_>, Vec<_>) =
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
    if !disguised.is_empty() {
        text.push_str(
            " Where it is encoded or packed no text can be replaced, so those files go as a whole: put \
             clean ones in their place.",
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
            " It stands in names, too: rename those files (--path-rename), branches and tags.",
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

/// Returns `true` if a token is in a file as it is, neither encoded nor in an archive.
fn is_plain(place: &Location) -> bool {
    place.encoding == Encoding::PLAIN
        && place.layer.is_none()
        && !place.path.as_deref().is_some_and(is_member)
}

/// Lists the blobs that hold a token otherwise than as it is; `None` if they are too many.
fn blobs(finding: &Finding) -> Option<String> {
    let len = finding.secret.expose().len() as u64;
    let blobs = finding.objects.iter().filter(|it| it.kind == Kind::Blob);
    // Of what lies in an archive there is no length.
    let blobs = blobs.filter(|it| it.is_in_members || it.spans.iter().any(|span| span.len != len));
    let mut ids: Vec<String> = blobs.map(|it| it.id.to_string()).collect();
    ids.sort();
    ids.dedup();
    (!ids.is_empty() && ids.len() <= MOST_BLOBS).then(|| ids.join(" "))
}

/// Says how to take a token out of where no history has it.
fn untraced(places: &[Location], target: &TargetRepository, operation: Option<Operation>) -> Draft {
    let git = target.git();
    let staged = &target.staged;
    if let (false, Some(operation)) = (staged.is_empty(), operation) {
        // `git reset -- FILE` would take HEAD's version, and drop what the other side has changed.
        let text = format!(
            "Take it out of the file, then stage the file again with `git add`. Do not unstage or \
             reset the file: a {} is in progress, and its changes to the file would be lost.",
            operation.name()
        );
        return Draft::new(Aim::Clean, text, Vec::new());
    }
    if !staged.is_empty() {
        let text = "Take it out of the file and stage the file again; nothing is committed yet.";
        let command = format!("{git} reset --quiet -- {}", staged.join(" "));
        return Draft::new(Aim::Clean, text, vec![command]);
    }
    let text = match places.first().map(|it| (it.part, &it.path)) {
        Some((Part::Ref, _)) => {
            "Rename the branch or tag, and delete the old name wherever it was pushed."
        }
        Some((Part::Name, _)) => "Rename the file. What was copied elsewhere keeps its name.",
        Some((_, None)) => {
            "Take it out of where it came from. What was copied elsewhere stays there."
        }
        _ => "Take it out of the file. What was copied elsewhere stays there.",
    };
    Draft::new(Aim::Clean, text, Vec::new())
}

/// Lists the staged paths, which count from the top, as quoted pathspecs.
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

/// Returns the file that holds a staged place: for the member of an archive, the archive.
fn file(path: &Path, paths: &Paths) -> String {
    let exists = |path: &Path| paths.whole(path).is_file();
    let file = if exists(path) {
        None
    } else {
        // The name of a folder may end in `!`, too.
        archives(path).find(|it| exists(it)).or_else(|| archives(path).next())
    };
    file.as_deref().unwrap_or(path).to_string_lossy().into_owned()
}

/// Writes an expression of git-filter-repo that matches this token, and what it is replaced by. It
/// holds the public part of the token only.
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
    /// Finds the repository that holds a finding.
    fn of(finding: &Finding, paths: &mut Paths) -> Self {
        let is_inside = |it: &&Location| match it.trace.as_deref() {
            Some(trace) => !is_member(&trace.repository),
            None => it.change_status.is_some(),
        };
        let mut locations = finding.locations.iter().filter(is_inside);
        // The git directory of a linked work tree is elsewhere, so a path says more than it does.
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

    /// Returns how git is called for the repository.
    fn git(&self) -> String {
        let folder = self.elsewhere.as_deref();
        folder.map_or_else(|| "git".to_owned(), |folder| format!("git -C {}", quote(folder)))
    }

    /// Returns a command that goes to the top of the repository.
    fn cd(&self) -> String {
        match &self.elsewhere {
            Some(folder) => format!("cd {}", quote(folder)),
            None if self.is_bare => "cd \"$(git rev-parse --absolute-git-dir)\"".to_owned(),
            None => "cd \"$(git rev-parse --show-toplevel)\"".to_owned(),
        }
    }
}

/// Returns the pathspec of a path that counts from the top of the work tree.
fn from_top(path: &str) -> String {
    // What follows `:/` may be more magic, and wildcards match other files.
    let is_plain = path.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
    match is_plain && !path.contains(['*', '?', '[', '\\']) {
        true => format!(":/{path}"),
        false => format!(":(top,literal){path}"),
    }
}

#[cfg(test)]
mod tests;
