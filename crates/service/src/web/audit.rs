//! Security > Compliance > Audit Trail: facets, a time range, and the events with their details.

use super::audit_events::{EVENTS, METHODS, table};
use super::audit_filter::{filter, time_range};
use super::error::PageError;
use super::layout::{self, Section, WebPage};
use super::params::Params;
use super::parts::{Neighbours, exact, select, visible};
use super::state::{PageResult, SharedWeb, Web};
use super::visitor::Visitor;
use crate::audit::{Page as EventPage, method};
use crate::permission::Permission::AuditLogsRead;
use crate::store::audit_search::{EventSlice, StoredEvent};
use crate::time;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, html};
use std::collections::HashMap;

/// Number of events per page.
const PAGE: u32 = 50;

/// Number of events that the first page of a search reads; each further step reads more.
const WINDOW: u32 = 10_000;
/// The largest number of events that a step of a search reads.
const MAX_WINDOW: u32 = 1_280_000;

/// The time ranges, with their labels and lengths in hours.
const RANGES: [(&str, &str); 6] = [
    ("1h", "Last hour"),
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
    ("custom", "From … to …"),
    ("all", "All time"),
];

/// Shows the events of a filter.
pub(super) async fn trail(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    caller.require(&[AuditLogsRead])?;
    let window = window(&params);
    let (events, problem, next, older) = match filter(&params) {
        Err(problem) => (Vec::new(), Some(problem.to_string()), None, None),
        Ok(filter) => {
            let after = Some(params.get("after")).filter(|after| !after.is_empty());
            let page = EventPage::parse(None, after, Some("-timestamp"));
            let mut page =
                page.map_err(|error| PageError::new(StatusCode::BAD_REQUEST, error.to_string()))?;
            page.limit = PAGE + 1;
            let search = web.service.store.events_within(&filter, &page, window);
            let EventSlice { mut events, searched_to } =
                web.service.search(&web.service.searches, caller, search).await?;
            let more = events.len() > PAGE as usize;
            events.truncate(PAGE as usize);
            let next = events.last().filter(|_| more).map(|last| last.cursor().encode());
            let older = searched_to.filter(|_| !more);
            (events, None, next, older)
        }
    };
    let names = asset_names(&web, &events).await?;
    let following = params.has("follow") && problem.is_none();
    let next = next
        .map(|next| format!("/security/audit{}", params.with(&[("after", &next), ("follow", "")])));
    let wider = (window.saturating_mul(4)).min(MAX_WINDOW).to_string();
    let older = older.map(|place| OlderEvents {
        searched_to: time::from_row(place.at),
        link: format!(
            "/security/audit{}",
            params.with(&[("after", &place.encode()), ("window", &wider), ("follow", "")])
        ),
    });
    let first = params
        .has("after")
        .then(|| format!("/security/audit{}", params.with(&[("after", ""), ("window", "")])));
    let content = html! {
        div.heading {
            div {
                h1 { "Audit Trail" }
                p.lead { "Every creation, use, change and revocation of a token, and every change of a user. The trail is always on." }
            }
            div.buttons {
                @let export = params.with(&[("after", ""), ("window", ""), ("follow", "")]);
                a.button href={ "/security/audit.csv" (export) } download { "Export CSV" }
                a.button href={ "/security/audit.json" (export) } download { "Export JSON" }
            }
        }
        (presets(&params))
        (facets(&params, problem.as_deref()))
        div data-follow[following] {
            @if following { p.soft.above role="status" { "Following: the page shows new events every five seconds. " a href={ "/security/audit" (params.with(&[("follow", "")])) } { "Stop" } } }
            @if events.is_empty() {
                @if problem.is_none() && older.is_none() { p.empty { "No event matches in this time range." } }
            } @else {
                (table(&events, &names))
            }
            @if let Some(older) = older.filter(|_| !following) { (older.markup(if events.is_empty() { Found::Nothing } else { Found::Some })) }
            @if !following { (Neighbours { first, previous: None, next }.markup()) }
        }
        @if following { noscript { p { a.button href={ "/security/audit" (params.with(&[])) } { "Show new events" } } } }
    };
    let page = WebPage { title: "Audit Trail", section: Section::Audit, notice: None, content };
    Ok(layout::page(&visitor, page))
}

