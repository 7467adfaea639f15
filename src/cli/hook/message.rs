//! `ddpatrol commit-msg`: scans the message of a commit before it is created.

use crate::cli::args::{MessageArgs, SharedArgs};
use crate::cli::changes::discover;
use crate::cli::exit::Exit;
use crate::cli::next_steps::StepsInput;
use crate::cli::policy::{BaselineMode, PolicySource};
use crate::cli::scan_run::{self, Job};
use crate::cli::signals;
use crate::report::next_steps::{HookKind, Surface};
use crate::scan::Input;
use crate::source::text::TextSource;
use anyhow::Context;
use ddpatrol_scan::finding::coverage::Coverage;
use ddpatrol_scan::finding::roots::Roots;
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};

/// The end of the line above the diff that `git commit --verbose` shows but does not commit.
const SCISSORS: &[u8] = b" ------------------------ >8 ------------------------";

/// The beginnings of a diff of git, the last one with `diff.submodule=log`.
const DIFFS: [&[u8]; 2] = [b"diff --", b"Submodule "];

pub(in crate::cli) fn run(args: &MessageArgs) -> anyhow::Result<Exit> {
    let run = signals::begin()?;
    let mut bytes = regular::read(&args.file, Links::Follow, MAX_TEXT)
        .with_context(|| format!("cannot read commit message {}", args.file.display()))?;
    bytes.truncate(message_len(&bytes));
    let here =
        std::env::current_dir().context("cannot read the current folder; was it removed?")?;
    let top = discover(None).ok().and_then(|it| it.work_tree).unwrap_or_else(|| here.clone());
    // Inline allow comments do not apply in a message, which the history shows to everybody.
    let shared = SharedArgs { no_inline_allow: true, ..args.shared.clone() };
    let job = Job {
        shared: &shared,
        all: true,
        scanned: &[],
        steps: StepsInput { surface: Surface::Hook(HookKind::CommitMsg), ..StepsInput::default() },
        source: PolicySource::Folder(top.clone()),
        roots: Roots { here, tops: vec![top] },
        baseline_mode: BaselineMode::Apply,
        reach: Coverage::Unknown,
        default_report: Some(crate::cli::args::ReportFormat::Text),
        finish: &|_| Ok(()),
    };
    let path = args.file.clone();
    scan_run::run(job, Box::new(|_| Ok(vec![Input::source(TextSource { path, bytes })])), &run)
}

/// Returns the length of the message in a file, in bytes. Comments are included, because it is unknown
/// whether git will strip them. Only the diff below a line with scissors is not, as `git commit --verbose` writes
/// it: other text may become part of the commit.
fn message_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() {
        let line = line_at(bytes, at);
        at += line.len();
        // Any characters may precede the scissors: core.commentString.
        let Some(comment) = line.trim_ascii_end().strip_suffix(SCISSORS) else { continue };
        let mut below = at;
        while below < bytes.len() && line_at(bytes, below).starts_with(comment) {
            below += line_at(bytes, below).len();
        }
        if DIFFS.iter().any(|start| bytes[below..].starts_with(start)) {
            return below;
        }
    }
    at
}

/// Returns the line at an offset, with its end.
fn line_at(bytes: &[u8], at: usize) -> &[u8] {
    let bytes = &bytes[at..];
    let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCISSORS_LINE: &str = "# ------------------------ >8 ------------------------\n";

    #[test]
    fn a_diff_below_the_scissors_is_not_part_of_the_message() {
        let message = format!("subject\n\n# a comment\n{SCISSORS_LINE}# Do not modify it.\n");
        for diff in ["diff --git a/x b/x\n+x\n", "diff --cc x\n", "Submodule x 1..2:\n"] {
            let text = format!("{message}{diff}");
            assert_eq!(message_len(text.as_bytes()), message.len(), "{diff}");
            let text = text.replace("# ", "; ");
            assert_eq!(message_len(text.as_bytes()), message.len(), "{diff}");
        }
    }

    #[test]
    fn other_text_below_scissors_is_part_of_the_message() {
        for below in ["text", "# a comment\n", "", "\n\ntext\n"] {
            let text = format!("subject\n{SCISSORS_LINE}{below}");
            assert_eq!(message_len(text.as_bytes()), text.len(), "{below:?}");
        }
        let twice = format!("{SCISSORS_LINE}text\n{SCISSORS_LINE}diff --git a/x b/x\n");
        assert_eq!(message_len(twice.as_bytes()), 2 * SCISSORS_LINE.len() + "text\n".len());
        assert_eq!(message_len(b"subject"), 7);
    }
}
