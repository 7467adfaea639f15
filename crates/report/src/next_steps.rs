//! Next steps of a report: how to handle all its findings, each command once.
//!
//! Input: a document, and the context that it does not contain: where the report is shown, the command line,
//! and the JSON report of the same run. Output: steps with at most one command each. `advice` writes the steps
//! of each finding, which this file merges.

use super::document::{Document, Record};
use super::remediation::{Aim, EditedCommit, PRUNE, RemediationStep, StepKind, rebase};
use ddpatrol_detect::redact::Clean;
use ddpatrol_respond::Provider;

pub use super::steps_context::{HookKind, HookLookup, NextStepsContext, SAVED_REPORT, Surface};

/// Maximum number of commands for one purpose; reports state how many more there are.
const MAX_COMMANDS: usize = 3;

/// Maximum number of commits that a step lists.
const MAX_COMMITS: usize = 10;

/// One of the next steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextStep {
    /// One word for the step, at most 8 characters.
    pub label: &'static str,
    /// Its purpose.
    pub aim: Aim,
    /// Instructions.
    pub text: Clean,
    /// A command for a POSIX shell in the current folder.
    pub command: Option<Clean>,
    /// The objects that the command keeps.
    pub limitation: Option<&'static str>,
}

/// The objects that a command keeps which deletes unreachable ones.
const KEPT_BY_PRUNE: &str =
    "# objects that a reflog or stash names stay: git reflog, git stash list";

impl Document {
    /// Returns the next steps for all findings that need one, in order.
    #[must_use]
    pub fn next_steps(&self, context: &NextStepsContext) -> Vec<NextStep> {
        let open: Vec<&Record> = self.findings.iter().filter(|it| it.needs_action()).collect();
        if context.surface == Surface::Saved {
            return saved_steps(&open, context);
        }
        let mut merged = Merged::default();
        for step in open.iter().flat_map(|it| &it.steps) {
            merged.add(step, context);
        }
        merged.steps(context)
    }
}

/// The steps of all findings by kind, each command once.
#[derive(Debug, Default)]
struct Merged {
    groups: Vec<Group>,
    /// The files to unstage, by the `git` command of their repository.
    unstage: Vec<(Clean, Vec<Clean>)>,
    /// The number of findings in them.
    staged: usize,
    needs_saved: bool,
}

/// The steps of one kind.
#[derive(Debug)]
struct Group {
    kind: StepKind,
    aim: Aim,
    /// The number of findings that need them.
    findings: usize,
    commands: Vec<Clean>,
    /// The texts of steps without a command.
    texts: Vec<Clean>,
}

impl Merged {
    fn add(&mut self, step: &RemediationStep, context: &NextStepsContext) {
        if let StepKind::Unstage { git, paths } = &step.kind {
            self.staged += 1;
            let at = self.unstage.iter().position(|(it, _)| it == git).unwrap_or_else(|| {
                self.unstage.push((git.clone(), Vec::new()));
                self.unstage.len() - 1
            });
            let all = &mut self.unstage[at].1;
            all.extend(paths.iter().filter(|it| !all.contains(it)).cloned().collect::<Vec<_>>());
            return;
        }
        let known = self.groups.iter_mut().position(|it| it.kind.merge(&step.kind));
        let at = known.unwrap_or_else(|| {
            let (kind, aim) = (step.kind.clone(), step.aim);
            let (findings, commands, texts) = (0, Vec::new(), Vec::new());
            self.groups.push(Group { kind, aim, findings, commands, texts });
            self.groups.len() - 1
        });
        let group = &mut self.groups[at];
        group.findings += 1;
        let all = step.run_commands.iter().chain(&step.commands);
        // Commands that rename references do not explain themselves.
        let is_explained = all.clone().next().is_none() || step.kind == StepKind::Rename;
        if is_explained && !group.texts.contains(&step.text) {
            group.texts.push(step.text.clone());
        }
        if matches!(step.kind, StepKind::Edit { .. }) {
            return;
        }
        for command in all {
            if Some(command) == context.save.as_ref() {
                self.needs_saved = true;
            } else if !group.commands.contains(command) {
                group.commands.push(command.clone());
            }
        }
    }

