//! `--verify` and `--revoke`: verifies and revokes the proven tokens of a scan.
//!
//! Input: the findings of a scan, the arguments, and credentials from the environment. Output: the
//! responses of issuers; the question before a revocation goes to standard error. It sends no requests itself:
//! `respond` does.

use super::answers::Answers;
use super::args::{ActionArgs, VerifyArgs};
use super::consent::{self, Candidate, Decision};
use super::known_verdicts::KnownVerdicts;
use super::messages::print_note;
use super::progress::Progress;
use super::signals;
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
use ddpatrol_scan::quantity::count;
use ddpatrol_token::{Secret, Uuid};
use std::io::{self, BufReader, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

/// The actions on findings that the arguments request.
pub(super) struct IssuerActions<'a> {
    args: &'a VerifyArgs,
    responder: Option<Responder>,
    known: KnownVerdicts,
}

impl<'a> IssuerActions<'a> {
    /// Reads the arguments and credentials; fails before the scan if the actions are impossible after it.
    pub(super) fn new(args: &'a VerifyArgs, run: &Arc<Run>) -> anyhow::Result<Self> {
        if !args.revoke && (args.action.dry_run || args.action.yes) {
            bail!("--dry-run and --yes require --revoke");
        }
        if !args.verify && !args.revoke {
            return Ok(Self { args, responder: None, known: KnownVerdicts::default() });
        }
        if args.revoke {
            args.action.check_consent("--revoke")?;
        }
        let known = match &args.known_verdicts {
            Some(path) => KnownVerdicts::read(path)?,
            None => KnownVerdicts::default(),
        };
        let run = Arc::clone(run);
        let stop = Stop::new(move || run.is_interrupted());
        Ok(Self {
            args,
            responder: Some(Responder::new(args.action.settings(args.verify_pause)?, stop)),
            known,
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
        let mut proven = proven(findings);
        proven.retain(|&at| {
            responses[at].verification = self.known.get(findings[at].fingerprint).cloned();
            responses[at].verification.is_none()
        });
        let subjects = subjects(&proven, findings, document);
        for (&at, verification) in proven.iter().zip(responder.verify(&subjects, on_step)) {
            responses[at].verification = Some(verification);
        }
        responses
    }

    /// Plans the revocations, if requested. Dead tokens are not revoked again.
    pub(super) fn plan(
        &self,
        findings: &[Finding],
        document: &Document,
        responses: &mut [Response],
    ) -> Option<RevocationPlan<'_>> {
        let responder = self.responder.as_ref().filter(|_| self.args.revoke)?;
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
        Some(RevocationPlan { open, revocations })
    }
}

/// The planned revocations of a scan's tokens.
pub(super) struct RevocationPlan<'a> {
    /// The indices of the findings.
    open: Vec<usize>,
    revocations: PlannedRevocations<'a>,
}

impl RevocationPlan<'_> {
    /// Returns `true` if the user must be asked.
    pub(super) fn asks(&self) -> bool {
        self.revocations.asks()
    }

    /// Asks the user if necessary, and revokes. Returns whether every requested revocation happened.
    pub(super) fn carry_out(self, responses: &mut [Response]) -> anyhow::Result<Success> {
        let Revocations { outcomes, success } = self.revocations.carry_out()?;
        for (at, outcome) in self.open.into_iter().zip(outcomes) {
            responses[at].revocation = Some(outcome);
        }
        Ok(success)
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

/// Tokens, and how they would be revoked.
pub(super) struct PlannedRevocations<'a> {
    args: &'a ActionArgs,
    responder: &'a Responder,
    tokens: Vec<ProvenToken>,
    /// The verdict on each token, if it was verified.
    verdicts: Vec<Option<Verdict>>,
    plan: Vec<Revocation>,
}

/// Whether every requested revocation happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Success {
    Complete,
    Partial,
}

/// The outcomes of revocations, in the order of the tokens.
pub(super) struct Revocations {
    pub(super) outcomes: Vec<Revocation>,
    pub(super) success: Success,
}

impl<'a> PlannedRevocations<'a> {
    pub(super) fn new(
        args: &'a ActionArgs,
        responder: &'a Responder,
        tokens: Vec<ProvenToken>,
        verdicts: Vec<Option<Verdict>>,
    ) -> Self {
        let plan = responder.plan(&tokens);
        Self { args, responder, tokens, verdicts, plan }
    }

    /// Returns `true` if the user must be asked.
    pub(super) fn asks(&self) -> bool {
        let mut plan = self.plan.iter();
        let can_revoke = plan.any(|it| it.outcome == RevocationOutcome::Planned);
        can_revoke && !self.args.yes && !self.args.dry_run
    }

    /// Asks which tokens to revoke unless `--yes` or `--dry-run` is given, and revokes them. Declining is not
    /// a failure.
    pub(super) fn carry_out(self) -> anyhow::Result<Revocations> {
        if self.args.dry_run {
            return Ok(Revocations { outcomes: self.plan, success: Success::Complete });
        }
        let decisions = if self.asks() {
            let candidates = self.tokens.iter().zip(&self.plan).zip(&self.verdicts);
            let candidates: Vec<Candidate<'_>> = candidates
                .map(|((token, plan), &verdict)| Candidate { token, plan, verdict })
                .collect();
            let run = signals::begin()?;
            let mut answers = BufReader::new(Answers::new(&run));
            let mut decisions = consent::ask(&candidates, &mut answers, &mut io::stderr().lock())?;
            if run.is_interrupted() {
                print_note("interrupted: no token was revoked");
                let chosen = decisions.iter_mut().filter(|it| **it == Decision::Revoke);
                chosen.for_each(|it| *it = Decision::Decline);
            }
            decisions
        } else {
            vec![Decision::Revoke; self.tokens.len()]
        };
        let mut outcomes = self.plan;
        let chosen: Vec<usize> =
            (0..outcomes.len()).filter(|&at| decisions[at] == Decision::Revoke).collect();
        let tokens: Vec<ProvenToken> = chosen.iter().map(|&at| self.tokens[at].clone()).collect();
        let mut success = Success::Complete;
        let what = format!("revoking {}", count(tokens.len(), "token"));
        let revoked = Progress::during(what, || self.responder.revoke(&tokens));
        for (at, outcome) in chosen.into_iter().zip(revoked) {
            if outcome.outcome.is_failure() {
                success = Success::Partial;
            }
            outcomes[at] = outcome;
        }
        for (outcome, decision) in outcomes.iter_mut().zip(decisions) {
            if decision == Decision::Decline {
                *outcome = Revocation {
                    outcome: RevocationOutcome::Declined,
                    detail: "you declined".to_owned(),
                };
            }
        }
        Ok(Revocations { outcomes, success })
    }
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
