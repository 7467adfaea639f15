//! The revocation of a token, after a confirmation.

use super::forms::{Posted, hidden_fields};
use super::layout::{self, WebPage};
use super::parts::{disabled_mark, moment, relative, visible};
use super::state::{PageResult, SharedWeb};
use super::token_parts::{TokenAddress, changeable, list_path, section, token_owner};
use super::visitor::Visitor;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect};
use maud::html;

/// Asks for the confirmation of a revocation.
pub(super) async fn confirm(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> PageResult {
    let caller = &visitor.caller;
    let token = changeable(&web, caller, &id).await?;
    let owner = token_owner(&web, token.owner).await?;
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
                    div { dt { "Owner" } dd { bdi { (visible(&owner.email)) } (disabled_mark(&owner)) } }
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
    Ok(layout::page(
        &visitor,
        WebPage { title: "Revoke this token?", section, notice: None, content },
    ))
}

/// Revokes a token.
pub(super) async fn revoke(
    State(web): SharedWeb,
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
