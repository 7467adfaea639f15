//! The rules of users: who may see which, and the texts that describe them. People are added and
//! changed on the command line, service accounts also through the API.

use crate::caller::Caller;
use crate::permission::Permission::{OrgAppKeysRead, UserAccessRead};
use crate::redact::holds_token;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::users::User;
use crate::tokens::fields::is_deceptive;
use ddpatrol_token::Uuid;

/// Maximum length of an email address or a name, in characters.
pub const MAX_TEXT: usize = 255;

/// Checks an email address.
///
/// # Errors
/// The problem.
pub fn check_email(email: &str) -> Result<(), String> {
    let parts = email.split_once('@');
    if !parts.is_some_and(|(who, host)| !who.is_empty() && !host.is_empty()) {
        return Err("must be an email address, NAME@HOST".to_owned());
    }
    check_text(email)
}

/// Checks a text that describes a user.
///
/// # Errors
/// The problem.
pub fn check_text(text: &str) -> Result<(), String> {
    let faulty = text.trim().is_empty()
        || text.chars().count() > MAX_TEXT
        || text.chars().any(is_deceptive)
        || holds_token(text);
    if faulty {
        Err(format!("must have 1 to {MAX_TEXT} printable characters and contain no token"))
    } else {
        Ok(())
    }
}

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
