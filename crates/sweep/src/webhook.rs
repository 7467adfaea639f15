//! Posts new live tokens to a webhook.
//!
//! Each request has one token, as redacted JSON, and a signature. The store records what was delivered, so a
//! token is posted once, also if the sweep is resumed. Errors name the host of the webhook only: the path of its
//! URL may be a secret.

use crate::address::is_loopback;
use crate::report::MergedReport;
use crate::report::model::TokenRow;
use crate::result::Verdict;
use crate::store::{FINISHED, Store, SweepName};
use anyhow::{Context, bail};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::time::Duration;
use url::Url;

/// Name and version of the schema of a request.
pub const SCHEMA: &str = "ddpatrol-sweep-webhook/1";

/// The object with the fingerprints of the live tokens of a sweep.
const LIVE: &str = "live.json.zst";

/// Maximum number of attempts of one request.
const ATTEMPTS: u32 = 5;
/// Pause before the second attempt; it doubles each time.
const PAUSE: Duration = Duration::from_secs(1);
/// Maximum pause that a receiver may request.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A receiver of live tokens.
pub struct Webhook {
    url: Url,
    secret: Vec<u8>,
    client: Client,
}

/// The outcome of the deliveries of a sweep.
#[derive(Debug, Default)]
pub struct Deliveries {
    /// Number of tokens that were posted now.
    pub posted: usize,
    /// Fingerprints of the tokens that could not be posted.
    pub failed: BTreeSet<String>,
    /// The last failure.
    pub failure: Option<String>,
}

/// Why a token could not be posted.
enum Undelivered {
    /// The receiver rejects this request.
    Rejected(String),
    /// The receiver does not work; further requests are in vain.
    Unavailable(String),
}

impl Webhook {
    /// Creates a receiver: https, or http on this machine.
    ///
    /// # Errors
    /// Returns an error, which does not repeat the URL, if it is not valid, or the secret is empty.
    pub fn new(url: &str, secret: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url).ok().filter(|it| it.host_str().is_some());
        let url = url.context("invalid --webhook: expected https://HOST/PATH")?;
        let is_local = is_loopback(&url);
        if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
            bail!("invalid --webhook: expected https, or http on this machine");
        }
        if !url.username().is_empty() || url.password().is_some() {
            bail!("invalid --webhook: the URL contains a user name or a password");
        }
        if secret.is_empty() {
            bail!(
                "--webhook requires the variable DDPATROL_WEBHOOK_SECRET, which signs the requests"
            );
        }
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("ddpatrol-sweep/", env!("CARGO_PKG_VERSION")));
        if is_local {
            client = client.no_proxy();
        }
        Ok(Self { url, secret: secret.as_bytes().to_vec(), client: client.build()? })
    }

    /// Posts the live tokens of a report that are not in `known` and were not delivered before.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read or written. Failures of the receiver are in the outcome.
    pub async fn deliver(
        &self,
        store: &Store,
        sweep: &SweepName,
        report: &MergedReport,
        known: &BTreeSet<String>,
    ) -> anyhow::Result<Deliveries> {
        let delivered = store.delivered(sweep).await?;
        let live = report.tokens.iter().filter(|it| it.verdict == Verdict::Live);
        let new = live
            .filter(|it| !known.contains(&it.fingerprint) && !delivered.contains(&it.fingerprint));
        let mut deliveries = Deliveries::default();
        let mut is_available = true;
        for token in new {
            let outcome = match is_available {
                true => self.post(sweep, token, &body(report, token).to_string()).await,
                false => {
                    deliveries.failed.insert(token.fingerprint.clone());
                    continue;
                }
            };
            match outcome {
                Ok(()) => {
                    store.record_delivery(sweep, &token.fingerprint).await?;
                    deliveries.posted += 1;
                }
                Err(refusal) => {
                    deliveries.failed.insert(token.fingerprint.clone());
                    is_available = matches!(refusal, Undelivered::Rejected(_));
                    let (Undelivered::Rejected(cause) | Undelivered::Unavailable(cause)) = refusal;
                    let host = self.url.host_str().unwrap_or_default();
                    deliveries.failure = Some(format!("{host}: {cause}"));
                }
            }
        }
        Ok(deliveries)
    }

    /// Posts one request; repeats it if the receiver is busy or unreachable.
    async fn post(
        &self,
        sweep: &SweepName,
        token: &TokenRow,
        body: &str,
    ) -> Result<(), Undelivered> {
        let signature = signature(&self.secret, body.as_bytes());
        let mut pause = PAUSE;
        for attempt in 1.. {
            let request = self
                .client
                .post(self.url.clone())
                .header("content-type", "application/json")
                .header("x-ddpatrol-event", "token.live")
                .header("x-ddpatrol-delivery", delivery(sweep, token))
                .header("x-ddpatrol-signature", &signature)
                .body(body.to_owned());
            let (cause, requested) = match request.send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) => {
                    let status = response.status();
                    let cause = format!("status {}", status.as_u16());
                    if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        return Err(Undelivered::Rejected(cause));
                    }
                    let header = response.headers().get("retry-after");
                    let seconds = header.and_then(|it| it.to_str().ok()?.trim().parse().ok());
                    (cause, seconds.map(Duration::from_secs))
                }
                Err(error) if error.is_timeout() => ("the request timed out".to_owned(), None),
                Err(error) if error.is_connect() => ("no connection".to_owned(), None),
                Err(_) => ("no valid response".to_owned(), None),
            };
            if attempt >= ATTEMPTS {
                return Err(Undelivered::Unavailable(cause));
            }
            tokio::time::sleep(requested.unwrap_or(pause).min(MAX_PAUSE)).await;
            pause *= 2;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Webhook")
    }
}

