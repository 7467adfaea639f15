//! The forms that create and edit a token: name, expiration and scopes.

use super::error::PageError;
use super::forms::{Posted, hidden_fields};
use super::layout::{self, Section, WebPage};
use super::openid::{self, Step};
use super::params::Params;
use super::parts::{field, moment, problem_text as problem_markup, visible, whole_expiry};
use super::scope_field::{access, offered_scopes, scopes_field};
use super::state::{PageResult, SharedWeb, Web};
use super::token_draft::{Draft, LIFETIMES, NEVER, Problems, dates};
use super::token_parts::{TokenAddress, changeable, list_path, section, shown_token, token_owner};
use super::visitor::Visitor;
use crate::caller::Caller;
use crate::expiry::Expiry;
use crate::permission::Permission::{OrgAppKeysWrite, ServiceAccountWrite, UserAppKeys};
use crate::redact::redact;
use crate::refusal::Refusal;
use crate::store::tokens::Token;
use crate::store::users::User;
use crate::time;
use crate::tokens::fields::MAX_NAME;
use crate::tokens::{TokenUpdate, is_dead};
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::{Timestamp, ToSpan as _};
use maud::{Markup, html};

/// The lifetime that is selected at first.
const DEFAULT_LIFETIME: &str = "30";

/// Shows the form that creates a token. With `from`, it has the name and scopes of another one.
pub(super) async fn new(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    visitor.caller.require(&[UserAppKeys, OrgAppKeysWrite])?;
    let path = format!("/tokens/new{}", params.with(&[]));
    if let Some(page) = openid::ask_again(&web, &visitor, Step::Open, &path) {
        return Ok(page);
    }
    let mut draft = Draft { lifetime: DEFAULT_LIFETIME.to_owned(), ..Draft::default() };
    params.get("owner").clone_into(&mut draft.owner);
    if !params.get("from").is_empty() {
        let token = shown_token(&web, &visitor.caller, params.get("from")).await?;
        draft.scopes = token.scopes;
        draft.name = token.name;
        if token.owner != visitor.caller.user() {
            draft.owner = token_owner(&web, token.owner).await?.email;
        }
    }
    Ok(creation_form(&web, &visitor, &FormOwner::Person, &draft))
}

/// The owner of the token that a form creates.
#[derive(Clone, Debug)]
pub(super) enum FormOwner {
    /// The visitor, or the person whose address is in the form.
    Person,
    /// A service account.
    Account(Box<User>),
}

impl FormOwner {
    fn list(&self) -> String {
        match self {
            Self::Person => "/tokens".to_owned(),
            Self::Account(account) => format!("/organization/service-accounts/{}", account.id),
        }
    }

    const fn section(&self) -> Section {
        match self {
            Self::Person => Section::OwnTokens,
            Self::Account(_) => Section::ServiceAccounts,
        }
    }

    fn action(&self) -> String {
        match self {
            Self::Person => "/tokens".to_owned(),
            Self::Account(_) => format!("{}/tokens", self.list()),
        }
    }
}

