//! `ddpatrol commit-msg`: the message that a commit will have.

use crate::cli::args::{MessageArgs, TellingArgs};
use crate::cli::changes::discover;
use crate::cli::decide::{Ground, Heed};
use crate::cli::exit::Exit;
use crate::cli::session::{self, Task};
use crate::cli::signals;
use crate::scan::Input;
use crate::source::text::TextSource;
use anyhow::Context;
use ddpatrol_scan::finding::baseline::{Reach, Roots};
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};

/// What git puts between a message and what it shows only: `git commit --verbose`.
const SCISSORS: &[u8] = b" ------------------------ >8 ------------------------";

pub(in crate::cli) fn run(args: &MessageArgs) -> anyhow::Result<Exit> {
    let run = signals::begin()?;
    let mut bytes = regular::read(&args.file, Links::Follow, MAX_TEXT)
        .with_context(|| format!("the message {} cannot be read", args.file.display()))?;
    bytes.truncate(message_len(&bytes));
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    let top = discover(None).ok().and_then(|it| it.work_tree).unwrap_or_else(|| here.clone());
    // A message is no place to allow what it holds: history shows it to everybody.
    let telling = TellingArgs { no_inline_allow: true, ..args.telling.clone() };
    let task = Task {
        telling: &telling,
        all: true,
        scanned: &[],
        operation: None,
        ground: Ground::Folder(top.clone()),
        roots: Roots { here, tops: vec![top] },
        heed: Heed::Baseline,
        reach: Reach::Unknown,
        default_report: Some(crate::cli::args::ReportFormat::Text),
        finish: &|_| Ok(()),
    };
    let path = args.file.clone();
    session::run(task, Box::new(|_| Ok(vec![Input::source(TextSource { path, bytes })])), &run)
}

/// Returns how much of a file is message. Comments count: whether git takes them out is its own
/// affair, and unknown here.
fn message_len(bytes: &[u8]) -> usize {
    let mut at = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        // The character before it can be any: core.commentChar.
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
    fn what_git_shows_only_is_no_message() {
        let scissors = "# ------------------------ >8 ------------------------\n";
        let text = format!("subject\n\n# a comment\n{scissors}diff");
        assert_eq!(message_len(text.as_bytes()), "subject\n\n# a comment\n".len());
        assert_eq!(message_len(b"subject"), 7);
        let other = text.replace("# --", "; --");
        assert_eq!(message_len(other.as_bytes()), "subject\n\n# a comment\n".len());
    }
}
