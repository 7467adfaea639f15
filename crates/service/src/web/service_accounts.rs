//! Organization Settings > Service Accounts: accounts without a person behind them, and their
//! tokens.

use super::error::{PageError, problem_text, sentence};
use super::forms::{Posted, hidden_fields};
use super::layout::{self, Section, WebPage};
use super::openid::{self, Step};
use super::params::Params;
use super::parts::{day, field, moment, moment_or_dash, relative, visible};
use super::state::{PageResult, SharedWeb};
use super::token_parts::{neighbours, notice, own_table, search_form, token_query};
use super::user_lists::{self, list_users};
use super::visitor::Visitor;
use crate::permission::Permission::{OrgAppKeysRead, ServiceAccountWrite};
use crate::redact::redact;
use crate::refusal::Refusal;
use crate::service_accounts::{AccountUpdate, NewAccount};
use crate::store::token_pages::UserActivity;
use crate::store::users::User;
use crate::token_kind::TokenKind;
use crate::users::{check_email, check_text};
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use std::collections::HashMap;

const PATH: &str = "/organization/service-accounts";
/// Shows the service accounts.
pub(super) async fn list(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    caller.require(&[ServiceAccountWrite, OrgAppKeysRead])?;
    let kind = TokenKind::ServiceAccount;
    let listed = list_users(&web, caller, kind, &params, PATH).await?;
    let content = html! {
        div.heading {
            div { h1 { "Service Accounts" } p.lead { "Programs that call the API on their own behalf. Their tokens need not expire." } }
            @if caller.has(ServiceAccountWrite) { a.button.primary href={ (PATH) "/new" } { span aria-hidden="true" { "+ " } "Add service account" } }
        }
        @if listed.users.is_empty() && !listed.is_filtered {
            div.blank {
                h2 { "There are no service accounts" }
                p { "A service account owns tokens that do not belong to a person, so they stay valid when a person leaves." }
                @if caller.has(ServiceAccountWrite) { a.button.primary href={ (PATH) "/new" } { "Add service account" } }
            }
        } @else {
            (user_lists::search_form(PATH, &params))
            @if listed.users.is_empty() {
                p.empty { "No service account matches. " a href=(PATH) { "Show all" } }
            } @else {
                (table(&listed.users, &listed.activity))
                (listed.neighbours.markup())
            }
        }
    };
    let notice = notice(params.get("done"));
    let page =
        WebPage { title: "Service Accounts", section: Section::ServiceAccounts, notice, content };
    Ok(layout::page(&visitor, page))
}

fn table(users: &[User], activity: &HashMap<[u8; 16], UserActivity>) -> Markup {
    html! {
                table.rows {
                    caption.off { "Service accounts" }
                    thead {
                        tr {
                            th scope="col" { "Account" }
                            th scope="col" { "Title" }
                            th.date scope="col" { "Live tokens" }
                            th.date scope="col" { "Last used" }
                            th.date scope="col" { "Added" }
                        }
                    }
                    tbody {
                        @for user in users {
                            @let seen = activity.get(user.id.as_bytes()).copied().unwrap_or_default();
                            tr.dead[user.disabled_at.is_some()] {
                                td data-label="User" {
                                    div.name {
                                        a href={ (PATH) "/" (user.id) } { bdi.clip { (visible(title(user))) } }
                                        @if user.disabled_at.is_some() { " " span.badge.expired { "disabled" } }
                                    }
                                    span.soft { bdi { (visible(&user.email)) } }
                                }
                                td data-label="Title" { (visible(user.title.as_deref().unwrap_or("–"))) }
                                td data-label="Live tokens" { (seen.live_tokens) }
                                td data-label="Last used" { @match seen.last_seen { Some(at) => (relative(at)), None => span.soft { "never" } } }
                                td data-label="Added" { (day(user.created_at)) }
                            }
                        }
                    }
                }
    }
}

/// Returns the name of an account, or its address if it has none.
fn title(account: &User) -> &str {
    if account.name.is_empty() { &account.email } else { &account.name }
}

