//! The endpoint of the audit trail, in Datadog's public format.

use super::body;
use super::error::{ApiError, Errors, JSON_API, JsonBodyErrors, TokenErrors, json};
use super::query::Query;
use super::validator::Validator;
use crate::audit::{Event, Filter, FilterError, FilterFault, Page, name};
use crate::caller::Caller;
use crate::permission::Permission;
use crate::service::Service;
use crate::token_kind::TokenKind;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use utoipa::ToSchema;

const PARAMETERS: [&str; 5] =
    ["filter[query]", "filter[from]", "filter[to]", "page[limit]", "page[cursor]"];

/// An empty JSON object.
static EMPTY: LazyLock<Value> = LazyLock::new(|| json!({}));

/// The body of a search.
#[derive(Debug, ToSchema)]
pub struct SearchBody {
    /// The criteria.
    #[schema(nullable = false)]
    pub filter: Option<SearchFilter>,
    /// The page.
    #[schema(nullable = false)]
    pub page: Option<SearchPage>,
    /// The order: `timestamp` or `-timestamp`.
    #[schema(nullable = false, pattern = "^-?timestamp$")]
    pub sort: Option<String>,
}

/// The criteria of a search.
#[derive(Debug, ToSchema)]
pub struct SearchFilter {
    /// The query.
    #[schema(nullable = false)]
    pub query: Option<String>,
    /// Start of the time range (inclusive).
    #[schema(nullable = false)]
    pub from: Option<String>,
    /// End of the time range (exclusive).
    #[schema(nullable = false)]
    pub to: Option<String>,
}

/// The page of a search.
#[derive(Debug, ToSchema)]
pub struct SearchPage {
    /// Number of events per page.
    #[schema(minimum = 1, maximum = 1000, nullable = false)]
    pub limit: Option<u32>,
    /// `meta.page.after` of the previous page.
    #[schema(nullable = false)]
    pub cursor: Option<String>,
}

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
    get, path = "/api/v2/audit/events", tag = "Audit", operation_id = "list_events",
    params(
        ("filter[query]" = Option<String>, Query, description = "Conditions @FIELD:VALUE, texts, AND, OR, - and parentheses"),
        ("filter[from]" = Option<String>, Query, description = "Start of the time range (inclusive): RFC 3339, now-15m, or milliseconds"),
        ("filter[to]" = Option<String>, Query, description = "End of the time range (exclusive): RFC 3339, now, or milliseconds"),
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
    let text = query.get("filter[query]").unwrap_or_default();
    let mut filter = Filter::parse(text, "filter[query]")?;
    filter.from = moment(&query, "filter[from]")?;
    filter.to = moment(&query, "filter[to]")?;
    let page = Page::parse(query.get("page[limit]"), query.get("page[cursor]"), query.get("sort"))?;
    find(&service, &caller, &filter, page).await
}

/// Searches the audit trail, with the parameters in a body.
#[utoipa::path(
    post, path = "/api/v2/audit/events/search", tag = "Audit", operation_id = "search_events",
    request_body(content((SearchBody = "application/json"), (SearchBody = "application/vnd.api+json"))),
    responses(
        (status = 200, description = "A page of events", body = EventsDocument, content_type = "application/vnd.api+json"),
        (status = 403, description = "Missing permission", body = Errors, content_type = "application/vnd.api+json"),
        TokenErrors,
        JsonBodyErrors,
    ),
    security(("bearer" = []), ("application_key" = [])),
)]
pub async fn search(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    caller.require(&[Permission::AuditLogsRead])?;
    body::require_json(&headers)?;
    let body = if body.is_empty() { json!({}) } else { body::value(&body)? };
    let mut validator = Validator::default();
    let parameters = search_parameters(&mut validator, &body);
    let SearchParameters { query, from, to, limit, cursor, sort } = validator.finish(parameters)?;
    let mut filter = Filter::parse(query, "filter.query")?;
    filter.from = from;
    filter.to = to;
    let page = Page::parse(limit.as_deref(), cursor, sort).map_err(FilterError::in_body)?;
    find(&service, &caller, &filter, page).await
}

/// Returns the response with a page of events.
async fn find(
    service: &Service,
    caller: &Caller,
    filter: &Filter,
    mut page: Page,
) -> Result<Response, ApiError> {
    // One more than requested, to detect whether there is a next page.
    let asked = page.limit as usize;
    page.limit += 1;
    let search = service.store.events(filter, &page);
    let mut events = service.search(&service.searches, caller, search).await?;
    let more = events.len() > asked;
    events.truncate(asked);
    let after = events.last().filter(|_| more).map(|last| last.cursor().encode());
    let data = events.into_iter().map(|stored| resource(stored.event)).collect();
    let document = EventsDocument { data, meta: EventsMeta { page: EventsPage { after } } };
    Ok(json(StatusCode::OK, JSON_API, &document))
}

/// The parameters in the body of a search.
struct SearchParameters<'a> {
    query: &'a str,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    limit: Option<String>,
    cursor: Option<&'a str>,
    sort: Option<&'a str>,
}