/// Shows the form that creates a token for a service account.
pub(super) async fn new_for_account(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> PageResult {
    visitor.caller.require(&[ServiceAccountWrite])?;
    let account = web.service.service_account(&id).await?;
    let owner = FormOwner::Account(Box::new(account));
    let path = format!("{}/new", owner.action());
    if let Some(page) = openid::ask_again(&web, &visitor, Step::Open, &path) {
        return Ok(page);
    }
    let draft = Draft { lifetime: DEFAULT_LIFETIME.to_owned(), ..Draft::default() };
    Ok(creation_form(&web, &visitor, &owner, &draft))
}

/// Returns the response with the form that creates a token.
pub(super) fn creation_form(
    web: &Web,
    visitor: &Visitor,
    owner: &FormOwner,
    draft: &Draft,
) -> Response {
    let caller = &visitor.caller;
    let list = owner.list();
    let scopes = offered_scopes(web, caller, &[]);
    let content = html! {
        p.crumbs {
            @match owner {
                FormOwner::Person => a href="/tokens" { "Access Tokens" },
                FormOwner::Account(account) => a.clip href=(list) { bdi { (visible(&account.name)) } },
            }
            " / "
        }
        h1 { "New Access Token" }
        (form_problem(&draft.problems))
        form.token-form method="post" action=(owner.action()) novalidate data-token-form {
            (hidden_fields(visitor))
            div.main {
                section.panel {
                    (name_field(draft))
                    @if caller.has(OrgAppKeysWrite) && matches!(owner, FormOwner::Person) { (owner_field(visitor, draft)) }
                    (expiry_field(caller, owner, draft))
                }
                (scopes_field(&scopes, draft))
            }
            div.aside { (summary(draft, "Create token", &list)) }
        }
    };
    let status =
        if draft.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let section = owner.section();
    let page = WebPage { title: "New Access Token", section, notice: None, content };
    layout::page_with_status(status, visitor, page)
}

fn form_problem(problems: &Problems) -> Markup {
    html! {
        @if !problems.is_empty() {
            p.warning role="alert" {
                @match &problems.form {
                    Some(problem) => (visible(problem)),
                    None => "Nothing was changed. Correct the marked fields and send the form again.",
                }
            }
        }
    }
}

fn name_field(draft: &Draft) -> Markup {
    let problem = draft.problems.name.as_deref();
    field(
        "name",
        "Name",
        problem,
        html! {
            input #name type="text" name="name" value=(redact(&draft.name)) required maxlength=(MAX_NAME) autocomplete="off" dir="auto"
                aria-invalid=[problem.map(|_| "true")] aria-describedby={ "name-hint" (if problem.is_some() { " name-problem" } else { "" }) };
            p.hint #name-hint { "What uses the token, for example “deploy dashboards”. Other people can see it." }
        },
    )
}

fn owner_field(visitor: &Visitor, draft: &Draft) -> Markup {
    let own: &str = &visitor.session.user.email;
    let value = if draft.owner.is_empty() { own } else { &draft.owner };
    let problem = draft.problems.owner.as_deref();
    field(
        "owner",
        "Owner",
        problem,
        html! {
            input #owner type="email" name="owner" value=(redact(value)) autocomplete="off" spellcheck="false"
                aria-invalid=[problem.map(|_| "true")] aria-describedby={ "owner-hint" (if problem.is_some() { " owner-problem" } else { "" }) };
            p.hint #owner-hint { "The email address of the person whose token it is." }
        },
    )
}

fn expiry_field(caller: &Caller, owner: &FormOwner, draft: &Draft) -> Markup {
    let problem = draft.problems.expiry.as_deref();
    let now = time::now();
    let (first, last) = dates(now);
    let own_end = caller.expires_at();
    let is_possible = |days: &str| {
        let days = days.parse::<i64>().unwrap_or(0);
        let at = now.checked_add((days * 24).hours()).unwrap_or(Timestamp::MAX);
        Expiry::At(at) <= own_end || matches!(owner, FormOwner::Account(_))
    };
    html! {
        fieldset.field.invalid[problem.is_some()] aria-describedby={ "expiry-hint" (if problem.is_some() { " expiry-problem" } else { "" }) } {
            legend { "Expiration" }
            div.chips {
                @for (days, label) in LIFETIMES {
                    label.chip {
                        input type="radio" name="lifetime" value=(days) checked[draft.lifetime == days] disabled[!is_possible(days)];
                        span { (label) }
                    }
                }
                @if let FormOwner::Account(_) = owner {
                    label.chip {
                        input type="radio" name="lifetime" value=(NEVER) checked[draft.lifetime == NEVER];
                        span { "Never" }
                    }
                }
                label.chip {
                    input type="radio" name="lifetime" value="date" checked[draft.lifetime == "date"];
                    span { "Date" }
                }
                input.date type="date" name="date" value=(redact(&draft.date)) min=(first) max=(last) aria-label="Date of expiration";
            }
            (problem_markup("expiry", problem))
            p.hint #expiry-hint {
                "At least 24 hours and at most one year"
                @if matches!(owner, FormOwner::Account(_)) { ", or never" }
                ". A date ends at 23:59 UTC. The expiration cannot be changed later."
                @if let Some(end) = own_end.time() { " Not later than the token of this session, " (moment(end)) "." }
            }
        }
    }
}

