//! Personal Settings > Access Tokens: the list of the visitor's own tokens, and the details and the
//! revocation of any token that the visitor may see.

use super::error::PageError;
use super::forms::{Posted, hidden_fields};
use super::layout::{self, Page, Section};
use super::openid::{self, Step};
use super::params::Params;
use super::parts::{
    Neighbours, all_scopes, badges, day, moment, moment_or_dash, relative, relative_expiry,
    scopes_in_row, sort_heading, state_badge, visible, whole_expiry,
};
use super::visitor::Visitor;
use super::{PageResult, Shared, Web};
use crate::audit::{Filter, Page as EventPage};
use crate::caller::Caller;
use crate::id;
use crate::permission::Permission::{
    AuditLogsRead, OrgAppKeysRead, OrgAppKeysWrite, ServiceAccountWrite, UserAppKeys,
};
use crate::refusal::Refusal;
use crate::sort::Direction;
use crate::store::audit_search::StoredEvent;
use crate::store::listing::{Listing, Order, StateFilter};
use crate::store::token_pages::{TokenCursor, TokenPosition, TokenQuery, TokenSlice, Usage};
use crate::store::tokens::Token;
use crate::token_kind::TokenKind;
use crate::tokens::{MAX_OVERLAP, Rotated, TokenPath, TokenRotation, is_dead};
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect};
use jiff::SignedDuration;
use maud::{Markup, html};

/// Number of tokens per page.
pub(super) const PAGE: u32 = 25;
/// Number of events that the details show.
const EVENTS: u32 = 20;
/// Maximum length of a search, in characters.
const MAX_TEXT: usize = 255;

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
    State(web): Shared,
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
        Page { title: "Access Tokens", section: Section::OwnTokens, notice, content },
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

/// Returns the sentence for an action that succeeded.
pub(super) fn notice(done: &str) -> Option<&'static str> {
    Some(match done {
        "revoked" => "The token is revoked. It is rejected from now on.",
        "saved" => "The changes are saved.",
        "ended" => "The session has ended.",
        "acknowledged" => "The leak is acknowledged.",
        "added" => "The user is added.",
        "enabled" => "The user is enabled.",
        "disabled" => "The user is disabled. Their tokens and sessions are rejected from now on.",
        "permissions" => "The permissions are changed.",
        "account-added" => "The service account is added.",
        "account-enabled" => "The service account is enabled.",
        "account-disabled" => {
            "The service account is disabled. Its tokens are rejected from now on."
        }
        "revoked-many" => "The selected tokens are revoked.",
        _ => return None,
    })
}

/// Parses the parameters that all lists of tokens share.
pub(super) fn token_query(params: &Params) -> TokenQuery {
    let (name, direction) = match params.get("sort").strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (params.get("sort"), Direction::Ascending),
    };
    let order = match name {
        "created" => Order::CreatedAt,
        "expires" => Order::ExpiresAt,
        "used" => Order::LastUsedAt,
        _ => Order::Name,
    };
    let state = match params.get("state") {
        "all" => StateFilter::Any,
        name => StateFilter::from_name(name).unwrap_or_default(),
    };
    let text = params.get("q").trim();
    let text = (!text.is_empty()).then(|| text.chars().take(MAX_TEXT).collect());
    let cursor = |name| TokenCursor::decode(params.get(name), order);
    let position = cursor("after").map(TokenPosition::After);
    let position = position.or_else(|| cursor("before").map(TokenPosition::Before));
    let owners = Vec::new();
    let kind = None;
    let listing = Listing { text, owners, kind, state, order, direction, size: PAGE, offset: 0 };
    TokenQuery { listing, scope: None, usage: Usage::Any, position }
}

/// Returns the links to the neighbours of a page of tokens.
pub(super) fn neighbours(
    slice: &TokenSlice,
    asked: &TokenQuery,
    params: &Params,
    path: &str,
) -> Neighbours {
    let cursor = |token: Option<&Token>| {
        token.map(|token| TokenCursor::of(token, asked.listing.order).encode())
    };
    let link = |name: &str, other: &str, cursor: String| {
        format!("{path}{}", params.with(&[(name, &cursor), (other, ""), ("done", "")]))
    };
    let previous = cursor(slice.tokens.first()).filter(|_| slice.has_previous);
    let next = cursor(slice.tokens.last()).filter(|_| slice.has_next);
    Neighbours {
        previous: previous.map(|cursor| link("before", "after", cursor)),
        next: next.map(|cursor| link("after", "before", cursor)),
    }
}

