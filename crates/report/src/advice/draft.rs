//! A step of the advice before its text is redacted.

use crate::remediation::{Aim, StepKind};

/// Maximum number of commands of a step.
pub(super) const MAX_COMMANDS: usize = 10;

/// A step before redaction.
pub(super) struct Draft {
    pub(super) aim: Aim,
    pub(super) kind: StepKind,
    pub(super) text: String,
    pub(super) commands: Vec<String>,
    pub(super) run_commands: Vec<String>,
}

impl Draft {
    pub(super) fn new(kind: StepKind, text: impl Into<String>, commands: Vec<String>) -> Self {
        let aim = match kind {
            StepKind::Revoke => Aim::Revoke,
            StepKind::Replace => Aim::Replace,
            StepKind::Prevent => Aim::Prevent,
            _ => Aim::Clean,
        };
        Self { aim, kind, text: text.into(), commands, run_commands: Vec::new() }
    }
}
