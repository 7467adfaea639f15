//! The creation of a token and the panel that shows it once. The panel is the answer to the form
//! itself, so the token is in no address, no history and no cache.

use super::error::PageError;
use super::forms::Posted;
use super::guard::host;
use super::layout::{self, WebPage};
use super::openid::{self, Step};
use super::parts::{all_scopes, visible, whole_expiry};
use super::state::{PageResult, SharedWeb, Web};
use super::token_draft::Draft;
use super::token_form::{FormOwner, creation_form};
use super::token_parts::{TokenHome, token_owner};
use super::visitor::Visitor;
use crate::expiry::Expiry;
use crate::id;
use crate::refusal::Refusal;
use crate::service::Minted;
use crate::tokens::{AccountTokenCreation, TokenCreation};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use ddpatrol_token::Uuid;
use maud::{Markup, html};

/// Creates a token and shows it.
pub(super) async fn create(State(web): SharedWeb, parts: Parts, posted: Posted) -> PageResult {
    let visitor = &posted.visitor;
    if let Some(page) = openid::ask_again(&web, visitor, Step::Send, "/tokens/new") {
        return Ok(page);
    }
    let mut draft = Draft::read(&posted.params, &web);
    let expires_at = draft.expires_at();
    draft.problems.expiry = expires_at.as_ref().err().map(ToString::to_string);
    let owner = match owner_of(&web, visitor, &draft).await? {
        NamedOwner::Visitor => None,
        NamedOwner::User(id) => Some(id),
        NamedOwner::Unknown => {
            let problem = "There is no user with this email address.";
            draft.problems.owner = Some(problem.to_owned());
            None
        }
    };
    let Ok(expires_at) = expires_at else {
        return Ok(creation_form(&web, visitor, &FormOwner::Person, &draft));
    };
    if !draft.problems.is_empty() {
        return Ok(creation_form(&web, visitor, &FormOwner::Person, &draft));
    }
    if !posted.claim(&web).await? {
        return repeated(&web, &posted).await;
    }
    let (name, scopes) = (draft.name.clone(), draft.scopes.clone());
    let creation = TokenCreation { owner, name, scopes, expires_at };
    match web.service.create_token(&visitor.caller, creation).await {
        Ok(minted) => {
            web.service.store.form_created(posted.digest(), minted.token.id).await?;
            shown(&web, visitor, minted, &parts).await
        }
        Err(refusal) => {
            posted.release(&web).await?;
            if !matches!(refusal, Refusal::Forbidden(_) | Refusal::Invalid(_)) {
                return Err(refusal.into());
            }
            draft.problems.add(&refusal);
            Ok(creation_form(&web, visitor, &FormOwner::Person, &draft))
        }
    }
}

/// The owner that a form names.
enum NamedOwner {
    Visitor,
    User(Uuid),
    Unknown,
}

/// Finds the owner that a form names.
async fn owner_of(web: &Web, visitor: &Visitor, draft: &Draft) -> Result<NamedOwner, PageError> {
    if draft.owner.is_empty() || draft.owner == *visitor.session.user.email {
        return Ok(NamedOwner::Visitor);
    }
    let user = web.service.store.user(&draft.owner).await?;
    Ok(user.map_or(NamedOwner::Unknown, |user| NamedOwner::User(user.id)))
}

/// A token in the panel.
struct Panel<'a> {
    /// The address of the list that has the token.
    list: String,
    id: Uuid,
    name: &'a str,
    owner: &'a str,
    scopes: &'a [String],
    expires_at: Expiry,
}

/// Creates a token for a service account and shows it.
pub(super) async fn create_for_account(
    State(web): SharedWeb,
    Path(id): Path<String>,
    parts: Parts,
    posted: Posted,
) -> PageResult {
    let visitor = &posted.visitor;
    let account = web.service.service_account(&id).await?;
    let path = format!("/organization/service-accounts/{id}/tokens/new");
    if let Some(page) = openid::ask_again(&web, visitor, Step::Send, &path) {
        return Ok(page);
    }
    let owner = FormOwner::Account(Box::new(account));
    let mut draft = Draft::read(&posted.params, &web);
    let expires_at = match draft.account_expiry() {
        Ok(expires_at) if draft.problems.is_empty() => expires_at,
        checked => {
            draft.problems.expiry = checked.err().map(|problem| problem.to_string());
            return Ok(creation_form(&web, visitor, &owner, &draft));
        }
    };
    if !posted.claim(&web).await? {
        return repeated(&web, &posted).await;
    }
    let (name, scopes) = (draft.name.clone(), draft.scopes.clone());
    let creation = AccountTokenCreation { name, scopes, expires_at };
    match web.service.create_account_token(&visitor.caller, &id, creation).await {
        Ok(minted) => {
            web.service.store.form_created(posted.digest(), minted.token.id).await?;
            shown(&web, visitor, minted, &parts).await
        }
        Err(refusal) => {
            posted.release(&web).await?;
            if !matches!(refusal, Refusal::Forbidden(_) | Refusal::Invalid(_)) {
                return Err(refusal.into());
            }
            draft.problems.add(&refusal);
            Ok(creation_form(&web, visitor, &owner, &draft))
        }
    }
}

