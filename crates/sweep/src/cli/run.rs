//! `run`: processes a list of repositories on this machine.

use super::args::RunArgs;
use super::exit::Exit;
use super::messages::print_note;
use super::setup;
use super::signals::Signals;
use crate::input;
use crate::progress::{Lines, Progress};
use crate::report;
use crate::repository::Repository;
use crate::result::Status;
use crate::store::{Created, FINISHED, LIST, Store, SweepName};
use crate::sweep::{self, Stop, Summary};
use crate::task::Context;
use crate::webhook::{Deliveries, Webhook};
use anyhow::{Context as _, bail};
use ddpatrol_scan::quantity::{count, number};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn run(args: RunArgs) -> anyhow::Result<Exit> {
    let webhook = args.webhook.as_deref().map(webhook).transpose()?;
    let repositories = read_list(&args.list)?;
    if repositories.is_empty() {
        bail!("the list has no repositories");
    }
    let jobs = args.jobs.map_or_else(setup::processors, usize::from);
    let programs = setup::programs(args.scan, &args.verify, jobs)?;
    let list = encode(&repositories)?;
    let store = Store::open(&args.store.store)?;
    let sweep = choose_sweep(&store, args.sweep, &repositories).await?;
    if store.create_file(&sweep, LIST, &list).await? == Created::Exists {
        check_list(&store, &sweep, &repositories).await?;
    }
    drop(list);
    let total = repositories.len();
    let mine: Vec<Repository> = match args.shard {
        Some(shard) => {
            let is_mine = |it: &Repository| it.key().shard(shard.count) == shard.index;
            repositories.into_iter().filter(is_mine).collect()
        }
        None => repositories,
    };
    let context = setup::context(store, sweep, &args.mirror, programs).await?;
    let done = context.store.keys(&context.sweep).await?;
    let left = mine.iter().filter(|it| !done.contains(&it.key())).count();
    let name = &context.sweep;
    let resumed = if left < mine.len() {
        format!(", {} done", number(mine.len() - left))
    } else {
        String::new()
    };
    print_note(&format!("sweep {name}: {}{resumed}", count(mine.len(), "repository")));

    let stop = Arc::new(Stop::default());
    let lines = match (args.quiet, args.verbose) {
        (true, _) => Lines::None,
        (_, true) => Lines::All,
        _ => Lines::Notable,
    };
    let progress = Progress::new(mine.len(), lines);
    let mut signals = Signals::new()?;
    let summary = tokio::select! {
        summary = sweep::run(&context, &mine, jobs, &stop, &progress) => summary?,
        () = second_signal(&mut signals, &stop) => {
            progress.finish();
            print_note("interrupted: repeat the command to continue");
            return Ok(Exit::Interrupted);
        }
    };
    progress.finish();
    print_summary(&summary, total, mine.len());
    // Also if the last repositories were running: the user wants the program to end, and to post nothing now.
    if summary.is_stopped || stop.is_requested() {
        print_note("stopped: repeat the command to continue");
        return Ok(Exit::Interrupted);
    }
    let is_notified = match context.store.keys(&context.sweep).await?.len() >= total {
        true => tokio::select! {
            is_notified = finish(&context, webhook.as_ref()) => is_notified?,
            () = signals.next() => {
                // A post that was interrupted is repeated with the same id.
                print_note("interrupted before the end of the sweep was recorded: repeat the command to continue");
                return Ok(Exit::Interrupted);
            }
        },
        false => true,
    };
    let is_complete = summary.is_complete() && is_notified;
    Ok(if is_complete { Exit::Complete } else { Exit::Incomplete })
}

fn webhook(url: &str) -> anyhow::Result<Webhook> {
    let secret = std::env::var("DDPATROL_WEBHOOK_SECRET").unwrap_or_default();
    Webhook::new(url, &secret)
}

/// Ends a sweep whose repositories all have a result: records and posts live tokens, and marks it as finished.
/// Returns `false` if tokens could not be posted.
async fn finish(context: &Context, webhook: Option<&Webhook>) -> anyhow::Result<bool> {
    let (store, sweep) = (&context.store, &context.sweep);
    let mut is_notified = true;
    if context.verifier.is_some() {
        let report = report::merge(store, sweep, None).await?;
        let mut deliveries = Deliveries::default();
        if let Some(webhook) = webhook {
            let known = store.live_before(sweep).await?;
            deliveries = webhook.deliver(store, sweep, &report, &known).await?;
            print_note(&format!("webhook: {} posted", count(deliveries.posted, "live token")));
        }
        if let Some(failure) = &deliveries.failure {
            let failed = count(deliveries.failed.len(), "live token");
            print_note(&format!(
                "webhook: {failed} not posted: {failure}; repeat with --sweep {sweep}"
            ));
            is_notified = false;
        }
        store.record_live(sweep, &report, &deliveries.failed).await?;
    }
    let finished = serde_json::json!({ "ended_at": jiff::Timestamp::now().to_string() });
    store.create_file(sweep, FINISHED, finished.to_string().as_bytes()).await?;
    Ok(is_notified)
}