fn summary(draft: &Draft, button: &str, cancel: &str) -> Markup {
    html! {
        section.panel.summary aria-labelledby="summary-title" {
            h2 #summary-title { "Summary" }
            dl.facts.stacked {
                div { dt { "Name" } dd.clip data-summary="name" { @if draft.name.is_empty() { "–" } @else { bdi { (visible(&draft.name)) } } } }
                @if !draft.lifetime.is_empty() {
                    div { dt { "Expires" } dd data-summary="expiry" {
                        @match LIFETIMES.iter().find(|offered| offered.0 == draft.lifetime) {
                            Some(offered) => { "in " (offered.1) },
                            None => (if draft.lifetime == NEVER { NEVER } else { draft.date.as_str() }),
                        }
                    } }
                }
                div { dt { "Scopes" } dd data-summary="scopes" {
                    @if draft.scopes.is_empty() { "none yet" } @else {
                        (draft.scopes.len()) " (" (draft.scopes.iter().filter(|it| access(it) == "write").count()) " with write access)"
                    }
                } }
            }
            div.buttons.column {
                button.primary.wide { (button) }
                a.button.wide href=(cancel) { "Cancel" }
            }
        }
    }
}

/// Shows the form that edits a token.
pub(super) async fn edit(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> PageResult {
    let token = editable(&web, &visitor.caller, &id).await?;
    let draft =
        Draft { name: token.name.clone(), scopes: token.scopes.clone(), ..Draft::default() };
    Ok(edit_form(&web, &visitor, &token, &draft))
}

async fn editable(web: &Web, caller: &Caller, id: &str) -> Result<Token, PageError> {
    let token = changeable(web, caller, id).await?;
    if is_dead(&token) {
        let text = "The token is revoked or has expired, so it cannot be changed.";
        return Err(PageError::new(StatusCode::CONFLICT, text));
    }
    Ok(token)
}

fn edit_form(web: &Web, visitor: &Visitor, token: &Token, draft: &Draft) -> Response {
    let scopes = offered_scopes(web, &visitor.caller, &token.scopes);
    let path = format!("/tokens/{}", token.id);
    let content = html! {
        p.crumbs {
            a href=(list_path(&visitor.caller, token)) { "Access Tokens" } " / "
            a.clip href=(path) { bdi { (visible(&token.name)) } } " / "
        }
        h1 { "Edit token" }
        (form_problem(&draft.problems))
        form.token-form method="post" action={ (path) "/edit" } novalidate data-token-form {
            (hidden_fields(visitor))
            div.main {
                section.panel {
                    (name_field(draft))
                    p.hint { "The expiration (" (whole_expiry(token.expires_at)) ") cannot be changed. " a href={ "/tokens/" (token.id) "/replace" } { "Replace the token" } " to extend it." }
                }
                (scopes_field(&scopes, draft))
            }
            div.aside { (summary(draft, "Save changes", &path)) }
        }
    };
    let status =
        if draft.problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let section = section(&visitor.caller, token);
    let page = WebPage { title: "Edit token", section, notice: None, content };
    layout::page_with_status(status, visitor, page)
}

/// Changes the name and the scopes of a token.
pub(super) async fn update(
    State(web): SharedWeb,
    Path(id): Path<String>,
    posted: Posted,
) -> PageResult {
    let visitor = &posted.visitor;
    let token = editable(&web, &visitor.caller, &id).await?;
    let mut draft = Draft::read(&posted.params, &web);
    draft.lifetime.clear();
    if !draft.problems.is_empty() {
        return Ok(edit_form(&web, visitor, &token, &draft));
    }
    let scopes = (draft.scopes != sorted(&token.scopes)).then(|| draft.scopes.clone());
    let name = (draft.name != token.name).then(|| draft.name.clone());
    if (scopes.is_some() || name.is_some()) && posted.claim(&web).await? {
        let update = TokenUpdate { name, scopes };
        let address = TokenAddress::of(&token);
        let updated = web.service.update_token(&visitor.caller, address.path(), &update).await;
        if let Err(refusal) = updated {
            posted.release(&web).await?;
            if !matches!(refusal, Refusal::Forbidden(_) | Refusal::Invalid(_)) {
                return Err(refusal.into());
            }
            draft.problems.add(&refusal);
            return Ok(edit_form(&web, visitor, &token, &draft));
        }
    }
    Ok(Redirect::to(&format!("/tokens/{}?done=saved", token.id)).into_response())
}

fn sorted(scopes: &[String]) -> Vec<String> {
    let mut scopes = scopes.to_vec();
    scopes.sort();
    scopes
}
