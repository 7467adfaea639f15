//! `--verify` and `--revoke`, on every command that scans, and `ddpatrol revoke` on a saved report.

use super::args::{ActingArgs, RespondingArgs, RevokeArgs};
use super::exit::Exit;
use super::messages::{GATE, builtin_redactor, clean, complain};
use super::output::Output;
use super::rule_files::load_rules;
use super::signals;
use crate::detect::Evidence;
use crate::finding::{Finding, Fingerprint};
use crate::report::document::{Document, Place, Record, SCHEMA};
use crate::report::response::Response;
use crate::respond::endpoint::{DATADOG_SITES, Endpoint};
use crate::respond::http::Stop;
use crate::respond::{
    ISSUER_TOKEN, Outcome, Responder, Revocation, SITE_TOKEN, Settings, Subject, Verdict,
};
use crate::rules::RuleSet;
use crate::source::Run;
use anyhow::{Context, bail};
use ddpatrol_token::{Check, Secret, Uuid};
use serde::{Deserialize, Serialize};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// What a command does about its findings.
pub(super) struct Responding<'a> {
    args: &'a RespondingArgs,
    responder: Option<Responder>,
}

impl<'a> Responding<'a> {
    /// Reads what the user configured, and refuses before the scan what could not be done after it.
    pub(super) fn new(args: &'a RespondingArgs, run: &Arc<Run>) -> anyhow::Result<Self> {
        if !args.revoke && (args.acting.dry_run || args.acting.yes) {
            bail!("--dry-run and --yes go with --revoke");
        }
        if !args.verify && !args.revoke {
            return Ok(Self { args, responder: None });
        }
        if args.revoke {
            args.acting.check_consent()?;
        }
        let run = Arc::clone(run);
        let stop = Stop::new(move || run.is_interrupted());
        Ok(Self {
            args,
            responder: Some(Responder::new(args.acting.settings(args.verify_pause)?, stop)),
        })
    }

    /// Tells whether a revocation that was asked for did not happen; a dry run asks for none.
    pub(super) fn has_failed(&self, responses: &[Response]) -> bool {
        let mut revocations = responses.iter().filter_map(|it| it.revocation.as_ref());
        !self.args.acting.dry_run && revocations.any(|it| it.outcome.is_failure())
    }

    /// Verifies and revokes the proven findings; the responses are in the order of `findings`.
    pub(super) fn respond(
        &self,
        findings: &[Finding],
        document: &Document,
    ) -> anyhow::Result<Vec<Response>> {
        let mut responses = vec![Response::default(); findings.len()];
        let Some(responder) = &self.responder else { return Ok(responses) };
        let acts_on = |it: &Finding| it.evidence == Evidence::Proven && it.suppression.is_none();
        let proven: Vec<usize> = (0..findings.len()).filter(|&at| acts_on(&findings[at])).collect();
        let subjects: Vec<Subject> =
            proven.iter().map(|&at| subject(&findings[at], &document.findings[at])).collect();
        if self.args.verify {
            for (&at, verification) in proven.iter().zip(responder.verify(&subjects)) {
                responses[at].verification = Some(verification);
            }
        }
        if self.args.revoke {
            let is_dead = |at: usize| {
                responses[at].verification.as_ref().is_some_and(|it| it.verdict == Verdict::Dead)
            };
            let (dead, open): (Vec<_>, Vec<_>) =
                proven.iter().copied().zip(subjects).partition(|(at, _)| is_dead(*at));
            let (open, subjects): (Vec<usize>, Vec<Subject>) = open.into_iter().unzip();
            for (at, _) in dead {
                let detail = "verified, so there is nothing to revoke".to_owned();
                let revocation = Revocation { outcome: Outcome::AlreadyDead, detail };
                responses[at].revocation = Some(revocation);
            }
            for (at, revocation) in
                open.into_iter().zip(revoke(&self.args.acting, responder, &subjects)?)
            {
                responses[at].revocation = Some(revocation);
            }
        }
        Ok(responses)
    }
}

fn subject(finding: &Finding, record: &Record) -> Subject {
    Subject {
        rule: record.rule.clone(),
        redacted: record.token.redacted.clone(),
        uuid: finding.token.uuid,
        secret: Some(finding.secret.clone()),
        location: record.locations.first().map(location).unwrap_or_default(),
    }
}

fn location(place: &Place) -> String {
    let path = place.path.as_ref().map_or_else(|| "stdin".into(), |path| path.text());
    let commit = place.git.as_ref().and_then(|git| git.introduced.as_ref());
    let commit = commit.map(|commit| format!(" in commit {}", commit.commit)).unwrap_or_default();
    format!("{path}:{}{commit}", place.line)
}

