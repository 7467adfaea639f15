//! Requests to the API of one host: pages of JSON, with conditional requests, retries and rate limits.
//!
//! The credential is sent to the host of the base URL only: redirects are followed on that host, and refused
//! otherwise. Errors contain no headers and no query.

use super::choices::Protocol;
use super::credential::Credential;
use super::error::{HostError, host, place};
use super::limits;
use super::pages::{Page, PageCache};
use super::response::{check_content, message, parse, read_body};
use crate::address::is_loopback;
use jiff::Timestamp;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Time limit of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum number of attempts of a request that fails for another reason than a rate limit.
const ATTEMPTS: u32 = 4;
/// Maximum number of redirects.
const MAX_REDIRECTS: usize = 5;

/// The settings of requests.
#[derive(Clone, Debug)]
pub struct RequestSettings<'a> {
    /// Folder of the pages of earlier lists, for conditional requests.
    pub cache: Option<&'a Path>,
    /// Maximum time to wait for rate limits, in all.
    pub max_wait: Duration,
    /// Pause before a failed request is repeated the first time; it doubles each time.
    pub retry_pause: Duration,
    /// Prints a note.
    pub note: fn(&str),
}

/// How a host expects the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: token`.
    Token,
}

/// The API of one host.
#[derive(Debug)]
pub(super) struct Api<'a> {
    client: Client,
    base: Url,
    credential: Option<Credential>,
    scheme: Scheme,
    hint: String,
    settings: &'a RequestSettings<'a>,
    cache: Option<PageCache>,
    /// The rest of the time to wait for rate limits.
    patience: Duration,
    /// When the rate limit allows the next request.
    not_before: Option<Instant>,
}

/// The address and the credential of an API.
#[derive(Debug)]
pub(super) struct Access {
    /// Its base URL, without a trailing slash.
    pub(super) base: Url,
    /// The credential.
    pub(super) credential: Option<Credential>,
    /// How it is sent.
    pub(super) scheme: Scheme,
    /// How credentials are found, for messages.
    pub(super) hint: String,
}

/// Headers and content of a successful response.
#[derive(Debug)]
pub(super) struct Fetched<T> {
    pub(super) content: T,
    pub(super) headers: HeaderMap,
}

/// The outcome of one attempt.
enum Attempt {
    /// A response with its complete body.
    Answered(StatusCode, HeaderMap, Vec<u8>),
    /// A failure that may pass.
    Failed(HostError),
}

impl<'a> Api<'a> {
    /// Creates the API of a host.
    pub(super) fn new(access: Access, settings: &'a RequestSettings<'a>) -> anyhow::Result<Self> {
        let Access { base, credential, scheme, hint } = access;
        let is_local = is_loopback(&base);
        if base.scheme() != "https" && !is_local && credential.is_some() {
            let problem = "http would send the credential unencrypted: use https";
            return Err(HostError::Base(problem).into());
        }
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(Duration::from_secs(15))
            .user_agent(concat!("ddpatrol-sweep/", env!("CARGO_PKG_VERSION")));
        if is_local {
            client = client.no_proxy();
        }
        let cache = settings.cache.map(PageCache::open).transpose()?;
        Ok(Self {
            client: client.build()?,
            base,
            credential,
            scheme,
            hint,
            settings,
            cache,
            patience: settings.max_wait,
            not_before: None,
        })
    }

    /// Returns `true` if requests have a credential.
    pub(super) fn has_credential(&self) -> bool {
        self.credential.is_some()
    }

    /// Returns the URL of a path of the API.
    pub(super) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Returns `true` if a URL belongs to this API.
    pub(super) fn has(&self, url: &Url) -> bool {
        url.origin() == self.base.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// Prints a note.
    pub(super) fn note(&self, text: &str) {
        (self.settings.note)(text);
    }

    /// Fetches one object.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, url: &Url) -> anyhow::Result<T> {
        let fetched = self.fetch(url, None).await?;
        let Some(Fetched { content, .. }) = fetched else {
            return Err(HostError::content(url, "unexpected status 304").into());
        };
        parse(url, &content)
    }

    /// Fetches one page of a list, and converts it by `convert`. An unchanged page comes from the cache, which
    /// knows it by its URL and the protocol of its repositories.
    pub(super) async fn page<T: DeserializeOwned>(
        &mut self,
        url: &Url,
        protocol: Protocol,
        convert: impl FnOnce(&Self, Fetched<Vec<T>>) -> anyhow::Result<Page>,
    ) -> anyhow::Result<Page> {
        let key = format!("{protocol:?} {url}");
        let known = self.cache.as_ref().and_then(|it| it.read(&key));
        let Some(fetched) = self.fetch(url, known.as_ref().map(|it| it.etag.as_str())).await?
        else {
            let known = known.map(|it| it.page);
            return known.ok_or_else(|| HostError::content(url, "unexpected status 304").into());
        };
        let Fetched { content, headers } = fetched;
        let etag = headers.get(ETAG).and_then(|it| it.to_str().ok()).map(str::to_owned);
        let page = convert(self, Fetched { content: parse(url, &content)?, headers })?;
        if let (Some(cache), Some(etag)) = (&self.cache, etag) {
            cache.write(&key, &etag, &page)?;
        }
        Ok(page)
    }

