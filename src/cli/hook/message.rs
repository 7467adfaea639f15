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
use ddpatrol_scan::finding::baseline::{Coverage, Roots};
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};

/// The line above the text that git shows but does not commit, as with `git commit --verbose`.
const SCISSORS: &[u8] = b" ------------------------ >8 ------------------------";

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
/// whether git will strip them.
fn message_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        // Any character may precede the line: core.commentChar.
        if line.trim_ascii_end().ends_with(SCISSORS) {
            return at;
        }
        at += line.len();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_below_the_scissors_is_not_part_of_the_message() {
        let scissors = "# ------------------------ >8 ------------------------\n";
        let text = format!("subject\n\n# a comment\n{scissors}diff");
        assert_eq!(message_len(text.as_bytes()), "subject\n\n# a comment\n".len());
        assert_eq!(message_len(b"subject"), 7);
        let other = text.replace("# --", "; --");
        assert_eq!(message_len(other.as_bytes()), "subject\n\n# a comment\n".len());
    }
}
