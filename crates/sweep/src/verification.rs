//! Verification of the tokens of one repository.
//!
//! The scanner masks tokens in its report, so it must verify them itself: only if a token has no fresh verdict,
//! the mirror is scanned a second time, from the state of the first scan. Failures here never fail the
//! repository: its tokens stay unverified, and the sweep reports why.

use crate::child::Limits;
use crate::mirror::{Failure, Lock, Remote};
use crate::repository::Repository;
use crate::result::{Finding, RepositoryResult, State};
use crate::scanner::{Scanned, Target};
use crate::task::Context;
use crate::verdict::Verifier;

impl Context {
    /// Verifies the tokens of a scan, and adds their verdicts to the findings. Returns why tokens could not be
    /// verified.
    pub(crate) async fn verify_scanned(
        &self,
        mut scanned: Scanned,
        lock: &Lock,
        limits: Limits,
    ) -> Result<(Scanned, Option<String>), Failure> {
        let Some(verifier) = &self.verifier else { return Ok((scanned, None)) };
        let target = target(lock, &scanned.state, limits);
        let verified = self.verify(verifier, &scanned.findings, target);
        let problem = problem(tokio::time::timeout_at(limits.deadline, verified).await);
        verifier.annotate(&self.store, &mut scanned.findings).await?;
        Ok((scanned, problem))
    }

    /// Verifies the tokens of an unchanged repository whose verdicts are too old: its mirror is updated, or
    /// cloned again if it is not in the cache.
    pub(crate) async fn verify_unchanged(
        &self,
        repository: &Repository,
        remote: &Remote,
        result: &RepositoryResult,
        limits: Limits,
    ) -> Result<Option<String>, Failure> {
        let Some(verifier) = &self.verifier else { return Ok(None) };
        if !verifier.has_open(&self.store, &result.findings).await? {
            return Ok(None);
        }
        let Some(lock) = self.cache.lock(&repository.key(), limits.deadline).await? else {
            return Ok(Some(Failure::timed_out("waiting for the mirror").reason));
        };
        if let Err(failure) = self.update(repository, remote, &lock, limits).await {
            return Ok(Some(failure.reason));
        }
        let target = target(&lock, &result.state, limits);
        let verified = self.verify(verifier, &result.findings, target);
        let problem = problem(tokio::time::timeout_at(limits.deadline, verified).await);
        if self.cache.is_temporary() {
            lock.remove_mirror().map_err(anyhow::Error::new)?;
        }
        Ok(problem)
    }

    /// Verifies the tokens without a fresh verdict.
    async fn verify(
        &self,
        verifier: &Verifier,
        findings: &[Finding],
        target: Target<'_>,
    ) -> Result<(), Failure> {
        let claim = verifier.claim(&self.store, findings).await?;
        if claim.open.is_empty() {
            return Ok(());
        }
        let verified = self.scanner.verify(target, &claim.known, verifier.options()).await?;
        match verifier.record(&self.store, &claim, verified).await? {
            0 => Ok(()),
            open => Err(anyhow::anyhow!("the scanner did not verify {open} of its tokens").into()),
        }
    }
}

/// Returns what a scan of a locked mirror reads.
fn target<'a>(lock: &'a Lock, state: &'a State, limits: Limits) -> Target<'a> {
    Target { mirror: lock.mirror(), state, limits, lock: lock.file() }
}

/// Returns why a verification failed.
fn problem(verified: Result<Result<(), Failure>, tokio::time::error::Elapsed>) -> Option<String> {
    match verified {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure.reason),
        Err(_) => Some(Failure::timed_out("verification").reason),
    }
}
