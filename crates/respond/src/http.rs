//! HTTP requests to issuers: no redirects, limits on time and size, a few retries.
//!
//! Error messages never contain request headers, which hold credentials.

use super::endpoint::Endpoint;
use super::rate_limit::{self, RateLimiter, Turn};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::{HeaderMap, HeaderValue, Request};
use ureq::tls::{RootCerts, TlsConfig};

/// Time limit of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Time after which a failed request is not retried.
const RETRY_PERIOD: Duration = Duration::from_secs(15);
/// Time limit of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Size limit of a response body, in bytes.
const MAX_BODY: u64 = 4 * 1024 * 1024;
/// Interval at which a wait checks for an interruption by the user.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A request was not sent, or got no response.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The user has interrupted the program.
    #[error("interrupted")]
    Interrupted,
    /// An earlier request to the host failed, and further ones would fail for the same reason.
    #[error("{0}")]
    GivenUp(String),
    /// The credential contains a character that is not allowed in a header.
    #[error("the credential is no valid header")]
    Credential,
    /// The path or a header is invalid.
    #[error("invalid request")]
    Invalid(#[source] ureq::http::Error),
    /// The certificate of the host is not trusted.
    #[error("untrusted TLS certificate")]
    Certificate(#[source] ureq::Error),
    /// The host is unreachable, too slow, or sent no valid response.
    #[error("{}", without_kind(.0))]
    Transport(#[source] ureq::Error),
}

impl From<ureq::Error> for RequestError {
    fn from(error: ureq::Error) -> Self {
        let is_untrusted = error.to_string().contains("invalid peer certificate");
        if is_untrusted { Self::Certificate(error) } else { Self::Transport(error) }
    }
}

/// Describes a transport error without its kind, which means nothing to users.
fn without_kind(error: &ureq::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("io: ").unwrap_or(&text).to_owned()
}

/// Reports whether the user has interrupted the program.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// Wraps a function that returns `true` after an interruption.
    pub fn new(is_stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_stopped))
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

/// The credential of a request.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// None.
    None,
    /// `Authorization: Bearer`.
    Bearer(&'a [u8]),
    /// `Authorization: Basic`.
    Basic {
        /// The user name; without a colon.
        user: &'a str,
        /// The password or token.
        password: &'a [u8],
    },
    /// A header that only this issuer uses.
    Header {
        /// The name of the header, in lower case.
        name: &'static str,
        /// The token.
        value: &'a [u8],
    },
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer(***)",
            Self::Basic { .. } => "Basic(***)",
            Self::Header { .. } => "Header(***)",
        })
    }
}

impl Credential<'_> {
    /// Returns the name and the value of its header; `None` if there is none, or a character is not allowed
    /// in a header.
    fn header(self) -> Option<(&'static str, HeaderValue)> {
        let (name, value) = match self {
            Self::None => return None,
            Self::Bearer(token) => ("authorization", [b"Bearer ", token].concat()),
            Self::Basic { user, password } => {
                let pair = [user.as_bytes(), b":", password].concat();
                ("authorization", format!("Basic {}", BASE64.encode(pair)).into_bytes())
            }
            Self::Header { name, value } => (name, value.to_vec()),
        };
        let mut value = HeaderValue::from_bytes(&value).ok()?;
        // Debug output, such as that of a transport's log, then does not contain the value.
        value.set_sensitive(true);
        Some((name, value))
    }
}

/// A request to an issuer.
#[derive(Clone, Copy, Debug)]
pub struct ApiRequest<'a> {
    /// GET, POST or DELETE.
    pub method: &'static str,
    /// The path at the endpoint.
    pub path: &'a str,
    /// The credential.
    pub credential: Credential<'a>,
    /// Additional headers.
    pub headers: &'a [(&'static str, &'a str)],
    /// JSON body.
    pub body: Option<&'a Value>,
}

impl<'a> ApiRequest<'a> {
    /// Creates a request without further headers and body.
    #[must_use]
    pub const fn new(method: &'static str, path: &'a str, credential: Credential<'a>) -> Self {
        Self { method, path, credential, headers: &[], body: None }
    }
}

/// An issuer's response.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    /// The status.
    pub status: u16,
    /// The body, if its content type is JSON and it parses.
    pub json: Option<Value>,
    /// The headers.
    headers: HeaderMap,
    /// Delay that the issuer requests before the next request.
    requested_delay: Option<Duration>,
    /// Whether the rate limit has no requests left.
    exhausted: bool,
}

impl ApiResponse {
    /// Returns a header if it is text. A header that occurs twice counts as absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(first)
    }

    /// Returns all values of a header as text.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    /// Returns the text at a JSON pointer in the body.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.value(pointer).and_then(Value::as_str)
    }

    /// Returns the value at a JSON pointer in the body.
    #[must_use]
    pub fn value(&self, pointer: &str) -> Option<&Value> {
        self.json.as_ref()?.pointer(pointer)
    }

    /// Describes an unexpected response.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.status, &self.json) {
            (300..=399, _) => format!("status {}, a redirect that is not followed", self.status),
            (429, _) => "too many requests (status 429)".to_owned(),
            (status, None) => format!("status {status} without a JSON body"),
            (status, Some(_)) => format!("status {status}"),
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504) || (self.status == 403 && self.exhausted)
    }
}

