//! Parts that the pages of tokens share: the parameters, tables and links of lists, and the look-up
//! of tokens that the visitor may see or change.

use super::error::PageError;
use super::layout::Section;
use super::params::Params;
use super::parts::{
    Neighbours, badges, day, relative, relative_expiry, scopes_in_row, sort_heading, visible,
};
use super::state::Web;
use crate::caller::Caller;
use crate::id;
use crate::permission::Permission::{
    OrgAppKeysRead, OrgAppKeysWrite, ServiceAccountWrite, UserAppKeys,
};
use crate::sort::Direction;
use crate::store::listing::{Listing, Order, StateFilter};
use crate::store::token_pages::{Owner, TokenCursor, TokenPosition, TokenQuery, TokenSlice, Usage};
use crate::store::tokens::Token;
use crate::token_kind::TokenKind;
use crate::tokens::{TokenPath, is_dead};
use ddpatrol_token::Uuid;
use maud::{Markup, html};

/// Number of tokens per page.
pub(super) const PAGE: u32 = 25;
/// Maximum length of a search, in characters.
const MAX_TEXT: usize = 255;

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
        first: None,
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

/// The entry of the navigation and the list that a token belongs to.
#[derive(Clone, Debug)]
pub(super) struct TokenHome {
    pub(super) section: Section,
    /// The path of the list, or of the start page if the visitor may not see the list.
    pub(super) list: String,
}

impl TokenHome {
    pub(super) fn of(caller: &Caller, kind: TokenKind, owner: Uuid) -> Self {
        let list = match kind {
            TokenKind::ServiceAccount => format!("/organization/service-accounts/{owner}"),
            TokenKind::Personal if owner == caller.user() => "/tokens".to_owned(),
            TokenKind::Personal if caller.has(OrgAppKeysRead) => "/organization/tokens".to_owned(),
            TokenKind::Personal => "/".to_owned(),
        };
        let section = match kind {
            TokenKind::ServiceAccount => Section::ServiceAccounts,
            TokenKind::Personal if owner == caller.user() => Section::OwnTokens,
            TokenKind::Personal => Section::AllTokens,
        };
        Self { section, list }
    }
}

/// Returns the entry of the navigation that a token belongs to.
pub(super) fn section(caller: &Caller, token: &Token) -> Section {
    TokenHome::of(caller, token.kind, token.owner).section
}

/// Returns the path of the list that a token belongs to.
pub(super) fn list_path(caller: &Caller, token: &Token) -> String {
    TokenHome::of(caller, token.kind, token.owner).list
}

/// Returns a user as the owner of a token.
pub(super) async fn token_owner(web: &Web, user: Uuid) -> Result<Owner, PageError> {
    let owners = web.service.store.owners([user]).await?;
    Ok(owners.into_values().next().unwrap_or_default())
}