/// The states of a list, with their labels.
pub(super) const STATES: [(&str, &str); 6] = [
    ("live", "Live"),
    ("expiring", "Expiring within a week"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
    ("leaked", "Leaked"),
    ("all", "All"),
];

pub(super) fn search_form(path: &str, params: &Params) -> Markup {
    let state = if params.get("state").is_empty() { "live" } else { params.get("state") };
    html! {
        form.filters role="search" method="get" action=(path) {
            @if !params.get("sort").is_empty() { input type="hidden" name="sort" value=(params.get("sort")); }
            div.field.grow {
                label for="q" { "Search" }
                input #q type="search" name="q" value=(params.get("q")) maxlength="255" placeholder="Name, Token ID or alias";
            }
            div.field {
                label for="state" { "State" }
                (super::parts::select("state", &STATES, state))
            }
            button { "Search" }
        }
    }
}

pub(super) fn own_table(slice: &TokenSlice, params: &Params, path: &str) -> Markup {
    html! {
        table.rows {
            caption.off { "Access tokens" }
            thead {
                tr {
                    (sort_heading(params, "Name", "name", path))
                    th scope="col" { "Scopes" }
                    (sort_heading(params, "Created", "created", path))
                    (sort_heading(params, "Expires", "expires", path))
                    (sort_heading(params, "Last used", "used", path))
                    th.last scope="col" { span.off { "Actions" } }
                }
            }
            tbody {
                @for token in &slice.tokens {
                    tr.dead[is_dead(token)] {
                        td data-label="Name" { (name_cell(token)) }
                        td data-label="Scopes" { (scopes_in_row(&token.scopes)) }
                        td data-label="Created" { (day(token.created_at)) }
                        td data-label="Expires" { (expiry(token)) }
                        td data-label="Last used" { (last_use(token)) }
                        td.actions { (row_actions(token, "")) }
                    }
                }
            }
        }
    }
}

/// Returns the name of a token as a link, with its alias.
pub(super) fn name_cell(token: &Token) -> Markup {
    html! {
        div.name {
            a href={ "/tokens/" (token.id) } { bdi.clip title=(visible(&token.name)) { (visible(&token.name)) } }
            (badges(token))
        }
        code.soft { (id::alias(token.id)) }
    }
}

/// Returns the expiry of a token in a list.
pub(super) fn expiry(token: &Token) -> Markup {
    html! {
        @if token.revoked_at.is_some() { span.soft { "revoked" } } @else { (relative_expiry(token.expires_at)) }
    }
}

/// Returns the last use of a token in a list.
pub(super) fn last_use(token: &Token) -> Markup {
    html! {
        @match token.last_used_at {
            Some(at) => (relative(at)),
            None => span.soft { "never" },
        }
    }
}

/// Returns the actions of a token in a list; `query` is added to their links.
pub(super) fn row_actions(token: &Token, query: &str) -> Markup {
    let shown = visible(&token.name);
    html! {
        @if !is_dead(token) {
            a.button.small href={ "/tokens/" (token.id) "/edit" (query) } { "Edit" span.off { " " (shown) } }
            " "
            a.button.small.danger href={ "/tokens/" (token.id) "/revoke" (query) } { "Revoke" span.off { " " (shown) } }
        }
    }
}

/// Returns a token that the visitor may see, live or dead: people see what became of theirs.
pub(super) async fn shown_token(web: &Web, caller: &Caller, id: &str) -> Result<Token, PageError> {
    Ok(web.service.any_token(caller, id).await?)
}

/// The address of a token, which depends on its kind.
#[derive(Clone, Debug)]
pub(super) struct TokenAddress {
    kind: TokenKind,
    account: String,
    token: String,
}

impl TokenAddress {
    pub(super) fn of(token: &Token) -> Self {
        let (account, id) = (token.owner.to_string(), token.id.to_string());
        Self { kind: token.kind, account, token: id }
    }

    pub(super) fn path(&self) -> TokenPath<'_> {
        match self.kind {
            TokenKind::Personal => TokenPath::Personal(&self.token),
            TokenKind::ServiceAccount => {
                TokenPath::OfAccount { account: &self.account, token: &self.token }
            }
        }
    }
}

