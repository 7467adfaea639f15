//! The rules of service accounts: users without a person behind them, whose tokens may live without
//! an end. They are created, changed and disabled with `service_account_write`; people only on the
//! command line.

use crate::audit::{Event, name};
use crate::caller::Caller;
use crate::permission::Permission::ServiceAccountWrite;
use crate::permission::Permissions;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::store::service_accounts::{AccountChange, AccountOutcome};
use crate::store::users::User;
use crate::{id, time};
use ddpatrol_token::Uuid;

/// Maximum number of attempts to change an account while other requests change it.
const ATTEMPTS: usize = 16;

/// A service account to create, with valid fields.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The email address, which is unique.
    pub email: String,
    /// The name, if any.
    pub name: Option<String>,
    /// The title, if any.
    pub title: Option<String>,
}

/// Changes of a service account, with valid fields; absent ones are kept.
#[derive(Clone, Debug, Default)]
pub struct AccountUpdate {
    /// The new email address.
    pub email: Option<String>,
    /// The new name.
    pub name: Option<String>,
    /// The new state.
    pub disabled: Option<bool>,
}

impl Service {
    /// Creates a service account without permissions.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not, the email address is already used, or the database fails.
    pub async fn create_account(
        &self,
        caller: &Caller,
        account: NewAccount,
    ) -> Result<User, Refusal> {
        caller.require(&[ServiceAccountWrite])?;
        let user = User {
            id: id::random()?,
            email: folded(&account.email),
            name: account.name.unwrap_or_default(),
            permissions: Permissions::NONE,
            created_at: time::whole_micros(time::now()),
            disabled_at: None,
            title: account.title,
            service_account: true,
            modified_at: None,
        };
        let event = caller
            .actor()
            .event(name::USER_CREATED, None)?
            .about_user(user.id)
            .with_status(201)
            .with("email", user.email.as_str())
            .with("service_account", true);
        let authority = caller.authority();
        match self.store.add_account(&user, authority, &event).await? {
            AccountOutcome::Done => Ok(user),
            AccountOutcome::Taken => Err(taken(&user.email)),
            AccountOutcome::Unauthorized => Err(Refusal::Unauthorized),
            AccountOutcome::Outdated => Err(Refusal::Contended("service account")),
        }
    }

    /// Changes a service account. Returns the changed account.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not, the user does not exist or is a person, the email address
    /// is already used, or the database fails.
    pub async fn update_account(
        &self,
        caller: &Caller,
        id: &str,
        update: &AccountUpdate,
    ) -> Result<User, Refusal> {
        for _ in 0..ATTEMPTS {
            let account = self.changeable_account(caller, id).await?;
            let change = AccountChange {
                previous: &account,
                email: update.email.as_deref().map_or_else(|| account.email.clone(), folded),
                name: update.name.clone().unwrap_or_else(|| account.name.clone()),
                disabled: update.disabled.unwrap_or(account.disabled_at.is_some()),
            };
            let events = events(caller, &change)?;
            if events.is_empty() {
                return Ok(account);
            }
            let authority = caller.authority();
            let changed = self.store.change_account(&change, authority, &events).await;
            self.authenticator.invalidate_all();
            match changed? {
                AccountOutcome::Done => {
                    return self.store.user_by_id(account.id).await?.ok_or(Refusal::NO_USER);
                }
                AccountOutcome::Taken => return Err(taken(&change.email)),
                AccountOutcome::Unauthorized => return Err(Refusal::Unauthorized),
                AccountOutcome::Outdated => {}
            }
        }
        Err(Refusal::Contended("service account"))
    }

    /// Returns a service account.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is none, or [`Refusal::Store`] if the database fails.
    pub async fn service_account(&self, id: &str) -> Result<User, Refusal> {
        const MISSING: Refusal = Refusal::NotFound("service account");
        let id = Uuid::parse(id).ok_or(MISSING)?;
        let user = self.store.user_by_id(id).await?;
        user.filter(|user| user.service_account).ok_or(MISSING)
    }

    /// Returns a user that the caller may change: a service account.
    ///
    /// # Errors
    /// [`Refusal`] if the caller may not, the user does not exist or is a person, or the database
    /// fails.
    pub async fn changeable_account(&self, caller: &Caller, id: &str) -> Result<User, Refusal> {
        caller.require(&[ServiceAccountWrite])?;
        let user = match Uuid::parse(id) {
            Some(id) => self.store.user_by_id(id).await?,
            None => None,
        };
        let user = user.ok_or(Refusal::NO_USER)?;
        if !user.service_account {
            return Err(Refusal::Forbidden(
                "the user is a person; people are changed with `ddpatrold admin user`".to_owned(),
            ));
        }
        Ok(user)
    }
}

/// Returns an email address as Datadog stores it.
fn folded(email: &str) -> String {
    email.to_lowercase()
}

fn taken(email: &str) -> Refusal {
    Refusal::Conflict(format!("a user with the email address {email:?} already exists"))
}

/// Returns the events of a change; none if nothing changes.
fn events(caller: &Caller, change: &AccountChange<'_>) -> Result<Vec<Event>, Refusal> {
    let previous = change.previous;
    let actor = caller.actor();
    let event = |name| -> Result<Event, Refusal> {
        Ok(actor.event(name, None)?.about_user(previous.id).with_status(200))
    };
    let mut events = Vec::new();
    if change.email != previous.email || change.name != previous.name {
        let updated = event(name::USER_UPDATED)?
            .with("email", change.email.as_str())
            .with("previous_email", previous.email.as_str())
            .with("name", change.name.as_str())
            .with("previous_name", previous.name.as_str());
        events.push(updated);
    }
    if change.disabled != previous.disabled_at.is_some() {
        let name = if change.disabled { name::USER_DISABLED } else { name::USER_ENABLED };
        events.push(event(name)?);
    }
    Ok(events)
}
