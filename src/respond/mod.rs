//! Verifies and revokes proven tokens through their issuers.
//!
//! Input: proven tokens (or only their identifiers). Output: verdicts and outcomes, with explanations. One
//! file per provider. Endpoints and credentials come from the user only, never from scanned content. A wrong
//! *dead* would be dangerous: a token is dead only if every configured endpoint rejects it twice, seconds
//! apart, and at least one of these rejections is the one with which the token's issuer rejects it. Everything
//! else is *unknown*.

pub mod datadog;
pub mod ddpatrold;
pub mod endpoint;
pub mod github;
pub mod http;
mod outcome;
mod proven_token;
mod provider;
pub mod rate_limit;
mod verdict;

pub use outcome::{Revocation, RevocationOutcome};
pub use proven_token::ProvenToken;
pub use provider::Provider;
pub use verdict::{Answer, Grant, TokenEnd, Verdict, Verification};

use ddpatrol_scan::workers::Workers;
use ddpatrol_token::{Secret, Uuid};
use endpoint::Endpoint;
use http::Client;
use std::time::Duration;

/// Number of tokens that are verified concurrently.
const WORKERS: usize = 4;

/// Endpoints and credentials that the user configured.
#[derive(Debug)]
pub struct Settings {
    /// The API hosts of Datadog's sites.
    pub sites: Vec<Endpoint>,
    /// The user's own services with Datadog's API and leak reports (`ddpatrold`).
    pub issuers: Vec<Endpoint>,
    /// GitHub's API.
    pub github: Endpoint,
    /// An administrator's token for the sites.
    pub site_token: Option<Secret>,
    /// An administrator's token for the issuers.
    pub issuer_token: Option<Secret>,
    /// The account that `ddsat_` tokens belong to.
    pub service_account: Option<Uuid>,
    /// Time between two checks of a token that was rejected.
    pub pause: Duration,
}

/// A step of a verification, for progress messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyStep {
    /// The issuers are asked about this many tokens, for the first or the second time.
    Started {
        /// The number of tokens.
        tokens: usize,
    },
    /// The issuers have answered about one more token.
    Answered,
    /// Rejected tokens are verified again after a pause.
    Paused {
        /// The number of rejected tokens.
        rejected: usize,
        /// The duration of the pause.
        pause: Duration,
    },
}

/// Verifies and revokes tokens.
#[derive(Debug)]
pub struct Responder {
    settings: Settings,
    client: Client,
}

impl Responder {
    /// Creates a responder; `stop` reports whether the user has interrupted the program.
    #[must_use]
    pub fn new(settings: Settings, stop: http::Stop) -> Self {
        Self { settings, client: Client::new(stop) }
    }

    /// Verifies each token. Rejected tokens are verified again after a pause, because a new token takes
    /// seconds to be accepted everywhere. `on_step` is called by several threads.
    #[must_use]
    pub fn verify(
        &self,
        tokens: &[ProvenToken],
        on_step: &(dyn Fn(VerifyStep) + Sync),
    ) -> Vec<Verification> {
        let all: Vec<usize> = (0..tokens.len()).collect();
        on_step(VerifyStep::Started { tokens: all.len() });
        let mut verified = self.verify_each(tokens, &all, on_step);
        let rejected: Vec<usize> =
            all.into_iter().filter(|&at| verified[at].verdict == Verdict::Dead).collect();
        if rejected.is_empty() {
            return verified;
        }
        on_step(VerifyStep::Paused { rejected: rejected.len(), pause: self.settings.pause });
        if !self.client.sleep(self.settings.pause) {
            for at in rejected {
                verified[at] = Verification::unknown("interrupted before the second check");
            }
            return verified;
        }
        on_step(VerifyStep::Started { tokens: rejected.len() });
        let again = self.verify_each(tokens, &rejected, on_step);
        for (at, second) in rejected.into_iter().zip(again) {
            verified[at] = second;
        }
        verified
    }

