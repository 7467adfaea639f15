//! Remediation of a finding, in order: revoke, replace, clean, prevent.
//!
//! Input: a finding, and the context of the report. Output: steps with commands, which contain paths and
//! commit ids, never a token. Commands work in any folder of the user's repository; commands for another
//! repository contain the absolute path of its folder.

mod draft;
mod rename;
mod target_repository;
mod unstage;

use self::draft::{Draft, MAX_COMMANDS};
use self::rename::rename;
use self::target_repository::{TargetRepository, top_of};
use self::unstage::{staged, unstage, unstage_uncommitted};
use super::document::Paths;
use super::remediation::{EditedCommit, RemediationStep, StepKind, rebase};
use super::steps_context::{HookKind, NextStepsContext, Surface};
use super::trace::short;
use ddpatrol_detect::Evidence;
use ddpatrol_detect::redact::{Clean, Masker};
use ddpatrol_detect::rules::Rule;
use ddpatrol_pack::Kind;
use ddpatrol_respond::Provider;
use ddpatrol_scan::finding::{ChangeStatus, Finding, Location, Part};
use ddpatrol_scan::place::Place;
use std::path::PathBuf;

pub use super::remediation::Aim;

/// Returns the steps for a finding.
pub(super) fn steps(
    finding: &Finding,
    rule: &Rule,
    masker: &mut Masker<'_>,
    paths: &mut Paths,
    context: &NextStepsContext,
) -> Vec<RemediationStep> {
    let targets = TargetRepository::all(finding, paths);
    let mut drafts = Vec::new();
    if has_leaked(finding, context.surface) {
        drafts.push(revoke(finding, rule, context));
        let replace = "Replace it with a new token wherever it is used, stored in a secret store or \
                       the environment.";
        drafts.push(Draft::new(StepKind::Replace, replace, Vec::new()));
    }
    let (names, places): (Vec<&Location>, Vec<&Location>) =
        finding.locations.iter().partition(|it| it.part == Part::Ref);
    match staged(&finding.locations) {
        files if !files.is_empty() => {
            let git = targets.first().map_or_else(|| "git".to_owned(), TargetRepository::git);
            let operation = context.operation.map(|it| it.name());
            drafts.push(unstage(&git, &files, operation, masker));
        }
        _ if places.is_empty() => {}
        _ => {
            drafts.extend(unstage_uncommitted(&places, paths, masker));
            drafts.extend(clean(&places, &targets, context, masker));
        }
    }
    drafts.extend(rename(finding, &names, paths, context));
    drafts.extend(prevent(finding, paths, context));
    let mut masked = |text: &String| masker.clean(text.as_bytes());
    drafts
        .into_iter()
        .map(|draft| RemediationStep {
            aim: draft.aim,
            kind: draft.kind,
            text: masked(&draft.text),
            commands: draft.commands.iter().map(&mut masked).collect(),
            run_commands: draft.run_commands.iter().map(&mut masked).collect(),
        })
        .collect()
}

/// Returns `true` unless the token has certainly not left this machine.
fn has_leaked(finding: &Finding, surface: Surface) -> bool {
    match surface {
        Surface::Hook(HookKind::PreReceive) | Surface::Terminal | Surface::Saved | Surface::Ci => {
            true
        }
        // The base of the change may have been pushed.
        Surface::Hook(_) => finding.locations.iter().any(|it| {
            let change_status = it.change_status.as_ref();
            matches!(change_status, Some(ChangeStatus::Preexisting | ChangeStatus::Moved(_)))
        }),
    }
}

fn revoke(finding: &Finding, rule: &Rule, context: &NextStepsContext) -> Draft {
    let text = rule
        .advice_for(finding.token.uuid)
        .unwrap_or_else(|| format!("Revoke it where {} issued it.", rule.issuer));
    let is_proven = finding.evidence == Evidence::Proven;
    let provider = Provider::of(&rule.id).filter(|it| is_proven && it.can_revoke());
    let is_by_id = || finding.token.uuid.is_some() && provider == Some(Provider::Datadog);
    let command = match (&context.revoke, &context.report) {
        _ if provider.is_none() => None,
        (Some(command), _) => Some(command.text().into_owned()),
        // The report is redacted, so only tokens with an identifier can be revoked from it.
        (None, Some(report)) if is_by_id() => {
            Some(format!("ddpatrol revoke --from {}", report.text()))
        }
        _ => None,
    };
    let run_commands = command.into_iter().collect();
    Draft { run_commands, ..Draft::new(StepKind::Revoke, text, Vec::new()) }
}