/// The content of the form, as it was typed.
#[derive(Clone, Debug, Default)]
struct AccountDraft {
    email: String,
    name: String,
    title: String,
    problem: Option<String>,
}

/// Shows the form that adds a service account.
pub(super) async fn new(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
) -> PageResult {
    visitor.caller.require(&[ServiceAccountWrite])?;
    if let Some(page) =
        openid::ask_again(&web, &visitor, Step::Open, "/organization/service-accounts/new")
    {
        return Ok(page);
    }
    Ok(form(&visitor, &AccountDraft::default()))
}

fn form(visitor: &Visitor, draft: &AccountDraft) -> Response {
    let problem = draft.problem.as_deref();
    let content = html! {
        p.crumbs { a href=(PATH) { "Service Accounts" } " / " }
        h1 { "Add service account" }
        form.panel.narrow method="post" action={ (PATH) "/new" } {
            (hidden_fields(visitor))
            @if let Some(problem) = problem { p.warning role="alert" { (visible(problem)) } }
            (field("name", "Name", None, html! {
                input #name type="text" name="name" value=(redact(&draft.name)) required maxlength="255" autocomplete="off" dir="auto";
            }))
            (field("email", "Email address", None, html! {
                input #email type="email" name="email" value=(redact(&draft.email)) required maxlength="255" autocomplete="off" spellcheck="false" aria-describedby="email-hint";
                p.hint #email-hint { "An address of the team that runs the program. It is unique and receives nothing." }
            }))
            (field("title", "Title", None, html! {
                input #title type="text" name="title" value=(redact(&draft.title)) maxlength="255" autocomplete="off" dir="auto" aria-describedby="title-hint";
                p.hint #title-hint { "Optional." }
            }))
            div.buttons { button.primary { "Add service account" } a.button href=(PATH) { "Cancel" } }
        }
    };
    let status = if problem.is_none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = WebPage {
        title: "Add service account",
        section: Section::ServiceAccounts,
        notice: None,
        content,
    };
    layout::page_with_status(status, visitor, page)
}

