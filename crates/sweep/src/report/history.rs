//! The tokens of earlier sweeps, with which a report compares.

use super::model::{Change, GoneToken};
use super::resolved::{CONCURRENCY, resolve_all};
use crate::repository::{CloneUrl, RepositoryKey};
use crate::result::Finding;
use crate::store::{Store, SweepName};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The tokens of earlier sweeps.
#[derive(Default)]
pub(super) struct History {
    /// Tokens of the sweep that is compared with, with the URLs of their repositories; `None` without one.
    previous: Option<BTreeMap<String, (Finding, BTreeSet<CloneUrl>)>>,
    /// Fingerprints of the sweeps before it.
    older: HashSet<String>,
}

impl History {
    pub(super) async fn read(
        store: &Store,
        sweeps: &[SweepName],
        since: Option<&SweepName>,
    ) -> anyhow::Result<Self> {
        let Some(since) = since else { return Ok(Self::default()) };
        let mut previous: BTreeMap<String, (Finding, BTreeSet<CloneUrl>)> = BTreeMap::new();
        for resolved in resolve_all(store, sweeps, since).await? {
            let url = resolved.repository.url;
            for finding in resolved.findings.into_iter().filter(|it| it.suppression.is_none()) {
                let fingerprint = finding.fingerprint.clone();
                let entry = previous.entry(fingerprint);
                entry.or_insert_with(|| (finding, BTreeSet::new())).1.insert(url.clone());
            }
        }
        let mut older = HashSet::new();
        for sweep in sweeps.iter().filter(|it| *it < since) {
            // Repeated results have no findings; the sweep that they repeat has.
            let keys = store.keys(sweep).await?;
            let results = stream::iter(keys.iter().map(|key| store.result(sweep, key)));
            let mut results = std::pin::pin!(results.buffered(CONCURRENCY));
            while let Some(result) = results.try_next().await? {
                let findings = result.into_iter().flat_map(|it| it.findings);
                older.extend(findings.map(|it| it.fingerprint));
            }
        }
        Ok(Self { previous: Some(previous), older })
    }

    pub(super) fn change(&self, fingerprint: &str) -> Option<Change> {
        let previous = self.previous.as_ref()?;
        Some(if previous.contains_key(fingerprint) {
            Change::Open
        } else if self.older.contains(fingerprint) {
            Change::Back
        } else {
            Change::New
        })
    }

    /// Returns the tokens of the earlier sweep that are not `present`, and whose repositories are all `complete`.
    /// Nobody knows whether another repository still has its tokens.
    pub(super) fn gone(
        &self,
        present: &HashSet<&str>,
        complete: &HashSet<RepositoryKey>,
    ) -> Vec<GoneToken> {
        let previous = self.previous.iter().flatten();
        previous
            .filter(|(fingerprint, (_, urls))| {
                !present.contains(fingerprint.as_str())
                    && urls.iter().all(|it| complete.contains(&it.key()))
            })
            .map(|(fingerprint, (finding, urls))| GoneToken {
                fingerprint: fingerprint.clone(),
                rule: finding.rule.clone(),
                name: finding.name.clone(),
                issuer: finding.issuer.clone(),
                redacted: finding.token.redacted.clone(),
                token_id: finding.token.uuid.clone().or_else(|| finding.token.alias.clone()),
                repositories: urls.iter().map(ToString::to_string).collect(),
            })
            .collect()
    }
}
