//! Searches of the API, bounded as [`crate::store::search`] says.

use super::error::ApiError;
use super::guard::Caller;
use crate::service::Service;
use crate::store::StoreError;
use axum::http::StatusCode;

/// Runs a caller's search when there is room for it.
///
/// # Errors
/// [`ApiError`] 429 if there is none, 400 if the search takes too long, 503 if the database fails.
pub(super) async fn bounded<T>(
    service: &Service,
    caller: &Caller,
    search: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, ApiError> {
    let _admission = service.searches.admit(caller.entry.user.id).await.map_err(|busy| {
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
            Err(ApiError::bad(vec![error.to_string()]))
        }
        Err(error) => Err(error.into()),
    }
}
