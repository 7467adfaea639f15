//! Users on the command line.

use crate::store::Store;
use crate::store::users::User;
use anyhow::Context as _;

pub(super) async fn find(store: &Store, email_or_id: &str) -> anyhow::Result<User> {
    store
        .user(email_or_id)
        .await?
        .with_context(|| format!("no user with the email address or UUID {email_or_id:?}"))
}
