//! Organization Settings > Access Tokens: the tokens of all users.

use super::error::PageError;
use super::forms::{Posted, hidden_fields};
use super::layout::{self, Section, WebPage};
use super::params::Params;
use super::parts::{disabled_mark, scopes_in_row, select, sort_heading, visible};
use super::state::{PageResult, SharedWeb, Web};
use super::token_parts::{
    STATES, TokenAddress, changeable, expiry, last_use, name_cell, neighbours, notice, row_actions,
    token_query,
};
use super::visitor::Visitor;
use crate::permission::Permission::{OrgAppKeysRead, OrgAppKeysWrite};
use crate::store::listing::StateFilter;
use crate::store::token_pages::{Owner, TokenQuery, TokenSlice, Usage};
use crate::store::tokens::Token;
use crate::tokens::is_dead;
use crate::{id, time};
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use jiff::SignedDuration;
use maud::{Markup, html};
use std::collections::HashMap;

const PATH: &str = "/organization/tokens";
/// Maximum number of tokens that one form revokes.
const MAX_SELECTED: usize = 100;
/// The choices of the filter by use.
const USES: [(&str, &str); 5] = [
    ("", "Any use"),
    ("never", "Never used"),
    ("30", "Unused for 30 days"),
    ("90", "Unused for 90 days"),
    ("180", "Unused for 180 days"),
];

/// Adds the filters of this page to a query.
///
/// # Errors
/// [`PageError`] if the database fails.
pub(super) async fn narrow(
    web: &Web,
    params: &Params,
    asked: &mut TokenQuery,
) -> Result<(), PageError> {
    let owner = params.get("owner").trim();
    if !owner.is_empty() {
        let user = web.service.store.user(owner).await?;
        let nobody = ddpatrol_token::Uuid::from_bytes([0; 16]);
        asked.listing.owners = vec![user.map_or(nobody, |user| user.id)];
    }
    let scope = params.get("scope").trim();
    asked.scope = (!scope.is_empty()).then(|| scope.to_owned());
    asked.usage = match params.get("use") {
        "never" => Usage::Never,
        days => match days.parse::<i64>() {
            Ok(days @ 1..=3_650) => {
                let since = time::now().checked_sub(SignedDuration::from_hours(days * 24));
                since.map_or(Usage::Any, Usage::NotSince)
            }
            _ => Usage::Any,
        },
    };
    Ok(())
}

/// Shows the tokens of all users.
pub(super) async fn list(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    caller.require(&[OrgAppKeysRead])?;
    let mut asked = token_query(&params);
    narrow(&web, &params, &mut asked).await?;
    let search = web.service.store.token_slice(&asked);
    let slice = web.service.search(&web.service.searches, caller, search).await?;
    let owners = slice.tokens.iter().map(|token| token.owner);
    let owners = web.service.store.owners(owners).await?;
    let is_filtered =
        ["q", "owner", "scope", "use"].iter().any(|name| !params.get(name).is_empty())
            || asked.listing.state != StateFilter::Live;
    let content = html! {
        div.heading {
            div {
                h1 { "Access Tokens" }
                p.lead { "The access tokens of everybody in the organization." }
            }
            div.buttons {
                a.button href={ (PATH) ".csv" (params.with(&[("after", ""), ("before", ""), ("done", "")])) } download { "Export CSV" }
                @if caller.has(OrgAppKeysWrite) { a.button.primary href="/tokens/new" { span aria-hidden="true" { "+ " } "New Access Token" } }
            }
        }
        (filters(&params))
        @if slice.tokens.is_empty() {
            p.empty {
                @if is_filtered { "No token matches. " a href=(PATH) { "Show all live tokens" } } @else { "There are no live tokens." }
            }
        } @else if caller.has(OrgAppKeysWrite) {
            form method="post" action={ (PATH) "/revoke" } data-select {
                (hidden_fields(&visitor))
                (table(&slice, &params, &owners, Selection::Offered))
                div.buttons.below {
                    button.danger { "Revoke selected…" }
                    span.soft role="status" data-selected {}
                }
            }
        } @else {
            (table(&slice, &params, &owners, Selection::None))
        }
        (neighbours(&slice, &asked, &params, PATH).markup())
    };
    let notice = notice(params.get("done"));
    let page = WebPage {
        title: "Access Tokens of all users",
        section: Section::AllTokens,
        notice,
        content,
    };
    Ok(layout::page(&visitor, page))
}