    fn steps(mut self, context: &NextStepsContext) -> Vec<NextStep> {
        let mut steps = Vec::new();
        if let (true, Some(save)) = (self.needs_saved, &context.save) {
            let text = "Save a JSON report.".into();
            steps.push(NextStep {
                label: "save",
                aim: Aim::Clean,
                text,
                command: Some(save.clone()),
                limitation: None,
            });
        }
        self.groups.sort_by_key(|it| it.aim);
        let clean_at = self.groups.iter().position(|it| it.aim > Aim::Replace);
        let clean_at = clean_at.unwrap_or(self.groups.len());
        let later = self.groups.split_off(clean_at);
        self.groups.iter().for_each(|it| it.steps(context, &mut steps));
        unstage(&self.unstage, self.staged, &mut steps);
        later.iter().for_each(|it| it.steps(context, &mut steps));
        steps
    }
}

/// Adds the steps that unstage files and remove the tokens of some findings from them.
fn unstage(files: &[(Clean, Vec<Clean>)], findings: usize, steps: &mut Vec<NextStep>) {
    for (git, paths) in files {
        let mut words = vec![git.clone(), "reset".into(), "--".into()];
        words.extend(paths.iter().cloned());
        steps.push(NextStep {
            label: "unstage",
            aim: Aim::Clean,
            text: match &paths[..] {
                [_] => "Unstage the file; nothing is committed yet.".into(),
                _ => "Unstage the files; nothing is committed yet.".into(),
            },
            command: Some(Clean::join(&words, " ")),
            limitation: None,
        });
    }
    if !files.is_empty() {
        let tokens = if findings == 1 { "the token" } else { "the tokens" };
        let (file, again) = match files {
            [(_, paths)] if paths.len() == 1 => ("the file,", "the file again."),
            _ => ("the files,", "the files again."),
        };
        steps.push(NextStep {
            label: "edit",
            aim: Aim::Clean,
            text: Clean::join(
                &["Remove", tokens, "from", file, "then stage", again].map(Clean::from),
                " ",
            ),
            command: None,
            limitation: None,
        });
    }
}

impl Group {
    fn steps(&self, context: &NextStepsContext, steps: &mut Vec<NextStep>) {
        let Self { kind, aim, .. } = self;
        let (label, text) = kind.summary();
        let mut add = |label, text: Clean, command: Option<Clean>| {
            let is_prune = command.as_ref().is_some_and(|it: &Clean| it.text().ends_with(PRUNE));
            let limitation =
                (is_prune && *kind != StepKind::PruneUncommitted).then_some(KEPT_BY_PRUNE);
            steps.push(NextStep { label, aim: *aim, text, command, limitation });
        };
        match kind {
            StepKind::Edit { git, commits } => {
                let mut commits = commits.clone();
                commits.sort_by_key(|it| it.date);
                add("edit", edit_text(&commits, self.findings), None);
                if let Some(git) = git {
                    add(label, text.into(), Some(rebase(git, &commits)));
                }
                return;
            }
            StepKind::RemoveFrom { files } => {
                return add(label, remove_text(files, self.findings), None);
            }
            StepKind::Remove => {
                self.texts.iter().take(MAX_COMMANDS).for_each(|it| add(label, it.clone(), None));
                return;
            }
            _ => {}
        }
        if *kind == StepKind::Rename {
            self.texts.iter().take(MAX_COMMANDS).for_each(|it| add(label, it.clone(), None));
        }
        let most = if context.surface.is_hook() { usize::MAX } else { MAX_COMMANDS };
        for command in self.commands.iter().take(most) {
            add(label, text.into(), Some(command.clone()));
        }
        if self.commands.len() > most {
            add(label, others_text(kind, self.commands.len() - most), None);
        }
        match &self.texts[..] {
            [] => {}
            _ if *kind == StepKind::Rename => {}
            [only] if self.commands.is_empty() && !kind.is_general() => {
                add(label, only.clone(), None);
            }
            _ if self.commands.is_empty() => add(label, text.into(), None),
            _ if *kind == StepKind::Revoke => {
                add(label, "Revoke the other tokens where they were issued.".into(), None);
            }
            _ => {}
        }
    }
}

