//! Verification and revocation: asks the issuers of proven tokens whether these are live, and revokes
//! them.
//!
//! Input: subjects (a token, or only its identifier). Output: verdicts and outcomes, in words. One file
//! per provider. Endpoints and credentials come from the user alone, never from what is scanned. A wrong
//! *dead* would be dangerous: it takes the issuer's own refusal, in its documented form, from every
//! configured place, twice with seconds between. Everything else is *unknown*.

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
pub use verdict::{Answer, Verdict, Verification};

use ddpatrol_scan::workers::Workers;
use ddpatrol_token::{Secret, Uuid};
use endpoint::Endpoint;
use http::Client;
use std::time::Duration;

/// How many tokens are asked about at the same time.
const WORKERS: usize = 4;

/// What the user configured.
#[derive(Debug)]
pub struct Settings {
    /// The API hosts of Datadog's sites.
    pub sites: Vec<Endpoint>,
    /// Services of one's own that speak Datadog's API and take leak reports.
    pub issuers: Vec<Endpoint>,
    /// GitHub's API.
    pub github: Endpoint,
    /// An administrator's token for the sites.
    pub site_token: Option<Secret>,
    /// An administrator's token for the issuers.
    pub issuer_token: Option<Secret>,
    /// The account that `ddsat_` tokens belong to.
    pub service_account: Option<Uuid>,
    /// How long to wait between two refusals.
    pub pause: Duration,
}

/// Asks and tells issuers.
#[derive(Debug)]
pub struct Responder {
    settings: Settings,
    client: Client,
}

impl Responder {
    /// Makes one; `stop` tells whether the user has interrupted the program.
    #[must_use]
    pub fn new(settings: Settings, stop: http::Stop) -> Self {
        Self { settings, client: Client::new(stop) }
    }

    /// Asks about each subject. One that a place refuses is asked about again after a pause, since a
    /// new token takes seconds to be known everywhere.
    #[must_use]
    pub fn verify(&self, subjects: &[ProvenToken]) -> Vec<Verification> {
        let all: Vec<usize> = (0..subjects.len()).collect();
        let mut verified = self.ask_each(subjects, &all);
        let refused: Vec<usize> =
            all.into_iter().filter(|&at| verified[at].verdict == Verdict::Dead).collect();
        if refused.is_empty() {
            return verified;
        }
        if !self.client.sleep(self.settings.pause) {
            for at in refused {
                verified[at] = Verification::unknown("interrupted before it was asked twice");
            }
            return verified;
        }
        let again = self.ask_each(subjects, &refused);
        for (at, second) in refused.into_iter().zip(again) {
            verified[at] = second;
        }
        verified
    }

    /// Asks about the subjects at the indices `which`, a few at a time; the answers are in the order of
    /// `which`.
    fn ask_each(&self, subjects: &[ProvenToken], which: &[usize]) -> Vec<Verification> {
        // A pool of its own: these threads wait for replies, so the pool of the scan would idle.
        let workers = Workers::new(WORKERS.min(which.len()));
        let slots: Vec<usize> = (0..which.len()).collect();
        let shares = workers.fold(&slots, 1, Vec::new, |answers, &slot| {
            answers.push((slot, self.ask(&subjects[which[slot]])));
        });
        let mut answers = shares.concat();
        answers.sort_unstable_by_key(|&(slot, _)| slot);
        answers.into_iter().map(|(_, verification)| verification).collect()
    }