fn search_parameters<'a>(
    validator: &mut Validator,
    body: &'a Value,
) -> Option<SearchParameters<'a>> {
    let empty = &*EMPTY;
    let top = validator.object(Some(body), "body", &["filter", "options", "page", "sort"])?;
    let filter = top.get("filter").unwrap_or(empty);
    let filter = validator.object(Some(filter), "filter", &["query", "from", "to"])?;
    let page = top.get("page").unwrap_or(empty);
    let page = validator.object(Some(page), "page", &["limit", "cursor"])?;
    // The time zone affects nothing, since all times have an offset.
    let options = top.get("options").unwrap_or(empty);
    validator.object(Some(options), "options", &["timezone"])?;
    let mut text = |value: Option<&'a Value>, field: &str| match value {
        None => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(_) => {
            validator.add(field, "must be a string");
            None
        }
    };
    let query = text(filter.get("query"), "filter.query").unwrap_or_default();
    let (from, to) = (text(filter.get("from"), "filter.from"), text(filter.get("to"), "filter.to"));
    let cursor = text(page.get("cursor"), "page.cursor");
    let sort = text(top.get("sort"), "sort");
    let mut time = |text: Option<&str>, field: &str| {
        let parsed = text.map(|text| search_time(text).ok_or(FilterFault::Time));
        validator.check(field, parsed.transpose()).flatten()
    };
    let (from, to) = (time(from, "filter.from"), time(to, "filter.to"));
    Some(SearchParameters {
        query,
        from,
        to,
        limit: page.get("limit").map(ToString::to_string),
        cursor,
        sort,
    })
}

/// Parses a time of a search: RFC 3339, `now`, `now-15m` with s, m, h, d or w, or milliseconds.
fn search_time(text: &str) -> Option<Timestamp> {
    if let Some(since) = text.strip_prefix("now") {
        let now = crate::time::now();
        let Some(since) = since.strip_prefix('-') else { return since.is_empty().then_some(now) };
        let (number, unit) = since.split_at_checked(since.len().checked_sub(1)?)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        let seconds = number.parse::<u32>().ok().map(|number| i64::from(number) * unit)?;
        return now.checked_sub(SignedDuration::from_secs(seconds)).ok();
    }
    match text.parse::<i64>() {
        Ok(millis) => Timestamp::from_millisecond(millis).ok(),
        Err(_) => text.parse().ok(),
    }
}

fn moment(query: &Query, field: &'static str) -> Result<Option<Timestamp>, ApiError> {
    let error = FilterError { field, problem: FilterFault::Time };
    query.get(field).map(|text| search_time(text).ok_or_else(|| error.into())).transpose()
}

/// Returns an event in the format of the API.
pub(crate) fn resource(event: Event) -> EventResource {
    let asset = event.asset.map(|id| id.to_string());
    let user = event.user.as_ref().map(|user| (user.id.to_string(), user.email.to_string()));
    let who = user.as_ref().map(|(_, email)| email.as_str());
    let message = match &asset {
        Some(asset) => message(&event, who, asset),
        None => message_without_asset(&event.name).to_owned(),
    };
    let mut attributes = json!({
        "evt": {"name": event.name, "actor": {"type": event.actor}},
        "action": event.action,
        "asset": {"type": event.asset_type, "id": asset},
        "auth_method": event.auth_method,
        "metadata": event.metadata.unwrap_or_else(|| json!({})),
    });
    let is_token = TokenKind::ALL.iter().any(|kind| kind.resource() == event.asset_type);
    if let Some(id) = event.asset.filter(|_| is_token) {
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

fn message_without_asset(name: &str) -> &str {
    match name {
        name::RESTORED => "A backup was restored",
        name::CLOCK_RESET => "The trusted time was reset",
        // Events that count the uses of several tokens.
        name::USED => "Further access tokens were used",
        name::DENIED => "Further access tokens were refused",
        other => other,
    }
}

fn message(event: &Event, who: Option<&str>, asset: &str) -> String {
    let is_kind = |kind: &TokenKind| event.asset_type == kind.resource();
    let token = TokenKind::ALL.into_iter().find(is_kind).unwrap_or(TokenKind::Personal).name();
    let what = match &*event.name {
        name::CREATED => "was created",
        name::UPDATED => "was changed",
        name::ROTATED => "was replaced by a new one",
        name::REVOKED => "was revoked",
        name::EXPIRED => "expired",
        name::LEAKED => "was reported as leaked",
        name::USED => "was used",
        name::DENIED => {
            return format!("The {token} {asset} was refused: it is revoked or expired");
        }
        name::USER_CREATED => return format!("The user {asset} was created"),
        name::USER_UPDATED => return format!("The user {asset} was changed"),
        name::USER_DISABLED => return format!("The user {asset} was disabled"),
        name::USER_ENABLED => return format!("The user {asset} was enabled"),
        name::LEAK_ACKNOWLEDGED => "had its leak report acknowledged",
        name::SESSION_STARTED => return format!("The session {asset} was started"),
        name::SESSION_ENDED => return format!("The session {asset} ended"),
        name::IDENTITY_BOUND => {
            return format!("The user {asset} signed in by OpenID Connect for the first time");
        }
        name::LINK_CREATED => return format!("A sign-in link for the user {asset} was created"),
        other => return format!("{other} {asset}"),
    };
    match who {
        Some(email) => format!("The {token} {asset} {what}, by {email}"),
        None => format!("The {token} {asset} {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Actor;

    #[test]
    fn the_message_of_an_event_without_an_asset_is_about_the_event() {
        let message = |name| {
            let event = Actor::OPERATOR.event(name, None).expect("random bytes");
            resource(event).attributes.message
        };
        assert_eq!(message(name::RESTORED), "A backup was restored");
        assert_eq!(message(name::CLOCK_RESET), "The trusted time was reset");
        assert_eq!(message(name::USED), "Further access tokens were used");
        assert_eq!(message(name::DENIED), "Further access tokens were refused");
    }
}