    /// Verifies the tokens at the indices `which`, a few at a time; the results are in the order of
    /// `which`.
    fn verify_each(
        &self,
        tokens: &[ProvenToken],
        which: &[usize],
        on_step: &(dyn Fn(VerifyStep) + Sync),
    ) -> Vec<Verification> {
        // A separate pool: these threads wait for responses and would block the pool of the scan.
        let workers = Workers::new(WORKERS.min(which.len()));
        let slots: Vec<usize> = (0..which.len()).collect();
        let shares = workers.fold(&slots, 1, Vec::new, |answers, &slot| {
            answers.push((slot, self.verify_once(&tokens[which[slot]])));
            on_step(VerifyStep::Answered);
        });
        let mut answers = shares.concat();
        answers.sort_unstable_by_key(|&(slot, _)| slot);
        answers.into_iter().map(|(_, verification)| verification).collect()
    }

    /// Asks every endpoint that could have issued a token, once.
    fn verify_once(&self, token: &ProvenToken) -> Verification {
        let Some(secret) = &token.secret else {
            return Verification::unknown("the report is redacted and does not contain the token");
        };
        let Some(provider) = Provider::of(&token.rule) else {
            return Verification::unknown("verification is not supported for its issuer");
        };
        if provider == Provider::GitHubRefresh {
            return Verification::unknown("GitHub refresh tokens cannot be verified");
        }
        let endpoints = self.endpoints(provider);
        if endpoints.is_empty() {
            // Without an endpoint nothing has rejected the token.
            return Verification::unknown(
                "no issuer is configured; use --datadog-site or --issuer",
            );
        }
        let mut answers = Vec::new();
        for (endpoint, api) in endpoints {
            let answer = match api {
                Api::GitHub => github::verify(&self.client, endpoint, secret),
                Api::Datadog => datadog::verify(&self.client, endpoint, secret),
                Api::Ddpatrold => ddpatrold::verify(&self.client, endpoint, secret),
            };
            if let Answer::Live(grant) = answer {
                let reason = format!("{} accepts it", endpoint.host());
                return Verification { grant, ..Verification::new(Verdict::Live, reason) };
            }
            answers.push(EndpointAnswer { host: endpoint.host(), answer });
        }
        conclusion(&answers)
    }

    /// Returns the endpoints that verify a provider's tokens.
    fn endpoints(&self, provider: Provider) -> Vec<(&Endpoint, Api)> {
        let Settings { issuers, sites, github, .. } = &self.settings;
        let sites = sites.iter().map(|it| (it, Api::Datadog));
        match provider {
            Provider::Datadog | Provider::ServiceAccount => {
                issuers.iter().map(|it| (it, Api::Ddpatrold)).chain(sites).collect()
            }
            Provider::GitHub | Provider::GitHubRefresh => vec![(github, Api::GitHub)],
        }
    }

    /// Returns how each token would be revoked, or why it cannot be.
    #[must_use]
    pub fn plan(&self, tokens: &[ProvenToken]) -> Vec<Revocation> {
        tokens.iter().map(|token| self.plan_one(token)).collect()
    }

    fn plan_one(&self, token: &ProvenToken) -> Revocation {
        let cannot = |why: &str| Revocation::new(RevocationOutcome::CannotRevoke, why);
        match Provider::of(&token.rule) {
            None => cannot("revocation is not supported for its issuer"),
            Some(Provider::GitHub | Provider::GitHubRefresh) if token.secret.is_none() => {
                cannot("GitHub needs the whole token, and the report is redacted")
            }
            Some(Provider::GitHub | Provider::GitHubRefresh) => {
                let host = self.settings.github.host();
                Revocation::new(
                    RevocationOutcome::Planned,
                    format!("by the credential revocation API of {host}"),
                )
            }
            Some(provider) => match self.datadog_ways(provider, token) {
                Ok(ways) => Revocation::new(RevocationOutcome::Planned, ways.join(", else ")),
                Err(why) => Revocation::new(RevocationOutcome::CannotRevoke, why),
            },
        }
    }