    /// Asks every place that could have issued a token, once.
    fn ask(&self, subject: &ProvenToken) -> Verification {
        let Some(secret) = &subject.secret else {
            return Verification::unknown("a redacted report does not hold the token");
        };
        let Some(provider) = Provider::of(&subject.rule) else {
            return Verification::unknown("its issuer has no way to ask that is known here");
        };
        if provider == Provider::GitHubRefresh {
            return Verification::unknown("a refresh token cannot be asked about");
        }
        let places = self.places(provider);
        if places.is_empty() {
            // Nobody's silence is no refusal.
            return Verification::unknown("only Datadog issues such tokens: name --datadog-site");
        }
        let mut unclear = Vec::new();
        for &(place, refusals) in &places {
            let answer = match provider {
                Provider::GitHub => github::ask(&self.client, place, secret),
                _ => datadog::ask(&self.client, place, secret, refusals),
            };
            match answer {
                Answer::Live => {
                    let reason = format!("{} accepts it", place.host());
                    return Verification { verdict: Verdict::Live, reason };
                }
                Answer::Refused => {}
                Answer::Unclear(why) => unclear.push(format!("{}: {why}", place.host())),
            }
        }
        if !unclear.is_empty() {
            return Verification::unknown(unclear.join("; "));
        }
        let hosts: Vec<_> = places.iter().map(|(place, _)| place.host()).collect();
        let reason = format!("refused twice by {}", hosts.join(", "));
        Verification { verdict: Verdict::Dead, reason }
    }

    /// Lists who can be asked about a provider's tokens, each with the status codes of its refusals.
    /// A service of one's own issues no tokens of service accounts, so it neither sees nor judges any.
    fn places(&self, provider: Provider) -> Vec<(&Endpoint, &'static [u16])> {
        let Settings { issuers, sites, github, .. } = &self.settings;
        let sites = sites.iter().map(|it| (it, datadog::REFUSALS));
        match provider {
            Provider::Datadog => {
                issuers.iter().map(|it| (it, ddpatrold::REFUSALS)).chain(sites).collect()
            }
            Provider::ServiceAccount => sites.collect(),
            Provider::GitHub | Provider::GitHubRefresh => vec![(github, &[])],
        }
    }

    /// Says how each subject would be revoked, or why it cannot be.
    #[must_use]
    pub fn plan(&self, subjects: &[ProvenToken]) -> Vec<Revocation> {
        subjects.iter().map(|subject| self.plan_one(subject)).collect()
    }

    fn plan_one(&self, subject: &ProvenToken) -> Revocation {
        let cannot = |why: &str| Revocation::new(RevocationOutcome::CannotRevoke, why);
        match Provider::of(&subject.rule) {
            None => cannot("its issuer takes no revocations that are known here"),
            Some(Provider::GitHub | Provider::GitHubRefresh) if subject.secret.is_none() => {
                cannot("GitHub needs the token itself, which a redacted report does not hold")
            }
            Some(Provider::GitHub | Provider::GitHubRefresh) => {
                let host = self.settings.github.host();
                Revocation::new(
                    RevocationOutcome::Planned,
                    format!("by {host}'s credential revocation"),
                )
            }
            Some(provider) => match self.datadog_ways(provider, subject) {
                Ok(ways) => Revocation::new(RevocationOutcome::Planned, ways.join(", else ")),
                Err(why) => Revocation::new(RevocationOutcome::CannotRevoke, why),
            },
        }
    }

    /// Names the ways by which a token of Datadog's kind can be revoked, in order.
    fn datadog_ways(
        &self,
        provider: Provider,
        subject: &ProvenToken,
    ) -> Result<Vec<String>, String> {
        let mut ways = Vec::new();
        let mut missing = Vec::new();
        if self.reports(provider, subject) {
            let hosts: Vec<_> = self.settings.issuers.iter().map(Endpoint::host).collect();
            ways.push(format!("by leak report to {}", hosts.join(", ")));
        }
        match datadog::path(provider, subject.uuid, self.settings.service_account) {
            Err(why) => missing.push(why),
            Ok(_) => {
                for (places, token, name) in self.deletions(provider) {
                    if places.is_empty() {
                        continue;
                    }
                    if token.is_none() {
                        missing.push(format!("{name} holds no administrator's token"));
                        continue;
                    }
                    let hosts: Vec<_> = places.iter().map(Endpoint::host).collect();
                    ways.push(format!("by DELETE at {}", hosts.join(", ")));
                }
            }
        }
        if ways.is_empty() && missing.is_empty() {
            missing.push("only Datadog issues such tokens: name --datadog-site".to_owned());
        }
        if ways.is_empty() { Err(missing.join("; ")) } else { Ok(ways) }
    }

