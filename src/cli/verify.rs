//! `--verify` and `--revoke`: verifies and revokes the proven tokens of a scan.
//!
//! Input: the findings of a scan, the arguments, and credentials from the environment. Output: the
//! responses of issuers; the plan and the prompt go to standard error. It sends no requests itself:
//! `respond` does.

use super::args::{ActionArgs, VerifyArgs};
use super::messages::clean;
use crate::detect::Evidence;
use crate::report::document::{Document, LocationRecord, Record};
use crate::report::response::Response;
use crate::respond::endpoint::{DATADOG_SITES, Endpoint};
use crate::respond::http::Stop;
use crate::respond::{
    ISSUER_TOKEN, ProvenToken, Responder, Revocation, RevocationOutcome, SITE_TOKEN, Settings,
    Verdict,
};
use crate::rules::line_column;
use crate::source::Run;
use anyhow::{Context, bail};
use ddpatrol_scan::finding::Finding;
use ddpatrol_token::{Secret, Uuid};
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// The actions on findings that the arguments request.
pub(super) struct IssuerActions<'a> {
    args: &'a VerifyArgs,
    responder: Option<Responder>,
}

impl<'a> IssuerActions<'a> {
    /// Reads the arguments and credentials; fails before the scan if the actions are impossible after it.
    pub(super) fn new(args: &'a VerifyArgs, run: &Arc<Run>) -> anyhow::Result<Self> {
        if !args.revoke && (args.action.dry_run || args.action.yes) {
            bail!("--dry-run and --yes require --revoke");
        }
        if !args.verify && !args.revoke {
            return Ok(Self { args, responder: None });
        }
        if args.revoke {
            args.action.check_consent()?;
        }
        let run = Arc::clone(run);
        let stop = Stop::new(move || run.is_interrupted());
        Ok(Self {
            args,
            responder: Some(Responder::new(args.action.settings(args.verify_pause)?, stop)),
        })
    }

    /// Returns `true` if a requested revocation did not happen; a dry run requests none.
    pub(super) fn has_failed(&self, responses: &[Response]) -> bool {
        let mut revocations = responses.iter().filter_map(|it| it.revocation.as_ref());
        !self.args.action.dry_run && revocations.any(|it| it.outcome.is_failure())
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
        let subjects: Vec<ProvenToken> =
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
            let (open, subjects): (Vec<usize>, Vec<ProvenToken>) = open.into_iter().unzip();
            for (at, _) in dead {
                let detail = "verification found it dead: nothing to revoke".to_owned();
                let revocation = Revocation { outcome: RevocationOutcome::AlreadyDead, detail };
                responses[at].revocation = Some(revocation);
            }
            for (at, revocation) in
                open.into_iter().zip(revoke(&self.args.action, responder, &subjects)?)
            {
                responses[at].revocation = Some(revocation);
            }
        }
        Ok(responses)
    }
}

fn subject(finding: &Finding, record: &Record) -> ProvenToken {
    ProvenToken {
        rule: record.rule.clone(),
        redacted: record.token.redacted.clone(),
        uuid: finding.token.uuid,
        secret: Some(finding.secret.clone()),
        location: record.locations.first().map(location).unwrap_or_default(),
    }
}

fn location(place: &LocationRecord) -> String {
    let path = place.path.as_ref().map_or_else(|| "stdin".into(), |path| path.text());
    let commit = place.git.as_ref().and_then(|git| git.introduced.as_ref());
    let commit = commit.map(|commit| format!(" in commit {}", commit.commit)).unwrap_or_default();
    format!("{path}:{}{commit}", place.line)
}

/// Prints the plan, asks for confirmation unless `--yes` is given, and revokes.
pub(super) fn revoke(
    args: &ActionArgs,
    responder: &Responder,
    subjects: &[ProvenToken],
) -> anyhow::Result<Vec<Revocation>> {
    let plan = responder.plan(subjects);
    let planned = plan.iter().filter(|it| it.outcome == RevocationOutcome::Planned).count();
    let mut err = io::stderr().lock();
    for (subject, way) in subjects.iter().zip(&plan) {
        let words = match way.outcome {
            RevocationOutcome::Planned if !args.dry_run => "will be revoked",
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
                RevocationOutcome::Planned => Revocation {
                    outcome: RevocationOutcome::Failed,
                    detail: "you declined".to_owned(),
                },
                _ => it,
            };
            return Ok(plan.into_iter().map(declined).collect());
        }
    }
    drop(err);
    Ok(responder.revoke(subjects))
}

impl ActionArgs {
    /// Requires a terminal for the confirmation prompt, `--yes` or `--dry-run`.
    pub(super) fn check_consent(&self) -> anyhow::Result<()> {
        let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
        if !self.yes && !self.dry_run && !can_ask {
            bail!(
                "--revoke requires confirmation, but there is no terminal: add --yes, or --dry-run to see what would be revoked"
            );
        }
        Ok(())
    }

    /// Returns the endpoints of issuers and the credentials for them, from arguments and environment.
    pub(super) fn settings(&self, pause: u16) -> anyhow::Result<Settings> {
        let issuers = self.issuer.iter().map(|url| Endpoint::parse(url));
        let issuers = unique(issuers.collect::<Result<_, _>>().context("invalid --issuer")?);
        // Explicit endpoints replace the default ones.
        let sites: Vec<&str> = if self.datadog_site.is_empty() && issuers.is_empty() {
            DATADOG_SITES.to_vec()
        } else {
            self.datadog_site.iter().map(String::as_str).collect()
        };
        sites.iter().try_for_each(|site| check_site(site))?;
        let sites = sites.into_iter().map(Endpoint::datadog);
        let sites = unique(sites.collect::<Result<_, _>>().context("invalid --datadog-site")?);
        let service_account = match &self.service_account {
            Some(text) => {
                Some(Uuid::parse(text).context("invalid --service-account: expected a UUID")?)
            }
            None => None,
        };
        Ok(Settings {
            sites,
            issuers,
            github: Endpoint::parse(&self.github_api).context("invalid --github-api")?,
            site_token: credential(SITE_TOKEN)?,
            issuer_token: credential(ISSUER_TOKEN)?,
            service_account,
            pause: Duration::from_secs(pause.into()),
        })
    }
}

/// Fails for a name that is no site of Datadog: tokens must not be sent to a misspelt host.
fn check_site(site: &str) -> anyhow::Result<()> {
    if site.contains("://") || DATADOG_SITES.contains(&site) {
        return Ok(());
    }
    let host = site.strip_prefix("app.").or_else(|| site.strip_prefix("api.")).unwrap_or(site);
    let near = line_column::nearest(host, DATADOG_SITES);
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    bail!(
        "unknown Datadog site `{site}`: expected {}, or the URL of an API, such as https://api.SITE{near}",
        DATADOG_SITES.join(", ")
    )
}

/// Removes duplicate endpoints; keeps the first of each.
fn unique(endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut unique: Vec<Endpoint> = Vec::new();
    for endpoint in endpoints {
        if !unique.contains(&endpoint) {
            unique.push(endpoint);
        }
    }
    unique
}

/// Reads an administrator's token from the environment.
fn credential(name: &str) -> anyhow::Result<Option<Secret>> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    let bytes = value.as_encoded_bytes().trim_ascii();
    if bytes.is_empty() {
        return Ok(None);
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        bail!("{name} contains characters that are not valid in a token");
    }
    Ok(Some(Secret::new(bytes)))
}