/// Returns the step that installs a hook; `None` if a hook is installed or runs this scan.
fn prevent(finding: &Finding, paths: &mut Paths, context: &NextStepsContext) -> Option<Draft> {
    if context.surface != Surface::Terminal {
        return None;
    }
    let mut tops: Vec<PathBuf> = Vec::new();
    for location in &finding.locations {
        let repository = location.trace.as_deref().map(|trace| &trace.repository);
        if repository.is_some_and(Place::is_member) || tops.len() == MAX_COMMANDS {
            continue;
        }
        let Some(top) = top_of(location, paths) else { continue };
        // The work trees of a repository share its hooks.
        let top = paths.command_top(top);
        if !tops.contains(&top) {
            tops.push(top);
        }
    }
    tops.retain(|top| !context.hooks.is_installed(top));
    let targets = tops.into_iter().map(|top| TargetRepository::new(top, paths));
    let targets: Vec<TargetRepository> = targets.collect();
    let text = match targets.first()?.is_bare {
        true => "Install the pre-receive hook, which rejects pushes with tokens.",
        false => "Install the pre-commit hook.",
    };
    let install = |target: &TargetRepository| {
        let hook = if target.is_bare { " --pre-receive" } else { "" };
        format!("ddpatrol hook install{hook}{}", target.option("--repo"))
    };
    Some(Draft::new(StepKind::Prevent, text, targets.iter().map(install).collect()))
}

/// Returns the steps that remove a token from its locations.
fn clean(
    places: &[&Location],
    targets: &[TargetRepository],
    context: &NextStepsContext,
    masker: &mut Masker<'_>,
) -> Vec<Draft> {
    let is_traced =
        |it: &Location| it.trace.as_deref().is_some_and(|it| !it.repository.is_member());
    let is_reachable = |it: &Location| it.trace.as_deref().is_some_and(|it| it.reachable);
    let is_here = |it: &&&Location| !is_traced(it) && it.change_status.is_none();
    let files: Vec<&Location> = places.iter().filter(is_here).copied().collect();
    if files.len() == places.len() {
        return vec![untraced(places, context.surface, masker)];
    }
    if !places.iter().any(|it| is_traced(it) && is_reachable(it)) {
        // The files are removed or edited first: staging them again would keep the objects.
        let is_staged =
            places.iter().any(|it| it.trace.as_deref().is_some_and(|it| it.staged.is_some()));
        let files = Some(files).filter(|files| !files.is_empty() && !is_staged);
        let files = files.map(|files| untraced(&files, context.surface, masker));
        return files.into_iter().chain([prune(targets, places)]).collect();
    }
    vec![clean_history(places, targets, context, masker)]
}

/// Returns the step that removes a token from a history that a branch, tag or stash reaches.
fn clean_history(
    places: &[&Location],
    targets: &[TargetRepository],
    context: &NextStepsContext,
    masker: &mut Masker<'_>,
) -> Draft {
    let traces = || {
        let all = places.iter().filter_map(|it| it.trace.as_deref());
        all.filter(|it| !it.repository.is_member())
    };
    let reachable = || traces().filter(|it| it.reachable);
    if reachable().all(|it| it.refs_total == 1 && it.refs == [b"refs/stash"]) {
        let text = "Only a stash contains it: `git stash list` shows the stashes. Apply the stash, remove \
                    the token from the files, and drop the stash yourself if you no longer need it.";
        let looks = targets.iter().map(|it| format!("{} stash list", it.git()));
        return Draft::new(StepKind::Stash, text, looks.take(MAX_COMMANDS).collect());
    }
    // Editing the change does not remove what the base has elsewhere.
    let is_new = |it: &&&Location| {
        matches!(it.change_status, Some(ChangeStatus::New | ChangeStatus::AlsoUnpushed))
    };
    let new = places.iter().filter(is_new).filter_map(|it| it.trace.as_deref());
    let mut commits: Vec<EditedCommit> = Vec::new();
    for trace in new.filter(|it| !it.repository.is_member()) {
        let Some(commit) = trace.introduced.as_deref() else { continue };
        let text = commit.id.to_string();
        let id = masker.clean(text.as_bytes());
        if !commits.iter().any(|it| it.id == id) {
            let short = masker.clean(short(&text).as_bytes());
            commits.push(EditedCommit { date: trace.order, id, short });
        }
    }
    if !commits.is_empty() {
        commits.sort_by_key(|it| it.date);
        return edit(commits, targets, context.surface, masker);
    }
    rewrite(targets, context)
}

