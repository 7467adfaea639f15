//! The results that a report shows: those of a sweep, and those of earlier sweeps that they repeat.

use crate::repository::{Repository, RepositoryKey};
use crate::result::{Finding, Issue, RepositoryResult, Status};
use crate::store::{Store, SweepName};
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

/// Number of results that are read at a time.
pub(super) const CONCURRENCY: usize = 32;

/// The results of one repository that a report shows.
pub(super) struct Resolved {
    pub(super) repository: Repository,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) as_of: Option<String>,
    pub(super) scanned_at: Option<Timestamp>,
    pub(super) started_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) findings: Vec<Finding>,
    pub(super) issues: Vec<Issue>,
}

/// Replaces the verdicts of the time of the scans by the latest ones.
pub(super) async fn add_verdicts(store: &Store, resolved: &mut [Resolved]) -> anyhow::Result<()> {
    let findings = resolved.iter().flat_map(|it| &it.findings);
    let fingerprints = findings.map(|it| it.fingerprint.clone()).collect();
    let verdicts = store.verdicts(&fingerprints).await?;
    for finding in resolved.iter_mut().flat_map(|it| &mut it.findings) {
        if let Some(verdict) = verdicts.get(&finding.fingerprint) {
            finding.verification = Some(verdict.verification.clone());
        }
    }
    Ok(())
}

/// Returns what is known about each repository of a sweep: its own result, the one that it repeats, or, if it
/// could not be scanned, the latest earlier one.
pub(super) async fn resolve_all(
    store: &Store,
    sweeps: &[SweepName],
    sweep: &SweepName,
) -> anyhow::Result<Vec<Resolved>> {
    let keys = store.keys(sweep).await?;
    let earlier: Vec<&SweepName> = sweeps.iter().rev().filter(|it| *it < sweep).collect();
    let resolved = stream::iter(keys.iter().map(|key| resolve(store, sweep, &earlier, key)));
    resolved.buffered(CONCURRENCY).try_filter_map(async |it| Ok(it)).try_collect().await
}

async fn resolve(
    store: &Store,
    sweep: &SweepName,
    earlier: &[&SweepName],
    key: &RepositoryKey,
) -> anyhow::Result<Option<Resolved>> {
    let Some(result) = store.result(sweep, key).await? else { return Ok(None) };
    if result.unchanged_since.is_none() && result.status.is_scanned() {
        return Ok(Some(Resolved::new(&result, &result, None)));
    }
    let sweeps = std::iter::once(sweep).chain(earlier.iter().copied());
    let known = store.latest_scan(sweeps, key).await?;
    Ok(Some(match known {
        Some((as_of, original)) => Resolved::new(&result, &original, Some(as_of.to_string())),
        None => Resolved::new(&result, &result, None),
    }))
}

impl Resolved {
    /// Combines a result with the one that has its findings.
    fn new(result: &RepositoryResult, original: &RepositoryResult, as_of: Option<String>) -> Self {
        Self {
            repository: result.repository.clone(),
            status: result.status,
            reason: result.reason.clone(),
            as_of,
            scanned_at: original.status.is_scanned().then_some(original.ended_at),
            started_at: result.started_at,
            ended_at: result.ended_at,
            findings: original.findings.clone(),
            issues: original.issues.clone(),
        }
    }
}
