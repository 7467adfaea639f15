//! Personal Settings > Access Tokens: the list of the visitor's own tokens, and the details and the
//! revocation of any token that the visitor may see.

use super::error::PageError;
use super::layout::{self, Section, WebPage};
use super::params::Params;
use super::parts::{
    all_scopes, disabled_mark, moment, moment_or_dash, relative, relative_expiry, state_badge,
    visible, whole_expiry,
};
use super::state::{PageResult, SharedWeb, Web};
use super::token_parts::{
    list_path, may_change, neighbours, notice, own_table, search_form, section, shown_token,
    token_owner, token_query,
};
use super::visitor::Visitor;
use crate::audit::{Filter, Page as EventPage};
use crate::caller::Caller;
use crate::id;
use crate::permission::Permission::{AuditLogsRead, OrgAppKeysRead, OrgAppKeysWrite, UserAppKeys};
use crate::refusal::Refusal;
use crate::sort::Direction;
use crate::store::audit_search::StoredEvent;
use crate::store::token_pages::Owner;
use crate::store::tokens::Token;
use crate::token_kind::TokenKind;
use crate::tokens::is_dead;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect};
use maud::{Markup, html};

/// Number of events that the details show.
const EVENTS: u32 = 20;

/// Shows the first page that the visitor may see.
pub(super) async fn home(Extension(visitor): Extension<Visitor>) -> PageResult {
    let caller = &visitor.caller;
    let path = if caller.has(UserAppKeys) || caller.has(OrgAppKeysRead) {
        "/tokens"
    } else if caller.has(AuditLogsRead) {
        "/security/audit"
    } else {
        "/sessions"
    };
    Ok(Redirect::to(path).into_response())
}

/// Shows the visitor's own tokens.
pub(super) async fn list(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    caller.require(&[UserAppKeys, OrgAppKeysRead])?;
    let mut asked = token_query(&params);
    asked.listing.owners = vec![caller.user()];
    asked.listing.kind = Some(TokenKind::Personal);
    let search = web.service.store.token_slice(&asked);
    let slice = web.service.search(&web.service.own_lists, caller, search).await?;
    let filtered = asked.listing.text.is_some() || !matches!(params.get("state"), "" | "live");
    let content = html! {
        div.heading {
            div {
                h1 { "Access Tokens" }
                p.lead { "Personal access tokens authenticate requests to the API as you, with the scopes that you choose." }
            }
            (new_button(caller))
        }
        @if slice.tokens.is_empty() && !filtered && asked.position.is_none() {
            (no_tokens(caller))
        } @else {
            (search_form("/tokens", &params))
            @if slice.tokens.is_empty() {
                p.empty { "No token matches. " a href="/tokens" { "Show all live tokens" } }
            } @else {
                (own_table(&slice, &params, "/tokens"))
                (neighbours(&slice, &asked, &params, "/tokens").markup())
            }
        }
    };
    let notice = notice(params.get("done"));
    Ok(layout::page(
        &visitor,
        WebPage { title: "Access Tokens", section: Section::OwnTokens, notice, content },
    ))
}

fn new_button(caller: &Caller) -> Markup {
    html! {
        @if caller.has(UserAppKeys) || caller.has(OrgAppKeysWrite) {
            a.button.primary href="/tokens/new" { span aria-hidden="true" { "+ " } "New Access Token" }
        }
    }
}

fn no_tokens(caller: &Caller) -> Markup {
    html! {
        div.blank {
            h2 { "You have no access tokens" }
            p { "A token replaces an API key and an application key. It has only the scopes that you give it and expires on the day that you choose." }
            (new_button(caller))
        }
    }
}

