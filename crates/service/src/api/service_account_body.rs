//! Bodies of the service account API, validated like those of the token API.

use super::body::value;
use super::error::ApiError;
use super::validator::Validator;
use crate::expiry::Expiry;
use crate::scope::KnownScopes;
use crate::service_accounts::{AccountUpdate, NewAccount};
use crate::token_kind::TokenKind;
use crate::tokens::{AccountTokenCreation, TokenUpdate};
use crate::users::{check_email, check_text};
use ddpatrol_token::Uuid;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The type of a user.
const USERS: &str = "users";
/// The type of a token.
const TOKENS: &str = TokenKind::ServiceAccount.resource();

/// The body of a request that creates a service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountBody {
    /// The new service account.
    pub data: AccountData,
}

/// The new service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountData {
    /// Always `users`.
    #[serde(rename = "type")]
    #[schema(pattern = "^users$")]
    pub kind: String,
    /// The attributes of the new service account.
    pub attributes: AccountAttributes,
    /// The roles.
    #[schema(nullable = false)]
    pub relationships: Option<AccountRelationships>,
}

/// The relationships of a new service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRelationships {
    /// The roles; the service has none.
    #[schema(nullable = false)]
    pub roles: Option<AccountRoles>,
}

/// The roles of a new service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRoles {
    /// Always empty, since permissions are granted directly, on the command line.
    #[schema(max_items = 0)]
    pub data: Vec<String>,
}

/// The attributes of a new service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountAttributes {
    /// The email address, which is unique and stored in lower case.
    #[schema(format = "email", max_length = 255)]
    pub email: String,
    /// Always `true`.
    pub service_account: bool,
    /// The name.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub name: Option<String>,
    /// The title.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub title: Option<String>,
}

/// The body of a request that changes a service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdateBody {
    /// The service account and its changes.
    pub data: UserUpdateData,
}

/// A service account and its changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdateData {
    /// The identifier of the user, the same as in the path.
    #[schema(format = "uuid")]
    pub id: String,
    /// Always `users`.
    #[serde(rename = "type")]
    #[schema(pattern = "^users$")]
    pub kind: String,
    /// The changed attributes.
    pub attributes: UserUpdateAttributes,
}

/// The changed attributes of a service account; absent ones are kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdateAttributes {
    /// The new email address.
    #[schema(format = "email", max_length = 255, nullable = false)]
    pub email: Option<String>,
    /// The new name.
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    pub name: Option<String>,
    /// `true` to disable the account, `false` to enable it.
    #[schema(nullable = false)]
    pub disabled: Option<bool>,
}

/// The body of a request that creates a token of a service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountTokenBody {
    /// The new token.
    pub data: AccountTokenData,
}

/// The new token of a service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountTokenData {
    /// Always `service_access_tokens`.
    #[serde(rename = "type")]
    #[schema(pattern = "^service_access_tokens$")]
    pub kind: String,
    /// The attributes of the new token.
    pub attributes: AccountTokenAttributes,
}

/// The attributes of a new token of a service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountTokenAttributes {
    /// The name.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Known scopes, which the caller's own token must have too.
    #[schema(min_items = 1, max_items = 1000)]
    pub scopes: Vec<String>,
    /// The time of expiry: between 24 hours and one year from now; the token does not expire if it
    /// is absent or null.
    #[schema(format = "date-time")]
    pub expires_at: Option<String>,
}

/// The body of a request that updates a token of a service account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountTokenUpdateBody {
    /// The token and its changes.
    pub data: AccountTokenUpdateData,
}

/// A token of a service account and its changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountTokenUpdateData {
    /// The identifier of the token, the same as in the path.
    #[schema(format = "uuid")]
    pub id: String,
    /// Always `service_access_tokens`.
    #[serde(rename = "type")]
    #[schema(pattern = "^service_access_tokens$")]
    pub kind: String,
    /// The changed attributes.
    pub attributes: super::body::UpdateAttributes,
}

impl Validator {
    /// Returns a text attribute of a user if it is given.
    fn user_text(&mut self, attributes: &Map<String, Value>, name: &str) -> Option<String> {
        let text = attributes.get(name)?.as_str().unwrap_or_default();
        self.check(&format!("data.attributes.{name}"), check_text(text));
        Some(text.to_owned())
    }