/// Returns `true` if a content type is JSON. Pages of a firewall may quote JSON, so the body alone does not
/// decide.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Sends requests.
#[derive(Debug)]
pub struct Client {
    /// Uses the proxy that the environment configures.
    remote: ureq::Agent,
    /// Uses no proxy; for this machine.
    local: ureq::Agent,
    limiter: RateLimiter,
    stop: Stop,
}

impl Client {
    /// Creates a client.
    #[must_use]
    pub fn new(stop: Stop) -> Self {
        let config = || {
            let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_global(Some(REQUEST_TIMEOUT))
                .timeout_connect(Some(CONNECT_TIMEOUT))
                .tls_config(tls)
                .user_agent(concat!("ddpatrol/", env!("CARGO_PKG_VERSION")))
        };
        Self {
            remote: config().build().into(),
            local: config().proxy(None).build().into(),
            limiter: RateLimiter::default(),
            stop,
        }
    }

    /// Sends a request; retries if the issuer is busy or unreachable.
    ///
    /// # Errors
    /// Returns the last failure.
    pub fn send(
        &self,
        endpoint: &Endpoint,
        request: ApiRequest<'_>,
    ) -> Result<ApiResponse, RequestError> {
        let host = endpoint.host();
        let mut attempt = 1;
        let end = Instant::now() + RETRY_PERIOD;
        loop {
            self.wait_for_turn(host)?;
            let result = self.send_once(endpoint, request);
            let requested = match &result {
                Ok(reply) if !reply.is_busy() => return result,
                Ok(reply) => reply.requested_delay,
                Err(_) => None,
            };
            attempt += 1;
            // A host that hung once will hang again, unless it requested the delay.
            let hangs = requested.is_none() && Instant::now() >= end;
            let Some(delay) = rate_limit::retry_delay(attempt, requested).filter(|_| !hangs) else {
                match (&result, requested) {
                    (Err(why), _) => self.limiter.give_up(host, &why.to_string()),
                    (Ok(reply), Some(_)) => self.limiter.give_up(host, &reply.words()),
                    (Ok(_), None) => {}
                }
                return result;
            };
            self.limiter.delay(host, delay);
        }
    }

    /// Waits until a request to the host may be sent.
    fn wait_for_turn(&self, host: &str) -> Result<(), RequestError> {
        loop {
            match self.limiter.turn(host) {
                Turn::Now if (self.stop.0)() => return Err(RequestError::Interrupted),
                Turn::Now => return Ok(()),
                Turn::Never(why) => return Err(RequestError::GivenUp(why)),
                // Another thread may have extended the delay in the meantime.
                Turn::In(time) => {
                    if !self.sleep(time.min(POLL_INTERVAL)) {
                        return Err(RequestError::Interrupted);
                    }
                }
            }
        }
    }

    /// Allows requests to issuers that were given up.
    pub fn reset(&self) {
        self.limiter.reset();
    }

    fn send_once(
        &self,
        endpoint: &Endpoint,
        request: ApiRequest<'_>,
    ) -> Result<ApiResponse, RequestError> {
        let ApiRequest { method, path, credential, headers, body } = request;
        let mut request = Request::builder().method(method).uri(endpoint.url(path));
        request = request.header("accept", "application/json");
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        if !matches!(credential, Credential::None) {
            let (name, value) = credential.header().ok_or(RequestError::Credential)?;
            request = request.header(name, value);
        }
        let body = match body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                json.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        let request = request.body(body).map_err(RequestError::Invalid)?;
        let agent = if endpoint.is_local() { &self.local } else { &self.remote };
        let mut response = agent.run(request)?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let requested_delay =
            rate_limit::requested_delay(header("retry-after"), header("x-ratelimit-reset"));
        let is_json = is_json(header("content-type").unwrap_or_default());
        let exhausted = header("x-ratelimit-remaining") == Some("0");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.body_mut().with_config().limit(MAX_BODY).read_to_vec()?;
        let json = is_json.then(|| serde_json::from_slice(&body).ok()).flatten();
        Ok(ApiResponse { status, json, headers, requested_delay, exhausted })
    }

    /// Waits; returns `true` unless the user interrupted it.
    #[must_use]
    pub fn sleep(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            if (self.stop.0)() {
                return false;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(POLL_INTERVAL));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Credential, is_json};

    #[test]
    fn credentials_are_headers_that_debug_output_does_not_show() {
        let basic = Credential::Basic { user: "Aladdin", password: b"open sesame" };
        for (credential, name, value) in [
            (Credential::Bearer(b"abc"), "authorization", "Bearer abc"),
            // The example of RFC 7617.
            (basic, "authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            (Credential::Header { name: "private-token", value: b"abc" }, "private-token", "abc"),
        ] {
            let (found, header) = credential.header().expect("a header");
            assert_eq!((found, header.as_bytes()), (name, value.as_bytes()));
            assert!(header.is_sensitive());
            let shown = format!("{credential:?} {header:?}");
            assert!(!shown.contains("abc") && !shown.contains("sesame"), "{shown}");
        }
        assert!(Credential::Bearer(b"a\nb").header().is_none());
        assert!(Credential::None.header().is_none());
    }

    #[test]
    fn only_json_content_types_are_json() {
        for kind in
            ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"]
        {
            assert!(is_json(kind), "{kind}");
        }
        for kind in ["", "text/html", "application/jsonx", "text/json+html"] {
            assert!(!is_json(kind), "{kind}");
        }
    }
}
