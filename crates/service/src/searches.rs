//! Searches of callers, limited in number by [`crate::store::search`].

use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::StoreError;
use crate::store::search::{Searcher, Searches};

impl Service {
    /// Runs a caller's search in one of `slots`.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if too many searches run or wait, [`Refusal::Store`] if the search takes
    /// too long or the database fails.
    pub(crate) async fn search<T>(
        &self,
        slots: &Searches,
        caller: &Caller,
        search: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Refusal> {
        let searcher = Searcher { user: caller.user(), token: caller.credential_id() };
        let _admission = slots.admit(searcher).await.map_err(|busy| {
            self.metrics.searched("refused");
            Refusal::Busy(busy)
        })?;
        let found = search.await;
        match &found {
            Ok(_) => self.metrics.searched("completed"),
            Err(StoreError::SearchTime(_)) => self.metrics.searched("timed_out"),
            Err(_) => {}
        }
        Ok(found?)
    }
}
