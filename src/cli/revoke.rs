//! `ddpatrol revoke`: revokes the proven tokens of a saved report.
//!
//! Input: a report of `--report json`, which anybody may have changed. Output: revocations at issuers,
//! and a report of them. It does not parse the report (`report::document` does) and sends no requests
//! itself (`respond` does).

use super::args::{ReportFormat, RevokeArgs};
use super::exit::Exit;
use super::messages::{clean, complain, install_redactor};
use super::output::Output;
use super::respond::revoke;
use super::rule_files::load_rules;
use super::saved::read_text;
use super::signals;
use crate::detect::Evidence;
use crate::report::document::{self, Record, SCHEMA, SavedError, SavedReport};
use crate::respond::http::Stop;
use crate::respond::{ProvenToken, Responder, Revocation, RevocationOutcome};
use crate::rules::{Rule, RuleSet};
use anyhow::{anyhow, bail};
use ddpatrol_scan::finding::Fingerprint;
use ddpatrol_token::{Check, Secret, Uuid};
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Runs `ddpatrol revoke`.
pub(super) fn run(args: &RevokeArgs) -> anyhow::Result<Exit> {
    args.acting.check_consent()?;
    let outputs = Output::open_all(&args.reports, Some(ReportFormat::Text))?;
    if outputs.iter().any(|it| !matches!(it.format, ReportFormat::Text | ReportFormat::Json)) {
        bail!("`ddpatrol revoke` reports as text or json");
    }
    let run = signals::begin()?;
    // Nothing is scanned: a revocation that was sent is waited for, and reported.
    run.finish();
    let interrupted = Arc::clone(&run);
    let stop = Stop::new(move || interrupted.is_interrupted());
    let responder = Responder::new(args.acting.settings(0)?, stop);
    let findings = read(&args.from)?;
    let subjects: Vec<ProvenToken> = findings.iter().map(SavedFinding::subject).collect();
    let revoked = revoke(&args.acting, &responder, &subjects)?;
    let failed = !args.acting.dry_run && revoked.iter().any(|it| it.outcome.is_failure());
    let revocations = findings.iter().zip(revoked).map(|(it, how)| Told::new(&it.record, &how));
    let document =
        ToldDocument { schema: "ddpatrol-revocation/1", revocations: revocations.collect() };
    for output in outputs {
        document.write(output)?;
    }
    if run.is_interrupted() {
        complain("interrupted: what was not told as revoked may still be live");
        return Ok(Exit::Interrupted);
    }
    Ok(if failed { Exit::Failed } else { Exit::Good })
}

/// What `ddpatrol revoke` reports about one token.
#[derive(Serialize)]
struct Told {
    rule: String,
    fingerprint: String,
    token: String,
    outcome: RevocationOutcome,
    detail: String,
}

