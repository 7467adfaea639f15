//! Users, as far as clients need them to name the owners of tokens.

use super::error::{ApiError, Errors, TokenErrors, json};
use super::query::{Query, page};
use crate::caller::Caller;
use crate::service::Service;
use crate::sort::Direction;
use crate::store::user_listing::{UserFilter, UserListing, UserOrder, UserPage, UserState};
use crate::store::users::User;
use crate::users;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use ddpatrol_token::Uuid;
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The media type of these responses, as recorded.
const JSON: &str = "application/json";
/// The parameters that narrow a list.
const LISTING: [&str; 4] = ["page[size]", "page[number]", "filter", "filter[status]"];
/// Maximum number of users per page.
const MAX_PAGE: u32 = 1_000;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserResource {
    /// Always `users`.
    #[serde(rename = "type")]
    #[schema(pattern = "^users$")]
    pub kind: &'static str,
    /// The identifier.
    #[schema(format = "uuid")]
    pub id: String,
    /// The attributes.
    pub attributes: UserAttributes,
    /// The relationships.
    pub relationships: UserRelationships,
}

/// The attributes of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserAttributes {
    /// The identifier.
    #[schema(format = "uuid")]
    pub uuid: String,
    /// The name; null if a service account has none.
    #[schema(required)]
    pub name: Option<String>,
    /// The handle: the email address, or the identifier of a service account.
    pub handle: String,
    /// The time of creation.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// The time of the last change.
    #[schema(format = "date-time")]
    pub modified_at: String,
    /// The email address.
    pub email: String,
    /// The URL of an icon; always empty.
    pub icon: &'static str,
    /// The title, if any.
    #[schema(required)]
    pub title: Option<String>,
    /// Always `true`.
    pub verified: bool,
    /// `true` for a service account.
    pub service_account: bool,
    /// `true` if the user is disabled.
    pub disabled: bool,
    /// Always empty.
    pub allowed_login_methods: [&'static str; 0],
    /// `Active` or `Disabled`.
    #[schema(pattern = "^(Active|Disabled)$")]
    pub status: &'static str,
    /// The time of the last login; always null.
    #[schema(required, format = "date-time")]
    pub last_login_time: Option<String>,
}

/// The relationships of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserRelationships {
    /// The roles; always empty, since permissions are granted to users directly.
    pub roles: UserRoles,
    /// The organization.
    pub org: UserOrganization,
}

/// The roles of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserRoles {
    /// Always empty.
    #[schema(value_type = Vec<String>, max_items = 0)]
    pub data: [&'static str; 0],
}

/// The organization of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserOrganization {
    /// The reference to the organization.
    pub data: OrganizationReference,
}

/// A reference to the organization.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganizationReference {
    /// Always `orgs`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The identifier.
    #[schema(format = "uuid")]
    pub id: String,
}

/// A response with one user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserDocument {
    /// The user.
    pub data: UserResource,
}

/// A response with a page of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsersDocument {
    /// The users.
    pub data: Vec<UserResource>,
    /// The size of the list.
    pub meta: UsersMeta,
}

/// The size of a list of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsersMeta {
    /// The size of all pages.
    pub page: UsersPage,
}

/// The size of all pages of a list of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsersPage {
    /// The number of all users.
    pub total_count: i64,
    /// The number of users on all pages.
    pub total_filtered_count: i64,
}

