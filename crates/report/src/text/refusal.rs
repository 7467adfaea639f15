//! The lines of a hook that stops a git command: which command and why, and how to allow a false alarm.
//!
//! Input: a document. Output: lines, none if the run does not fail or no hook runs it.

use super::line::{Line, Role, wrap};
use super::options::{StoppedCommand, TextOptions};
use crate::document::{Document, Record};
use ddpatrol_scan::finding::Part;
use ddpatrol_scan::quantity::count;

/// Returns the line before the findings, if a command is stopped.
pub(super) fn first_line(document: &Document, options: &TextOptions<'_>) -> Vec<Line> {
    let Some(stopped) = options.stops else { return Vec::new() };
    let reason = match (options.failing, stopped) {
        (0, _) if document.complete => return Vec::new(),
        (0, _) => "the scan is incomplete".to_owned(),
        (1, StoppedCommand::Message) => "the message contains a token".to_owned(),
        (len, StoppedCommand::Message) => {
            format!("the message contains {}", count(len, "token"))
        }
        (len, _) => count(len, "new token"),
    };
    let command = match stopped {
        StoppedCommand::Commit | StoppedCommand::Message => "commit",
        StoppedCommand::Push => "push",
    };
    let text = format!("ddpatrol: {command} refused: {reason}");
    wrap(Role::Live, &text, 2, options.width)
}

/// Returns the line after the next steps, if a token can be allowed.
pub(super) fn last_lines(document: &Document, options: &TextOptions<'_>) -> Vec<Line> {
    let Some(stopped) = options.stops.filter(|_| options.failing > 0) else { return Vec::new() };
    let open: Vec<&Record> =
        document.findings.iter().filter(|it| it.suppression.is_none()).collect();
    // Inline comments apply to lines of files only.
    let in_file = |it: &&Record| it.locations.iter().any(|it| it.part == Part::Content);
    let text = match &open[..] {
        all if stopped != StoppedCommand::Message && all.iter().any(in_file) => {
            "False alarm? Add `# ddpatrol:allow REASON` to the line of the token.".to_owned()
        }
        [only] => format!(
            "False alarm? Add the fingerprint {} to `[[allow]]` in `.ddpatrol.toml`.",
            only.fingerprint
        ),
        _ => "False alarm? Add the fingerprints (--explain lists them) to `[[allow]]` in \
              `.ddpatrol.toml`."
            .to_owned(),
    };
    wrap(Role::Dim, &text, 2, options.width)
}