/// Returns a token that the visitor may change.
pub(super) async fn changeable(web: &Web, caller: &Caller, id: &str) -> Result<Token, PageError> {
    let token = web.service.any_token(caller, id).await?;
    Ok(web.service.changeable_token(caller, TokenAddress::of(&token).path()).await?)
}

/// Returns `true` if the visitor may change a token.
pub(super) fn may_change(caller: &Caller, token: &Token) -> bool {
    let permitted = match token.kind {
        TokenKind::Personal => {
            let own = token.owner == caller.user() && caller.has(UserAppKeys);
            own || caller.has(OrgAppKeysWrite)
        }
        TokenKind::ServiceAccount => caller.has(ServiceAccountWrite),
    };
    permitted && !is_dead(token)
}

/// Shows the details of a token.
pub(super) async fn details(
    State(web): Shared,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    let token = shown_token(&web, caller, &id).await?;
    let owner = owner_name(&web, &token).await?;
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
        (leak_note(&token))
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
                (super::audit::short_list(&events))
                @if caller.has(AuditLogsRead) {
                    p { a href={ "/security/audit?token=" (token.id) "&range=all" } { "All events in the Audit Trail" } }
                }
            }
        }
    };
    let section = section(caller, &token);
    let notice = notice(params.get("done"));
    Ok(layout::page(&visitor, Page { title: &token.name, section, notice, content }))
}

/// Returns the entry of the navigation that a token belongs to.
pub(super) fn section(caller: &Caller, token: &Token) -> Section {
    if token.kind == TokenKind::ServiceAccount {
        Section::ServiceAccounts
    } else if token.owner == caller.user() {
        Section::OwnTokens
    } else {
        Section::AllTokens
    }
}

/// Returns the path of the list that a token belongs to.
pub(super) fn list_path(caller: &Caller, token: &Token) -> String {
    if token.kind == TokenKind::ServiceAccount {
        format!("/organization/service-accounts/{}", token.owner)
    } else if token.owner == caller.user() {
        "/tokens".to_owned()
    } else {
        "/organization/tokens".to_owned()
    }
}

async fn owner_name(web: &Web, token: &Token) -> Result<String, PageError> {
    let names = web.service.store.user_names([token.owner]).await?;
    Ok(names.into_values().next().map(|user| user.email).unwrap_or_default())
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
    let page = EventPage { limit: EVENTS, direction: Direction::Descending, after: None };
    let search = web.service.store.events(&filter, &page);
    Ok(web.service.search(&web.service.own_lists, caller, search).await?)
}

