//! Revokes proven tokens through their issuers.
//!
//! Input: tokens and the settings of a [`Responder`]. Output: for each token how it would be revoked, or the
//! outcome. Which tokens are revoked, and whether the user agreed, is decided by the caller.

use super::datadog::NoRevocationPath;
use super::endpoint::Endpoint;
use super::outcome::{Revocation, RevocationOutcome};
use super::proven_token::ProvenToken;
use super::provider::Provider;
use super::{Responder, datadog, ddpatrold, github, gitlab, vercel};
use ddpatrol_token::Secret;
use std::{fmt, slice};

/// Environment variable with the administrator's token for Datadog's sites.
pub const SITE_TOKEN: &str = "DDPATROL_DATADOG_TOKEN";
/// Environment variable with the administrator's token for the user's own services.
pub const ISSUER_TOKEN: &str = "DDPATROL_ISSUER_TOKEN";

/// A condition for the revocation of a token of Datadog's format that is not met.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error(transparent)]
    Path(#[from] NoRevocationPath),
    /// The administrator's token is missing.
    #[error("set {variable} to an administrator's token of {host}")]
    AdministratorToken {
        /// The environment variable for it.
        variable: &'static str,
        host: String,
    },
    #[error("no issuer is configured; use --datadog-site or --issuer")]
    Issuer,
}

/// No way to revoke a token is open.
#[derive(Debug, thiserror::Error)]
struct NoWay(Vec<Obstacle>);

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let obstacles: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&obstacles.join("; "))
    }
}

impl Responder {
    /// Returns how each token would be revoked, or why it cannot be.
    #[must_use]
    pub fn plan(&self, tokens: &[ProvenToken]) -> Vec<Revocation> {
        tokens.iter().map(|token| self.plan_one(token)).collect()
    }

    fn plan_one(&self, token: &ProvenToken) -> Revocation {
        let cannot = |why: &str| Revocation::new(RevocationOutcome::CannotRevoke, why);
        match Provider::of_token(token) {
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
            Some(provider @ (Provider::Datadog | Provider::ServiceAccount)) => {
                match self.datadog_ways(provider, token) {
                    Ok(ways) => Revocation::new(RevocationOutcome::Planned, ways.join(", else ")),
                    Err(error) => {
                        Revocation::new(RevocationOutcome::CannotRevoke, error.to_string())
                    }
                }
            }
            Some(Provider::GitLab) => self.plan_by_token("GitLab", token, &self.settings.gitlab),
            Some(Provider::Vercel) => {
                self.plan_by_token("Vercel", token, slice::from_ref(&self.settings.vercel))
            }
            Some(_) | None => cannot("revocation is not supported for its issuer"),
        }
    }

    /// Plans the revocation of a token that revokes itself.
    fn plan_by_token(
        &self,
        issuer: &str,
        token: &ProvenToken,
        endpoints: &[Endpoint],
    ) -> Revocation {
        if token.secret.is_none() {
            let why = format!("{issuer} needs the whole token, and the report is redacted");
            return Revocation::new(RevocationOutcome::CannotRevoke, why);
        }
        let hosts: Vec<_> = endpoints.iter().map(Endpoint::host).collect();
        let detail = format!("by the token itself at {}", hosts.join(", else "));
        Revocation::new(RevocationOutcome::Planned, detail)
    }

    /// Returns the ways to revoke a token of Datadog's format, in order.
    fn datadog_ways(&self, provider: Provider, token: &ProvenToken) -> Result<Vec<String>, NoWay> {
        let mut ways = Vec::new();
        let mut missing = Vec::new();
        if self.reports(provider, token) {
            let hosts: Vec<_> = self.settings.issuers.iter().map(Endpoint::host).collect();
            ways.push(format!("by leak report to {}", hosts.join(", ")));
        }
        match datadog::revocation_path(provider, token.uuid, self.settings.service_account) {
            Err(error) => missing.push(error.into()),
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
            missing.push(Obstacle::Issuer);
        }
        if ways.is_empty() { Err(NoWay(missing)) } else { Ok(ways) }
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
        let of = |providers: &[Provider]| -> Vec<usize> {
            let is_of = |&at: &usize| {
                Provider::of_token(&tokens[at]).is_some_and(|it| providers.contains(&it))
            };
            planned.iter().copied().filter(is_of).collect()
        };
        let datadogs = of(&[Provider::Datadog, Provider::ServiceAccount]);
        let githubs = of(&[Provider::GitHub, Provider::GitHubRefresh]);
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
        for at in of(&[Provider::GitLab, Provider::Vercel]) {
            outcomes[at] = self.revoke_by_token(&tokens[at], outcomes[at].clone());
        }
        outcomes
    }

    /// Revokes a token with itself at every endpoint that may have issued it, until one knows it.
    fn revoke_by_token(&self, token: &ProvenToken, planned: Revocation) -> Revocation {
        let Some(secret) = &token.secret else { return planned };
        let mut outcome = planned;
        let is_gitlab = Provider::of_token(token) == Some(Provider::GitLab);
        let endpoints = match is_gitlab {
            true => &self.settings.gitlab[..],
            false => slice::from_ref(&self.settings.vercel),
        };
        for endpoint in endpoints {
            let result = match is_gitlab {
                true => gitlab::revoke(&self.client, endpoint, secret),
                false => vercel::revoke(&self.client, endpoint, secret),
            };
            outcome = merged(&outcome, result);
            if !outcome.outcome.is_failure() {
                break;
            }
        }
        outcome
    }

    /// Reports tokens to the user's own services.
    fn report(&self, tokens: &[ProvenToken], which: &[usize], outcomes: &mut [Revocation]) {
        for endpoint in &self.settings.issuers {
            let open: Vec<usize> = which
                .iter()
                .copied()
                .filter(|&at| {
                    let provider = Provider::of_token(&tokens[at]);
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
        let Some(provider) = Provider::of_token(token) else { return };
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

/// Returns the obstacle that the administrator's token for endpoints is missing.
fn missing_token(variable: &'static str, endpoints: &[Endpoint]) -> Obstacle {
    let host = match endpoints {
        _ if variable == ISSUER_TOKEN => {
            endpoints.iter().map(Endpoint::host).collect::<Vec<_>>().join(" or ")
        }
        [site] => site.host().to_owned(),
        _ => "your Datadog site".to_owned(),
    };
    Obstacle::AdministratorToken { variable, host }
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
