//! `ddpatrol report` and `ddpatrol diff`: show saved JSON reports.
//!
//! Input: saved reports, from files or standard input. Output: reports in other formats, or the
//! difference of two reports. Does not parse reports: `report::document` does.

use super::args::{DiffArgs, ReportCommandArgs, ReportFormat};
use super::exit::Exit;
use super::messages::{MESSAGE_REDACTOR, install_redactor};
use super::output::{Output, ReportOptions};
use super::rule_files::load_rules;
use super::usage::paths::is_revision;
use crate::decode;
use crate::detect::Evidence;
use crate::report::diff::Difference;
use crate::report::document::{self, Document};
use crate::report::next_steps::{NextStepsContext, Surface};
use crate::report::shell::quote;
use anyhow::{Context, bail};
use ddpatrol_scan::finding::{Fingerprint, FingerprintPrefix};
use std::collections::{BTreeSet, HashSet};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Runs `ddpatrol report`: converts a saved report to other formats.
pub(super) fn report(args: &ReportCommandArgs) -> anyhow::Result<Exit> {
    let outputs = Output::open_all(&args.output.reports()?, Some(ReportFormat::Text))?;
    let document = read(&args.from, &args.rules)?;
    let path = args.from.to_str().filter(|path| *path != "-");
    let mut clean = |path| MESSAGE_REDACTOR.get().map(|it| it.clean(quote(path).as_bytes()));
    let context = NextStepsContext {
        surface: Surface::Saved,
        report: path.and_then(&mut clean),
        ..NextStepsContext::default()
    };
    let options = ReportOptions {
        color: args.color,
        quiet: false,
        elapsed: None,
        suppressed: args.suppressed(),
        listing: args.listing,
        failing: 0,
        context: &context,
    };
    for output in outputs {
        output.write(&document, &options)?;
    }
    Ok(Exit::Clean)
}

/// Runs `ddpatrol diff`: compares two saved reports.
pub(super) fn diff(args: &DiffArgs) -> anyhow::Result<Exit> {
    let outputs = Output::open_all(&args.output.reports()?, Some(ReportFormat::Text))?;
    if outputs.iter().any(|it| !matches!(it.format, ReportFormat::Text | ReportFormat::Json)) {
        bail!("unsupported report format: `ddpatrol diff` writes text or json");
    }
    if [&args.old, &args.new].iter().all(|path| path.as_os_str() == "-") {
        bail!("only one of the two reports can be read from standard input");
    }
    let is_missing = |path: &PathBuf| path.as_os_str() != "-" && !path.exists();
    let words = [&args.old, &args.new].map(|path| path.to_string_lossy().into_owned());
    if is_missing(&args.old) && is_missing(&args.new) && words.iter().all(|it| is_revision(it)) {
        bail!(
            "{0} and {1} are revisions, not saved reports: to scan the commits between them, run \
             `ddpatrol range {0}..{1}`",
            words[0],
            words[1]
        );
    }
    let (old, new) = (read(&args.old, &args.rules)?, read(&args.new, &args.rules)?);
    let difference = Difference::between(&old, &new);
    for mut output in outputs {
        let format = output.format;
        let out = output.writer();
        if format == ReportFormat::Json {
            serde_json::to_writer_pretty(&mut *out, &difference)?;
            writeln!(out)?;
        } else {
            difference.write(out)?;
        }
        output.finish()?;
    }
    let is_new = difference.new.iter().any(|it| it.evidence == Evidence::Proven);
    Ok(match (is_new, difference.complete) {
        (true, _) => Exit::Findings,
        (false, false) => Exit::Failed,
        (false, true) => Exit::Clean,
    })
}

/// Returns the fingerprints of a report that begin with the given digits.
///
/// # Errors
/// The digits match no fingerprint, or several.
pub(super) fn selected(
    prefixes: &[FingerprintPrefix],
    found: &[Fingerprint],
    report: &Path,
) -> anyhow::Result<HashSet<Fingerprint>> {
    let mut selected = HashSet::new();
    for prefix in prefixes {
        let matching = found.iter().copied().filter(|it| prefix.matches(*it));
        let matching: BTreeSet<Fingerprint> = matching.collect();
        let shown: Vec<String> = matching.iter().map(ToString::to_string).collect();
        match shown.len() {
            0 => bail!(
                "no proven finding of {} has the fingerprint {prefix}: `ddpatrol report --from {}` \
                 lists the fingerprints",
                report.display(),
                quote(&report.to_string_lossy())
            ),
            1 => selected.extend(matching),
            _ => bail!(
                "the fingerprint {prefix} is ambiguous, give more digits: it matches {}",
                shown.join(" and ")
            ),
        }
    }
    Ok(selected)
}

/// Reads the text of a saved report, from a file or from standard input.
pub(super) fn read_text(path: &Path) -> anyhow::Result<String> {
    let text = read_any_text(path)?;
    if text.trim_ascii().is_empty() {
        let shown = if path.as_os_str() == "-" {
            "standard input".into()
        } else {
            path.display().to_string()
        };
        bail!(
            "{shown}: not a report of `ddpatrol scan`: it is empty; did the command that writes it fail?"
        );
    }
    Ok(text)
}

fn read_any_text(path: &Path) -> anyhow::Result<String> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        let read = io::stdin().read_to_end(&mut bytes);
        let text = read.and_then(|_| Ok(decode::text(bytes)?));
        return text.context("cannot read report from standard input");
    }
    if path.is_dir() {
        bail!("cannot read report {}: a folder; name the JSON file in it", path.display());
    }
    let is_missing = path.symlink_metadata().is_err_and(|it| it.kind() == ErrorKind::NotFound);
    if is_missing {
        bail!(
            "report {0} does not exist: write it with `ddpatrol scan --report json={1}`",
            path.display(),
            quote(&path.to_string_lossy())
        );
    }
    decode::read_file(path).with_context(|| format!("cannot read report {}", path.display()))
}

/// Reads a saved report and redacts its texts with all rules.
fn read(path: &Path, rules: &[PathBuf]) -> anyhow::Result<Document> {
    let text = read_text(path)?;
    let rules = Arc::new(load_rules(rules)?);
    let redactor = install_redactor(&rules)?;
    let here = std::env::current_dir().ok();
    let saved = document::read(&text, redactor, &rules, here.as_deref());
    Ok(saved.with_context(|| path.display().to_string())?.document)
}