/// Returns the step that deletes unreachable objects.
fn prune(targets: &[TargetRepository], places: &[&Location]) -> Draft {
    // A reflog lists commits, so it cannot keep a blob that no commit contains.
    let was_committed = places
        .iter()
        .filter_map(|it| it.trace.as_deref())
        .any(|it| it.introduced.is_some() || it.kind != Kind::Blob);
    let text = match was_committed {
        true => {
            "No branch or tag reaches it: delete unreachable objects. Objects that a reflog still lists \
             are kept until its entries expire; `git reflog` shows them. Servers and other clones keep \
             the objects until they do the same."
        }
        false => {
            "It was added to the repository and never committed: delete unreachable objects. Objects in \
             the index of a work tree are kept."
        }
    };
    let prunes = targets.iter().map(TargetRepository::prune);
    let kind = if was_committed { StepKind::Prune } else { StepKind::PruneUncommitted };
    Draft::new(kind, text, prunes.take(MAX_COMMANDS).collect())
}

/// Returns the step that removes a token from the commits of a change.
fn edit(
    commits: Vec<EditedCommit>,
    targets: &[TargetRepository],
    surface: Surface,
    masker: &mut Masker<'_>,
) -> Draft {
    let text = format!(
        "Remove it from the commits that contain it; the first is {}. On the branch with that commit, \
         mark the commit `edit` (after a merge, insert the line `break`), remove the token, and amend. \
         A later commit that removes it leaves it in the history.",
        commits[0].short.text()
    );
    // The commits of a push to a server are edited in the clone that pushes them.
    let is_received = surface == Surface::Hook(HookKind::PreReceive);
    let git = match targets.first() {
        Some(target) if target.is_bare && !is_received => None,
        Some(target) if !is_received => Some(target.git()),
        _ => Some("git".to_owned()),
    };
    let git = git.map(|it| masker.clean(it.as_bytes()));
    let commands = git.iter().map(|git| rebase(git, &commits).text().into_owned()).collect();
    Draft::new(StepKind::Edit { git, commits }, text, commands)
}

/// Returns the step that removes a token from a history that a branch or tag reaches.
fn rewrite(targets: &[TargetRepository], context: &NextStepsContext) -> Draft {
    let text = "Rewrite the history with `ddpatrol clean --from REPORT`, which prints a plan first, then force-push and \
                ask everyone to re-clone. Forks, caches and pull requests keep the old history, so revoke \
                the token first.";
    let (reachable, rest): (Vec<_>, Vec<_>) = targets.iter().partition(|it| it.is_reachable);
    let prunes = rest.into_iter().map(TargetRepository::prune).take(MAX_COMMANDS).collect();
    let mut run_commands = Vec::new();
    if let Some(report) = context.report_path() {
        if context.report.is_none() {
            run_commands.extend(context.save.as_ref().map(|it| it.text().into_owned()));
        }
        let clean = |target: &TargetRepository| {
            format!("ddpatrol clean --from {report}{}", target.option("--repo"))
        };
        run_commands.extend(reachable.into_iter().take(MAX_COMMANDS).map(clean));
    }
    Draft { run_commands, ..Draft::new(StepKind::Rewrite, text, prunes) }
}

/// Returns the step that removes a token from locations outside of histories.
fn untraced(places: &[&Location], surface: Surface, masker: &mut Masker<'_>) -> Draft {
    let text = match places.first().map(|it| (it.part, &it.path)) {
        _ if surface == Surface::Hook(HookKind::CommitMsg) => {
            "Remove it from the message and commit again; nothing is committed yet. Git keeps the message \
             in `.git/COMMIT_EDITMSG`."
        }
        Some((Part::Name, _)) => "Rename the file. Copies elsewhere keep the name.",
        Some((_, None)) => "Remove it from its source. Copies elsewhere keep it.",
        _ => {
            let mut files: Vec<Clean> = Vec::new();
            for place in places.iter().filter_map(|it| it.path.as_ref()) {
                let path = masker.clean(place.plain().path().as_os_str().as_encoded_bytes());
                if !files.contains(&path) {
                    files.push(path);
                }
            }
            let text = "Remove it from the file. Copies elsewhere keep it.";
            return Draft::new(StepKind::RemoveFrom { files }, text, Vec::new());
        }
    };
    Draft::new(StepKind::Remove, text, Vec::new())
}

#[cfg(test)]
mod tests;