fn facts(token: &Token, owner: &str) -> Markup {
    html! {
        dl.facts {
            div { dt { "Token ID" } dd { code { (token.id) } } }
            div { dt { "Alias" } dd { code { (id::alias(token.id)) } } }
            div { dt { "Owner" } dd { bdi { (visible(owner)) } } }
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

fn leak_note(token: &Token) -> Markup {
    html! {
        @if let Some(leak) = &token.leak {
            p.warning {
                strong { "Reported as leaked" } " " (relative(leak.date)) " by " bdi { (visible(&leak.source)) } ". "
                @if is_dead(token) { "The token is no longer accepted." } @else { "The token is still live: revoke it and create another one." }
            }
        }
    }
}

/// Asks for the confirmation of a revocation.
pub(super) async fn confirm_revocation(
    State(web): Shared,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> PageResult {
    let caller = &visitor.caller;
    let token = changeable(&web, caller, &id).await?;
    let owner = owner_name(&web, &token).await?;
    let content = html! {
        div.panel.narrow {
            h1 { "Revoke this token?" }
            @if token.revoked_at.is_some() {
                p { "The token " strong { bdi { (visible(&token.name)) } } " is already revoked." }
                p { a.button href={ "/tokens/" (token.id) } { "Show the token" } }
            } @else {
                p { "Requests with the token " strong { bdi { (visible(&token.name)) } } " are rejected within a second. A revocation cannot be undone." }
                dl.facts.stacked {
                    div { dt { "Token ID" } dd { code { (token.id) } } }
                    div { dt { "Owner" } dd { bdi { (visible(&owner)) } } }
                    div { dt { "Last used" } dd {
                        @match token.last_used_at { Some(at) => { (moment(at)) " " span.soft { "(" (relative(at)) ")" } }, None => "never" }
                    } }
                }
                form.buttons method="post" action={ "/tokens/" (token.id) "/revoke" } {
                    (hidden_fields(&visitor))
                    button.danger.solid { "Revoke" }
                    a.button href={ "/tokens/" (token.id) } { "Cancel" }
                }
            }
        }
    };
    let section = section(caller, &token);
    Ok(layout::page(&visitor, Page { title: "Revoke this token?", section, notice: None, content }))
}

/// The times for which a replaced token remains live, in hours.
const OVERLAPS: [(&str, &str); 4] =
    [("0", "At once"), ("1", "After one hour"), ("8", "After 8 hours"), ("24", "After 24 hours")];

/// Asks how a token is replaced.
pub(super) async fn confirm_replacement(
    State(web): Shared,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> PageResult {
    let caller = &visitor.caller;
    let token = changeable(&web, caller, &id).await?;
    let path = format!("/tokens/{}/replace", token.id);
    if let Some(page) = openid::ask_again(&web, &visitor, Step::Open, &path) {
        return Ok(page);
    }
    let content = html! {
        p.crumbs { a.clip href={ "/tokens/" (token.id) } { bdi { (visible(&token.name)) } } " / " }
        form.panel.narrow method="post" action=(path) {
            (hidden_fields(&visitor))
            h1 { "Replace this token" }
            p { "A new token with the same name, scopes and lifetime is created and shown once. The old one is revoked at the time that you choose." }
            fieldset.field {
                legend { "Revoke the old token" }
                @for (hours, label) in OVERLAPS {
                    label.check.wide { input type="radio" name="overlap" value=(hours) checked[hours == "1"]; span { (label) } }
                }
            }
            p.hint { "For other scopes or another lifetime, " a href={ "/tokens/new?from=" (token.id) } { "create a token from this one" } "." }
            div.buttons { button.primary { "Replace" } a.button href={ "/tokens/" (token.id) } { "Cancel" } }
        }
    };
    let section = section(caller, &token);
    Ok(layout::page(&visitor, Page { title: "Replace this token", section, notice: None, content }))
}

/// Replaces a token and shows the new one.
pub(super) async fn replace(
    State(web): Shared,
    Path(id): Path<String>,
    parts: Parts,
    posted: Posted,
) -> PageResult {
    let visitor = &posted.visitor;
    let token = changeable(&web, &visitor.caller, &id).await?;
    let path = format!("/tokens/{}/replace", token.id);
    if let Some(page) = openid::ask_again(&web, visitor, Step::Send, &path) {
        return Ok(page);
    }
    if !posted.claim(&web).await? {
        return super::created::repeated(&web, &posted).await;
    }
    let hours = posted.params.get("overlap").parse().unwrap_or(0);
    let overlap = SignedDuration::from_hours(hours).clamp(SignedDuration::ZERO, MAX_OVERLAP);
    let address = TokenAddress::of(&token);
    let rotation = TokenRotation { overlap };
    match web.service.rotate_token(&visitor.caller, address.path(), rotation).await {
        Ok(Rotated { new, .. }) => {
            web.service.store.form_created(posted.digest(), new.token.id).await?;
            super::created::shown(&web, visitor, new, &parts).await
        }
        Err(refusal) => {
            posted.release(&web).await?;
            Err(refusal.into())
        }
    }
}

/// Revokes a token.
pub(super) async fn revoke(
    State(web): Shared,
    Path(id): Path<String>,
    posted: Posted,
) -> PageResult {
    let caller = &posted.visitor.caller;
    let token = changeable(&web, caller, &id).await?;
    if posted.claim(&web).await? {
        let address = TokenAddress::of(&token);
        web.service.revoke_token(caller, address.path()).await?;
    }
    Ok(Redirect::to(&format!("{}?done=revoked", list_path(caller, &token))).into_response())
}
