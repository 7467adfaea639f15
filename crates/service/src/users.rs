//! The rules of users: who may see, add and change which.
//!
//! Who may manage other people's tokens (`org_app_keys_write`) may manage people, within their own
//! permissions: nobody gains a permission through another person.

use crate::audit::name;
use crate::caller::Caller;
use crate::permission::Permission::{OrgAppKeysRead, OrgAppKeysWrite, UserAccessRead};
use crate::permission::{Permission, Permissions};
use crate::redact::holds_token;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::sessions::{SignInLink, create_link, is_person};
use crate::store::users::{User, UserChange};
use crate::tokens::fields::is_deceptive;
use crate::{id, time};
use ddpatrol_token::Uuid;

/// Maximum length of an email address or a name, in characters.
pub const MAX_TEXT: usize = 255;

/// A person to add, with fields as they were typed.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// The email address.
    pub email: String,
    /// The name; the email address if empty.
    pub name: String,
    /// The permissions.
    pub permissions: Permissions,
}

/// Checks that the caller may see all users: to name the owners of all tokens, `org_app_keys_read`
/// suffices.
///
/// # Errors
/// [`Refusal::Forbidden`] if the caller may not.
pub fn require_all_users(caller: &Caller) -> Result<(), Refusal> {
    caller.require(&[UserAccessRead, OrgAppKeysRead])
}

/// A problem of a text that describes a user, without the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserTextProblem {
    /// It is not an email address.
    #[error("must be an email address, NAME@HOST")]
    Email,
    /// It is empty or too long, misleads readers, or contains a token.
    #[error("must have 1 to {MAX_TEXT} printable characters and contain no token")]
    Text,
}

/// Checks an email address.
///
/// # Errors
/// The problem.
pub fn check_email(email: &str) -> Result<(), UserTextProblem> {
    let parts = email.split_once('@');
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.contains(|c: char| c.is_whitespace() || "<>(),;:\"[]\\@".contains(c))
    };
    if !parts.is_some_and(|(who, host)| is_part(who) && is_part(host)) {
        return Err(UserTextProblem::Email);
    }
    check_text(email)
}

/// Describes why a user stays an administrator.
pub(crate) fn last_administrator(user: &User) -> String {
    format!(
        "the user {} is the last administrator: grant org_app_keys_write to another enabled user first",
        user.email
    )
}

/// Checks a text that describes a user.
///
/// # Errors
/// The problem.
pub fn check_text(text: &str) -> Result<(), UserTextProblem> {
    let faulty = text.trim().is_empty()
        || text.chars().count() > MAX_TEXT
        || text.chars().any(is_deceptive)
        || holds_token(text);
    if faulty { Err(UserTextProblem::Text) } else { Ok(()) }
}

/// Returns the names of permissions.
fn names(permissions: Permissions) -> Vec<&'static str> {
    permissions.iter().map(Permission::name).collect()
}

/// Checks that the caller has every permission of a set.
fn require_each(caller: &Caller, permissions: Permissions, what: &str) -> Result<(), Refusal> {
    match permissions.iter().find(|&permission| !caller.has(permission)) {
        Some(missing) => {
            Err(Refusal::Forbidden(format!("{what} {missing}, which you do not have")))
        }
        None => Ok(()),
    }
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

    /// Adds a person.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not, a field is invalid, the address is taken, or the database
    /// fails.
    pub async fn add_person(&self, caller: &Caller, person: NewPerson) -> Result<User, Refusal> {
        caller.require(&[OrgAppKeysWrite])?;
        let NewPerson { email, name, permissions } = person;
        check_email(&email).map_err(|problem| Refusal::invalid("email", problem))?;
        let name = if name.trim().is_empty() { email.clone() } else { name };
        check_text(&name).map_err(|problem| Refusal::invalid("name", problem))?;
        require_each(caller, permissions, "the new user would get")?;
        let user = User {
            id: id::random()?,
            email,
            name,
            permissions,
            created_at: time::now(),
            disabled_at: None,
            title: None,
            service_account: false,
            modified_at: None,
        };
        let event = caller
            .actor()
            .event(name::USER_CREATED, None)?
            .about_user(user.id)
            .with("email", user.email.as_str())
            .with("permissions", names(user.permissions));
        if self.store.add_user(&user, &event).await? {
            Ok(user)
        } else {
            Err(Refusal::invalid("email", "a user with this address already exists"))
        }
    }

    /// Returns a user whom the caller may change: one without a permission that the caller lacks.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not, or the database fails.
    pub async fn changeable_user(&self, caller: &Caller, id: &str) -> Result<User, Refusal> {
        caller.require(&[OrgAppKeysWrite])?;
        let id = Uuid::parse(id).ok_or(Refusal::NO_USER)?;
        let user = self.store.user_by_id(id).await?.ok_or(Refusal::NO_USER)?;
        if user.service_account {
            return Err(Refusal::Forbidden("the user is a service account".to_owned()));
        }
        require_each(caller, user.permissions, "the user has")?;
        Ok(user)
    }

    /// Replaces a user's permissions.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not, nobody could manage tokens afterwards, or the database
    /// fails.
    pub async fn set_user_permissions(
        &self,
        caller: &Caller,
        id: &str,
        permissions: Permissions,
    ) -> Result<(), Refusal> {
        let user = self.changeable_user(caller, id).await?;
        require_each(caller, permissions, "the user would get")?;
        if user.permissions == permissions {
            return Ok(());
        }
        let event = caller
            .actor()
            .event(name::USER_UPDATED, None)?
            .about_user(user.id)
            .with("permissions", names(permissions))
            .with("previous_permissions", names(user.permissions));
        let changed = self.store.set_permissions(user.id, permissions, &event).await?;
        self.finish_change(&user, changed)
    }

    /// Disables a user, or enables a disabled one.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not, nobody could manage tokens afterwards, or the database
    /// fails.
    pub async fn set_user_state(
        &self,
        caller: &Caller,
        id: &str,
        state: AccountState,
    ) -> Result<(), Refusal> {
        let user = self.changeable_user(caller, id).await?;
        let name = match state {
            AccountState::Enabled => name::USER_ENABLED,
            AccountState::Disabled => name::USER_DISABLED,
        };
        let event = caller.actor().event(name, None)?.about_user(user.id);
        let changed = match state {
            AccountState::Enabled => self.store.enable_user(user.id, &event).await?,
            AccountState::Disabled => self.store.disable_user(user.id, &event).await?,
        };
        self.finish_change(&user, changed)
    }

    fn finish_change(&self, user: &User, changed: UserChange) -> Result<(), Refusal> {
        self.authenticator.invalidate_all();
        match changed {
            UserChange::Done | UserChange::Already => Ok(()),
            UserChange::LastAdministrator => Err(Refusal::Conflict(last_administrator(user))),
        }
    }

    /// Creates a sign-in link for a user. Only a person may, and not the holder of a token, whose
    /// rights would outlive the token.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not, the user is disabled, or the database fails.
    pub async fn user_link(&self, caller: &Caller, id: &str) -> Result<SignInLink, Refusal> {
        let user = self.changeable_user(caller, id).await?;
        if !is_person(caller) {
            return Err(Refusal::Forbidden(
                "a session that was started with a token cannot create sign-in links".to_owned(),
            ));
        }
        if user.disabled_at.is_some() || user.service_account {
            return Err(Refusal::Conflict("this user cannot sign in".to_owned()));
        }
        Ok(create_link(&self.store, &user, &caller.actor()).await?)
    }
}

/// Whether a user's tokens and sessions are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// They are.
    Enabled,
    /// They are not.
    Disabled,
}
