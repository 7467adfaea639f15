//! `ddpatrol clean`: removes the tokens of a saved report from a history.
//!
//! Input: a report of `--report json`, which is untrusted, and a repository. Output: a plan, or a rewritten
//! clone and the command that pushes it. Never changes the repository itself.

mod heads;
mod notes;
mod push;
mod report;
mod repository;
mod rewrite;
mod search;

use super::args::{CleanArgs, CleanFilterArgs};
use super::exit::Exit;
use super::messages::{install_redactor, print_error, print_line};
use super::rule_files::load_rules;
use super::saved::{read_text, selected};
use super::signals;
use crate::clean::{Cleaner, Targets, serve};
use crate::detect::Evidence;
use crate::report::document::{self, Document};
use anyhow::{Context, bail};
use ddpatrol_scan::finding::Fingerprint;
use repository::CompleteRepository;
use search::{Search, Sighted, fingerprint, is_in_history};
use std::collections::HashSet;
use std::io::{self, BufReader, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;

/// A rewrite before it is carried out.
struct Plan {
    repository: CompleteRepository,
    search: Search,
    sighted: Sighted,
    targets: Targets,
    /// Whether a reference gets another name.
    renames: Renames,
    /// The branches that the remote does not have, by their names in the clone.
    unpublished: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Renames {
    None,
    Some,
}

/// Runs `ddpatrol clean`.
pub(super) fn run(args: &CleanArgs) -> anyhow::Result<Exit> {
    let plan = Plan::new(args)?;
    plan.show(args)?;
    if plan.is_blocked(args) {
        print_error(
            "nothing was rewritten: tokens would remain in the content that is listed above",
        );
        return Ok(Exit::Failed);
    }
    if !plan.sighted.records.iter().any(is_in_history) {
        print_line(
            "No commit that a reference reaches contains these tokens: nothing to rewrite.",
        )?;
        return Ok(plan.exit());
    }
    rewrite::check_filter_repo(&plan.repository)?;
    if !args.yes {
        plan.show_next(args)?;
        return Ok(plan.exit());
    }
    let run = signals::begin()?;
    let check = || if run.is_interrupted() { bail!("interrupted") } else { Ok(()) };
    let clone = rewrite::rewrite(&plan.repository, &plan.search, &plan.targets, &check)?;
    plan.show_result(&clone)?;
    Ok(plan.exit())
}

/// Runs `ddpatrol clean-filter`.
pub(super) fn filter(args: &CleanFilterArgs) -> anyhow::Result<Exit> {
    let targets = std::fs::read(&args.targets)
        .with_context(|| format!("cannot read {}", args.targets.display()))?;
    let targets: Targets = serde_json::from_slice(&targets).context("invalid targets")?;
    let mut cleaner = Cleaner::new(Arc::new(load_rules(&args.rules)?), targets)?;
    let mut input = BufReader::new(io::stdin().lock());
    serve(&mut cleaner, &mut input, &mut BufWriter::new(io::stdout().lock()))?;
    Ok(Exit::Clean)
}

impl Plan {
    fn new(args: &CleanArgs) -> anyhow::Result<Self> {
        let rules = Arc::new(load_rules(&args.rules)?);
        let redactor = install_redactor(&rules)?;
        let text = read_text(&args.from)?;
        let saved = document::read(&text, redactor, &rules, None);
        let document = saved.with_context(|| args.from.display().to_string())?.document;
        let fingerprints = fingerprints(&document, args)?;
        // Child processes get the signal, too; the clone is removed if they stop.
        signals::begin()?.finish();
        let repository = CompleteRepository::find(&args.repo)?;
        heads::check(&repository)?;
        let rule_files: Result<Vec<PathBuf>, io::Error> =
            args.rules.iter().map(|path| path.canonicalize()).collect();
        let search =
            Search { rules, redactor, rule_files: rule_files?, fingerprints: fingerprints.clone() };
        let sighted = search.run(&repository.store)?;
        if sighted.records.is_empty() && sighted.submodules.is_empty() {
            bail!(
                "no token of {} is in the history of {}: is it the report of another repository, or \
                 are the tokens in files that are not committed?",
                args.from.display(),
                repository.folder.display()
            );
        }
        let dropped = match args.drop_archives {
            true => sighted.archives().into_keys().collect(),
            false => HashSet::new(),
        };
        let targets = Targets { fingerprints, dropped };
        let mut cleaner = Cleaner::new(Arc::clone(&search.rules), targets.clone())?;
        let is_renamed = repository.references.iter().any(|it| cleaner.name(&it.name).is_some());
        let renames = if is_renamed { Renames::Some } else { Renames::None };
        let unpublished = repository.unpublished().into_iter();
        let unpublished =
            unpublished.map(|name| cleaner.name(name).unwrap_or_else(|| name.to_vec())).collect();
        Ok(Self { repository, search, sighted, targets, renames, unpublished })
    }

    /// Returns `true` if a rewrite would leave tokens behind.
    fn is_blocked(&self, args: &CleanArgs) -> bool {
        !self.sighted.unread.is_empty()
            || !args.drop_archives && !self.sighted.archives().is_empty()
    }

    /// Returns the exit code: 2 if tokens remain outside the history.
    fn exit(&self) -> Exit {
        let remain = !self.sighted.outside_history().is_empty()
            || !self.sighted.lfs_files().is_empty()
            || !self.sighted.submodules.is_empty()
            || self.sighted.records.iter().any(|it| !is_in_history(it));
        if remain { Exit::Failed } else { Exit::Clean }
    }
}

/// Returns the fingerprints of the proven tokens that are not suppressed.
fn fingerprints(document: &Document, args: &CleanArgs) -> anyhow::Result<HashSet<Fingerprint>> {
    let shown = args.from.display();
    if document.interrupted {
        bail!("{shown}: the scan was interrupted, so that tokens can be missing: scan again");
    }
    let proven = document.findings.iter();
    let proven = proven.filter(|it| it.evidence == Evidence::Proven && it.suppression.is_none());
    let prints: Option<HashSet<Fingerprint>> = proven.map(fingerprint).collect();
    let prints =
        prints.with_context(|| format!("{shown}: a finding has an invalid fingerprint"))?;
    if prints.is_empty() {
        bail!("{shown}: the report contains no proven token that is not suppressed");
    }
    if args.fingerprints.is_empty() {
        return Ok(prints);
    }
    let prints: Vec<Fingerprint> = prints.into_iter().collect();
    selected(&args.fingerprints, &prints, &args.from)
}