/// Shows a token that was just minted.
pub(super) async fn shown(
    web: &Web,
    visitor: &Visitor,
    minted: Minted,
    parts: &Parts,
) -> PageResult {
    let url = web.origin.of_request(host(parts)).unwrap_or_default();
    let Minted { token, secret } = minted;
    let owner = token_owner(web, token.owner).await?;
    let home = TokenHome::of(&visitor.caller, token.kind, token.owner);
    let panel = Panel {
        list: home.list,
        id: token.id,
        name: &token.name,
        owner: &owner.email,
        scopes: &token.scopes,
        expires_at: token.expires_at,
    };
    let secret = String::from_utf8_lossy(secret.expose());
    let content = html! {
        div.panel.created data-created {
            h1 { "Token created" }
            p.warning { strong { "Copy the token now." } " You cannot see it again: only a digest of it is stored." }
            div.secret {
                label for="secret" { "Access token" }
                div.copy {
                    input #secret type="text" readonly value=(secret) autocomplete="off" spellcheck="false" data-secret;
                    button.primary type="button" data-copy="secret" hidden { "Copy" }
                }
                p.soft role="status" data-copied {}
            }
            (panel_facts(&panel))
            h2 { "Use the token" }
            p { "Send it as a bearer token, or in the header of an application key. No API key is needed." }
            (example(&url, "Authorization: Bearer", &secret))
            (example(&url, "dd-application-key:", &secret))
            (buttons(&panel))
        }
    };
    let page = WebPage { title: "Token created", section: home.section, notice: None, content };
    Ok(layout::page_with_status(StatusCode::CREATED, visitor, page))
}

fn panel_facts(panel: &Panel<'_>) -> Markup {
    html! {
        dl.facts {
            div { dt { "Name" } dd { bdi { (visible(panel.name)) } } }
            div { dt { "Token ID" } dd { code { (panel.id) } } }
            div { dt { "Alias" } dd { code { (id::alias(panel.id)) } } }
            div { dt { "Owner" } dd { bdi { (visible(panel.owner)) } } }
            div { dt { "Expires" } dd { (whole_expiry(panel.expires_at)) } }
            div { dt { "Scopes" } dd { (panel.scopes.len()) } }
        }
        details { summary { "Show the scopes" } (all_scopes(panel.scopes)) }
    }
}

/// Returns a `curl` command with the token, which works with any scopes.
fn example(url: &str, header: &str, secret: &str) -> Markup {
    html! {
        pre tabindex="0" { code { "curl " (url) "/api/v2/current_user \\\n  -H \"" (header) " " (secret) "\"" } }
    }
}

fn buttons(panel: &Panel<'_>) -> Markup {
    html! {
        div.buttons {
            a.button href=(panel.list) { "Done" }
            a.button href={ "/tokens/" (panel.id) "/edit" } { "Edit" }
            a.button.danger href={ "/tokens/" (panel.id) "/revoke" } { "Revoke" }
        }
    }
}

/// Shows the token that the same form created before, without its secret.
pub(super) async fn repeated(web: &Web, posted: &Posted) -> PageResult {
    let visitor = &posted.visitor;
    let token = match web.service.store.token_of_form(posted.digest()).await? {
        Some(id) => web.service.store.token(id).await?,
        None => None,
    };
    let Some(token) = token else {
        let text = "The form was already sent. Look in the list whether the token was created.";
        return Err(PageError::new(StatusCode::CONFLICT, text));
    };
    let owner = token_owner(web, token.owner).await?;
    let home = TokenHome::of(&visitor.caller, token.kind, token.owner);
    let panel = Panel {
        list: home.list,
        id: token.id,
        name: &token.name,
        owner: &owner.email,
        scopes: &token.scopes,
        expires_at: token.expires_at,
    };
    let content = html! {
        div.panel.created {
            h1 { "Token created" }
            p.warning { "The form was sent again, so no second token was created. The token was shown once and cannot be shown again." }
            (panel_facts(&panel))
            (buttons(&panel))
        }
    };
    let page = WebPage { title: "Token created", section: home.section, notice: None, content };
    Ok(layout::page(visitor, page))
}