/// Reads the list of repositories.
fn read_list(path: &Path) -> anyhow::Result<Vec<Repository>> {
    let mut text = String::new();
    let (read, name) = if path == Path::new("-") {
        (std::io::stdin().read_to_string(&mut text), "standard input".to_owned())
    } else {
        let file = std::fs::File::open(path);
        let read = file.and_then(|mut file| file.read_to_string(&mut text));
        (read, path.display().to_string())
    };
    read.with_context(|| format!("cannot read the list of repositories `{name}`"))?;
    input::read(&text, &setup::redactor()?)
        .with_context(|| format!("invalid list of repositories `{name}`"))
}

/// Writes the list as JSON lines, in the order of the keys.
pub(super) fn encode(repositories: &[Repository]) -> anyhow::Result<Vec<u8>> {
    let mut sorted: Vec<&Repository> = repositories.iter().collect();
    sorted.sort_by_cached_key(|it| it.key());
    let mut lines = Vec::new();
    for repository in sorted {
        serde_json::to_writer(&mut lines, repository)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// Returns the sweep to work on: the one that is named, the latest one if it is unfinished and has the same
/// repositories, or a new one.
async fn choose_sweep(
    store: &Store,
    name: Option<SweepName>,
    repositories: &[Repository],
) -> anyhow::Result<SweepName> {
    let sweeps = store.sweeps().await?;
    let Some(latest) = sweeps.last() else { return Ok(name.unwrap_or_else(SweepName::now)) };
    if let Some(name) = name.as_ref().filter(|it| sweeps.contains(it)) {
        return Ok(name.clone());
    }
    if name.is_none()
        && store.file(latest, FINISHED).await?.is_none()
        && store.list(latest).await?.is_some_and(|it| has_same_urls(&it, repositories))
    {
        return Ok(latest.clone());
    }
    let new = match name {
        Some(name) => name,
        None => new_name(&sweeps).await,
    };
    if new < *latest {
        bail!(
            "the new sweep `{new}` would be older than `{latest}`, because names sort by age: use a later --sweep"
        );
    }
    Ok(new)
}

/// Returns the name of a sweep that starts now, once no sweep has it: names have a resolution of one second.
async fn new_name(sweeps: &[SweepName]) -> SweepName {
    loop {
        let name = SweepName::now();
        if !sweeps.contains(&name) {
            return name;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Fails if a named sweep was started with other repositories.
pub(super) async fn check_list(
    store: &Store,
    sweep: &SweepName,
    repositories: &[Repository],
) -> anyhow::Result<()> {
    let known = store.list(sweep).await?.unwrap_or_default();
    if !has_same_urls(&known, repositories) {
        bail!(
            "the sweep `{sweep}` was started with other repositories: use another --sweep, or none for a new one"
        );
    }
    Ok(())
}

/// Compares the URLs of two lists: sizes and times of pushes may differ between two listings.
fn has_same_urls(one: &[Repository], other: &[Repository]) -> bool {
    let urls = |list: &[Repository]| list.iter().map(|it| it.url.clone()).collect::<BTreeSet<_>>();
    urls(one) == urls(other)
}

/// Waits for a second request to stop; reports the first one.
async fn second_signal(signals: &mut Signals, stop: &Stop) {
    loop {
        signals.next().await;
        if stop.request() > 1 {
            return;
        }
        print_note("stopping after the running repositories; interrupt again to stop at once");
    }
}

fn print_summary(summary: &Summary, total: usize, mine: usize) {
    let done: usize = summary.statuses.values().sum();
    let counts: Vec<String> = Status::ALL
        .iter()
        .filter(|it| **it != Status::Complete && summary.count(**it) > 0)
        .map(|it| format!("; {} {it}", number(summary.count(*it))))
        .collect();
    let complete = number(summary.count(Status::Complete));
    let shard = if mine < total {
        format!(" of this shard ({} in all)", number(total))
    } else {
        String::new()
    };
    print_note(&format!(
        "{complete} of {}{shard} completely scanned{}{}; {}, each counted once per repository",
        count(mine, "repository"),
        counts.concat(),
        if done < mine { format!("; {} left", number(mine - done)) } else { String::new() },
        count(summary.tokens, "token"),
    ));
    if summary.unverified > 0 {
        print_note(&format!(
            "not all tokens verified in {}",
            count(summary.unverified, "repository")
        ));
    }
}
