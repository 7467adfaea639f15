//! The events of the audit trail: their labels, their details, and tables and lists of them.

use super::parts::{exact, moment, visible};
use crate::api::audit::resource;
use crate::audit::{Event, method, name};
use crate::store::audit_search::StoredEvent;
use maud::{Markup, html};
use serde_json::Value;
use std::collections::HashMap;

/// The events of a filter, with their labels.
pub(super) const EVENTS: [(&str, &str); 23] = [
    ("", "All events"),
    ("access_token.*", "Access tokens: all"),
    (name::CREATED, "Token created"),
    (name::UPDATED, "Token changed"),
    (name::ROTATED, "Token rotated"),
    (name::REVOKED, "Token revoked"),
    (name::EXPIRED, "Token expired"),
    (name::USED, "Token used"),
    (name::DENIED, "Token rejected"),
    (name::LEAKED, "Leak reported"),
    (name::LEAK_ACKNOWLEDGED, "Leak acknowledged"),
    ("user.*", "Users: all"),
    (name::USER_CREATED, "User created"),
    (name::USER_UPDATED, "User changed"),
    (name::USER_DISABLED, "User disabled"),
    (name::USER_ENABLED, "User enabled"),
    (name::IDENTITY_BOUND, "User bound to an identity"),
    ("session.*", "Sessions: all"),
    (name::SESSION_STARTED, "Session started"),
    (name::SESSION_ENDED, "Session ended"),
    (name::LINK_CREATED, "Sign-in link created"),
    (name::CLOCK_RESET, "Clock reset"),
    (name::RESTORED, "Database restored"),
];

/// The authentication methods of a filter, with their labels.
pub(super) const METHODS: [(&str, &str); 12] = [
    ("", "All methods"),
    ("personal_access_token", "Personal Access Token"),
    (method::BEARER, "Bearer header"),
    (method::APPLICATION_KEY, "Application key header"),
    (method::SESSION, "Session"),
    (method::SIGN_IN_LINK, "Sign-in link"),
    (method::OPENID, "OpenID Connect"),
    (method::COMMAND_LINE, "Command line"),
    (method::POSSESSION, "Possession of the token"),
    (method::GITHUB_SIGNATURE, "GitHub signature"),
    (method::INTROSPECTION, "Introspection"),
    (method::SYSTEM, "System"),
];

/// Returns the label of an event's name.
fn label(name: &str) -> &str {
    EVENTS.iter().find(|event| event.0 == name).map_or(name, |event| event.1)
}

fn method_label(method: &str) -> &str {
    METHODS.iter().find(|known| known.0 == method).map_or(method, |known| known.1)
}

/// Returns `true` for an event of which the status of the response is worth showing.
fn is_use(event: &Event) -> bool {
    matches!(event.name.as_ref(), name::USED | name::DENIED)
}

/// Returns the class of an event's mark.
fn tone(event: &Event) -> &'static str {
    match event.name.as_ref() {
        name::LEAKED => "leaked",
        name::DENIED | name::REVOKED | name::USER_DISABLED => "revoked",
        name::CREATED | name::USER_CREATED => "live",
        _ => "plain",
    }
}

/// Shows events as a table; `names` are those of the tokens and users that the events are about.
pub(super) fn table(events: &[StoredEvent], names: &HashMap<[u8; 16], String>) -> Markup {
    html! {
        table.rows.events {
            caption.off { "Events" }
            thead {
                tr {
                    th scope="col" { "Time" }
                    th scope="col" { "Event" }
                    th scope="col" { "Person" }
                    th scope="col" { "Method" }
                    th scope="col" { "Address" }
                }
            }
            tbody {
                @for StoredEvent { event, .. } in events {
                    tr {
                        td data-label="Time" { (exact(event.at)) }
                        td data-label="Event" {
                            details {
                                summary {
                                    span class={ "dot " (tone(event)) } aria-hidden="true" {}
                                    span { (label(&event.name)) }
                                    @if let Some(name) = event.asset.and_then(|asset| names.get(asset.as_bytes())) { " " bdi.soft.about { (visible(name)) } }
                                    @if let Some(status) = event.status.filter(|_| is_use(event)) { " " code.status { (status) } }
                                }
                                (event_details(event))
                            }
                        }
                        td data-label="Person" {
                            @match &event.user {
                                Some(user) => bdi.clip { (visible(&user.email)) },
                                None => span.soft { (if event.auth_method == method::COMMAND_LINE { "operator" } else { "–" }) },
                            }
                        }
                        td data-label="Method" { (method_label(&event.auth_method)) }
                        td data-label="Address" {
                            @match &event.request {
                                Some(request) => code { (visible(&request.ip)) },
                                None => span.soft { "–" },
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the details of an event: the values before and after a change, and the event as JSON.
fn event_details(event: &Event) -> Markup {
    let changes = changes(event);
    html! {
        @if !changes.is_empty() {
            dl.changes {
                @for change in &changes {
                    dt { (change.field) }
                    dd { span.off { "before: " } del { (visible(&change.before)) } }
                    dd { span.off { "after: " } ins { (visible(&change.after)) } }
                }
            }
        }
        pre tabindex="0" { code { (visible_json(event)) } }
    }
}

fn visible_json(event: &Event) -> String {
    let resource = resource(event.clone());
    let text = serde_json::to_string_pretty(&resource).unwrap_or_default();
    text.split('\n').map(|line| visible(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// A value that an event changed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ValueChange {
    field: String,
    before: String,
    after: String,
}

/// Returns the values that an event changed: those with a `previous_` value in the metadata.
fn changes(event: &Event) -> Vec<ValueChange> {
    let Some(Value::Object(metadata)) = &event.metadata else { return Vec::new() };
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let changed = metadata.iter().filter_map(|(key, before)| {
        let field = key.strip_prefix("previous_")?;
        let (before, after) = (text(Some(before)), text(metadata.get(field)));
        Some(ValueChange { field: field.to_owned(), before, after })
    });
    changed.collect()
}

/// Returns a short list of events about a token.
pub(super) fn short_list(events: &[StoredEvent]) -> Markup {
    html! {
        @if events.is_empty() {
            p.soft { "There are no events." }
        } @else {
            ul.timeline {
                @for StoredEvent { event, .. } in events {
                    li {
                        span class={ "dot " (tone(event)) } aria-hidden="true" {}
                        span.what {
                            (label(&event.name))
                            @if let Some(status) = event.status.filter(|_| is_use(event)) { " " code.status { (status) } }
                            @if let Some(user) = &event.user { " " span.soft { "by " bdi { (visible(&user.email)) } } }
                            @if let Some(request) = &event.request { " " span.soft { "from " (visible(&request.ip)) } }
                        }
                        (moment(event.at))
                    }
                }
            }
        }
    }
}
