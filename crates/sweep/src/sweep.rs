//! A sweep: many repositories at a time, until all have a result or the sweep is stopped.

use crate::progress::Progress;
use crate::repository::Repository;
use crate::result::Status;
use crate::task::{Context, Done};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};

/// A request to stop: the first one lets running tasks end, the second one ends them.
#[derive(Debug, Default)]
pub struct Stop(AtomicU8);

impl Stop {
    /// Records a request, and returns how many there are now.
    pub fn request(&self) -> u8 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Returns `true` if no further task may start.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

/// The end of a sweep, or of a shard of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// Number of repositories by status.
    pub statuses: BTreeMap<Status, usize>,
    /// Proven tokens, counted once per repository.
    pub tokens: usize,
    /// Repositories of which not all tokens could be verified, although the sweep verifies.
    pub unverified: usize,
    /// Whether it was stopped before its end.
    pub is_stopped: bool,
}

/// Processes `repositories`, `jobs` of them at a time.
///
/// # Errors
/// Returns the first error of the store or the cache; running tasks are ended.
pub async fn run(
    context: &Context,
    repositories: &[Repository],
    jobs: usize,
    stop: &Stop,
    progress: &Progress,
) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    let mut waiting = repositories.iter();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < jobs && !stop.is_requested() {
            let Some(repository) = waiting.next() else { break };
            running.push(async move { (repository, context.process(repository).await) });
        }
        let Some((repository, done)) = running.next().await else { break };
        let done = done?;
        summary.add(&done);
        progress.done(repository, &done);
        context.cache.evict(&repository.key())?;
    }
    summary.is_stopped = waiting.next().is_some();
    Ok(summary)
}

impl Summary {
    fn add(&mut self, done: &Done) {
        *self.statuses.entry(done.status).or_default() += 1;
        self.tokens += done.tokens;
        self.unverified += usize::from(done.unverified.is_some());
    }

    /// Returns the number of repositories with a status.
    pub fn count(&self, status: Status) -> usize {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    /// Returns `true` if every repository was scanned completely.
    pub fn is_complete(&self) -> bool {
        !self.is_stopped
            && self.unverified == 0
            && self.statuses.keys().all(|it| *it == Status::Complete)
    }
}