    /// Fetches a URL; `None` if it has not changed since `etag`.
    async fn fetch(
        &mut self,
        url: &Url,
        etag: Option<&str>,
    ) -> anyhow::Result<Option<Fetched<Vec<u8>>>> {
        let mut url = url.clone();
        let (mut failures, mut limits, mut redirects) = (0, 0, 0);
        loop {
            self.wait_until_allowed(&url).await?;
            let (status, headers, body) = match self.attempt(&url, etag).await {
                Attempt::Answered(status, headers, body) => (status, headers, body),
                Attempt::Failed(error) => {
                    failures += 1;
                    self.pause(failures, error).await?;
                    continue;
                }
            };
            let now = Timestamp::now();
            if let Some(time) = limits::before_next(&headers, now) {
                self.not_before = Some(Instant::now() + time);
            }
            if status == StatusCode::NOT_MODIFIED && etag.is_some() {
                return Ok(None);
            }
            if status.is_success() {
                check_content(&url, &headers, &body, self.credential.as_ref())?;
                return Ok(Some(Fetched { content: body, headers }));
            }
            if status.is_redirection() {
                redirects += 1;
                url = self.redirected(&url, &headers, redirects)?;
                continue;
            }
            let message = message(&body, self.credential.as_ref());
            if let Some(wait) = limits::after_refusal(status, &headers, &message, now) {
                limits += 1;
                let time = if wait.is_named { wait.time } else { wait.time * limits };
                self.not_before = Some(Instant::now() + time);
                continue;
            }
            let error = HostError::refusal(&url, status, &message, &self.hint);
            if !status.is_server_error() {
                return Err(error.into());
            }
            failures += 1;
            self.pause(failures, error).await?;
        }
    }

    async fn attempt(&self, url: &Url, etag: Option<&str>) -> Attempt {
        let mut request = self.client.get(url.clone()).header(ACCEPT, "application/json");
        if let Some(credential) = &self.credential {
            let scheme = match self.scheme {
                Scheme::Bearer => "Bearer",
                Scheme::Token => "token",
            };
            let value = HeaderValue::from_str(&format!("{scheme} {}", credential.expose()));
            if let Ok(mut value) = value {
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
        }
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let transport = |error| Attempt::Failed(HostError::transport(url, error));
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return transport(error),
        };
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        match read_body(&mut response).await {
            Ok(Some(body)) => Attempt::Answered(status, headers, body),
            Ok(None) => Attempt::Failed(HostError::content(url, "the response is too large")),
            Err(error) => transport(error),
        }
    }

    /// Waits before a failed request is repeated; returns `error` if it was repeated often enough.
    async fn pause(&self, failures: u32, error: HostError) -> anyhow::Result<()> {
        if failures >= ATTEMPTS {
            return Err(error.into());
        }
        tokio::time::sleep(self.settings.retry_pause * 2u32.pow(failures - 1)).await;
        Ok(())
    }

    /// Waits until the rate limit allows a request.
    async fn wait_until_allowed(&mut self, url: &Url) -> Result<(), HostError> {
        let Some(time) = self.not_before.take() else { return Ok(()) };
        let wait = time.saturating_duration_since(Instant::now());
        if wait > self.patience {
            let seconds = wait.as_secs().max(1);
            return Err(HostError::RateLimit { place: place(url), seconds });
        }
        self.patience -= wait;
        let seconds = wait.as_secs_f64().ceil();
        if seconds > 0.0 {
            self.note(&format!("{}: rate limit: waiting {seconds} s", host(url)));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Returns the target of a redirect on the same host.
    fn redirected(&self, url: &Url, headers: &HeaderMap, count: usize) -> anyhow::Result<Url> {
        let target = headers.get(LOCATION).and_then(|it| it.to_str().ok());
        let target = target.and_then(|it| url.join(it).ok());
        let cause = match target {
            Some(target) if self.has(&target) && count <= MAX_REDIRECTS => return Ok(target),
            Some(target) if self.has(&target) => "too many redirects",
            _ => {
                "redirects to another address, which is not followed: give the final URL of the host"
            }
        };
        Err(HostError::content(url, cause).into())
    }
}
