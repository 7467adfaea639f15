//! The steps of `--explain`: of each finding what only it needs, and once what several findings share.
//!
//! Input: findings. Output: lines.

use super::line::{Line, Role, wrap};
use crate::document::Record;
use crate::shared_steps::{Instructions, SharedSteps};
use ddpatrol_detect::redact::Clean;
use ddpatrol_scan::quantity::count;

/// Indentation of the steps of a finding, and of the shared steps.
const OWN: usize = 4;
const SHARED: usize = 2;

/// Returns the steps of a finding.
pub(super) fn own(record: &Record, shared: &SharedSteps<'_>, width: Option<usize>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut references: Vec<String> = Vec::new();
    let mut add = |text: &str, commands: &[&Clean]| {
        let text = format!("{}- {text}", " ".repeat(OWN));
        lines.extend(wrap(Role::Plain, &text, OWN + 2, width));
        lines.extend(command_lines(commands, OWN + 4));
    };
    let see = |references: &mut Vec<String>| {
        let text = format!("see {} below", listed(references));
        references.clear();
        text
    };
    for step in shared.of(record) {
        match step.instructions {
            Instructions::Own(text) => {
                if !references.is_empty() {
                    add(&see(&mut references), &[]);
                }
                add(&text.text(), &step.commands);
            }
            Instructions::Shared(number) => {
                references.push(format!("[{number}]"));
                if !step.commands.is_empty() {
                    add(&see(&mut references), &step.commands);
                }
            }
        }
    }
    if !references.is_empty() {
        add(&see(&mut references), &[]);
    }
    lines
}

/// Returns the steps that several findings share, with their numbers.
pub(super) fn shared(shared: &SharedSteps<'_>, width: Option<usize>) -> Vec<Line> {
    let mut lines = Vec::new();
    if !shared.steps().is_empty() {
        lines.push(Line::of(Role::Strong, "Steps for several findings"));
    }
    for (at, step) in shared.steps().iter().enumerate() {
        let start = format!("{}[{}] ", " ".repeat(SHARED), at + 1);
        let findings = count(step.findings, "finding");
        let text = format!("{start}{} ({findings})", step.text.text());
        lines.extend(wrap(Role::Plain, &text, start.len(), width));
        lines.extend(command_lines(&step.commands, start.len() + 2));
    }
    lines
}

/// Returns one line for each command, unbroken, so that it can be copied.
fn command_lines<'a>(commands: &'a [&Clean], indent: usize) -> impl Iterator<Item = Line> + 'a {
    commands.iter().map(move |command| {
        let mut line = Line::indented(indent);
        line.push(Role::Strong, &command.text());
        line
    })
}

/// Formats references: `[1]`, `[1] and [2]`, `[1], [2] and [3]`.
fn listed(references: &[String]) -> String {
    match references {
        [start @ .., last] if !start.is_empty() => format!("{} and {last}", start.join(", ")),
        _ => references.concat(),
    }
}