/// Lists users: all of them with `user_access_read` or `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/users", tag = "Users", operation_id = "list_users",
    params(
        ("page[size]" = Option<u32>, Query, description = "Number of users per page", minimum = 1, maximum = 1000),
        ("page[number]" = Option<u32>, Query, description = "Page number, from 0", minimum = 0),
        ("sort" = Option<String>, Query, description = "Sort key", pattern = "^-?(name|email|created_at)$"),
        ("sort_dir" = Option<String>, Query, description = "Direction, if sort has no minus", pattern = "^(asc|desc)$"),
        ("filter" = Option<String>, Query, description = "Part of the name or the email address", max_length = 255),
        ("filter[status]" = Option<String>, Query, description = "Active, Disabled, or both separated by a comma"),
    ),
    responses(
        (status = 200, description = "A page of users", body = UsersDocument, content_type = "application/json"),
        (status = 400, description = "Invalid parameter, or the search takes too long", body = Errors, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn list(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    users::require_all_users(&caller)?;
    let listing = listing(query.as_deref())?;
    let search = service.store.user_page(&listing);
    let UserPage { users, total, filtered } =
        service.search(&service.searches, &caller, search).await?;
    let organization = service.store.organization().await?;
    let document = UsersDocument {
        data: users.into_iter().map(|user| resource(user, organization)).collect(),
        meta: UsersMeta { page: UsersPage { total_count: total, total_filtered_count: filtered } },
    };
    Ok(json(StatusCode::OK, JSON, &document))
}

/// Returns a user: the caller, or any user with `user_access_read` or `org_app_keys_read`.
#[utoipa::path(
    get, path = "/api/v2/users/{user_id}", tag = "Users", operation_id = "get_user",
    params(("user_id" = String, Path, description = "The user's UUID")),
    responses(
        (status = 200, description = "The user", body = UserDocument, content_type = "application/json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        (status = 404, description = "No such user", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn get(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let user = service.visible_user(&caller, &id).await?;
    document(&service, StatusCode::OK, user).await
}

/// Returns the caller's user.
#[utoipa::path(
    get, path = "/api/v2/current_user", tag = "Users", operation_id = "get_current_user",
    responses(
        (status = 200, description = "The user", body = UserDocument, content_type = "application/json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn current(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, ApiError> {
    let user = service.visible_user(&caller, &caller.user().to_string()).await?;
    document(&service, StatusCode::OK, user).await
}

/// Returns the response with one user.
pub(super) async fn document(
    service: &Service,
    status: StatusCode,
    user: User,
) -> Result<Response, ApiError> {
    let organization = service.store.organization().await?;
    Ok(json(status, JSON, &UserDocument { data: resource(user, organization) }))
}

fn resource(user: User, organization: Uuid) -> UserResource {
    let id = user.id.to_string();
    UserResource {
        kind: "users",
        id: id.clone(),
        attributes: UserAttributes {
            uuid: id.clone(),
            name: Some(user.name).filter(|name| !name.is_empty()),
            handle: if user.service_account { id } else { user.email.clone() },
            created_at: offset_time(user.created_at),
            modified_at: offset_time(user.modified_at.unwrap_or(user.created_at)),
            email: user.email,
            icon: "",
            title: user.title,
            verified: true,
            service_account: user.service_account,
            disabled: user.disabled_at.is_some(),
            allowed_login_methods: [],
            status: if user.disabled_at.is_some() { "Disabled" } else { "Active" },
            last_login_time: None,
        },
        relationships: UserRelationships {
            roles: UserRoles { data: [] },
            org: UserOrganization {
                data: OrganizationReference { kind: "orgs", id: organization.to_string() },
            },
        },
    }
}

/// Formats a time of a user as recorded: microseconds and an offset.
fn offset_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string()
}

/// Parses the parameters of a list of users.
fn listing(query: Option<&str>) -> Result<UserListing, ApiError> {
    let query = Query::parse(query, &LISTING)?;
    let mut errors = Vec::new();
    let page = page(&query, MAX_PAGE, &mut errors);
    let (name, mut direction) = match query.get("sort").unwrap_or("name").split_at_checked(1) {
        Some(("-", name)) => (name, Direction::Descending),
        _ => (query.get("sort").unwrap_or("name"), Direction::Ascending),
    };
    let order = match name {
        "" | "name" => UserOrder::Name,
        "email" => UserOrder::Email,
        "created_at" => UserOrder::CreatedAt,
        _ => {
            errors.push(
                "sort: must be one of name, email, created_at, optionally preceded by -".to_owned(),
            );
            UserOrder::Name
        }
    };
    match query.get("sort_dir") {
        None | Some("" | "asc") => {}
        Some("desc") => direction = Direction::Descending,
        Some(_) => errors.push("sort_dir: must be asc or desc".to_owned()),
    }
    let mut states = Vec::new();
    for state in query.get("filter[status]").unwrap_or_default().split(',') {
        match state.trim() {
            "" => {}
            "Active" => states.push(UserState::Active),
            "Disabled" => states.push(UserState::Disabled),
            _ => errors.push("filter[status]: must be Active or Disabled".to_owned()),
        }
    }
    if !errors.is_empty() {
        return Err(ApiError::bad_request(errors));
    }
    let state = states.first().copied().filter(|&first| states.iter().all(|&it| it == first));
    let text = page.text.map(str::to_owned);
    let filter = UserFilter { text, state, kind: None };
    Ok(UserListing { filter, order, direction, size: page.size, offset: page.offset })
}
