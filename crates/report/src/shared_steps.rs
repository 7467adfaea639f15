//! The steps of several findings, each instruction and command once.
//!
//! Input: the findings of a report. Output: the instructions that at least two findings share, numbered, and the
//! steps that are left for each finding.

use super::document::Record;
use super::remediation::{Aim, RemediationStep};
use ddpatrol_detect::redact::Clean;
use std::collections::HashMap;

/// Instructions that several findings share.
#[derive(Debug)]
pub(super) struct SharedStep<'a> {
    pub(super) aim: Aim,
    pub(super) text: &'a Clean,
    /// The commands that several findings share.
    pub(super) commands: Vec<&'a Clean>,
    /// The number of findings.
    pub(super) findings: usize,
}

/// A step of one finding.
#[derive(Debug)]
pub(super) struct OwnStep<'a> {
    pub(super) aim: Aim,
    pub(super) instructions: Instructions<'a>,
    /// The commands of this finding only.
    pub(super) commands: Vec<&'a Clean>,
}

/// Where the instructions of a step are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instructions<'a> {
    /// With the finding.
    Own(&'a Clean),
    /// In the shared step with this number, from 1.
    Shared(usize),
}

/// The purpose and the text of instructions, which identify them.
type StepKey<'a> = (Aim, &'a Clean);

/// The shared steps of findings.
#[derive(Debug, Default)]
pub(super) struct SharedSteps<'a> {
    steps: Vec<SharedStep<'a>>,
    numbers: HashMap<StepKey<'a>, usize>,
    /// The number of findings with each command.
    commands: HashMap<(StepKey<'a>, &'a Clean), usize>,
}

impl<'a> SharedSteps<'a> {
    /// Collects the steps of the findings that need action.
    pub(super) fn new(records: impl Iterator<Item = &'a Record>) -> Self {
        let mut order: Vec<SharedStep<'a>> = Vec::new();
        let mut known: HashMap<StepKey<'a>, usize> = HashMap::new();
        let mut commands: HashMap<(StepKey<'a>, &'a Clean), usize> = HashMap::new();
        for step in records.flat_map(steps) {
            let key = (step.aim, &step.text);
            let at = *known.entry(key).or_insert_with(|| {
                let (aim, text) = key;
                order.push(SharedStep { aim, text, commands: Vec::new(), findings: 0 });
                order.len() - 1
            });
            order[at].findings += 1;
            for command in &step.commands {
                let findings = commands.entry((key, command)).or_default();
                *findings += 1;
                if *findings == 2 {
                    order[at].commands.push(command);
                }
            }
        }
        order.retain(|it| it.findings > 1);
        order.sort_by_key(|it| it.aim);
        let numbers = order.iter().enumerate().map(|(at, it)| ((it.aim, it.text), at + 1));
        Self { numbers: numbers.collect(), steps: order, commands }
    }

    /// Returns the shared steps; their numbers are their indices plus one.
    pub(super) fn steps(&self) -> &[SharedStep<'a>] {
        &self.steps
    }

    /// Returns the steps of a finding.
    pub(super) fn of(&self, record: &'a Record) -> Vec<OwnStep<'a>> {
        let own = |step: &'a RemediationStep| {
            let key = (step.aim, &step.text);
            let number = self.numbers.get(&key);
            let is_own = |it: &&Clean| self.commands.get(&(key, *it)).is_none_or(|&len| len < 2);
            OwnStep {
                aim: step.aim,
                instructions: number
                    .map_or(Instructions::Own(&step.text), |&number| Instructions::Shared(number)),
                commands: step.commands.iter().filter(is_own).collect(),
            }
        };
        steps(record).map(own).collect()
    }
}

/// Returns the steps of a finding that needs action.
fn steps(record: &Record) -> impl Iterator<Item = &RemediationStep> {
    record.steps.iter().filter(|_| record.needs_action())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;

    fn step(aim: Aim, text: &str, commands: &[&str]) -> RemediationStep {
        let value = serde_json::json!({"aim": aim, "text": text, "commands": commands});
        serde_json::from_value(value).expect("a step")
    }

    fn with(steps: Vec<RemediationStep>) -> Record {
        Record { steps, ..record(vec![place("a")]) }
    }

    #[test]
    fn equal_instructions_and_commands_are_shared() {
        let records = [
            with(vec![step(Aim::Clean, "both", &["all", "one"]), step(Aim::Revoke, "id 1", &[])]),
            with(vec![step(Aim::Clean, "both", &["all", "two"]), step(Aim::Revoke, "again", &[])]),
            with(vec![step(Aim::Revoke, "again", &[])]),
        ];
        let shared = SharedSteps::new(records.iter());
        let listed: Vec<_> =
            shared.steps().iter().map(|it| (it.text.text(), it.findings)).collect();
        assert_eq!(listed, [("again".into(), 2), ("both".into(), 2)]);
        assert_eq!(shared.steps()[1].commands, [&clean("all")]);
        let first = shared.of(&records[0]);
        assert_eq!(first[0].instructions, Instructions::Shared(2));
        assert_eq!(first[0].commands, [&clean("one")]);
        assert_eq!(first[1].instructions, Instructions::Own(&clean("id 1")));
        assert_eq!(shared.of(&records[2])[0].instructions, Instructions::Shared(1));
    }

    #[test]
    fn a_single_finding_keeps_its_steps() {
        let only = with(vec![step(Aim::Clean, "a", &["b"])]);
        let shared = SharedSteps::new(std::iter::once(&only));
        assert!(shared.steps().is_empty());
        let own = shared.of(&only);
        assert_eq!(own[0].instructions, Instructions::Own(&clean("a")));
        assert_eq!(own[0].commands, [&clean("b")]);
    }

    #[test]
    fn findings_that_need_no_action_have_no_steps() {
        let dead = |_| verified(with(vec![step(Aim::Clean, "a", &[])]), "dead");
        let records: Vec<Record> = (0..2).map(dead).collect();
        let shared = SharedSteps::new(records.iter());
        assert!(shared.steps().is_empty() && shared.of(&records[0]).is_empty());
    }
}
