//! Parts that the lists of people and of service accounts share: parameters, the search form and the
//! links between pages.

use super::error::PageError;
use super::params::Params;
use super::parts::{Neighbours, select};
use super::state::Web;
use crate::caller::Caller;
use crate::store::token_pages::UserActivity;
use crate::store::user_listing::{UserFilter, UserPosition, UserSlice, UserState};
use crate::store::users::User;
use crate::token_kind::TokenKind;
use ddpatrol_token::Uuid;
use maud::{Markup, html};
use std::collections::HashMap;

/// Number of users per page.
const PAGE: u32 = 50;
/// Maximum length of a search, in characters.
const MAX_TEXT: usize = 255;
/// The states of a list, with their labels.
const STATES: [(&str, &str); 3] = [("", "All"), ("enabled", "Enabled"), ("disabled", "Disabled")];

/// A page of users as it is shown.
#[derive(Debug)]
pub(super) struct ListedUsers {
    pub(super) users: Vec<User>,
    /// The activity by identifier; users without any are missing.
    pub(super) activity: HashMap<[u8; 16], UserActivity>,
    pub(super) neighbours: Neighbours,
    /// `true` if the visitor narrowed the list.
    pub(super) is_filtered: bool,
}

/// Reads the page of users that the parameters of the page at `path` ask for.
///
/// # Errors
/// [`PageError`] if too many searches run, or the database fails.
pub(super) async fn list_users(
    web: &Web,
    caller: &Caller,
    kind: TokenKind,
    params: &Params,
    path: &str,
) -> Result<ListedUsers, PageError> {
    let text = params.get("q").trim();
    let filter = UserFilter {
        text: (!text.is_empty()).then(|| text.chars().take(MAX_TEXT).collect()),
        state: match params.get("state") {
            "enabled" => Some(UserState::Active),
            "disabled" => Some(UserState::Disabled),
            _ => None,
        },
        kind: Some(kind),
    };
    let user = |name| Uuid::parse(params.get(name));
    let position = user("after").map(UserPosition::After);
    let position = position.or_else(|| user("before").map(UserPosition::Before));
    let search = web.service.store.user_slice(&filter, position, PAGE);
    let slice = web.service.search(&web.service.searches, caller, search).await?;
    let ids: Vec<_> = slice.users.iter().map(|user| user.id).collect();
    Ok(ListedUsers {
        activity: web.service.store.user_activity(&ids).await?,
        neighbours: neighbours(&slice, params, path),
        is_filtered: filter.text.is_some() || filter.state.is_some(),
        users: slice.users,
    })
}

/// Returns the links to the neighbours of a page of users.
fn neighbours(slice: &UserSlice, params: &Params, path: &str) -> Neighbours {
    let link = |name: &str, other: &str, user: &User| {
        let cursor = user.id.to_string();
        format!("{path}{}", params.with(&[(name, &cursor), (other, ""), ("done", "")]))
    };
    let previous = slice.users.first().filter(|_| slice.has_previous);
    let next = slice.users.last().filter(|_| slice.has_next);
    Neighbours {
        first: None,
        previous: previous.map(|user| link("before", "after", user)),
        next: next.map(|user| link("after", "before", user)),
    }
}

/// Returns the search form of a list of users.
pub(super) fn search_form(path: &str, params: &Params) -> Markup {
    html! {
        form.filters role="search" method="get" action=(path) {
            div.field.grow { label for="q" { "Search" } input #q type="search" name="q" value=(params.get("q")) maxlength=(MAX_TEXT) placeholder="Name or email address"; }
            div.field { label for="state" { "State" } (select("state", &STATES, params.get("state"))) }
            button { "Search" }
        }
    }
}
