//! The span of the request in progress: its identifier, method and redacted path, which the log adds
//! to every line about the request.
//!
//! The span is created for each line, because most requests write none, and a span would be the
//! most expensive part of a token check (`benches/record/2026-11-27/service.md`).

use crate::audit::clean;
use axum::http::HeaderValue;
use axum::http::uri::PathAndQuery;
use std::cell::RefCell;
use tracing::Span;

thread_local! {
    static CURRENT: RefCell<Option<LoggedRequest>> = const { RefCell::new(None) };
}

/// The part of a request that its log lines show.
#[derive(Clone, Debug)]
pub(crate) struct LoggedRequest {
    pub(crate) id: HeaderValue,
    pub(crate) method: &'static str,
    pub(crate) path: Option<PathAndQuery>,
}

impl LoggedRequest {
    fn span(&self) -> Span {
        let id = self.id.to_str().unwrap_or_default();
        let path = clean(self.path.as_ref().map_or("", PathAndQuery::path));
        // At the highest level, so that no filter by level removes the identifier.
        tracing::error_span!("request", id, method = self.method, path)
    }
}

/// Calls a function whose log lines are about a request.
pub(crate) fn scope<T>(request: &mut Option<LoggedRequest>, run: impl FnOnce() -> T) -> T {
    /// Restores the previous request, also if the function panics.
    struct Restore<'a> {
        request: &'a mut Option<LoggedRequest>,
        previous: Option<LoggedRequest>,
    }
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            *self.request = CURRENT.replace(self.previous.take());
        }
    }
    let previous = CURRENT.replace(request.take());
    let _restore = Restore { request, previous };
    run()
}

/// Creates the span of the request in progress on this thread, if any.
pub(crate) fn current() -> Option<Span> {
    CURRENT.with_borrow(|request| request.as_ref().map(LoggedRequest::span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &'static str) -> Option<LoggedRequest> {
        Some(LoggedRequest { id: HeaderValue::from_static(id), method: "GET", path: None })
    }

    fn current_id() -> Option<HeaderValue> {
        CURRENT.with_borrow(|request| request.as_ref().map(|request| request.id.clone()))
    }

    #[test]
    fn a_request_is_current_only_within_its_scope() {
        let (mut outer, mut inner) = (request("outer"), request("inner"));
        scope(&mut outer, || {
            scope(&mut inner, || assert_eq!(current_id().unwrap(), "inner"));
            assert_eq!(current_id().unwrap(), "outer");
        });
        assert_eq!(current_id(), None);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            scope(&mut outer, || std::panic::resume_unwind(Box::new(())))
        }));
        assert!(panicked.is_err() && current_id().is_none());
        assert_eq!(outer.expect("the request").id, "outer");
    }
}
