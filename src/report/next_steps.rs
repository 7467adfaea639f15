//! Next steps of a report: what to do about all its findings, in order.
//!
//! Input: the steps of the findings. Output: each aim once.

use super::advice::Aim;
use super::document::Document;
use crate::redact::Clean;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

/// One of the next steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextStep {
    /// Its purpose.
    pub aim: Aim,
    /// Instructions.
    pub text: Clean,
    /// A command for a POSIX shell.
    pub command: Option<Clean>,
}

/// What next steps depend on, apart from the document.
#[derive(Clone, Debug, Default)]
pub struct NextStepsContext {}

impl Document {
    /// Returns the next steps, each aim once.
    #[must_use]
    pub fn next_steps(&self, _context: &NextStepsContext) -> Vec<NextStep> {
        let mut steps: Vec<NextStep> = Vec::new();
        for step in self.findings.iter().filter(|it| it.needs_action()).flat_map(|it| &it.steps) {
            if !steps.iter().any(|it| it.aim == step.aim) {
                let command = step.commands.first().filter(|_| step.commands.len() == 1);
                let aim = step.aim;
                let is_short = aim == Aim::Clean && step.commands.is_empty();
                let text = if is_short { step.text.clone() } else { text(aim) };
                steps.push(NextStep { aim, text, command: command.cloned() });
            }
        }
        steps
    }
}

fn text(aim: Aim) -> Clean {
    let text = match aim {
        Aim::Revoke => "revoke each token where it was issued (--explain lists how)",
        Aim::Replace => "put new tokens into a secret store",
        Aim::Clean => "remove the tokens from files and history (--explain lists how)",
        Aim::Prevent => "install the pre-commit hook",
    };
    let text: StrDeserializer<'_, Error> = text.into_deserializer();
    Clean::deserialize(text).unwrap_or_default()
}