/// Shows what will be revoked, asks if it has to, and does it.
fn revoke(
    args: &ActingArgs,
    responder: &Responder,
    subjects: &[Subject],
) -> anyhow::Result<Vec<Revocation>> {
    let plan = responder.plan(subjects);
    let planned = plan.iter().filter(|it| it.outcome == Outcome::Planned).count();
    let mut err = io::stderr().lock();
    for (subject, way) in subjects.iter().zip(&plan) {
        let words = match way.outcome {
            Outcome::Planned if !args.dry_run => "will be revoked",
            outcome => outcome.words(),
        };
        let line = format!("{}: {words}: {}", subject.redacted, way.detail);
        writeln!(err, "ddpatrol: {}", clean(&line))?;
    }
    if args.dry_run || planned == 0 {
        return Ok(plan);
    }
    if !args.yes {
        write!(err, "ddpatrol: revoke {planned} of {} tokens? [y/N] ", subjects.len())?;
        err.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            let declined = |it: Revocation| match it.outcome {
                Outcome::Planned => {
                    Revocation { outcome: Outcome::Failed, detail: "you declined".to_owned() }
                }
                _ => it,
            };
            return Ok(plan.into_iter().map(declined).collect());
        }
    }
    drop(err);
    Ok(responder.revoke(subjects))
}

impl ActingArgs {
    /// Requires that somebody can be asked, or has agreed already.
    fn check_consent(&self) -> anyhow::Result<()> {
        let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
        if !self.yes && !self.dry_run && !can_ask {
            bail!(
                "--revoke asks before it acts, and there is no terminal to ask on: add --yes, or --dry-run to see what it would do"
            );
        }
        Ok(())
    }

    fn settings(&self, pause: u16) -> anyhow::Result<Settings> {
        let issuers = self.issuer.iter().map(|url| Endpoint::parse(url));
        let issuers = once(issuers.collect::<Result<_, _>>().context("--issuer")?);
        // Whoever names places means these and no others.
        let sites: Vec<&str> = if self.datadog_site.is_empty() && issuers.is_empty() {
            DATADOG_SITES.to_vec()
        } else {
            self.datadog_site.iter().map(String::as_str).collect()
        };
        let sites = sites.into_iter().map(Endpoint::datadog);
        let sites = once(sites.collect::<Result<_, _>>().context("--datadog-site")?);
        let service_account = match &self.service_account {
            Some(text) => Some(Uuid::parse(text).context("--service-account takes a UUID")?),
            None => None,
        };
        Ok(Settings {
            sites,
            issuers,
            github: Endpoint::parse(&self.github_api).context("--github-api")?,
            site_token: credential(SITE_TOKEN)?,
            issuer_token: credential(ISSUER_TOKEN)?,
            service_account,
            pause: Duration::from_secs(pause.into()),
        })
    }
}

/// Keeps the first of places that are named more than once.
fn once(places: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut kept: Vec<Endpoint> = Vec::new();
    for place in places {
        if !kept.contains(&place) {
            kept.push(place);
        }
    }
    kept
}

/// Reads an administrator's token from the environment.
fn credential(name: &str) -> anyhow::Result<Option<Secret>> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    let bytes = value.as_encoded_bytes().trim_ascii();
    if bytes.is_empty() {
        return Ok(None);
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        bail!("{name} holds no token: it has characters that none has");
    }
    Ok(Some(Secret::new(bytes)))
}

/// What is read of a saved report.
#[derive(Deserialize)]
struct Saved {
    schema: String,
    findings: Vec<SavedFinding>,
}

#[derive(Deserialize)]
struct SavedFinding {
    rule: String,
    evidence: Evidence,
    fingerprint: String,
    token: SavedToken,
    secret: Option<String>,
    /// Somebody decided that it does not count.
    suppression: Option<serde::de::IgnoredAny>,
    locations: Vec<SavedPlace>,
}

#[derive(Deserialize)]
struct SavedToken {
    redacted: String,
    alias: Option<String>,
    uuid: Option<String>,
}

#[derive(Deserialize)]
struct SavedPlace {
    path: Option<String>,
    line: u64,
}

/// What `ddpatrol revoke` tells of one token.
#[derive(Serialize)]
struct Told {
    rule: String,
    fingerprint: String,
    token: String,
    outcome: Outcome,
    detail: String,
}

#[derive(Serialize)]
struct ToldDocument {
    schema: &'static str,
    revocations: Vec<Told>,
}

