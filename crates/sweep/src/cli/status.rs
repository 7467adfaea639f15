//! `status`: how far a sweep is.

use super::args::StatusArgs;
use super::exit::Exit;
use super::messages::print_line;
use crate::result::{RepositoryResult, Status};
use crate::store::{FINISHED, Store, SweepName};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// Number of results that are read at a time.
const CONCURRENCY: usize = 32;

/// The state of a sweep.
#[derive(Debug, Default, Serialize)]
struct SweepStatus {
    sweep: String,
    /// Whether all repositories have a result.
    finished: bool,
    /// Number of repositories, if the store has their list.
    total: Option<usize>,
    /// Number of results.
    done: usize,
    /// Number of repositories without a result.
    left: Option<usize>,
    statuses: BTreeMap<&'static str, usize>,
    tokens: usize,
    /// Estimated time left in seconds, at the pace of the results so far.
    seconds_left: Option<u64>,
    /// Repositories that are not complete, with the reason.
    not_complete: Vec<NotComplete>,
}

#[derive(Debug, Serialize)]
struct NotComplete {
    url: String,
    status: Status,
    reason: Option<String>,
}

pub(super) async fn run(args: StatusArgs) -> anyhow::Result<Exit> {
    let store = Store::open_existing(&args.store.store)?;
    let sweeps = store.sweeps().await?;
    let sweep = store.choose(&sweeps, args.sweep)?;
    let status = read(&store, &sweep).await?;
    if args.json {
        print_line(&serde_json::to_string(&status)?)?;
    } else {
        print(&status)?;
    }
    let is_complete = status.finished && status.not_complete.is_empty();
    Ok(if is_complete { Exit::Complete } else { Exit::Incomplete })
}

async fn read(store: &Store, sweep: &SweepName) -> anyhow::Result<SweepStatus> {
    let total = store.list(sweep).await?.map(|it| it.len());
    let keys = store.keys(sweep).await?;
    let results = stream::iter(keys.iter().map(|key| store.result_with_findings(sweep, key)));
    let results = results.buffered(CONCURRENCY).try_filter_map(async |it| Ok(it));
    let mut status = SweepStatus {
        sweep: sweep.to_string(),
        finished: store.file(sweep, FINISHED).await?.is_some(),
        total,
        done: keys.len(),
        left: total.map(|total| total.saturating_sub(keys.len())),
        ..SweepStatus::default()
    };
    let mut times: Option<(Timestamp, Timestamp)> = None;
    let mut results = std::pin::pin!(results);
    while let Some(result) = results.try_next().await? {
        let (start, end) = times.unwrap_or((result.started_at, result.ended_at));
        times = Some((start.min(result.started_at), end.max(result.ended_at)));
        status.add(&result);
    }
    status.seconds_left = times.and_then(|(start, end)| status.estimate(start, end));
    Ok(status)
}

impl SweepStatus {
    fn add(&mut self, result: &RepositoryResult) {
        *self.statuses.entry(result.status.word()).or_default() += 1;
        self.tokens += result.count_tokens();
        if result.status != Status::Complete {
            self.not_complete.push(NotComplete {
                url: result.repository.url.to_string(),
                status: result.status,
                reason: result.explanation(),
            });
        }
    }

    /// Estimates the time left in seconds.
    fn estimate(&self, start: Timestamp, end: Timestamp) -> Option<u64> {
        let left = u64::try_from(self.left?).ok()?;
        let done = u64::try_from(self.done).ok().filter(|it| *it > 0)?;
        let elapsed = u64::try_from(end.duration_since(start).as_secs()).ok()?;
        Some(elapsed * left / done)
    }
}

fn print(status: &SweepStatus) -> anyhow::Result<()> {
    let total = status.total.map(|total| format!(" of {total}")).unwrap_or_default();
    let unit = if status.total.unwrap_or(status.done) == 1 { "repository" } else { "repositories" };
    print_line(&format!("sweep {}: {}{total} {unit} done", status.sweep, status.done))?;
    for (word, count) in &status.statuses {
        print_line(&format!("  {word:<12} {count}"))?;
    }
    if let Some(left) = status.left.filter(|it| *it > 0) {
        let time = status.seconds_left.map(|it| format!(", about {it} s left")).unwrap_or_default();
        print_line(&format!("  {:<12} {left}{time}", "left"))?;
    }
    for NotComplete { url, status, reason } in &status.not_complete {
        let reason = reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        print_line(&format!("{status}: {url}{reason}"))?;
    }
    Ok(())
}
