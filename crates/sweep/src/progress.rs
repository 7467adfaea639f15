//! Progress of a sweep: a bar on a terminal, and a line per repository on standard error.

use crate::repository::Repository;
use crate::task::{Done, Effort};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use std::io::{IsTerminal, Write};

/// The progress of a sweep.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    lines: Lines,
}

/// Which repositories get a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// All.
    All,
    /// Those with tokens and those that are not complete.
    Notable,
    /// None.
    None,
}

impl Progress {
    /// Creates the progress of `total` repositories.
    pub fn new(total: usize, lines: Lines) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && lines != Lines::None;
        let target =
            if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        let style = "{wide_bar} {pos} of {len} repositories, {elapsed}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { bar, lines }
    }

    /// Reports a repository that is done.
    pub fn done(&self, repository: &Repository, done: &Done) {
        self.bar.inc(1);
        let is_notable = done.tokens > 0
            || done.reason.is_some()
            || done.unverified.is_some()
            || !done.status.is_scanned();
        let prints = match self.lines {
            Lines::All => true,
            Lines::Notable => is_notable && done.effort != Effort::AlreadyDone,
            Lines::None => false,
        };
        if prints {
            let line = line(repository, done, Timestamp::now());
            self.bar.suspend(|| {
                // Progress is not worth an error.
                let _ = writeln!(std::io::stderr(), "{line}");
            });
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Formats the line of a repository.
fn line(repository: &Repository, done: &Done, now: Timestamp) -> String {
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ");
    let tokens = match done.tokens {
        0 => String::new(),
        1 => ", 1 token".to_owned(),
        tokens => format!(", {tokens} tokens"),
    };
    let effort = match done.effort {
        Effort::AlreadyDone => ", already done",
        Effort::Unchanged => ", unchanged",
        Effort::Scanned => "",
    };
    let reason = done.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
    let unverified = done.unverified.as_ref();
    let unverified = unverified.map(|it| format!("; not verified: {it}")).unwrap_or_default();
    let seconds = done.elapsed.as_secs_f64();
    format!(
        "{time} {} {}{tokens}{effort}, {seconds:.1} s{reason}{unverified}",
        done.status, repository.url
    )
}
