//! The endpoint of the audit trail, in Datadog's public format.

use super::error::{ApiError, Errors, JSON_API, TokenErrors, json};
use super::query::Query;
use super::searches;
use crate::audit::{Event, Filter, FilterError, Page, name};
use crate::caller::Caller;
use crate::permission::Permission;
use crate::service::Service;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;

const PARAMETERS: [&str; 5] =
    ["filter[query]", "filter[from]", "filter[to]", "page[limit]", "page[cursor]"];

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsDocument {
    /// The events.
    pub data: Vec<EventResource>,
    /// The end of the page.
    pub meta: EventsMeta,
}

/// The metadata of a page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsMeta {
    /// The end of the page.
    pub page: EventsPage,
}

/// The end of a page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsPage {
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub after: Option<String>,
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventResource {
    /// The event's own identifier.
    pub id: String,
    /// Always `audit`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The attributes of the event.
    pub attributes: EventAttributes,
}

/// The attributes of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventAttributes {
    /// The time of the event.
    #[schema(format = "date-time")]
    pub timestamp: String,
    /// A description in one sentence.
    pub message: String,
    /// Tags to search for.
    pub tags: Vec<String>,
    /// The actor, the action and the tokens involved: `evt`, `usr`, `http`, `network`, `action`,
    /// `asset`, `auth_method`, `metadata`.
    #[schema(value_type = Object)]
    pub attributes: Value,
}

/// Searches the audit trail.
#[utoipa::path(
    get, path = "/api/v2/audit/events", tag = "Audit",
    params(
        ("filter[query]" = Option<String>, Query, description = "@evt.name, @auth_method, @action, @asset.id, @usr.id, @usr.email, each followed by :VALUE; all must match"),
        ("filter[from]" = Option<String>, Query, description = "Start of the time range (inclusive), RFC 3339", format = "date-time"),
        ("filter[to]" = Option<String>, Query, description = "End of the time range (exclusive), RFC 3339", format = "date-time"),
        ("page[limit]" = Option<u32>, Query, description = "Number of events per page", minimum = 1, maximum = 1000),
        ("page[cursor]" = Option<String>, Query, description = "meta.page.after of the previous page"),
        ("sort" = Option<String>, Query, description = "Sort by time, ascending or descending", pattern = "^-?timestamp$"),
    ),
    responses(
        (status = 200, description = "A page of events", body = EventsDocument, content_type = "application/vnd.api+json"),
        (status = 400, description = "Invalid parameter, or the search takes too long", body = Errors, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn events(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    caller.require(&[Permission::AuditLogsRead])?;
    let query = Query::parse(query.as_deref(), &PARAMETERS)?;
    let mut filter = Filter::parse(query.get("filter[query]").unwrap_or_default())?;
    filter.from = moment(&query, "filter[from]")?;
    filter.to = moment(&query, "filter[to]")?;
    let mut page =
        Page::parse(query.get("page[limit]"), query.get("page[cursor]"), query.get("sort"))?;
    // One more than requested, to detect whether there is a next page.
    let asked = page.limit as usize;
    page.limit += 1;
    let search = service.store.events(&filter, &page);
    let mut events = searches::bounded(&service, &service.searches, &caller, search).await?;
    let more = events.len() > asked;
    events.truncate(asked);
    let after = events.last().filter(|_| more).map(|last| last.cursor().encode());
    let data = events.into_iter().map(|stored| resource(stored.event)).collect();
    let document = EventsDocument { data, meta: EventsMeta { page: EventsPage { after } } };
    Ok(json(StatusCode::OK, JSON_API, &document))
}

fn moment(query: &Query, field: &'static str) -> Result<Option<Timestamp>, ApiError> {
    let problem = || FilterError { field, problem: "must be a time in RFC 3339".to_owned() };
    query.get(field).map(|text| text.parse().map_err(|_| problem().into())).transpose()
}

fn resource(event: Event) -> EventResource {
    let asset = event.asset.map(|id| id.to_string());
    let user = event.user.map(|user| (user.id.to_string(), user.email.to_string()));
    let who = user.as_ref().map(|(_, email)| email.as_str());
    let message = match &asset {
        Some(asset) => message(&event.name, who, asset),
        None => "Further personal access tokens were refused".to_owned(),
    };
    let mut attributes = json!({
        "evt": {"name": event.name, "actor": {"type": event.actor}},
        "action": event.action,
        "asset": {"type": event.asset_type, "id": asset},
        "auth_method": event.auth_method,
        "metadata": event.metadata.unwrap_or_else(|| json!({})),
    });
    if let (Some(id), "personal_access_tokens") = (event.asset, event.asset_type.as_ref()) {
        attributes["metadata"]["public_portion"] = crate::id::alias(id).into();
    }
    if let Some((id, email)) = user {
        attributes["usr"] = json!({"id": id, "email": email});
    }
    if let Some(request) = event.request {
        attributes["http"] = json!({
            "method": request.method,
            "status_code": event.status,
            "url_details": {"path": request.path, "host": request.host},
            "useragent": request.user_agent,
        });
        attributes["network"] = json!({"client": {"ip": request.ip}});
    }
    EventResource {
        id: event.id.to_string(),
        kind: "audit",
        attributes: EventAttributes {
            timestamp: event.at.to_string(),
            message,
            tags: vec!["service:ddpatrold".to_owned(), format!("evt.name:{}", event.name)],
            attributes,
        },
    }
}

fn message(event: &str, who: Option<&str>, asset: &str) -> String {
    let what = match event {
        name::CREATED => "was created",
        name::UPDATED => "was changed",
        name::REVOKED => "was revoked",
        name::EXPIRED => "expired",
        name::LEAKED => "was reported as leaked",
        name::USED => "was used",
        name::DENIED => {
            return format!(
                "The personal access token {asset} was refused: it is revoked or expired"
            );
        }
        name::USER_CREATED => return format!("The user {asset} was created"),
        name::USER_UPDATED => return format!("The permissions of the user {asset} changed"),
        name::USER_DISABLED => return format!("The user {asset} was disabled"),
        name::CLOCK_RESET => return "The trusted time was reset".to_owned(),
        other => return format!("{other} {asset}"),
    };
    match who {
        Some(email) => format!("The personal access token {asset} {what}, by {email}"),
        None => format!("The personal access token {asset} {what}"),
    }
}