    /// Returns the ways to revoke a token of Datadog's format, in order.
    fn datadog_ways(&self, provider: Provider, token: &ProvenToken) -> Result<Vec<String>, String> {
        let mut ways = Vec::new();
        let mut missing = Vec::new();
        if self.reports(provider, token) {
            let hosts: Vec<_> = self.settings.issuers.iter().map(Endpoint::host).collect();
            ways.push(format!("by leak report to {}", hosts.join(", ")));
        }
        match datadog::revocation_path(provider, token.uuid, self.settings.service_account) {
            Err(why) => missing.push(why),
            Ok(_) => {
                for (endpoints, admin, name) in self.deletions(provider) {
                    if endpoints.is_empty() {
                        continue;
                    }
                    if admin.is_none() {
                        missing.push(missing_token(name, endpoints));
                        continue;
                    }
                    let hosts: Vec<_> = endpoints.iter().map(Endpoint::host).collect();
                    ways.push(format!("by DELETE at {}", hosts.join(", ")));
                }
            }
        }
        if ways.is_empty() && missing.is_empty() {
            missing.push("no issuer is configured; use --datadog-site or --issuer".to_owned());
        }
        if ways.is_empty() { Err(missing.join("; ")) } else { Ok(ways) }
    }

    /// Returns `true` if a token can be reported to the user's own services.
    fn reports(&self, provider: Provider, token: &ProvenToken) -> bool {
        provider.uses_datadog_api() && token.secret.is_some() && !self.settings.issuers.is_empty()
    }

    /// Returns the endpoints that revoke by identifier, each with its administrator's token and the
    /// environment variable that holds it.
    fn deletions(&self, provider: Provider) -> [(&[Endpoint], Option<&Secret>, &'static str); 2] {
        let settings = &self.settings;
        let issuers = if provider.uses_datadog_api() { &settings.issuers[..] } else { &[] };
        [
            (issuers, settings.issuer_token.as_ref(), ISSUER_TOKEN),
            (&settings.sites, settings.site_token.as_ref(), SITE_TOKEN),
        ]
    }

    /// Revokes each token that can be revoked; the outcomes are in the order of the tokens.
    #[must_use]
    pub fn revoke(&self, tokens: &[ProvenToken]) -> Vec<Revocation> {
        // Hosts that were given up during verification are tried again.
        self.client.reset();
        let mut outcomes = self.plan(tokens);
        let planned: Vec<usize> = (0..tokens.len())
            .filter(|&at| outcomes[at].outcome == RevocationOutcome::Planned)
            .collect();
        let (datadogs, githubs): (Vec<usize>, Vec<usize>) = planned.into_iter().partition(|&at| {
            Provider::of(&tokens[at].rule).is_some_and(Provider::uses_datadog_api)
        });
        self.report(tokens, &datadogs, &mut outcomes);
        for at in datadogs {
            if matches!(
                outcomes[at].outcome,
                RevocationOutcome::Planned | RevocationOutcome::Failed
            ) {
                self.delete(&tokens[at], &mut outcomes[at]);
            }
        }
        let secrets: Vec<&Secret> =
            githubs.iter().filter_map(|&at| tokens[at].secret.as_ref()).collect();
        let revoked = github::revoke(&self.client, &self.settings.github, &secrets);
        for (at, outcome) in githubs.into_iter().zip(revoked) {
            outcomes[at] = outcome;
        }
        outcomes
    }

    /// Reports tokens to the user's own services.
    fn report(&self, tokens: &[ProvenToken], which: &[usize], outcomes: &mut [Revocation]) {
        for endpoint in &self.settings.issuers {
            let open: Vec<usize> = which
                .iter()
                .copied()
                .filter(|&at| {
                    let provider = Provider::of(&tokens[at].rule);
                    provider.is_some_and(|provider| self.reports(provider, &tokens[at]))
                        && matches!(
                            outcomes[at].outcome,
                            RevocationOutcome::Planned | RevocationOutcome::Failed
                        )
                })
                .collect();
            let reported: Vec<&ProvenToken> = open.iter().map(|&at| &tokens[at]).collect();
            let results = ddpatrold::report(&self.client, endpoint, &reported);
            for (at, result) in open.into_iter().zip(results) {
                outcomes[at] = merged(&outcomes[at], result);
            }
        }
    }

    /// Revokes a token by its identifier at every endpoint that may have issued it.
    fn delete(&self, token: &ProvenToken, outcome: &mut Revocation) {
        let Some(provider) = Provider::of(&token.rule) else { return };
        let path = datadog::revocation_path(provider, token.uuid, self.settings.service_account);
        let Ok(path) = path else { return };
        for (endpoints, admin, _) in self.deletions(provider) {
            let Some(admin) = admin else { continue };
            for endpoint in endpoints {
                let result = datadog::revoke(&self.client, endpoint, &path, admin);
                *outcome = merged(outcome, result);
                if !matches!(
                    outcome.outcome,
                    RevocationOutcome::Planned | RevocationOutcome::Failed
                ) {
                    return;
                }
            }
        }
    }
}

/// The API of an endpoint.
#[derive(Clone, Copy, Debug)]
enum Api {
    GitHub,
    Datadog,
    Ddpatrold,
}

/// The answer of one endpoint.
struct EndpointAnswer<'a> {
    host: &'a str,
    answer: Answer,
}

