//! Verdicts of issuers, cached in the store by fingerprint, so that a token in many repositories is verified
//! once.
//!
//! Unlike results, verdicts are replaced: the latest one counts. A verdict is a redacted text of the scanner;
//! the token itself is never here.

use crate::digest::PartsDigest;
use crate::result::{Finding, Verdict, Verification};
use crate::store::Store;
use anyhow::Context;
use ddpatrol_scan::finding::Fingerprint;
use ddpatrol_scan::lock::lock;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// Name and version of the schema of verdicts.
const SCHEMA: &str = "ddpatrol-sweep-verdict/1";

/// Maximum age of inconclusive verdicts: the issuer may answer soon.
const MAX_UNKNOWN_AGE: Duration = Duration::from_secs(60 * 60);

/// Number of verdicts that are read at a time.
const CONCURRENCY: usize = 32;

/// A verdict on a token and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CachedVerdict {
    schema: String,
    /// The token.
    pub fingerprint: String,
    /// The time of the issuer's answer.
    pub verified_at: Timestamp,
    /// Digest of the options that configured the issuers; empty in verdicts of older versions. A verdict says
    /// nothing about other hosts or accounts.
    #[serde(default)]
    pub issuers: String,
    /// The verdict.
    pub verification: Verification,
}

impl CachedVerdict {
    /// Creates a verdict of now.
    pub fn now(fingerprint: String, issuers: String, verification: Verification) -> Self {
        let verified_at = Timestamp::now();
        Self { schema: SCHEMA.to_owned(), fingerprint, verified_at, issuers, verification }
    }

    /// Returns `true` if it is younger than `limit`. One from the future is not.
    fn is_fresh(&self, limit: Duration, now: Timestamp) -> bool {
        let limit = match self.verification.verdict {
            Verdict::Unknown => limit.min(MAX_UNKNOWN_AGE),
            Verdict::Live | Verdict::Dead => limit,
        };
        let age = Duration::try_from(now.duration_since(self.verified_at));
        age.is_ok_and(|age| age < limit)
    }
}

impl Store {
    /// Returns the verdict on a token; `None` if there is none, or it is damaged.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn verdict(&self, fingerprint: &str) -> anyhow::Result<Option<CachedVerdict>> {
        let path = self.path(&["verdicts", &format!("{fingerprint}.json")]);
        let Some(bytes) = self.get(&path).await? else { return Ok(None) };
        let verdict: Option<CachedVerdict> = serde_json::from_slice(&bytes).ok();
        Ok(verdict.filter(|it| it.schema == SCHEMA && it.fingerprint == fingerprint))
    }

    /// Replaces the verdict on a token.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub async fn put_verdict(&self, verdict: &CachedVerdict) -> anyhow::Result<()> {
        let path = self.path(&["verdicts", &format!("{}.json", verdict.fingerprint)]);
        self.replace(path, serde_json::to_vec(verdict)?).await
    }

    /// Returns the verdicts on those of the tokens that have one.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn verdicts(
        &self,
        fingerprints: &BTreeSet<String>,
    ) -> anyhow::Result<HashMap<String, CachedVerdict>> {
        let names = self.names(&["verdicts"]).await?;
        let known = names.iter().filter_map(|it| it.strip_suffix(".json"));
        let wanted = known.filter(|it| fingerprints.contains(*it));
        let verdicts = stream::iter(wanted.map(|it| self.verdict(it))).buffered(CONCURRENCY);
        let pair = |it: Option<CachedVerdict>| it.map(|it| (it.fingerprint.clone(), it));
        verdicts.try_filter_map(async |it| Ok(pair(it))).try_collect().await
    }
}

/// Decides which tokens are verified, each by one task at a time.
#[derive(Debug)]
pub struct Verifier {
    /// Options of the scanner that configure issuers.
    options: Vec<OsString>,
    /// Digest of the options that configure the issuers.
    issuers: String,
    /// Maximum age of a verdict.
    age: Duration,
    /// Verdicts that this process has seen.
    seen: Mutex<HashMap<String, CachedVerdict>>,
    /// Tokens that a task of this process verifies now.
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// Tokens that one task verifies. Other tasks wait until it is dropped.
#[derive(Debug)]
pub struct Claim {
    /// The tokens without a fresh verdict.
    pub open: BTreeSet<String>,
    /// Fresh verdicts on the other tokens.
    pub known: BTreeMap<String, Verification>,
    _locks: Vec<OwnedMutexGuard<()>>,
}

impl Verifier {
    /// Creates a verifier whose verdicts are valid for `age`; `options` of the scanner configure the issuers.
    pub fn new(options: Vec<OsString>, age: Duration) -> Self {
        let issuers = issuers(&options);
        Self { options, issuers, age, seen: Mutex::default(), locks: Mutex::default() }
    }

    /// Returns the options of the scanner.
    pub fn options(&self) -> &[OsString] {
        &self.options
    }

