//! The replacement of a token by a new one with the same name, scopes and lifetime.

use super::forms::{Posted, hidden_fields};
use super::layout::{self, WebPage};
use super::openid::{self, Step};
use super::parts::visible;
use super::state::{PageResult, SharedWeb};
use super::token_parts::{TokenAddress, changeable, section};
use super::visitor::Visitor;
use crate::tokens::{MAX_OVERLAP, Rotated, TokenRotation};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use jiff::SignedDuration;
use maud::html;

/// The times for which a replaced token remains live, in hours.
const OVERLAPS: [(&str, &str); 4] =
    [("0", "At once"), ("1", "After one hour"), ("8", "After 8 hours"), ("24", "After 24 hours")];

/// Asks how a token is replaced.
pub(super) async fn confirm(
    State(web): SharedWeb,
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
    Ok(layout::page(
        &visitor,
        WebPage { title: "Replace this token", section, notice: None, content },
    ))
}

/// Replaces a token and shows the new one.
pub(super) async fn replace(
    State(web): SharedWeb,
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