impl Told {
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
struct ToldDocument {
    schema: &'static str,
    revocations: Vec<Told>,
}

impl ToldDocument {
    fn write(&self, mut output: Output) -> anyhow::Result<()> {
        let format = output.format;
        let out = output.writer();
        if format == ReportFormat::Json {
            serde_json::to_writer_pretty(&mut *out, self)?;
            writeln!(out)?;
        } else {
            for told in &self.revocations {
                writeln!(out, "{}: {}: {}", told.token, told.outcome.words(), told.detail)?;
            }
            if self.revocations.is_empty() {
                writeln!(out, "The report holds no proven token.")?;
            }
        }
        output.finish()
    }
}

/// Reads the proven findings of a saved report, each token once.
fn read(path: &Path) -> anyhow::Result<Vec<SavedFinding>> {
    let text = read_text(path)?;
    let rules = Arc::new(load_rules(&[])?);
    let redactor = install_redactor(&rules)?;
    let saved = document::read(&text, redactor, &rules, None);
    let saved = saved.map_err(|error| refusal(path, &error))?;
    findings(saved, &rules).map_err(|Contradiction(number)| {
        anyhow!(
            "{}: proven finding {number} contradicts itself, so the report was changed: nothing is revoked",
            path.display()
        )
    })
}

/// Describes why a file is not a report that can be read.
fn refusal(path: &Path, error: &SavedError) -> anyhow::Error {
    let path = path.display();
    let kind = "report of `ddpatrol scan --report json`";
    match error {
        SavedError::Syntax { line, column } => {
            anyhow!("{path} is no {kind} (line {line}, column {column})")
        }
        SavedError::Schema { found: None } => anyhow!("{path} is no {kind}"),
        SavedError::Schema { found: Some(found) } => {
            anyhow!("{path} is a report of the form {found}; this program reads {SCHEMA}")
        }
        SavedError::Field(what) => anyhow!("{path} is no whole report: {what}"),
    }
}

/// The number of the first proven finding that contradicts itself or an earlier one.
#[derive(Debug, PartialEq, Eq)]
struct Contradiction(usize);

/// Returns the proven findings that count; a token that the report lists twice is returned once.
fn findings(saved: SavedReport, rules: &RuleSet) -> Result<Vec<SavedFinding>, Contradiction> {
    let SavedReport { document, secrets } = saved;
    let all = document.findings.into_iter().zip(secrets);
    let proven = all
        .map(|(record, secret)| SavedFinding { record, secret })
        .filter(|it| it.record.evidence == Evidence::Proven && it.record.suppression.is_none());
    let mut kept: Vec<SavedFinding> = Vec::new();
    let mut known = HashMap::new();
    for (index, finding) in proven.enumerate() {
        if !finding.is_consistent(rules) {
            return Err(Contradiction(index + 1));
        }
        let key = (finding.record.rule.clone(), finding.record.fingerprint.clone());
        let first = *known.entry(key).or_insert(kept.len());
        match kept.get_mut(first) {
            None => kept.push(finding),
            Some(kept) if kept.record.token == finding.record.token => {
                kept.secret = kept.secret.take().or(finding.secret);
            }
            Some(_) => return Err(Contradiction(index + 1)),
        }
    }
    Ok(kept)
}

/// A proven finding of a saved report, with the token itself if the report shows secrets.
#[derive(Debug)]
struct SavedFinding {
    record: Record,
    secret: Option<Secret>,
}

impl SavedFinding {
    /// Returns `true` if all that the report says about the token agrees. A token that does not is
    /// sent to no issuer, and its identifier neither.
    fn is_consistent(&self, rules: &RuleSet) -> bool {
        let token = &self.record.token;
        let encoded = token.alias.as_ref().map(|alias| Uuid::from_alias(alias.as_bytes()));
        let named = token.uuid.as_deref().map(Uuid::parse);
        let is_shown = |alias: &String| token.redacted.contains(alias.as_str());
        encoded == named
            && encoded != Some(None)
            && token.alias.as_ref().is_none_or(is_shown)
            && self.secret.as_ref().is_none_or(|secret| self.describes(secret.expose(), rules))
    }

    /// Returns `true` if fingerprint, rule, identifier and redacted form are those of this token.
    fn describes(&self, secret: &[u8], rules: &RuleSet) -> bool {
        Fingerprint::of(secret).to_string() == self.record.fingerprint
            // No provider takes tokens of other rules.
            && rules.get(&self.record.rule).is_none_or(|rule| self.agrees(rule, secret))
    }

    fn agrees(&self, rule: &Rule, secret: &[u8]) -> bool {
        let Check::Proven { split, .. } = rule.format.check(secret) else { return false };
        let uuid = rule.format.uuid(split, secret).map(|(uuid, _)| uuid);
        let token = &self.record.token;
        uuid == token.uuid.as_deref().and_then(Uuid::parse)
            && rule.format.redact(secret) == token.redacted
    }

    fn subject(&self) -> ProvenToken {
        let Record { rule, token, locations, .. } = &self.record;
        let place = locations.first();
        let path = place.and_then(|place| place.path.as_ref());
        let path = path.map_or_else(|| "stdin".into(), |path| path.text());
        ProvenToken {
            rule: rule.clone(),
            redacted: token.redacted.clone(),
            uuid: token.uuid.as_deref().and_then(Uuid::parse),
            secret: self.secret.clone(),
            location: clean(&format!("{path}:{}", place.map_or(0, |place| place.line))),
        }
    }
}