/// Shows the details of a token.
pub(super) async fn details(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    let token = shown_token(&web, caller, &id).await?;
    let owner = token_owner(&web, token.owner).await?;
    let events = token_events(&web, caller, &token).await?;
    let last = events.iter().find(|stored| stored.event.name == crate::audit::name::USED);
    let content = html! {
        p.crumbs { a href=(list_path(caller, &token)) { "Access Tokens" } " / " }
        div.heading {
            h1 { bdi { (visible(&token.name)) } " " (state_badge(&token)) }
            @if may_change(caller, &token) {
                div.buttons {
                    a.button href={ "/tokens/" (token.id) "/edit" } { "Edit" }
                    a.button href={ "/tokens/" (token.id) "/replace" } { "Replace" }
                    a.button.danger href={ "/tokens/" (token.id) "/revoke" } { "Revoke" }
                }
            }
        }
        (leak_note(&token, &owner))
        @if let Some(new) = token.replaced_by {
            p.warning { "The token is replaced by " a href={ "/tokens/" (new) } { "another one" } @if !is_dead(&token) { ", and is revoked " (relative_expiry(token.expires_at)) } "." }
        }
        section.panel {
            h2 { "Details" }
            (facts(&token, &owner))
            @if let Some(used) = last.and_then(|stored| stored.event.request.as_ref()) {
                p.hint { "Last used from " code { (visible(&used.ip)) } " with " span { (visible(&used.user_agent)) } "." }
            }
        }
        section.panel {
            h2 { "Scopes " span.soft { (token.scopes.len()) } }
            (all_scopes(&token.scopes))
        }
        @if caller.has(AuditLogsRead) || token.owner == caller.user() {
            section.panel {
                h2 { "Latest events" }
                (super::audit_events::short_list(&events))
                @if caller.has(AuditLogsRead) {
                    p { a href={ "/security/audit?token=" (token.id) "&range=all" } { "All events in the Audit Trail" } }
                }
            }
        }
    };
    let section = section(caller, &token);
    let notice = notice(params.get("done"));
    Ok(layout::page(&visitor, WebPage { title: &token.name, section, notice, content }))
}

/// Returns the latest events about a token. Its owner may see them without the permission to read
/// the whole trail.
async fn token_events(
    web: &Web,
    caller: &Caller,
    token: &Token,
) -> Result<Vec<StoredEvent>, PageError> {
    if token.owner != caller.user() && !caller.has(AuditLogsRead) {
        return Ok(Vec::new());
    }
    let filter = Filter::parse(&format!("@asset.id:{}", token.id), "query")
        .map_err(|error| Refusal::Invalid(vec![error.to_string()]))?;
    let page =
        EventPage { limit: EVENTS, direction: Direction::Descending, after: None, last: None };
    let search = web.service.store.events(&filter, &page);
    Ok(web.service.search(&web.service.own_lists, caller, search).await?)
}

fn facts(token: &Token, owner: &Owner) -> Markup {
    html! {
        dl.facts {
            div { dt { "Token ID" } dd { code { (token.id) } } }
            div { dt { "Alias" } dd { code { (id::alias(token.id)) } } }
            div { dt { "Owner" } dd { bdi { (visible(&owner.email)) } (disabled_mark(owner)) } }
            div { dt { "Created" } dd { (moment(token.created_at)) } }
            div { dt { "Expires" } dd { (whole_expiry(token.expires_at)) } }
            div { dt { "Last used" } dd {
                @match token.last_used_at { Some(at) => { (moment(at)) " " span.soft { "(" (relative(at)) ")" } }, None => "never" }
            } }
            @if let Some(at) = token.modified_at { div { dt { "Changed" } dd { (moment(at)) } } }
            @if token.revoked_at.is_some() { div { dt { "Revoked" } dd { (moment_or_dash(token.revoked_at)) } } }
        }
    }
}

fn leak_note(token: &Token, owner: &Owner) -> Markup {
    html! {
        @if let Some(leak) = &token.leak {
            p.warning {
                strong { "Reported as leaked" } " " (relative(leak.date)) " by " bdi { (visible(&leak.source)) } ". "
                @if is_dead(token) { "The token is no longer accepted." } @else if owner.is_disabled { "The token is accepted again when its owner is enabled: revoke it." } @else { "The token is still live: revoke it and create another one." }
            }
        }
    }
}