/// Runs `ddpatrol revoke`.
pub(super) fn run(args: &RevokeArgs) -> anyhow::Result<Exit> {
    use super::args::ReportFormat;
    if let Some(redactor) = builtin_redactor() {
        // A later setting would mean that the gate is there already.
        let _ = GATE.set(redactor);
    }
    args.acting.check_consent()?;
    let mut outputs = Output::open_all(&args.reports, Some(ReportFormat::Text))?;
    if outputs.iter().any(|it| !matches!(it.format, ReportFormat::Text | ReportFormat::Json)) {
        bail!("`ddpatrol revoke` reports as text or json");
    }
    let run = signals::begin()?;
    // Nothing is scanned: a revocation that was sent is waited for, and reported.
    run.finish();
    let interrupted = Arc::clone(&run);
    let stop = Stop::new(move || interrupted.is_interrupted());
    let responder = Responder::new(args.acting.settings(0)?, stop);
    let findings = read(args)?;
    let subjects: Vec<Subject> = findings.iter().map(SavedFinding::subject).collect();
    let revoked = revoke(&args.acting, &responder, &subjects)?;
    let failed = !args.acting.dry_run && revoked.iter().any(|it| it.outcome.is_failure());
    let revocations: Vec<Told> = findings
        .into_iter()
        .zip(revoked)
        .map(|(finding, revocation)| Told {
            rule: clean(&finding.rule),
            fingerprint: clean(&finding.fingerprint),
            token: clean(&finding.token.redacted),
            outcome: revocation.outcome,
            detail: clean(&revocation.detail),
        })
        .collect();
    let document = ToldDocument { schema: "ddpatrol-revocation/1", revocations };
    for mut output in outputs.drain(..) {
        let format = output.format;
        let out = output.writer();
        if format == ReportFormat::Json {
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)?;
        } else {
            for told in &document.revocations {
                writeln!(out, "{}: {}: {}", told.token, told.outcome.words(), told.detail)?;
            }
            if document.revocations.is_empty() {
                writeln!(out, "The report holds no proven token.")?;
            }
        }
        output.finish()?;
    }
    if run.is_interrupted() {
        complain("interrupted: what was not told as revoked may still be live");
        return Ok(Exit::Interrupted);
    }
    Ok(if failed { Exit::Failed } else { Exit::Good })
}

/// Reads the proven findings of a saved report.
fn read(args: &RevokeArgs) -> anyhow::Result<Vec<SavedFinding>> {
    let path = &args.from;
    let text = super::saved::read_text(path)?;
    let saved: Saved = serde_json::from_str(&text).map_err(|error| {
        anyhow::anyhow!(
            "{} is no report of `ddpatrol scan --report json` (line {}, column {})",
            path.display(),
            error.line(),
            error.column()
        )
    })?;
    if saved.schema != SCHEMA {
        bail!(
            "{} is a report of the form {}; this program reads {SCHEMA}",
            path.display(),
            saved.schema
        );
    }
    let proven = |it: &SavedFinding| it.evidence == Evidence::Proven && it.suppression.is_none();
    let findings: Vec<SavedFinding> = saved.findings.into_iter().filter(proven).collect();
    let rules = load_rules(&[])?;
    if let Some(at) = findings.iter().position(|it| !it.is_consistent(&rules)) {
        bail!(
            "{}: proven finding {} contradicts itself, so the report was changed: nothing is revoked",
            path.display(),
            at + 1
        );
    }
    Ok(findings)
}

impl SavedFinding {
    /// Tells whether what a report says of a token agrees: its alias spells its id and stands in the
    /// redacted form, its fingerprint is the token's, and the token proves itself: what does not is
    /// sent to nobody.
    fn is_consistent(&self, rules: &RuleSet) -> bool {
        let SavedToken { redacted, alias, uuid } = &self.token;
        let spelled = alias.as_ref().map(|alias| Uuid::from_alias(alias.as_bytes()));
        let told = uuid.as_deref().map(Uuid::parse);
        let is_shown = alias.as_ref().is_none_or(|alias| redacted.contains(alias.as_str()));
        let is_its = self
            .secret
            .as_ref()
            .is_none_or(|it| Fingerprint::of(it.as_bytes()).to_string() == self.fingerprint);
        let proves = |token: &String| match rules.get(&self.rule) {
            Some(rule) => matches!(rule.format.check(token.as_bytes()), Check::Proven { .. }),
            // Nobody takes tokens of other rules.
            None => true,
        };
        let is_its = is_its && self.secret.as_ref().is_none_or(proves);
        spelled == told && spelled != Some(None) && is_shown && is_its
    }

    fn subject(&self) -> Subject {
        let place = self.locations.first();
        let path = place.and_then(|place| place.path.clone()).unwrap_or_else(|| "stdin".to_owned());
        Subject {
            rule: self.rule.clone(),
            redacted: self.token.redacted.clone(),
            uuid: self.token.uuid.as_deref().and_then(Uuid::parse),
            secret: self.secret.as_ref().map(|secret| Secret::new(secret.as_bytes())),
            location: clean(&format!("{path}:{}", place.map_or(0, |place| place.line))),
        }
    }
}
