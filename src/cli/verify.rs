//! `--verify` and `--revoke`: verifies and revokes the proven tokens of a scan.
//!
//! Input: the findings of a scan, the arguments, and credentials from the environment. Output: the
//! responses of issuers. It sends no requests itself: `respond` does.

use super::args::{ActionArgs, VerifyArgs};
use super::revocations::{ConsentedRevocations, PlannedRevocations, Revocations, Success};
use crate::detect::Evidence;
use crate::report::document::{Document, LocationRecord, Record};
use crate::report::response::Response;
use crate::report::text::place_name;
use crate::respond::endpoint::{DATADOG_SITES, Endpoint};
use crate::respond::http::Stop;
use crate::respond::{
    ISSUER_TOKEN, ProvenToken, Responder, Revocation, RevocationOutcome, SITE_TOKEN, Settings,
    Verdict, VerifyStep,
};
use crate::rules::line_column;
use crate::source::Run;
use anyhow::{Context, bail};
use ddpatrol_scan::finding::Finding;
use ddpatrol_token::{Secret, Uuid};
use std::io::{self, IsTerminal};
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
            args.action.check_consent("--revoke")?;
        }
        let run = Arc::clone(run);
        let stop = Stop::new(move || run.is_interrupted());
        Ok(Self {
            args,
            responder: Some(Responder::new(args.action.settings(args.verify_pause)?, stop)),
        })
    }

    /// Returns `true` if the proven tokens are verified.
    pub(super) fn verifies(&self) -> bool {
        self.args.verify
    }

    /// Returns `true` if revocations are only planned.
    pub(super) fn is_dry_run(&self) -> bool {
        self.args.action.dry_run
    }

    /// Verifies the proven findings, if requested; the responses are in the order of `findings`.
    pub(super) fn verify(
        &self,
        findings: &[Finding],
        document: &Document,
        on_step: &(dyn Fn(VerifyStep) + Sync),
    ) -> Vec<Response> {
        let mut responses = vec![Response::default(); findings.len()];
        let Some(responder) = self.responder.as_ref().filter(|_| self.args.verify) else {
            return responses;
        };
        let proven = proven(findings);
        let subjects = subjects(&proven, findings, document);
        for (&at, verification) in proven.iter().zip(responder.verify(&subjects, on_step)) {
            responses[at].verification = Some(verification);
        }
        responses
    }

    /// Plans the revocations, if requested. Dead tokens are not revoked again: the responses say so.
    pub(super) fn plan(
        &self,
        findings: &[Finding],
        document: &Document,
        verified: Vec<Response>,
    ) -> PlannedResponses<'_> {
        let mut responses = verified;
        let Some(responder) = self.responder.as_ref().filter(|_| self.args.revoke) else {
            return PlannedResponses { responses, plan: None };
        };
        let (mut open, mut verdicts) = (Vec::new(), Vec::new());
        for at in proven(findings) {
            let verdict = responses[at].verification.as_ref().map(|it| it.verdict);
            if verdict == Some(Verdict::Dead) {
                let detail = "verification found it dead: nothing to revoke".to_owned();
                let revocation = Revocation { outcome: RevocationOutcome::AlreadyDead, detail };
                responses[at].revocation = Some(revocation);
            } else {
                open.push(at);
                verdicts.push(verdict);
            }
        }
        let subjects = subjects(&open, findings, document);
        let revocations = PlannedRevocations::new(&self.args.action, responder, subjects, verdicts);
        PlannedResponses { responses, plan: Some(RevocationPlan { open, revocations }) }
    }
}

/// The responses so far, and the planned revocations, if any are requested.
pub(super) struct PlannedResponses<'a> {
    pub(super) responses: Vec<Response>,
    pub(super) plan: Option<RevocationPlan<'a>>,
}

/// The planned revocations of a scan's tokens.
pub(super) struct RevocationPlan<'a> {
    /// The indices of the findings.
    open: Vec<usize>,
    revocations: PlannedRevocations<'a>,
}

impl<'a> RevocationPlan<'a> {
    /// Returns `true` if the user must be asked.
    pub(super) fn asks(&self) -> bool {
        self.revocations.asks()
    }

    /// Asks the user if necessary.
    pub(super) fn ask(self) -> anyhow::Result<RevocationConsent<'a>> {
        Ok(RevocationConsent { open: self.open, revocations: self.revocations.ask()? })
    }
}

/// The revocations to which the user consented.
pub(super) struct RevocationConsent<'a> {
    /// The indices of the findings.
    open: Vec<usize>,
    revocations: ConsentedRevocations<'a>,
}

/// The responses after the revocations.
pub(super) struct Revoked {
    pub(super) responses: Vec<Response>,
    pub(super) success: Success,
}

impl RevocationConsent<'_> {
    /// Revokes the tokens, and adds the outcomes to the responses.
    pub(super) fn revoke(self, mut responses: Vec<Response>) -> Revoked {
        let Revocations { outcomes, success } = self.revocations.revoke();
        for (at, outcome) in self.open.into_iter().zip(outcomes) {
            responses[at].revocation = Some(outcome);
        }
        Revoked { responses, success }
    }
}

/// Returns the indices of the findings that are verified and revoked.
fn proven(findings: &[Finding]) -> Vec<usize> {
    let acts_on = |it: &Finding| it.evidence == Evidence::Proven && it.suppression.is_none();
    (0..findings.len()).filter(|&at| acts_on(&findings[at])).collect()
}

fn subjects(which: &[usize], findings: &[Finding], document: &Document) -> Vec<ProvenToken> {
    which.iter().map(|&at| subject(&findings[at], &document.findings[at], document)).collect()
}

fn subject(finding: &Finding, record: &Record, document: &Document) -> ProvenToken {
    ProvenToken {
        place: place_name(record, document),
        rule: record.rule.clone(),
        redacted: record.token.redacted.clone(),
        uuid: finding.token.uuid,
        secret: Some(finding.secret.clone()),
        location: record.locations.first().map(location).unwrap_or_default(),
    }
}

/// Describes a location for a leak report.
pub(super) fn location(place: &LocationRecord) -> String {
    let path = match (&place.path, &place.git) {
        (Some(path), _) => path.text().into_owned(),
        (None, Some(git)) => format!("{} {}", git.kind, git.object),
        (None, None) => "stdin".to_owned(),
    };
    let commit = place.git.as_ref().and_then(|git| git.introduced.as_ref());
    let commit = commit.map(|commit| format!(" in commit {}", commit.commit)).unwrap_or_default();
    format!("{path}:{}{commit}", place.line)
}

impl ActionArgs {
    /// Requires a terminal for the confirmation prompt, `--yes` or `--dry-run`; `what` is the command or
    /// option that revokes.
    pub(super) fn check_consent(&self, what: &str) -> anyhow::Result<()> {
        let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
        if !self.yes && !self.dry_run && !can_ask {
            bail!(
                "{what} requires confirmation, but there is no terminal: add --yes, or --dry-run to see what would be revoked"
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
        "invalid --datadog-site: unknown site `{site}`: expected {}, or the URL of an API, such as https://api.SITE{near}",
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