    fn email(&mut self, attributes: &Map<String, Value>) -> String {
        let email = attributes.get("email").and_then(Value::as_str).unwrap_or_default();
        self.check("data.attributes.email", check_email(email));
        email.to_owned()
    }

    /// Checks that no roles are given.
    fn no_roles(&mut self, data: &Map<String, Value>) -> Option<()> {
        let field = "data.relationships";
        let relationships = self.object(Some(data.get("relationships")?), field, &["roles"])?;
        let field = "data.relationships.roles";
        let roles = self.object(Some(relationships.get("roles")?), field, &["data"])?;
        if roles.get("data").and_then(Value::as_array).is_none_or(|roles| !roles.is_empty()) {
            let problem =
                "must be an empty list; grant permissions with `ddpatrold admin user grant`";
            self.add("data.relationships.roles.data", problem);
        }
        Some(())
    }
}

/// Parses the body of a request that creates a service account.
///
/// # Errors
/// [`ApiError`] 400 with every error.
pub fn account(body: &[u8]) -> Result<NewAccount, ApiError> {
    let body = value(body)?;
    let mut validator = Validator::default();
    let account = new_account(&mut validator, &body);
    validator.finish(account)
}

fn new_account(validator: &mut Validator, body: &Value) -> Option<NewAccount> {
    let data = validator.data(body, USERS, &["type", "attributes", "relationships"])?;
    validator.no_roles(data);
    let known = ["email", "service_account", "name", "title"];
    let attributes = validator.attributes(data, &known)?;
    if attributes.get("service_account") != Some(&Value::Bool(true)) {
        validator.add("data.attributes.service_account", "must be true");
    }
    Some(NewAccount {
        email: validator.email(attributes),
        name: validator.user_text(attributes, "name"),
        title: validator.user_text(attributes, "title"),
    })
}

/// Parses the body of a request that changes a service account.
///
/// # Errors
/// [`ApiError`] 400 with every error.
pub fn user_update(body: &[u8], user: Uuid) -> Result<AccountUpdate, ApiError> {
    let body = value(body)?;
    let mut validator = Validator::default();
    validator.path_id(&body, user);
    let update = account_update(&mut validator, &body);
    validator.finish(update)
}

fn account_update(validator: &mut Validator, body: &Value) -> Option<AccountUpdate> {
    let data = validator.data(body, USERS, &["id", "type", "attributes"])?;
    let attributes = validator.attributes(data, &["email", "name", "disabled"])?;
    let disabled = attributes.get("disabled");
    if disabled.is_some_and(|disabled| !disabled.is_boolean()) {
        validator.add("data.attributes.disabled", "must be true or false");
    }
    Some(AccountUpdate {
        email: attributes.contains_key("email").then(|| validator.email(attributes)),
        name: validator.user_text(attributes, "name"),
        disabled: disabled.and_then(Value::as_bool),
    })
}

/// Parses the body of a request that creates a token of a service account.
///
/// # Errors
/// [`ApiError`] 400 with every error.
pub fn token(body: &[u8], scopes: &KnownScopes) -> Result<AccountTokenCreation, ApiError> {
    let body = value(body)?;
    let mut validator = Validator::default();
    let creation = creation(&mut validator, &body, scopes);
    validator.finish(creation)
}

fn creation(
    validator: &mut Validator,
    body: &Value,
    scopes: &KnownScopes,
) -> Option<AccountTokenCreation> {
    let data = validator.data(body, TOKENS, &["type", "attributes"])?;
    let attributes = validator.attributes(data, &["name", "scopes", "expires_at"])?;
    let expires = attributes.get("expires_at").is_some_and(|time| !time.is_null());
    Some(AccountTokenCreation {
        name: validator.name(attributes),
        scopes: validator.scopes(attributes, scopes),
        expires_at: Expiry::from(expires.then(|| validator.expiry(attributes))),
    })
}

/// Parses the body of a request that updates `token` of a service account.
///
/// # Errors
/// [`ApiError`] 400 with every error.
pub fn token_update(
    body: &[u8],
    token: Uuid,
    scopes: &KnownScopes,
) -> Result<TokenUpdate, ApiError> {
    super::body::token_update(body, token, &super::body::UpdateContext { kind: TOKENS, scopes })
}
