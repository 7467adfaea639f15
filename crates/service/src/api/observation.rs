//! The outermost layer of every route: identifies a request, measures its duration, and completes
//! its response, also after a panic. Writes nothing to the audit trail.
//!
//! One layer does all of this, because each layer of a route costs several allocations per request
//! (`benches/record/2026-11-27/service.md`).

use crate::redact::holds_token;
use crate::request_log::RequestLog;
use crate::request_span::{self, LoggedRequest};
use crate::service::Service;
use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Instant;
use tower_layer::Layer;
use tower_service::Service as HttpService;

/// The header with a request's identifier.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Maximum length of an identifier from a trusted proxy, in bytes.
const MAX_ID: usize = 64;
/// Headers that prevent browsers from interpreting a response as a page or a script. A response
/// that is a page has its own.
static SECURITY_HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Creates the identifiers of requests.
///
/// An identifier is a keyed hash of a number in sequence. The number itself would reveal how many
/// requests others make, and random bytes would cost a system call.
#[derive(Debug, Default)]
struct RequestIds {
    key: RandomState,
    next: AtomicU64,
}

impl RequestIds {
    fn next(&self) -> HeaderValue {
        let hash = self.key.hash_one(self.next.fetch_add(1, Relaxed));
        let digits: [u8; 16] =
            std::array::from_fn(|at| b"0123456789abcdef"[(hash >> (60 - 4 * at)) as usize & 0xf]);
        HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("0"))
    }
}

/// The responses of a group of routes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Responses {
    /// Completes a response.
    pub(crate) complete: fn(Response) -> Response,
    /// Responds to a request whose handler panicked.
    pub(crate) panicked: fn() -> Response,
}

#[derive(Debug)]
struct Observer {
    service: Arc<Service>,
    responses: Responses,
    ids: RequestIds,
}

/// Handles requests with an identifier, their method and redacted path in each line of the log, see
/// [`request_span`]. A response has the identifier in `X-Request-Id`.
#[derive(Clone, Debug)]
pub(crate) struct Observation(Arc<Observer>);

impl Observation {
    /// Creates the layer of a group of routes.
    pub(crate) fn new(service: Arc<Service>, responses: Responses) -> Self {
        Self(Arc::new(Observer { service, responses, ids: RequestIds::default() }))
    }
}

impl<S> Layer<S> for Observation {
    type Service = ObservedRoute<S>;

    fn layer(&self, inner: S) -> ObservedRoute<S> {
        ObservedRoute { inner, observer: Arc::clone(&self.0) }
    }
}

/// A service with [`Observation`].
#[derive(Clone, Debug)]
pub(crate) struct ObservedRoute<S> {
    inner: S,
    observer: Arc<Observer>,
}

impl<S> HttpService<Request> for ObservedRoute<S>
where
    S: HttpService<Request, Response = Response, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = Response;
    type Error = Infallible;
    type Future = ObservedRequest<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let started = Instant::now();
        let observer = Arc::clone(&self.observer);
        let service = &observer.service;
        let (parts, body) = request.into_parts();
        let logged = LoggedRequest {
            id: observer.identifier(&parts),
            method: method(&parts.method),
            path: parts.uri.path_and_query().cloned(),
        };
        let route = parts.extensions.get::<MatchedPath>().cloned();
        let address =
            (service.request_log == RequestLog::All).then(|| service.caller_address(&parts));
        let handled = self.inner.call(Request::from_parts(parts, body));
        ObservedRequest { handled, started, logged: Some(logged), route, address, observer }
    }
}

/// The future of [`ObservedRoute`].
#[derive(Debug)]
pub(crate) struct ObservedRequest<F> {
    handled: F,
    started: Instant,
    /// `None` while the request is handled, and after its response.
    logged: Option<LoggedRequest>,
    route: Option<MatchedPath>,
    /// The caller, if the request is to be logged.
    address: Option<IpAddr>,
    observer: Arc<Observer>,
}

