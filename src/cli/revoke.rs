//! `ddpatrol revoke`: revokes the proven tokens of a saved report.
//!
//! Input: a report of `--report json`, which is untrusted. Output: revocations at issuers, and a report
//! of them. Does not parse the saved report (`report::document` does) and sends no requests itself
//! (`respond` does).

use super::args::{ReportFormat, RevokeArgs};
use super::exit::Exit;
use super::messages::{clean, install_redactor, print_error, print_note};
use super::output::Output;
use super::revocations::{PlannedRevocations, Revocations, Success};
use super::rule_files::load_rules;
use super::saved::{read_text, selected};
use super::signals;
use super::verify::location;
use crate::report::document::{self, Record, SCHEMA, SavedError};
use crate::report::response::revocation_counts;
use crate::report::saved_tokens::{SavedToken, proven_tokens};
use crate::respond::http::Stop;
use crate::respond::{ProvenToken, Responder, Revocation, RevocationOutcome, Verdict};
use anyhow::{anyhow, bail};
use ddpatrol_scan::finding::Fingerprint;
use ddpatrol_token::Uuid;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// Runs `ddpatrol revoke`.
pub(super) fn run(args: &RevokeArgs) -> anyhow::Result<Exit> {
    let outputs = Output::open_all(&args.output.reports()?, Some(ReportFormat::Text))?;
    if outputs.iter().any(|it| !matches!(it.format, ReportFormat::Text | ReportFormat::Json)) {
        bail!("unsupported report format: `ddpatrol revoke` writes text or json");
    }
    let findings = select(read(&args.from)?, args)?;
    args.action.check_consent("`ddpatrol revoke`")?;
    let run = signals::begin()?;
    // There are no workers to stop; revocations in progress are completed and reported.
    run.finish();
    let interrupted = Arc::clone(&run);
    let stop = Stop::new(move || interrupted.is_interrupted());
    let responder = Responder::new(args.action.settings(0)?, stop);
    let subjects: Vec<ProvenToken> = findings.iter().map(subject).collect();
    let verdicts = findings.iter().map(verdict).collect();
    let planned = PlannedRevocations::new(&args.action, &responder, subjects, verdicts);
    let Revocations { outcomes, success } = planned.ask()?.revoke();
    let revocations =
        findings.iter().zip(outcomes).map(|(it, how)| RevocationEntry::new(&it.record, &how));
    let document =
        RevocationDocument { schema: "ddpatrol-revocation/1", revocations: revocations.collect() };
    let is_shown = outputs.iter().any(|it| it.is_stdout() && it.format == ReportFormat::Text);
    if !is_shown && !args.action.dry_run {
        document.lines().iter().for_each(|line| print_note(line));
    }
    for output in outputs {
        document.write(output)?;
    }
    if run.is_interrupted() {
        print_error("interrupted: tokens that are not reported as revoked may still be live");
        return Ok(Exit::Interrupted);
    }
    Ok(match success {
        Success::Complete => Exit::Clean,
        Success::Partial => Exit::Failed,
    })
}

/// The result for one token.
#[derive(Serialize)]
struct RevocationEntry {
    rule: String,
    fingerprint: String,
    token: String,
    outcome: RevocationOutcome,
    detail: String,
}

impl RevocationEntry {
    fn new(record: &Record, revocation: &Revocation) -> Self {
        Self {
            rule: clean(&record.rule),
            fingerprint: clean(&record.fingerprint),
            token: clean(&record.token.redacted),
            outcome: revocation.outcome,
            detail: clean(&revocation.detail),
        }
    }
}

#[derive(Serialize)]
struct RevocationDocument {
    schema: &'static str,
    revocations: Vec<RevocationEntry>,
}

impl RevocationDocument {
    /// Formats the outcomes, one line each, and their counts.
    fn lines(&self) -> Vec<String> {
        let line =
            |it: &RevocationEntry| format!("{}: {}: {}", it.token, it.outcome.words(), it.detail);
        let counts = revocation_counts(self.revocations.iter().map(|it| it.outcome));
        self.revocations.iter().map(line).chain(counts).collect()
    }

    fn write(&self, mut output: Output) -> anyhow::Result<()> {
        let format = output.format;
        let out = output.writer();
        if format == ReportFormat::Json {
            serde_json::to_writer_pretty(&mut *out, self)?;
            writeln!(out)?;
        } else {
            for line in self.lines() {
                writeln!(out, "{line}")?;
            }
            if self.revocations.is_empty() {
                writeln!(out, "The report contains no proven tokens.")?;
            }
        }
        output.finish()
    }
}

/// Reads the proven findings of a saved report, each token once.
fn read(path: &Path) -> anyhow::Result<Vec<SavedToken>> {
    let text = read_text(path)?;
    let rules = Arc::new(load_rules(&[])?);
    let redactor = install_redactor(&rules)?;
    let saved = document::read(&text, redactor, &rules, None);
    let saved = saved.map_err(|error| refusal(path, &error))?;
    proven_tokens(saved, &rules)
        .map_err(|error| anyhow!("{}: {error}: nothing is revoked", path.display()))
}

/// Returns the findings that the user selects by their fingerprints, by default all.
fn select(findings: Vec<SavedToken>, args: &RevokeArgs) -> anyhow::Result<Vec<SavedToken>> {
    let prints: Option<Vec<Fingerprint>> =
        findings.iter().map(|it| it.record.fingerprint.parse().ok()).collect();
    let Some(prints) = prints.filter(|_| !args.fingerprints.is_empty()) else {
        return Ok(findings);
    };
    let selected = selected(&args.fingerprints, &prints, &args.from)?;
    let pairs = findings.into_iter().zip(prints);
    Ok(pairs.filter(|(_, print)| selected.contains(print)).map(|(finding, _)| finding).collect())
}

/// Describes why a file is not a valid report.
fn refusal(path: &Path, error: &SavedError) -> anyhow::Error {
    let path = path.display();
    let kind = "report of `ddpatrol scan --report json`";
    match error {
        SavedError::Syntax { line, column } => {
            anyhow!("{path}: not a {kind} (line {line}, column {column})")
        }
        SavedError::Foreign { .. } => anyhow!("{path}: {error}"),
        SavedError::Schema { found: None } => anyhow!("{path}: not a {kind}"),
        SavedError::Schema { found: Some(found) } => {
            anyhow!("{path}: unsupported report schema {found}: this version reads {SCHEMA}")
        }
        SavedError::Field(what) => anyhow!("{path}: incomplete report: {what}"),
    }
}

/// Returns the verdict of the scan, if it verified the token.
fn verdict(saved: &SavedToken) -> Option<Verdict> {
    saved.record.verification.as_ref().map(|it| it.verdict)
}

fn subject(saved: &SavedToken) -> ProvenToken {
    let Record { rule, token, locations, .. } = &saved.record;
    ProvenToken {
        rule: rule.clone(),
        redacted: token.redacted.clone(),
        uuid: token.uuid.as_deref().and_then(Uuid::parse),
        secret: saved.secret.clone(),
        location: clean(&locations.first().map(location).unwrap_or_default()),
        place: saved.place.clone(),
    }
}
