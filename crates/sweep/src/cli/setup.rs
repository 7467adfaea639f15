//! Creates the context of tasks from the arguments.

use super::args::{MirrorArgs, ScanArgs};
use super::verify_args::VerifyArgs;
use crate::mirror::{Cache, Git};
use crate::scanner::{Scanner, ScannerOptions};
use crate::store::{Store, SweepName};
use crate::task::Context;
use crate::verdict::Verifier;
use ddpatrol::detect::Detector;
use ddpatrol::redact::Redactor;
use std::sync::Arc;

/// The parts of a sweep that run the scanner.
pub(super) struct Programs {
    scanner: Scanner,
    verifier: Option<Verifier>,
}

/// Number of earlier sweeps that are searched for the latest result of a repository.
const MAX_EARLIER: usize = 8;

/// Returns a redactor with the built-in rules.
pub(super) fn redactor() -> anyhow::Result<Redactor> {
    let rules = Arc::new(ddpatrol::rules::builtin()?);
    Ok(Redactor::new(Detector::new(rules)?))
}

/// Returns the number of processors.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Creates the scanner and the verifier of a sweep, and checks their options; `jobs` scans run at a time.
pub(super) fn programs(
    scan: ScanArgs,
    verify: &VerifyArgs,
    jobs: usize,
) -> anyhow::Result<Programs> {
    let threads = scan.threads.map_or(processors().div_ceil(jobs), usize::from);
    let scanner = Scanner::new(ScannerOptions {
        program: scan.scanner,
        threads,
        rules: scan.rules,
        groups: scan.groups,
        config: scan.config,
    })?;
    let verifier = verify.verifier();
    if let Some(verifier) = &verifier {
        scanner.check_issuers(verifier.options())?;
    }
    Ok(Programs { scanner, verifier })
}

/// Creates the context of the tasks of a sweep.
pub(super) async fn context(
    store: Store,
    sweep: SweepName,
    mirror: &MirrorArgs,
    Programs { scanner, verifier }: Programs,
) -> anyhow::Result<Context> {
    let mut earlier = store.sweeps().await?;
    earlier.retain(|it| *it < sweep);
    earlier.reverse();
    earlier.truncate(MAX_EARLIER);
    Ok(Context {
        store,
        sweep,
        earlier,
        cache: Cache::open(mirror.cache.as_deref(), mirror.cache_size)?,
        git: Git::new(),
        scanner,
        redactor: redactor()?,
        timeout: mirror.timeout,
        memory: Some(mirror.memory).filter(|it| *it > 0),
        verifier,
    })
}
