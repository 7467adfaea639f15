//! `task`: processes the repositories on standard input, one JSON line of output for each line of input.

use super::args::TaskArgs;
use super::exit::Exit;
use super::setup;
use crate::input;
use crate::store::Store;
use crate::task::{Done, Effort};
use anyhow::Context;
use serde::Serialize;
use std::io::{self, BufRead, Write};

/// A line of output.
#[derive(Serialize)]
struct TaskLine<'a> {
    sweep: &'a str,
    /// Absent if the line of input is not a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    status: &'a str,
    /// `scanned`, `unchanged` or `already-done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    tokens: usize,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Why tokens could not be verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    unverified: Option<String>,
}

pub(super) async fn run(args: TaskArgs) -> anyhow::Result<Exit> {
    let store = Store::open(&args.store.store)?;
    let programs = setup::programs(args.scan, &args.verify, 1)?;
    let context = setup::context(store, args.sweep, &args.mirror, programs).await?;
    for (line, number) in io::stdin().lock().lines().zip(1..) {
        let line = line.context("cannot read standard input")?;
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let sweep = context.sweep.as_str();
        match input::read_line(line, number, &context.redactor) {
            Ok(repository) => {
                let done = context.process(&repository).await?;
                let key = repository.key().to_string();
                print(&TaskLine {
                    sweep,
                    url: Some(repository.url.as_str()),
                    key: Some(key),
                    effort: Some(word(done.effort)),
                    ..TaskLine::done(&done)
                })?;
                context.cache.evict(&repository.key())?;
            }
            // A bad line must not fail the lines beside it, and with them the job of a cluster.
            Err(error) => print(&TaskLine {
                sweep,
                url: None,
                key: None,
                status: "invalid",
                effort: None,
                tokens: 0,
                seconds: 0.0,
                reason: Some(error.to_string()),
                unverified: None,
            })?,
        }
    }
    Ok(Exit::Complete)
}

impl<'a> TaskLine<'a> {
    fn done(done: &Done) -> Self {
        Self {
            sweep: "",
            url: None,
            key: None,
            status: done.status.word(),
            effort: None,
            tokens: done.tokens,
            seconds: done.elapsed.as_secs_f64(),
            reason: done.reason.clone(),
            unverified: done.unverified.clone(),
        }
    }
}

fn word(effort: Effort) -> &'static str {
    match effort {
        Effort::AlreadyDone => "already-done",
        Effort::Unchanged => "unchanged",
        Effort::Scanned => "scanned",
    }
}

fn print(line: &TaskLine<'_>) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, line)?;
    output.write_all(b"\n").and_then(|()| output.flush()).context("cannot write standard output")
}
