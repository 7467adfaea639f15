//! Searches by requests of the API, limited by [`crate::store::search`].

use super::error::ApiError;
use crate::caller::Caller;
use crate::service::Service;
use crate::store::StoreError;
use crate::store::search::{Searcher, Searches};
use axum::http::StatusCode;

/// Runs a caller's search in one of `slots`.
///
/// # Errors
/// [`ApiError`] 429 if too many searches run or wait, 400 if the search takes too long, 503 if the
/// database fails.
pub(super) async fn bounded<T>(
    service: &Service,
    slots: &Searches,
    caller: &Caller,
    search: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, ApiError> {
    let searcher = Searcher { user: caller.token.user.id, token: caller.token.id };
    let _admission = slots.admit(searcher).await.map_err(|busy| {
        service.metrics.searched("refused");
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, busy.to_string())
    })?;
    match search.await {
        Ok(found) => {
            service.metrics.searched("completed");
            Ok(found)
        }
        Err(error @ StoreError::SearchTime(_)) => {
            service.metrics.searched("timed_out");
            Err(ApiError::bad_request(vec![error.to_string()]))
        }
        Err(error) => Err(error.into()),
    }
}
