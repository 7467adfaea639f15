//! Verifies and revokes proven tokens through their issuers.
//!
//! Input: proven tokens (or only their identifiers). Output: verdicts and outcomes, with explanations. One
//! file per provider. Endpoints and credentials come from the user only, never from scanned content. A wrong
//! *dead* would be dangerous: a token is dead only if every configured endpoint rejects it twice, seconds
//! apart, and at least one of these rejections is the one with which the token's issuer rejects it. Everything
//! else is *unknown*. This crate knows neither findings nor reports.
//!
//! # Examples
//!
//! Find the provider of a rule's tokens, and reject an address that would receive them unencrypted:
//!
//! ```
//! use ddpatrol_respond::Provider;
//! use ddpatrol_respond::endpoint::Endpoint;
//!
//! assert_eq!(Provider::of("npm-token"), Some(Provider::Npm));
//! assert!(!Provider::Npm.can_revoke());
//! assert!(Endpoint::parse("https://registry.example.org").is_ok());
//! assert!(Endpoint::parse("http://registry.example.org").is_err());
//! ```

pub mod atlassian;
pub mod cloudflare;
mod conclusion;
pub mod datadog;
pub mod ddpatrold;
pub mod endpoint;
pub mod github;
pub mod gitlab;
pub mod grafana;
mod grant;
pub mod http;
pub mod npm;
mod outcome;
mod proven_token;
mod provider;
mod question;
pub mod rate_limit;
mod revocation;
mod settings;
pub mod vercel;
mod verdict;
pub mod wandb;

pub use grant::Grant;
pub use outcome::{Revocation, RevocationOutcome};
pub use proven_token::ProvenToken;
pub use provider::{Provider, UnsupportedKind};
pub use revocation::{ISSUER_TOKEN, SITE_TOKEN};
pub use settings::{AtlassianSettings, CloudflareSettings, Settings, UserName, UserNameError};
pub use verdict::{Answer, TokenEnd, Verdict, Verification};

use conclusion::{EndpointAnswer, conclusion};
use ddpatrol_scan::workers::Workers;
use http::Client;
use std::time::Duration;

/// Number of tokens that are verified concurrently.
const WORKERS: usize = 4;

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
        let Some(provider) = Provider::of_token(token) else {
            return Verification::unknown("verification is not supported for its issuer");
        };
        let questions = match self.settings.questions(provider) {
            Ok(questions) => questions,
            Err(missing) => return Verification::unknown(missing.to_string()),
        };
        let mut answers = Vec::new();
        for question in questions {
            let host = question.endpoint.host();
            let answer = question.ask(&self.client, secret);
            if let Answer::Live(grant) = answer {
                let reason = format!("{host} accepts it");
                return Verification { grant, ..Verification::new(Verdict::Live, reason) };
            }
            answers.push(EndpointAnswer { host, answer });
        }
        conclusion(&answers)
    }
}

#[cfg(test)]
mod tests;
