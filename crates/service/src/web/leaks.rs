//! Security > Leaks: the tokens that were reported as leaked.

use super::forms::{Posted, hidden_fields};
use super::layout::{self, Section, WebPage};
use super::params::Params;
use super::parts::{Neighbours, disabled_mark, duration, moment, relative, visible};
use super::state::{PageResult, SharedWeb};
use super::token_parts::notice;
use super::visitor::Visitor;
use crate::permission::Permission::{OrgAppKeysRead, OrgAppKeysWrite};
use crate::store::leak_pages::{LeakCursor, LeakQuery, LeakedToken};
use crate::time;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect};
use maud::{Markup, html};

const PATH: &str = "/security/leaks";
/// Number of leaks per page.
const PAGE: u32 = 25;

/// Shows the leaked tokens.
pub(super) async fn list(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    caller.require(&[OrgAppKeysRead])?;
    let only_open = params.get("show") == "open";
    let after = LeakCursor::decode(params.get("after"));
    let search = web.service.store.leaked_tokens(LeakQuery { only_open, after, size: PAGE + 1 });
    let mut leaks = web.service.search(&web.service.searches, caller, search).await?;
    let more = leaks.len() > PAGE as usize;
    leaks.truncate(PAGE as usize);
    let last = leaks.last().filter(|_| more);
    let next = last.map(|last| {
        let cursor = LeakCursor { at: time::to_row(last.leaked_at), token: last.id };
        format!("{PATH}{}", params.with(&[("after", &cursor.encode()), ("done", "")]))
    });
    let first = after.map(|_| format!("{PATH}{}", params.with(&[("after", ""), ("done", "")])));
    let content = html! {
        div.heading {
            div {
                h1 { "Leaks" }
                p.lead { "Access tokens that were found where they should not be: reported by " code { "ddpatrol scan --revoke" } ", by GitHub secret scanning, or by anyone who has the token." }
            }
        }
        nav.presets aria-label="Leaks" {
            a.chip-link href=(PATH) aria-current=[(!only_open).then_some("true")] { "All" }
            a.chip-link href={ (PATH) "?show=open" } aria-current=[only_open.then_some("true")] { "Live or not acknowledged" }
        }
        @if leaks.is_empty() {
            div.blank {
                h2 { @if only_open { "Nothing is open" } @else { "No leaks were reported" } }
                p { "Scan repositories with " code { "ddpatrol scan --revoke --issuer URL" } ": tokens that it finds are revoked and listed here." }
            }
        } @else {
            (table(&leaks, &visitor))
            (Neighbours { first, previous: None, next }.markup())
        }
    };
    let notice = notice(params.get("done"));
    Ok(layout::page(&visitor, WebPage { title: "Leaks", section: Section::Leaks, notice, content }))
}

fn is_live(leak: &LeakedToken) -> bool {
    leak.revoked_at.is_none() && leak.expires_at > time::now()
}

fn table(leaks: &[LeakedToken], visitor: &Visitor) -> Markup {
    let may_change = visitor.caller.has(OrgAppKeysWrite);
    html! {
        table.rows {
            caption.off { "Leaked tokens" }
            thead {
                tr {
                    th scope="col" { "Token" }
                    th.moment scope="col" { "Reported" }
                    th.place scope="col" { "Found at" }
                    th scope="col" { "State" }
                    th.last scope="col" { span.off { "Actions" } }
                }
            }
            tbody {
                @for leak in leaks {
                    tr {
                        td data-label="Token" {
                            div.name { a href={ "/tokens/" (leak.id) } { bdi.clip title=(visible(&leak.name)) { (visible(&leak.name)) } } }
                            span.soft { bdi { (visible(&leak.owner.email)) } } (disabled_mark(&leak.owner))
                        }
                        td data-label="Reported" { (moment(leak.leaked_at)) div.soft { "by " bdi { (visible(&leak.source)) } } }
                        td data-label="Found at" { (place(leak)) }
                        td data-label="State" { (state(leak)) }
                        td.actions { @if may_change { div.several { (actions(leak, visitor)) } } }
                    }
                }
            }
        }
    }
}

/// Returns the place of a leak. Only `https` URLs become links.
fn place(leak: &LeakedToken) -> Markup {
    let is_link = leak.url.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
        && !leak.url.chars().any(|c| c.is_whitespace() || crate::tokens::fields::is_deceptive(c));
    html! {
        @if is_link {
            a.clip href=(leak.url) rel="noreferrer noopener" target="_blank" { (leak.url) }
        } @else if !leak.url.is_empty() {
            span.clip { (visible(&leak.url)) }
        }
        @if !leak.location.is_empty() { div { code.clip { (visible(&leak.location)) } } }
        @if leak.url.is_empty() && leak.location.is_empty() { span.soft { "not stated" } }
    }
}

fn state(leak: &LeakedToken) -> Markup {
    html! {
        @if is_live(leak) {
            span.badge.leaked { "live" }
        } @else if let Some(at) = leak.revoked_at {
            span.badge.revoked { "revoked" }
            div.soft {
                @if at <= leak.leaked_at {
                    @if leak.revoked_by.as_deref() == Some("leak") { "at once" } @else { "before the report" }
                } @else { "after " (duration(at.duration_since(leak.leaked_at))) }
            }
        } @else {
            span.badge.expired { "expired" }
        }
        @if let Some(acknowledged) = &leak.acknowledged {
            div.soft { "acknowledged " (relative(acknowledged.at)) " by " bdi { (visible(&acknowledged.by)) } }
        }
    }
}

fn actions(leak: &LeakedToken, visitor: &Visitor) -> Markup {
    let shown = visible(&leak.name);
    html! {
        @if is_live(leak) {
            a.button.small.danger href={ "/tokens/" (leak.id) "/revoke" } { "Revoke" span.off { " " (shown) } }
        }
        @if leak.acknowledged.is_none() {
            form method="post" action={ (PATH) "/" (leak.id) "/acknowledge" } {
                (hidden_fields(visitor))
                button.small { "Acknowledge" span.off { " " (shown) } }
            }
        }
    }
}

/// Acknowledges the report of a leak.
pub(super) async fn acknowledge(
    State(web): SharedWeb,
    Path(id): Path<String>,
    posted: Posted,
) -> PageResult {
    web.service.acknowledge_leak(&posted.visitor.caller, &id).await?;
    Ok(Redirect::to(&format!("{PATH}?done=acknowledged")).into_response())
}