/// Returns the number of events that a step of the search reads.
fn window(params: &Params) -> u32 {
    params.get("window").parse().unwrap_or(WINDOW).clamp(WINDOW, MAX_WINDOW)
}

/// Whether a part of the trail had matching events.
#[derive(Clone, Copy, Debug)]
enum Found {
    Some,
    Nothing,
}

/// The end of the part of the trail that was searched, and the link to the part before.
#[derive(Clone, Debug)]
struct OlderEvents {
    searched_to: Timestamp,
    link: String,
}

impl OlderEvents {
    fn markup(&self, found: Found) -> Markup {
        html! {
            div.older {
                p role="status" {
                    (match found { Found::Nothing => "No event matches since ", Found::Some => "No further event matches since " })
                    (exact(self.searched_to)) "."
                }
                a.button href=(self.link) { "Search older events" }
            }
        }
    }
}

fn presets(params: &Params) -> Markup {
    let presets = [
        ("All", ""),
        ("Personal Access Token", "personal_access_token"),
        ("Sessions", method::SESSION),
        ("Command line", method::COMMAND_LINE),
    ];
    html! {
        nav.presets aria-label="Authentication method" {
            @for (label, value) in presets {
                a.chip-link href={ "/security/audit" (params.with(&[("method", value), ("after", ""), ("window", "")])) }
                    aria-current=[(params.get("method") == value).then_some("true")] { (label) }
            }
        }
    }
}

fn facets(params: &Params, problem: Option<&str>) -> Markup {
    let text = |name: &str, label: &str, hint: &str| {
        html! {
            div.field {
                label for=(name) { (label) }
                input id=(name) type="text" name=(name) value=(params.get(name)) placeholder=(hint) autocomplete="off" spellcheck="false";
            }
        }
    };
    html! {
        form.filters.facets role="search" method="get" action="/security/audit" {
            div.field { label for="event" { "Event" } (select("event", &EVENTS, params.get("event"))) }
            div.field { label for="method" { "Authentication method" } (select("method", &METHODS, params.get("method"))) }
            (text("person", "Person", "Email address"))
            (text("token", "Token", "Token ID or alias"))
            (text("address", "Address", "IP address"))
            div.field { label for="range" { "Time" } (select("range", &RANGES, time_range(params))) }
            div.field.custom-range hidden[time_range(params) != "custom"] data-custom-range {
                label for="from" { "From (UTC)" }
                input #from type="datetime-local" name="from" value=(params.get("from"));
            }
            div.field.custom-range hidden[time_range(params) != "custom"] data-custom-range {
                label for="to" { "To (UTC)" }
                input #to type="datetime-local" name="to" value=(params.get("to"));
            }
            div.field.grow.invalid[problem.is_some()] {
                label for="q" { "Search" }
                input #q type="search" name="q" value=(params.get("q")) placeholder="Text, or @http.status_code:>=400" autocomplete="off" spellcheck="false"
                    aria-invalid=[problem.map(|_| "true")] aria-describedby=[problem.map(|_| "q-problem")];
                @if let Some(problem) = problem { p.problem #q-problem role="alert" { (visible(problem)) } }
            }
            div.buttons {
                button.primary { "Apply" }
                button name="follow" value="1" { "Follow" }
                a.button href="/security/audit" { "Reset" }
            }
        }
    }
}

/// Returns the names of the tokens and the addresses of the users that events are about.
async fn asset_names(
    web: &Web,
    events: &[StoredEvent],
) -> Result<HashMap<[u8; 16], String>, PageError> {
    let assets = || events.iter().filter_map(|stored| stored.event.asset);
    let mut names = web.service.store.token_names(assets()).await?;
    let users = web.service.store.owners(assets()).await?;
    names.extend(users.into_iter().map(|(id, user)| (id, user.email)));
    Ok(names)
}
