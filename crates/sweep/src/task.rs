//! One repository of a sweep, from its URL to the committed result.

use crate::child::Limits;
use crate::mirror::{Cache, Failure, Git, Lock, Remote};
use crate::repository::Repository;
use crate::result::{RepositoryResult, SCHEMA, ScanSummary, State, Status};
use crate::scanner::{Scanned, Scanner};
use crate::store::{Created, Store, SweepName};
use crate::verdict::Verifier;
use ddpatrol::redact::Redactor;
use ddpatrol::report::escape::terminal;
use jiff::Timestamp;
use std::fs;
use std::time::Duration;

/// Everything that a task needs besides its repository.
pub struct Context {
    /// The store.
    pub store: Store,
    /// The sweep.
    pub sweep: SweepName,
    /// Earlier sweeps, the latest first, whose results may be repeated or continued.
    pub earlier: Vec<SweepName>,
    /// The mirrors.
    pub cache: Cache,
    /// Git.
    pub git: Git,
    /// The scanner.
    pub scanner: Scanner,
    /// Masks tokens in texts of git and of remote hosts.
    pub redactor: Redactor,
    /// Time limit of one repository.
    pub timeout: Duration,
    /// Maximum private memory of each child process in bytes.
    pub memory: Option<u64>,
    /// Verifies the tokens, if the sweep does.
    pub verifier: Option<Verifier>,
}

/// How a task ended.
#[derive(Debug)]
pub struct Done {
    /// The result that the store has now.
    pub status: Status,
    /// Why it is not complete.
    pub reason: Option<String>,
    /// Number of proven tokens that are not suppressed.
    pub tokens: usize,
    /// How the result came about.
    pub effort: Effort,
    /// The time that it took.
    pub elapsed: Duration,
    /// Why tokens could not be verified, although the sweep verifies.
    pub unverified: Option<String>,
}

/// How a result came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// The sweep had a result already.
    AlreadyDone,
    /// Nothing changed since an earlier sweep.
    Unchanged,
    /// The repository was fetched and scanned, or that failed.
    Scanned,
}

/// An earlier result of the same repository.
struct Earlier {
    sweep: SweepName,
    result: RepositoryResult,
}

impl Context {
    /// Works on a repository until its result is committed. Failures of the repository are results; an error
    /// means that the store or the cache does not work.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read or written.
    pub async fn process(&self, repository: &Repository) -> anyhow::Result<Done> {
        let start = std::time::Instant::now();
        let key = repository.key();
        if let Some(result) = self.store.result_with_findings(&self.sweep, &key).await? {
            return Ok(Done::new(&result, Effort::AlreadyDone, start.elapsed()));
        }
        let started_at = Timestamp::now();
        let limits = Limits::new(self.timeout, self.memory);
        let earlier = self.store.latest_scan(&self.earlier, &key).await?;
        let earlier = earlier.map(|(sweep, result)| Earlier { sweep, result });
        let outcome = self.attempt(repository, earlier.as_ref(), limits).await;
        let mut result = RepositoryResult {
            schema: SCHEMA.to_owned(),
            repository: repository.clone(),
            key,
            status: Status::Failed,
            reason: None,
            refs_digest: None,
            scanner_digest: self.scanner.digest().to_owned(),
            version: self.scanner.version().to_owned(),
            started_at,
            ended_at: Timestamp::now(),
            unchanged_since: None,
            summary: ScanSummary::default(),
            findings: Vec::new(),
            issues: Vec::new(),
            state: State::default(),
        };
        let mut unverified = None;
        let effort = match outcome {
            Ok(Outcome::Unchanged { sweep, status, remote, problem }) => {
                unverified = problem;
                result.status = status;
                result.refs_digest = Some(remote.digest);
                result.unchanged_since = Some(sweep.as_str().to_owned());
                Effort::Unchanged
            }
            Ok(Outcome::Scanned { scanned, remote, problem }) => {
                unverified = problem;
                result.status =
                    if scanned.is_complete { Status::Complete } else { Status::Incomplete };
                result.refs_digest = Some(remote.digest);
                result.summary = scanned.summary;
                result.findings = scanned.findings;
                result.issues = scanned.issues;
                result.state = scanned.state;
                Effort::Scanned
            }
            Err(failure) => {
                result.status = failure.status;
                result.reason = Some(self.clean(&failure.reason));
                Effort::Scanned
            }
        };
        let unverified = unverified.map(|it| self.clean(&it));
        let mut done = Done { unverified, ..Done::new(&result, effort, start.elapsed()) };
        if let (Effort::Unchanged, Some(earlier)) = (effort, &earlier) {
            done.tokens = earlier.result.count_tokens();
        }
        if self.store.commit(&self.sweep, &result).await? == Created::Exists {
            // Another machine was faster. Its result counts.
            if let Some(result) = self.store.result_with_findings(&self.sweep, &result.key).await? {
                return Ok(Done::new(&result, Effort::AlreadyDone, start.elapsed()));
            }
        }
        Ok(done)
    }