/// Returns the verdict on a token that no endpoint accepts.
fn conclusion(answers: &[EndpointAnswer<'_>]) -> Verification {
    let (mut open, mut ended, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_inconclusive = false;
    for EndpointAnswer { host, answer } in answers {
        match answer {
            Answer::Ended(end) => ended.push(format!("{end} at {host}")),
            Answer::Rejected => rejected.push(*host),
            Answer::NotIssued => {
                open.push(format!("{host} does not accept it and does not say that it issued it"));
            }
            Answer::Inconclusive(why) => {
                is_inconclusive = true;
                open.push(format!("{host}: {why}"));
            }
            Answer::Live(_) => {}
        }
    }
    if is_inconclusive || (ended.is_empty() && rejected.is_empty()) {
        return Verification::unknown(open.join("; "));
    }
    if !ended.is_empty() {
        return Verification::new(Verdict::Dead, ended.join("; "));
    }
    Verification::new(Verdict::Dead, format!("rejected twice by {}", rejected.join(", ")))
}

/// Describes which variable of the environment is necessary for a revocation.
fn missing_token(name: &str, endpoints: &[Endpoint]) -> String {
    let host = match endpoints {
        _ if name == ISSUER_TOKEN => {
            endpoints.iter().map(Endpoint::host).collect::<Vec<_>>().join(" or ")
        }
        [site] => site.host().to_owned(),
        _ => "your Datadog site".to_owned(),
    };
    format!("set {name} to an administrator's token of {host}")
}

/// Combines the outcomes of two attempts: a success replaces a failure, failures are joined.
fn merged(before: &Revocation, after: Revocation) -> Revocation {
    if after.outcome == RevocationOutcome::Failed && before.outcome == RevocationOutcome::Failed {
        return Revocation::new(
            RevocationOutcome::Failed,
            format!("{}; {}", before.detail, after.detail),
        );
    }
    after
}

/// Environment variable with the administrator's token for Datadog's sites.
pub const SITE_TOKEN: &str = "DDPATROL_DATADOG_TOKEN";
/// Environment variable with the administrator's token for the user's own services.
pub const ISSUER_TOKEN: &str = "DDPATROL_ISSUER_TOKEN";

#[cfg(test)]
mod tests;