/// Returns the instructions for commands that are left out.
fn others_text(kind: &StepKind, others: usize) -> Clean {
    // Saved reports do not contain the commands that name a report.
    if *kind != StepKind::Rewrite {
        return "The JSON report contains the other commands.".into();
    }
    let unit = if others == 1 { " other repository." } else { " other repositories." };
    Clean::join(&["Repeat this with --repo for ".into(), count(others), unit.into()], "")
}

/// Returns the instructions for the commits with some findings, oldest first.
fn edit_text(commits: &[EditedCommit], findings: usize) -> Clean {
    let ids = commits.iter().take(MAX_COMMITS).map(|it| it.short.clone());
    let mut listed = Clean::join(&ids.collect::<Vec<_>>(), ", ");
    if commits.len() > MAX_COMMITS {
        listed = Clean::join(&[listed, "and the others listed above".into()], " ");
    }
    let (start, end) = match (commits.len(), findings) {
        (1, 2..) => (
            "In an interactive rebase of its branch, mark commit ",
            " `edit` (after a merge, insert the line `break`), remove the tokens and amend; a later \
             commit that removes them leaves them in the history.",
        ),
        (1, _) => (
            "In an interactive rebase of its branch, mark commit ",
            " `edit` (after a merge, insert the line `break`), remove the token and amend; a later \
             commit that removes it leaves it in the history.",
        ),
        _ => (
            "In an interactive rebase of their branch, mark these commits `edit` (after a merge, \
             insert the line `break`), remove the tokens and amend: ",
            ". A later commit that removes a token leaves it in the history.",
        ),
    };
    Clean::join(&[start.into(), listed, end.into()], "")
}

/// Returns the instructions for files with some findings: the first file, and the number of the others.
fn remove_text(files: &[Clean], findings: usize) -> Clean {
    let Some((first, rest)) = files.split_first() else {
        return "Remove the tokens from the files.".into();
    };
    let (start, end) = match findings {
        0 | 1 => ("Remove the token from ", ". Copies elsewhere keep it."),
        _ => ("Remove the tokens from ", ". Copies elsewhere keep them."),
    };
    let mut words: Vec<Clean> = vec![start.into(), first.clone()];
    if !rest.is_empty() {
        let unit = if rest.len() == 1 { " file)" } else { " files)" };
        words.extend([" (+".into(), count(rest.len()), unit.into()]);
    }
    words.push(end.into());
    Clean::join(&words, "")
}

/// Returns a number as text.
fn count(number: usize) -> Clean {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let digits = number.to_string().into_bytes();
    let digits = digits.into_iter().map(|it| Clean::from(DIGITS[usize::from(it - b'0')]));
    Clean::join(&digits.collect::<Vec<_>>(), "")
}

/// Returns the steps for a saved report. Commands in the report are not printed: others may have written it.
fn saved_steps(open: &[&Record], context: &NextStepsContext) -> Vec<NextStep> {
    let mut steps = Vec::new();
    if open.is_empty() {
        return steps;
    }
    let command = |words: &'static str| {
        let path = context.report.clone()?;
        Some(Clean::join(&[words.into(), path], " "))
    };
    let mut add = |kind: &StepKind, aim, command: Option<Clean>| {
        let (label, text) = kind.summary();
        steps.push(NextStep { label, aim, text: text.into(), command, limitation: None });
    };
    let by_id = open.iter().all(|it| is_revocable_by_id(it));
    let revoke = by_id.then(|| command("ddpatrol revoke --from")).flatten();
    add(&StepKind::Revoke, Aim::Revoke, revoke);
    add(&StepKind::Replace, Aim::Replace, None);
    let is_reachable = |it: &&Record| {
        it.locations.iter().filter_map(|it| it.git.as_ref()).any(|git| git.reachable)
    };
    if open.iter().any(is_reachable) {
        add(&StepKind::Rewrite, Aim::Clean, command("ddpatrol clean --from"));
    }
    steps
}

/// Returns `true` if a redacted report suffices to revoke a token.
fn is_revocable_by_id(record: &Record) -> bool {
    Provider::of(&record.rule) == Some(Provider::Datadog) && record.token.uuid.is_some()
}