/// Adds a service account.
pub(super) async fn add(State(web): SharedWeb, posted: Posted) -> PageResult {
    let visitor = &posted.visitor;
    if let Some(page) =
        openid::ask_again(&web, visitor, Step::Send, "/organization/service-accounts/new")
    {
        return Ok(page);
    }
    let text = |name: &str| posted.params.get(name).trim().to_owned();
    let draft = AccountDraft {
        email: text("email"),
        name: text("name"),
        title: text("title"),
        problem: None,
    };
    let checked = check_email(&draft.email)
        .map_err(|problem| format!("The email address {problem}."))
        .and_then(|()| check_text(&draft.name).map_err(|problem| format!("The name {problem}.")))
        .and_then(|()| match draft.title.as_str() {
            "" => Ok(()),
            title => check_text(title).map_err(|problem| format!("The title {problem}.")),
        });
    if let Err(problem) = checked {
        return Ok(form(visitor, &AccountDraft { problem: Some(problem), ..draft }));
    }
    if !posted.claim(&web).await? {
        return Ok(Redirect::to(PATH).into_response());
    }
    let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let account = NewAccount {
        email: draft.email.clone(),
        name: optional(&draft.name),
        title: optional(&draft.title),
    };
    match web.service.create_account(&visitor.caller, account).await {
        Ok(account) => {
            Ok(Redirect::to(&format!("{PATH}/{}?done=account-added", account.id)).into_response())
        }
        Err(refusal @ Refusal::Conflict(_)) => {
            posted.release(&web).await?;
            let problem = Some(sentence(&problem_text(&refusal)));
            Ok(form(visitor, &AccountDraft { problem, ..draft }))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Shows a service account and its tokens.
pub(super) async fn details(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    caller.require(&[ServiceAccountWrite, OrgAppKeysRead])?;
    let account = web.service.service_account(&id).await?;
    let mut asked = token_query(&params);
    asked.listing.owners = vec![account.id];
    let search = web.service.store.token_slice(&asked);
    let slice = web.service.search(&web.service.searches, caller, search).await?;
    let path = format!("{PATH}/{}", account.id);
    let may_change = caller.has(ServiceAccountWrite);
    let content = html! {
        p.crumbs { a href=(PATH) { "Service Accounts" } " / " }
        div.heading {
            h1 { bdi { (visible(title(&account))) } @if account.disabled_at.is_some() { " " span.badge.expired { "disabled" } } }
            @if may_change {
                div.buttons {
                    @if account.disabled_at.is_none() {
                        a.button.primary href={ (path) "/tokens/new" } { span aria-hidden="true" { "+ " } "New Access Token" }
                        a.button.danger href={ (path) "/state" } { "Disable" }
                    } @else {
                        a.button href={ (path) "/state" } { "Enable" }
                    }
                }
            }
        }
        section.panel {
            h2 { "Details" }
            dl.facts {
                div { dt { "Email address" } dd { bdi { (visible(&account.email)) } } }
                div { dt { "Account ID" } dd { code { (account.id) } } }
                @if let Some(title) = &account.title { div { dt { "Title" } dd { bdi { (visible(title)) } } } }
                div { dt { "Added" } dd { (moment(account.created_at)) } }
                @if account.disabled_at.is_some() { div { dt { "Disabled" } dd { (moment_or_dash(account.disabled_at)) } } }
            }
        }
        h2 { "Access tokens" }
        (search_form(&path, &params))
        @if slice.tokens.is_empty() {
            p.empty { "No token matches." }
        } @else {
            (own_table(&slice, &params, &path))
            (neighbours(&slice, &asked, &params, &path).markup())
        }
    };
    let notice = notice(params.get("done"));
    let page =
        WebPage { title: title(&account), section: Section::ServiceAccounts, notice, content };
    Ok(layout::page(&visitor, page))
}

/// Asks for the confirmation that a service account is disabled or enabled.
pub(super) async fn confirm_state(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> PageResult {
    let account = web.service.changeable_account(&visitor.caller, &id).await?;
    let is_enabled = account.disabled_at.is_none();
    let heading =
        if is_enabled { "Disable this service account?" } else { "Enable this service account?" };
    let content: Markup = html! {
        div.panel.narrow {
            h1 { (heading) }
            p {
                "The tokens of " strong { bdi { (visible(title(&account))) } }
                @if is_enabled { " are rejected within a second." } @else { " that are live are accepted again." }
            }
            form.buttons method="post" action={ (PATH) "/" (account.id) "/state" } {
                (hidden_fields(&visitor))
                input type="hidden" name="state" value=(if is_enabled { "disabled" } else { "enabled" });
                button.danger.solid[is_enabled] { (if is_enabled { "Disable" } else { "Enable" }) }
                a.button href={ (PATH) "/" (account.id) } { "Cancel" }
            }
        }
    };
    let page = WebPage { title: heading, section: Section::ServiceAccounts, notice: None, content };
    Ok(layout::page(&visitor, page))
}

/// Disables or enables a service account.
pub(super) async fn set_state(
    State(web): SharedWeb,
    Path(id): Path<String>,
    posted: Posted,
) -> PageResult {
    let own = format!("{PATH}/{id}");
    if let Some(page) = openid::ask_again(&web, &posted.visitor, Step::Send, &own) {
        return Ok(page);
    }
    let (disabled, done) = match posted.params.get("state") {
        "disabled" => (true, "account-disabled"),
        "enabled" => (false, "account-enabled"),
        _ => return Err(PageError::new(StatusCode::BAD_REQUEST, "The form is incomplete.")),
    };
    let update = AccountUpdate { disabled: Some(disabled), ..AccountUpdate::default() };
    web.service.update_account(&posted.visitor.caller, &id, &update).await?;
    Ok(Redirect::to(&format!("{own}?done={done}")).into_response())
}