fn filters(params: &Params) -> Markup {
    let state = if params.get("state").is_empty() { "live" } else { params.get("state") };
    html! {
        form.filters.facets role="search" method="get" action=(PATH) {
            @if !params.get("sort").is_empty() { input type="hidden" name="sort" value=(params.get("sort")); }
            div.field.grow {
                label for="q" { "Search" }
                input #q type="search" name="q" value=(params.get("q")) maxlength="255" placeholder="Name, Token ID or alias";
            }
            div.field {
                label for="owner" { "Owner" }
                input #owner type="text" name="owner" value=(params.get("owner")) placeholder="Email address" autocomplete="off" spellcheck="false";
            }
            div.field {
                label for="scope" { "Scope" }
                input #scope type="text" name="scope" value=(params.get("scope")) placeholder="dashboards_read" autocomplete="off" spellcheck="false";
            }
            div.field { label for="state" { "State" } (select("state", &STATES, state)) }
            div.field { label for="use" { "Use" } (select("use", &USES, params.get("use"))) }
            div.buttons { button.primary { "Apply" } a.button href=(PATH) { "Reset" } }
        }
    }
}

/// Whether rows can be selected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selection {
    Offered,
    None,
}

fn table(
    slice: &TokenSlice,
    params: &Params,
    owners: &HashMap<[u8; 16], Owner>,
    selection: Selection,
) -> Markup {
    let owner = |token: &Token| owners.get(token.owner.as_bytes());
    html! {
        table.rows {
            caption.off { "Access tokens of all users" }
            thead {
                tr {
                    @if selection == Selection::Offered { th.select scope="col" { input type="checkbox" hidden data-select-all aria-label="Select all on this page"; span.off { "Select" } } }
                    (sort_heading(params, "Name", "name", PATH))
                    th scope="col" { "Owner" }
                    th scope="col" { "Scopes" }
                    (sort_heading(params, "Expires", "expires", PATH))
                    th.date scope="col" { "Last used" }
                    th.last scope="col" { span.off { "Actions" } }
                }
            }
            tbody {
                @for token in &slice.tokens {
                    tr.dead[is_dead(token)] {
                        @if selection == Selection::Offered {
                            td.select {
                                @if !is_dead(token) { input type="checkbox" name="token" value=(token.id) aria-label={ "Select " (visible(&token.name)) }; }
                            }
                        }
                        td data-label="Name" { (name_cell(token)) }
                        td data-label="Owner" { @if let Some(owner) = owner(token) { bdi.clip { (visible(&owner.email)) } (disabled_mark(owner)) } }
                        td data-label="Scopes" { (scopes_in_row(&token.scopes)) }
                        td data-label="Expires" { (expiry(token)) }
                        td data-label="Last used" { (last_use(token)) }
                        td.actions { @if selection == Selection::Offered { (row_actions(token, "")) } }
                    }
                }
            }
        }
    }
}

/// Revokes the selected tokens. The first form gets a page that names them and asks again.
pub(super) async fn revoke_many(State(web): SharedWeb, posted: Posted) -> PageResult {
    let visitor = &posted.visitor;
    let caller = &visitor.caller;
    caller.require(&[OrgAppKeysWrite])?;
    let ids: Vec<&str> = posted.params.all("token").collect();
    if ids.is_empty() {
        let text = "No token is selected. Go back and select at least one.";
        return Err(PageError::new(StatusCode::BAD_REQUEST, text));
    }
    if ids.len() > MAX_SELECTED {
        let text = format!("Select at most {MAX_SELECTED} tokens.");
        return Err(PageError::new(StatusCode::BAD_REQUEST, text));
    }
    let mut tokens = Vec::with_capacity(ids.len());
    for id in ids {
        tokens.push(changeable(&web, caller, id).await?);
    }
    if posted.params.get("confirmed") != "yes" {
        return Ok(confirmation(visitor, &tokens));
    }
    if posted.claim(&web).await? {
        for token in &tokens {
            let address = TokenAddress::of(token);
            web.service.revoke_token(caller, address.path()).await?;
        }
    }
    Ok(Redirect::to(&format!("{PATH}?done=revoked-many")).into_response())
}

fn confirmation(visitor: &Visitor, tokens: &[Token]) -> axum::response::Response {
    let title = format!("Revoke {}?", super::parts::count(tokens.len(), "token"));
    let content = html! {
        div.panel.narrow {
            h1 { (title) }
            p { "Requests with these tokens are rejected within a second. A revocation cannot be undone." }
            ul.plain-list {
                @for token in tokens {
                    li { span.clip { bdi { (visible(&token.name)) } " " code.soft { (id::alias(token.id)) } } " " span.soft { "last used " (last_use(token)) } }
                }
            }
            form.buttons method="post" action={ (PATH) "/revoke" } {
                (hidden_fields(visitor))
                input type="hidden" name="confirmed" value="yes";
                @for token in tokens { input type="hidden" name="token" value=(token.id); }
                button.danger.solid { "Revoke" }
                a.button href=(PATH) { "Cancel" }
            }
        }
    };
    let page = WebPage { title: &title, section: Section::AllTokens, notice: None, content };
    layout::page(visitor, page)
}
