//! The rules of users: who may see which. Users are added and changed on the command line.

use crate::caller::Caller;
use crate::permission::Permission::{OrgAppKeysRead, UserAccessRead};
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::users::User;
use ddpatrol_token::Uuid;

/// Checks that the caller may see all users: to name the owners of all tokens, `org_app_keys_read`
/// suffices.
///
/// # Errors
/// [`Refusal::Forbidden`] if the caller may not.
pub fn require_all_users(caller: &Caller) -> Result<(), Refusal> {
    caller.require(&[UserAccessRead, OrgAppKeysRead])
}

impl Service {
    /// Returns a user that the caller may see: the caller, or any user; see [`require_all_users`].
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not see the user, or the database fails.
    pub async fn visible_user(&self, caller: &Caller, id: &str) -> Result<User, Refusal> {
        let id = Uuid::parse(id);
        if id != Some(caller.user()) {
            require_all_users(caller)?;
        }
        let id = id.ok_or(Refusal::NO_USER)?;
        self.store.user_by_id(id).await?.ok_or(Refusal::NO_USER)
    }
}
