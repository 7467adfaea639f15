//! Requests to issuers: no redirects, limits on time and size, short repetition.
//!
//! What went wrong is told without the request's headers, since those hold credentials.

use super::endpoint::Endpoint;
use super::pace::{self, Pace, Turn};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::Request;
use ureq::tls::{RootCerts, TlsConfig};

/// How long one request may take.
const WITHIN: Duration = Duration::from_secs(20);
/// After how long nothing is tried again.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How many bytes of an answer are read.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// How often a wait looks whether the user has interrupted it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Tells what went wrong on the way.
fn failure(error: &ureq::Error) -> String {
    let text = error.to_string();
    if text.contains("invalid peer certificate") {
        return "its certificate is not trusted here".to_owned();
    }
    text.strip_prefix("io: ").unwrap_or(&text).to_owned()
}

/// Tells whether the user has interrupted the program.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// Makes one from a question.
    pub fn new(is_stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_stopped))
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

/// A request to an issuer.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// GET, POST or DELETE.
    pub method: &'static str,
    /// The path at the endpoint.
    pub path: &'a str,
    /// The credential that goes into `Authorization`.
    pub bearer: Option<&'a [u8]>,
    /// Further headers.
    pub headers: &'a [(&'static str, &'static str)],
    /// A body of JSON.
    pub body: Option<&'a Value>,
}

/// An issuer's answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body, if it says that it is JSON and is.
    pub json: Option<Value>,
    /// How long the issuer wants to be left alone.
    told: Option<Duration>,
    /// Whether the caller has no requests left.
    exhausted: bool,
}

impl Reply {
    /// Tells what the answer was, in words, for one that was not expected.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.status, &self.json) {
            (300..=399, _) => format!("status {}, a redirect, which is not followed", self.status),
            (429, _) => "too many requests (status 429)".to_owned(),
            (status, None) => format!("status {status} with a body that is not the issuer's"),
            (status, Some(_)) => format!("status {status}"),
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504) || (self.status == 403 && self.exhausted)
    }
}

/// Tells whether a content type is that of JSON; a firewall's page may hold JSON that it quotes.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Makes requests.
#[derive(Debug)]
pub struct Client {
    /// With the proxy that the environment names.
    remote: ureq::Agent,
    /// Without any proxy, for this machine.
    local: ureq::Agent,
    pace: Pace,
    stop: Stop,
}

impl Client {
    /// Makes one.
    #[must_use]
    pub fn new(stop: Stop) -> Self {
        let config = || {
            let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_global(Some(WITHIN))
                .timeout_connect(Some(CONNECT_WITHIN))
                .tls_config(tls)
                .user_agent(concat!("ddpatrol/", env!("CARGO_PKG_VERSION")))
        };
        Self {
            remote: config().build().into(),
            local: config().proxy(None).build().into(),
            pace: Pace::default(),
            stop,
        }
    }

    /// Makes a request, again where the issuer is busy or out of reach.
    ///
    /// # Errors
    /// What went wrong, in words, when nothing more is tried.
    pub fn ask(&self, endpoint: &Endpoint, ask: Ask<'_>) -> Result<Reply, String> {
        let host = endpoint.host();
        let mut attempt = 1;
        let end = Instant::now() + PATIENCE;
        loop {
            self.take_turn(host)?;
            let result = self.once(endpoint, ask);
            let told = match &result {
                Ok(reply) if !reply.is_busy() => return result,
                Ok(reply) => reply.told,
                Err(_) => None,
            };
            attempt += 1;
            // Who hung once will hang again; a wait that was asked for is another matter.
            let hangs = told.is_none() && Instant::now() >= end;
            let Some(wait) = pace::wait(attempt, told).filter(|_| !hangs) else {
                match (&result, told) {
                    (Err(why), _) => self.pace.give_up(host, why),
                    (Ok(reply), Some(_)) => self.pace.give_up(host, &reply.words()),
                    (Ok(_), None) => {}
                }
                return result;
            };
            self.pace.hold(host, wait);
        }
    }

    /// Waits until a request to the host may be made.
    fn take_turn(&self, host: &str) -> Result<(), String> {
        loop {
            match self.pace.turn(host) {
                Turn::Now if (self.stop.0)() => return Err("interrupted".to_owned()),
                Turn::Now => return Ok(()),
                Turn::Never(why) => return Err(why),
                // Somebody else may have been told to wait longer meanwhile.
                Turn::In(time) => {
                    if !self.sleep(time.min(LOOK_EVERY)) {
                        return Err("interrupted".to_owned());
                    }
                }
            }
        }
    }

    /// Gives every issuer another chance that was given up.
    pub fn forget(&self) {
        self.pace.forget();
    }

    fn once(&self, endpoint: &Endpoint, ask: Ask<'_>) -> Result<Reply, String> {
        let mut request = Request::builder().method(ask.method).uri(endpoint.url(ask.path));
        request = request.header("accept", "application/json");
        for &(name, value) in ask.headers {
            request = request.header(name, value);
        }
        if let Some(token) = ask.bearer {
            request = request.header("authorization", [b"Bearer ", token].concat());
        }
        let body = match ask.body {
            Some(json) => {
                request = request.header("content-type", "application/json");
                json.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        let request = request.body(body).map_err(|_| "the request cannot be written".to_owned())?;
        let agent = if endpoint.is_local() { &self.local } else { &self.remote };
        let mut response = agent.run(request).map_err(|error| failure(&error))?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let told = pace::told(header("retry-after"), header("x-ratelimit-reset"));
        let is_json = is_json(header("content-type").unwrap_or_default());
        let exhausted = header("x-ratelimit-remaining") == Some("0");
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let body = body.map_err(|error| failure(&error))?;
        let json = is_json.then(|| serde_json::from_slice(&body).ok()).flatten();
        Ok(Reply { status, json, told, exhausted })
    }

    /// Waits; returns whether nobody interrupted it.
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
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn only_what_says_that_it_is_json_is() {
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
