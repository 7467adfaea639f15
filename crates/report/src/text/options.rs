//! Options of the text report.

use crate::next_steps::NextStepsContext;
use std::time::Duration;

/// A git command that a failing hook stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedCommand {
    /// A commit or merge, because of its content.
    Commit,
    /// A commit, because of its message.
    Message,
    /// A push.
    Push,
}

/// Options of the text report.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions<'a> {
    /// Whether to use colours.
    pub color: bool,
    /// Whether to link rules and commits with OSC 8 sequences.
    pub links: bool,
    /// Whether to omit the summary; the next steps stay.
    pub quiet: bool,
    /// Whether to list all facts and steps of each finding.
    pub explain: bool,
    /// Whether to list dead tokens.
    pub show_dead: bool,
    /// Maximum number of lines; findings that do not fit are counted.
    pub limit: Option<usize>,
    /// Width of the terminal.
    pub width: Option<usize>,
    /// Duration of the scan, if one ran.
    pub elapsed: Option<Duration>,
    /// The number of tokens that fail the run.
    pub failing: usize,
    /// The git command that the run stops if it fails.
    pub stops: Option<StoppedCommand>,
    /// The context of the next steps, such as the command line.
    pub context: &'a NextStepsContext,
}