impl<F> Future for ObservedRequest<F>
where
    F: Future<Output = Result<Response, Infallible>> + Unpin,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { handled, started, logged, route, address, observer } = self.get_mut();
        let polled = request_span::scope(logged, || {
            let poll = AssertUnwindSafe(|| Pin::new(handled).poll(context));
            let response = match catch_unwind(poll) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(response))) => response,
                Err(_) => {
                    tracing::error!("request panicked");
                    (observer.responses.panicked)()
                }
            };
            let response = (observer.responses.complete)(response);
            let elapsed = started.elapsed();
            if let Some(address) = address {
                let status = response.status().as_u16();
                let milliseconds = elapsed.as_secs_f64() * 1_000.0;
                tracing::info!(status, milliseconds, %address, "request");
            }
            Poll::Ready((response, elapsed))
        });
        let Poll::Ready((mut response, elapsed)) = polled else { return Poll::Pending };
        if let Some(LoggedRequest { id, method, .. }) = logged.take() {
            observer.service.metrics.handled(method, route.take(), elapsed);
            add_headers(response.headers_mut(), id);
        }
        Poll::Ready(Ok(response))
    }
}

impl Observer {
    /// Returns the identifier that a trusted proxy gave a request, or a new one.
    fn identifier(&self, parts: &Parts) -> HeaderValue {
        let is_valid = |id: &&HeaderValue| {
            let Ok(id) = id.to_str() else { return false };
            (1..=MAX_ID).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && !holds_token(id)
        };
        match parts.headers.get(&REQUEST_ID).filter(is_valid) {
            Some(id) if self.service.is_from_trusted_proxy(parts) => id.clone(),
            _ => self.ids.next(),
        }
    }
}

/// Returns the name of a method, with one name for all that no route has.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Adds the identifier and the security headers that a response does not have.
fn add_headers(headers: &mut HeaderMap, id: HeaderValue) {
    headers.reserve(SECURITY_HEADERS.len() + 1);
    for (name, value) in &SECURITY_HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    headers.insert(&REQUEST_ID, id);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Networks;
    use crate::rate::Limits;
    use crate::scope::KnownScopes;
    use crate::service::Settings;
    use crate::store::leaks::OnLeak;
    use crate::store::{Missing, Store};
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use axum::routing::get;
    use std::collections::HashSet;
    use std::time::Duration;

    async fn service(url: &str) -> Arc<Service> {
        let settings = Settings {
            scopes: KnownScopes::built_in().expect("the built-in scopes are valid"),
            limits: Limits::none(),
            on_leak: OnLeak::Revoke,
            github_keys_url: String::new(),
            clock_agreement: Duration::from_secs(600),
            trusted_proxies: Networks::default(),
            request_log: RequestLog::Failures,
        };
        let store = Store::open(url, Missing::Create).await.expect("a new database");
        Arc::new(Service::new(store, settings).expect("the built-in format is valid"))
    }

    async fn fail() -> Response {
        std::panic::resume_unwind(Box::new(()))
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_measured_like_a_response() {
        let directory = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", directory.path().join("test.db").display());
        let service = service(&url).await;
        let responses = Responses {
            complete: |mut response| {
                response.headers_mut().insert("x-complete", HeaderValue::from_static("yes"));
                response
            },
            panicked: || StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        let layer = Observation::new(Arc::clone(&service), responses);
        let mut routes = Router::new().route("/fails", get(fail)).layer(layer);
        let request = Request::get("/fails").body(Body::empty()).expect("a request");
        let response = routes.call(request).await.expect("a response");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        for name in ["x-complete", "x-request-id", "x-content-type-options"] {
            assert!(response.headers().contains_key(name), "{name}");
        }
        let metrics = service.metrics.text().expect("metrics");
        let labels = "method=\"GET\",route=\"/fails\"";
        let count = format!("ddpatrold_request_duration_seconds_count{{{labels}}} 1");
        assert!(metrics.contains(&count), "{metrics}");
    }

    #[test]
    fn identifiers_are_distinct_and_not_in_sequence() {
        let ids = RequestIds::default();
        let text = || ids.next().to_str().expect("ASCII").to_owned();
        let texts: Vec<_> = (0..1_000).map(|_| text()).collect();
        assert!(texts.iter().all(|id| id.len() == 16 && u64::from_str_radix(id, 16).is_ok()));
        assert_eq!(texts.iter().collect::<HashSet<_>>().len(), texts.len());
        assert!(!texts.is_sorted(), "{texts:?}");
        assert_ne!(RequestIds::default().next(), texts[0], "each process has its own");
    }
}