    /// Asks the remote whether anything changed; if so, fetches and scans.
    async fn attempt(
        &self,
        repository: &Repository,
        earlier: Option<&Earlier>,
        limits: Limits,
    ) -> Result<Outcome, Failure> {
        let remote = self.git.ls_remote(&repository.url, limits).await?;
        let usable = earlier.filter(|it| it.result.scanner_digest == self.scanner.digest());
        if let Some(Earlier { sweep, result }) = usable
            && result.status == Status::Complete
            && result.refs_digest.as_deref() == Some(&remote.digest)
        {
            let problem = self.verify_unchanged(repository, &remote, result, limits).await?;
            let (sweep, status) = (sweep.clone(), result.status);
            return Ok(Outcome::Unchanged { sweep, status, remote, problem });
        }
        let Some(lock) = self.cache.lock(&repository.key(), limits.deadline).await? else {
            return Err(Failure::timed_out("waiting for the mirror"));
        };
        self.update(repository, &remote, &lock, limits).await?;
        let state = usable.map(|it| it.result.state.clone()).unwrap_or_default();
        let scanned = self.scanner.scan(lock.mirror(), &state, limits, lock.file()).await;
        let scanned = match scanned {
            Ok(scanned) => self.verify_scanned(scanned, &lock, limits).await,
            Err(failure) => Err(failure),
        };
        if self.cache.is_temporary() {
            lock.remove_mirror().map_err(anyhow::Error::new)?;
        }
        let (scanned, problem) = scanned?;
        Ok(Outcome::Scanned { scanned, remote, problem })
    }

    /// Fetches into the mirror, or clones it. A damaged mirror is cloned again.
    pub(crate) async fn update(
        &self,
        repository: &Repository,
        remote: &Remote,
        lock: &Lock,
        limits: Limits,
    ) -> Result<(), Failure> {
        lock.remove_partial().map_err(anyhow::Error::new)?;
        let url = &repository.url;
        if lock.mirror().exists() {
            match self.git.fetch(lock, url, remote, limits).await {
                Err(failure) if failure.status == Status::Failed => {
                    if self.git.is_intact(lock, limits).await {
                        return Err(failure);
                    }
                    lock.remove_mirror().map_err(anyhow::Error::new)?;
                }
                fetched => return fetched,
            }
        }
        let cloned = self.git.clone_mirror(url, lock, limits).await;
        if cloned.is_err() {
            lock.remove_partial().map_err(anyhow::Error::new)?;
        }
        cloned?;
        fs::rename(lock.partial(), lock.mirror()).map_err(anyhow::Error::new)?;
        Ok(())
    }

    /// Masks tokens, and escapes control characters.
    fn clean(&self, text: &str) -> String {
        terminal(&self.redactor.clean(text.as_bytes()).text()).into_owned()
    }
}

/// The end of an attempt that did not fail.
enum Outcome {
    Unchanged { sweep: SweepName, status: Status, remote: Remote, problem: Option<String> },
    Scanned { scanned: Scanned, remote: Remote, problem: Option<String> },
}

impl Done {
    fn new(result: &RepositoryResult, effort: Effort, elapsed: Duration) -> Self {
        Self {
            status: result.status,
            reason: result.explanation(),
            tokens: result.count_tokens(),
            effort,
            elapsed,
            unverified: None,
        }
    }
}