    /// Tells whether a token can be reported to the user's own issuers.
    fn reports(&self, provider: Provider, subject: &ProvenToken) -> bool {
        provider == Provider::Datadog
            && subject.secret.is_some()
            && !self.settings.issuers.is_empty()
    }

    /// The places that revoke by identifier, each with the token for them and where that comes from.
    fn deletions(&self, provider: Provider) -> [(&[Endpoint], Option<&Secret>, &'static str); 2] {
        let settings = &self.settings;
        let issuers = if provider == Provider::Datadog { &settings.issuers[..] } else { &[] };
        [
            (issuers, settings.issuer_token.as_ref(), ISSUER_TOKEN),
            (&settings.sites, settings.site_token.as_ref(), SITE_TOKEN),
        ]
    }

    /// Revokes each subject that can be; the outcomes are in their order.
    #[must_use]
    pub fn revoke(&self, subjects: &[ProvenToken]) -> Vec<Revocation> {
        // Who was out of reach for a question is told to revoke all the same.
        self.client.reset();
        let mut outcomes = self.plan(subjects);
        let planned: Vec<usize> = (0..subjects.len())
            .filter(|&at| outcomes[at].outcome == RevocationOutcome::Planned)
            .collect();
        let (datadogs, githubs): (Vec<usize>, Vec<usize>) = planned
            .into_iter()
            .partition(|&at| Provider::of(&subjects[at].rule).is_some_and(Provider::is_datadogs));
        self.report(subjects, &datadogs, &mut outcomes);
        for at in datadogs {
            if matches!(
                outcomes[at].outcome,
                RevocationOutcome::Planned | RevocationOutcome::Failed
            ) {
                self.delete(&subjects[at], &mut outcomes[at]);
            }
        }
        let tokens: Vec<&Secret> =
            githubs.iter().filter_map(|&at| subjects[at].secret.as_ref()).collect();
        let revoked = github::revoke(&self.client, &self.settings.github, &tokens);
        for (at, outcome) in githubs.into_iter().zip(revoked) {
            outcomes[at] = outcome;
        }
        outcomes
    }

    /// Reports tokens to the user's own issuers.
    fn report(&self, subjects: &[ProvenToken], which: &[usize], outcomes: &mut [Revocation]) {
        for place in &self.settings.issuers {
            let open: Vec<usize> = which
                .iter()
                .copied()
                .filter(|&at| {
                    let provider = Provider::of(&subjects[at].rule);
                    provider.is_some_and(|provider| self.reports(provider, &subjects[at]))
                        && matches!(
                            outcomes[at].outcome,
                            RevocationOutcome::Planned | RevocationOutcome::Failed
                        )
                })
                .collect();
            let reported: Vec<&ProvenToken> = open.iter().map(|&at| &subjects[at]).collect();
            let results = ddpatrold::report(&self.client, place, &reported);
            for (at, result) in open.into_iter().zip(results) {
                outcomes[at] = merged(&outcomes[at], result);
            }
        }
    }

    /// Revokes a token by its identifier, wherever it may have been issued.
    fn delete(&self, subject: &ProvenToken, outcome: &mut Revocation) {
        let Some(provider) = Provider::of(&subject.rule) else { return };
        let path = datadog::path(provider, subject.uuid, self.settings.service_account);
        let Ok(path) = path else { return };
        for (places, token, _) in self.deletions(provider) {
            let Some(token) = token else { continue };
            for place in places {
                let result = datadog::revoke(&self.client, place, &path, token);
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

/// Takes a further attempt's outcome: a success ends all, failures are told together.
fn merged(before: &Revocation, after: Revocation) -> Revocation {
    if after.outcome == RevocationOutcome::Failed && before.outcome == RevocationOutcome::Failed {
        return Revocation::new(
            RevocationOutcome::Failed,
            format!("{}; {}", before.detail, after.detail),
        );
    }
    after
}

/// The environment's name of the administrator's token for Datadog's sites.
pub const SITE_TOKEN: &str = "DDPATROL_DATADOG_TOKEN";
/// The environment's name of the administrator's token for the user's own issuers.
pub const ISSUER_TOKEN: &str = "DDPATROL_ISSUER_TOKEN";

#[cfg(test)]
mod tests;