    /// Returns `true` if a token of the findings has no fresh verdict.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn has_open(&self, store: &Store, findings: &[Finding]) -> anyhow::Result<bool> {
        for fingerprint in fingerprints(findings)? {
            if self.fresh(store, &fingerprint).await?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Claims the tokens of the findings that have no fresh verdict. Waits for tasks that verify some of them.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn claim(&self, store: &Store, findings: &[Finding]) -> anyhow::Result<Claim> {
        let mut claim = Claim { open: BTreeSet::new(), known: BTreeMap::new(), _locks: Vec::new() };
        // All tasks lock in the order of the fingerprints, so none waits in a circle.
        for fingerprint in fingerprints(findings)? {
            if let Some(verdict) = self.fresh(store, &fingerprint).await? {
                claim.known.insert(fingerprint, verdict);
                continue;
            }
            let lock = Arc::clone(lock(&self.locks).entry(fingerprint.clone()).or_default());
            let guard = lock.lock_owned().await;
            match self.fresh(store, &fingerprint).await? {
                Some(verdict) => {
                    claim.known.insert(fingerprint, verdict);
                }
                None => {
                    claim.open.insert(fingerprint);
                    claim._locks.push(guard);
                }
            }
        }
        Ok(claim)
    }

    /// Records the verdicts on the claimed tokens. Returns how many of them have none.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub async fn record(
        &self,
        store: &Store,
        claim: &Claim,
        verified: Vec<Finding>,
    ) -> anyhow::Result<usize> {
        let mut open = claim.open.clone();
        for finding in verified {
            let Some(verification) = finding.verification else { continue };
            if open.remove(&finding.fingerprint) {
                let verdict =
                    CachedVerdict::now(finding.fingerprint, self.issuers.clone(), verification);
                store.put_verdict(&verdict).await?;
                lock(&self.seen).insert(verdict.fingerprint.clone(), verdict);
            }
        }
        Ok(open.len())
    }

    /// Adds fresh verdicts to findings.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn annotate(&self, store: &Store, findings: &mut [Finding]) -> anyhow::Result<()> {
        for finding in findings.iter_mut().filter(|it| it.suppression.is_none()) {
            finding.verification = self.fresh(store, &finding.fingerprint).await?;
        }
        Ok(())
    }

    async fn fresh(
        &self,
        store: &Store,
        fingerprint: &str,
    ) -> anyhow::Result<Option<Verification>> {
        let now = Timestamp::now();
        let seen = lock(&self.seen).get(fingerprint).cloned();
        if let Some(verdict) = seen.filter(|it| it.is_fresh(self.age, now)) {
            return Ok(Some(verdict.verification));
        }
        let is_valid =
            |it: &CachedVerdict| it.issuers == self.issuers && it.is_fresh(self.age, now);
        let verdict = store.verdict(fingerprint).await?.filter(is_valid);
        if let Some(verdict) = &verdict {
            lock(&self.seen).insert(fingerprint.to_owned(), verdict.clone());
        }
        Ok(verdict.map(|it| it.verification))
    }
}

/// Returns a digest of the options that configure the issuers, in any order. The pause before the second check
/// does not change a verdict.
fn issuers(options: &[OsString]) -> String {
    let mut options: Vec<&[u8]> = options.iter().map(|it| it.as_encoded_bytes()).collect();
    options.retain(|it| !it.starts_with(b"--verify-pause="));
    options.sort_unstable();
    options.dedup();
    let mut digest = PartsDigest::default();
    options.into_iter().for_each(|it| digest.add(it));
    digest.finish()
}

/// Returns the fingerprints of the tokens that are not suppressed.
fn fingerprints(findings: &[Finding]) -> anyhow::Result<BTreeSet<String>> {
    let findings = findings.iter().filter(|it| it.suppression.is_none());
    let check = |text: &str| {
        let fingerprint: Fingerprint =
            text.parse().with_context(|| format!("invalid fingerprint `{text}`"))?;
        Ok(fingerprint.to_string())
    };
    findings.map(|it| check(&it.fingerprint)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(verdict: Verdict, age: i64) -> CachedVerdict {
        let verification = Verification {
            verdict,
            reason: "said so".to_owned(),
            login: None,
            scopes: None,
            expires_at: None,
        };
        let mut verdict = CachedVerdict::now("00".repeat(16), issuers(&[]), verification);
        verdict.verified_at = Timestamp::now() - jiff::SignedDuration::from_secs(age);
        verdict
    }

    #[test]
    fn verdicts_grow_old_and_inconclusive_ones_sooner() {
        let day = Duration::from_secs(24 * 60 * 60);
        let is_fresh = |kind, age| verdict(kind, age).is_fresh(day, Timestamp::now());
        assert!(is_fresh(Verdict::Live, 80_000) && !is_fresh(Verdict::Live, 90_000));
        assert!(is_fresh(Verdict::Unknown, 3_000) && !is_fresh(Verdict::Unknown, 4_000));
        assert!(!is_fresh(Verdict::Dead, -600), "a verdict from the future is not trusted");
        assert!(!verdict(Verdict::Live, 0).is_fresh(Duration::ZERO, Timestamp::now()));
    }

    #[test]
    fn the_order_of_options_and_the_pause_do_not_change_the_issuers() {
        let of = |words: &[&str]| {
            issuers(&words.iter().map(|it| OsString::from(*it)).collect::<Vec<_>>())
        };
        let (one, two) = ("--issuer=https://one.example", "--gitlab-url=https://two.example");
        assert_eq!(of(&[one, two, "--verify-pause=2"]), of(&[two, one]));
        assert_ne!(of(&[one]), of(&[one, two]));
        assert_ne!(of(&[one]), of(&[]));
    }

    #[tokio::test]
    async fn a_damaged_verdict_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap()).unwrap();
        let verdict = verdict(Verdict::Live, 0);
        store.put_verdict(&verdict).await.unwrap();
        store.put_verdict(&verdict).await.unwrap();
        assert_eq!(store.verdict(&verdict.fingerprint).await.unwrap(), Some(verdict.clone()));
        let wanted = BTreeSet::from([verdict.fingerprint.clone(), "11".repeat(16)]);
        assert_eq!(store.verdicts(&wanted).await.unwrap().len(), 1);
        let file = folder.path().join(format!("verdicts/{}.json", verdict.fingerprint));
        std::fs::write(file, "{").unwrap();
        assert_eq!(store.verdict(&verdict.fingerprint).await.unwrap(), None);
    }
}