/// Returns the id of a delivery. A receiver that gets it twice may ignore the second one.
fn delivery(sweep: &SweepName, token: &TokenRow) -> String {
    format!("{sweep}/{}", token.fingerprint)
}

/// Returns the body of a request. All texts of a report are redacted.
fn body(report: &MergedReport, token: &TokenRow) -> Value {
    let mut value = json!(token);
    let repositories: Vec<Value> = token
        .repositories
        .iter()
        .map(|it| {
            let url = &report.repositories[it.repository].url;
            json!({ "url": url, "places_total": it.places_total, "places": it.places })
        })
        .collect();
    value["repositories"] = repositories.into();
    json!({ "schema": SCHEMA, "event": "token.live", "sweep": report.sweep, "token": value })
}

/// Returns the header of a signature: `sha256=` and the HMAC-SHA-256 of the body.
fn signature(secret: &[u8], body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        // HMAC accepts keys of any length.
        return String::new();
    };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

impl Store {
    /// Returns the tokens that the latest complete sweep before `sweep` that verified found live or posted.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read, or is damaged.
    pub async fn live_before(&self, sweep: &SweepName) -> anyhow::Result<BTreeSet<String>> {
        let sweeps = self.sweeps().await?;
        for earlier in sweeps.iter().rev().filter(|it| *it < sweep) {
            if self.file(earlier, FINISHED).await?.is_none() {
                continue;
            }
            let Some(live) = self.file(earlier, LIVE).await? else { continue };
            let mut live: BTreeSet<String> = serde_json::from_slice(&live)
                .with_context(|| format!("damaged list of live tokens of the sweep `{earlier}`"))?;
            live.extend(self.delivered(earlier).await?);
            return Ok(live);
        }
        Ok(BTreeSet::new())
    }

    /// Records the live tokens of a sweep, without those whose delivery failed: the next sweep posts them.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub async fn record_live(
        &self,
        sweep: &SweepName,
        report: &MergedReport,
        failed: &BTreeSet<String>,
    ) -> anyhow::Result<()> {
        let live = report.tokens.iter().filter(|it| it.verdict == Verdict::Live);
        let live = live.map(|it| &it.fingerprint).filter(|it| !failed.contains(*it));
        let live = serde_json::to_vec(&live.collect::<Vec<_>>())?;
        self.create_file(sweep, LIVE, &live).await.map(drop)
    }

    async fn delivered(&self, sweep: &SweepName) -> anyhow::Result<BTreeSet<String>> {
        let names = self.names(&["sweeps", sweep.as_str(), "delivered"]).await?;
        let fingerprint = |it: String| it.strip_suffix(".json").map(str::to_owned);
        Ok(names.into_iter().filter_map(fingerprint).collect())
    }

    async fn record_delivery(&self, sweep: &SweepName, fingerprint: &str) -> anyhow::Result<()> {
        let name = format!("{fingerprint}.json");
        let path = self.path(&["sweeps", sweep.as_str(), "delivered", &name]);
        let content = json!({ "posted_at": jiff::Timestamp::now().to_string() }).to_string();
        self.create(path, content.into_bytes()).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(b"Jefe", b"what do ya want for nothing?"), expected);
    }

    #[test]
    fn urls_without_encryption_or_with_passwords_are_refused_and_not_repeated() {
        // The program installs the provider when it starts.
        let _ = rustls::crypto::ring::default_provider().install_default();
        for url in
            ["http://hooks.example/s3cret", "https://u:s3cret@h/", "s3cret", "ftp://h/s3cret"]
        {
            let error = Webhook::new(url, "key").unwrap_err().to_string();
            assert!(error.contains("--webhook") && !error.contains("s3cret"), "{error}");
        }
        assert!(Webhook::new("https://hooks.example/x", "").is_err());
        assert!(Webhook::new("http://127.0.0.1:1/x", "key").is_ok());
    }
}
