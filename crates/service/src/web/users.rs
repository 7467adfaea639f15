//! Organization Settings > Users: people, their permissions, and sign-in links.

use super::error::{PageError, problem_text, sentence};
use super::forms::{Posted, hidden_fields};
use super::guard::host;
use super::layout::{self, Section, WebPage};
use super::openid::{self, Step};
use super::params::Params;
use super::parts::{day, field, moment, moment_or_dash, relative, visible};
use super::state::{PageResult, SharedWeb, Web};
use super::token_parts::notice;
use super::user_lists::{list_users, search_form};
use super::visitor::Visitor;
use crate::caller::Caller;
use crate::permission::Permission::{OrgAppKeysRead, OrgAppKeysWrite, UserAccessRead};
use crate::permission::{Permission, Permissions};
use crate::redact::redact;
use crate::refusal::Refusal;
use crate::sessions::is_person;
use crate::store::token_pages::UserActivity;
use crate::store::users::User;
use crate::token_kind::TokenKind;
use crate::users::{AccountState, NewPerson};
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use std::collections::HashMap;

const PATH: &str = "/organization/users";
/// Shows the users.
pub(super) async fn list(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let caller = &visitor.caller;
    caller.require(&[UserAccessRead, OrgAppKeysRead])?;
    let kind = TokenKind::Personal;
    let listed = list_users(&web, caller, kind, &params, PATH).await?;
    let content = html! {
        div.heading {
            div { h1 { "Users" } p.lead { "People who can sign in and own access tokens." } }
            @if caller.has(OrgAppKeysWrite) { a.button.primary href={ (PATH) "/new" } { span aria-hidden="true" { "+ " } "Add user" } }
        }
        (search_form(PATH, &params))
        @if listed.users.is_empty() {
            p.empty { "No user matches. " a href=(PATH) { "Show all users" } }
        } @else {
            (table(&listed.users, &listed.activity))
            (listed.neighbours.markup())
        }
    };
    let notice = notice(params.get("done"));
    Ok(layout::page(&visitor, WebPage { title: "Users", section: Section::Users, notice, content }))
}

fn table(users: &[User], activity: &HashMap<[u8; 16], UserActivity>) -> Markup {
    html! {
        table.rows {
            caption.off { "Users" }
            thead {
                tr {
                    th scope="col" { "User" }
                    th scope="col" { "Permissions" }
                    th.date scope="col" { "Live tokens" }
                    th.date scope="col" { "Last seen" }
                    th.date scope="col" { "Added" }
                }
            }
            tbody {
                @for user in users {
                    @let seen = activity.get(user.id.as_bytes()).copied().unwrap_or_default();
                    tr.dead[user.disabled_at.is_some()] {
                        td data-label="User" {
                            div.name {
                                a href={ (PATH) "/" (user.id) } { bdi.clip { (visible(&user.name)) } }
                                @if user.disabled_at.is_some() { " " span.badge.expired { "disabled" } }
                                @if user.service_account { " " span.badge { "service account" } }
                            }
                            span.soft { bdi { (visible(&user.email)) } }
                        }
                        td data-label="Permissions" { (permissions_in_row(user.permissions)) }
                        td data-label="Live tokens" {
                            @if seen.live_tokens > 0 { a href={ "/organization/tokens" (super::params::encode([("owner", user.email.as_str())].into_iter())) } { (seen.live_tokens) } } @else { "0" }
                        }
                        td data-label="Last seen" { @match seen.last_seen { Some(at) => (relative(at)), None => span.soft { "never" } } }
                        td data-label="Added" { (day(user.created_at)) }
                    }
                }
            }
        }
    }
}

fn permissions_in_row(permissions: Permissions) -> Markup {
    html! {
        @if permissions == Permissions::ALL {
            span.badge.live { "administrator" } " " span.soft { "all" }
        } @else {
            span.scopes {
                @for permission in permissions.iter() { code { (permission) } " " }
                @if permissions == Permissions::NONE { span.soft { "none" } }
            }
        }
    }
}

/// Returns the sentence that explains a permission.
const fn meaning(permission: Permission) -> &'static str {
    match permission {
        Permission::UserAppKeys => "Manage their own access tokens",
        Permission::OrgAppKeysRead => "See the access tokens of everybody",
        Permission::OrgAppKeysWrite => "Create, edit and revoke everybody’s tokens; manage users",
        Permission::AuditLogsRead => "Read the Audit Trail",
        Permission::TokensIntrospect => "Check tokens that other services receive",
        Permission::UserAccessRead => "See all users",
        Permission::ServiceAccountWrite => "Manage service accounts and their tokens",
    }
}

fn permission_boxes(caller: &Caller, chosen: Permissions) -> Markup {
    html! {
        fieldset.field {
            legend { "Permissions" }
            @for permission in Permission::ALL {
                label.check.wide {
                    input type="checkbox" name="permission" value=(permission) checked[chosen.contains(permission)] disabled[!caller.has(permission)];
                    span { (meaning(permission)) " " code { (permission) } }
                }
            }
        }
    }
}

fn chosen_permissions(params: &Params) -> Permissions {
    params.all("permission").filter_map(Permission::from_name).collect()
}

/// Shows the form that adds a user.
pub(super) async fn new(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
) -> PageResult {
    visitor.caller.require(&[OrgAppKeysWrite])?;
    if let Some(page) = openid::ask_again(&web, &visitor, Step::Open, "/organization/users/new") {
        return Ok(page);
    }
    let chosen = Permissions::NONE.with(Permission::UserAppKeys);
    Ok(new_form(&visitor, &PersonDraft { chosen, ..PersonDraft::default() }))
}

/// The content of the form, as it was typed.
#[derive(Clone, Debug, Default)]
struct PersonDraft {
    email: String,
    name: String,
    chosen: Permissions,
    problem: Option<String>,
}

fn new_form(visitor: &Visitor, draft: &PersonDraft) -> Response {
    let problem = draft.problem.as_deref();
    let content = html! {
        p.crumbs { a href=(PATH) { "Users" } " / " }
        h1 { "Add user" }
        form.panel.narrow method="post" action={ (PATH) "/new" } {
            (hidden_fields(visitor))
            @if let Some(problem) = problem { p.warning role="alert" { (visible(problem)) } }
            (field("email", "Email address", None, html! {
                input #email type="email" name="email" value=(redact(&draft.email)) required maxlength="255" autocomplete="off" spellcheck="false";
            }))
            (field("name", "Name", None, html! {
                input #name type="text" name="name" value=(redact(&draft.name)) maxlength="255" autocomplete="off" dir="auto" aria-describedby="name-hint";
                p.hint #name-hint { "Optional. The email address is shown instead." }
            }))
            (permission_boxes(&visitor.caller, draft.chosen))
            div.buttons { button.primary { "Add user" } a.button href=(PATH) { "Cancel" } }
        }
    };
    let status = if problem.is_none() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = WebPage { title: "Add user", section: Section::Users, notice: None, content };
    layout::page_with_status(status, visitor, page)
}

/// Adds a user.
pub(super) async fn add(State(web): SharedWeb, posted: Posted) -> PageResult {
    let visitor = &posted.visitor;
    if let Some(page) = openid::ask_again(&web, visitor, Step::Send, "/organization/users/new") {
        return Ok(page);
    }
    let draft = PersonDraft {
        email: posted.params.get("email").trim().to_owned(),
        name: posted.params.get("name").trim().to_owned(),
        chosen: chosen_permissions(&posted.params),
        problem: None,
    };
    if !posted.claim(&web).await? {
        return Ok(Redirect::to(PATH).into_response());
    }
    let (email, name) = (draft.email.clone(), draft.name.clone());
    let person = NewPerson { email, name, permissions: draft.chosen };
    match web.service.add_person(&visitor.caller, person).await {
        Ok(user) => Ok(Redirect::to(&format!("{PATH}/{}?done=added", user.id)).into_response()),
        Err(refusal @ (Refusal::Invalid(_) | Refusal::Forbidden(_))) => {
            posted.release(&web).await?;
            let problem = Some(sentence(&problem_text(&refusal)));
            Ok(new_form(visitor, &PersonDraft { problem, ..draft }))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Shows a user.
pub(super) async fn details(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let user = web.service.visible_user(&visitor.caller, &id).await?;
    let content = user_content(&web, &visitor, &user, &html! {}).await?;
    let notice = notice(params.get("done"));
    Ok(layout::page(
        &visitor,
        WebPage { title: &user.name, section: Section::Users, notice, content },
    ))
}

async fn user_content(
    web: &Web,
    visitor: &Visitor,
    user: &User,
    link: &Markup,
) -> Result<Markup, PageError> {
    let caller = &visitor.caller;
    let activity = web.service.store.user_activity(&[user.id]).await?;
    let seen = activity.get(user.id.as_bytes()).copied().unwrap_or_default();
    let may_change =
        caller.has(OrgAppKeysWrite) && user.permissions.iter().all(|it| caller.has(it));
    let tokens = super::params::encode([("owner", user.email.as_str())].into_iter());
    Ok(html! {
        p.crumbs { a href=(PATH) { "Users" } " / " }
        div.heading {
            h1 { bdi { (visible(&user.name)) } @if user.disabled_at.is_some() { " " span.badge.expired { "disabled" } } }
            @if may_change {
                div.buttons {
                    @if user.disabled_at.is_none() && is_person(caller) && !user.service_account {
                        form method="post" action={ (PATH) "/" (user.id) "/link" } { (hidden_fields(visitor)) button { "Create sign-in link" } }
                    }
                    @if user.disabled_at.is_none() {
                        a.button href={ "/tokens/new" (tokens) } { "New Access Token" }
                        a.button.danger href={ (PATH) "/" (user.id) "/state" } { "Disable" }
                    } @else {
                        a.button href={ (PATH) "/" (user.id) "/state" } { "Enable" }
                    }
                }
            }
        }
        (link)
        section.panel {
            h2 { "Details" }
            dl.facts {
                div { dt { "Email address" } dd { bdi { (visible(&user.email)) } } }
                div { dt { "User ID" } dd { code { (user.id) } } }
                div { dt { "Live tokens" } dd { @if caller.has(OrgAppKeysRead) { a href={ "/organization/tokens" (tokens) } { (seen.live_tokens) } } @else { (seen.live_tokens) } } }
                div { dt { "Last seen" } dd { (moment_or_dash(seen.last_seen)) } }
                div { dt { "Added" } dd { (moment(user.created_at)) } }
                @if user.disabled_at.is_some() { div { dt { "Disabled" } dd { (moment_or_dash(user.disabled_at)) } } }
            }
        }
        @if may_change {
            form.panel method="post" action={ (PATH) "/" (user.id) "/permissions" } {
                (hidden_fields(visitor))
                (permission_boxes(caller, user.permissions))
                div.buttons { button.primary { "Save permissions" } }
            }
        } @else {
            section.panel { h2 { "Permissions" } p { (permissions_in_row(user.permissions)) } }
        }
    })
}

/// Replaces a user's permissions.
pub(super) async fn set_permissions(
    State(web): SharedWeb,
    Path(id): Path<String>,
    posted: Posted,
) -> PageResult {
    let permissions = chosen_permissions(&posted.params);
    let own = format!("{PATH}/{id}");
    if let Some(page) = openid::ask_again(&web, &posted.visitor, Step::Send, &own) {
        return Ok(page);
    }
    web.service.set_user_permissions(&posted.visitor.caller, &id, permissions).await?;
    Ok(Redirect::to(&format!("{PATH}/{id}?done=permissions")).into_response())
}

/// Asks for the confirmation that a user is disabled or enabled.
pub(super) async fn confirm_state(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> PageResult {
    let user = web.service.changeable_user(&visitor.caller, &id).await?;
    let is_enabled = user.disabled_at.is_none();
    let title = if is_enabled { "Disable this user?" } else { "Enable this user?" };
    let content = html! {
        div.panel.narrow {
            h1 { (title) }
            p {
                strong { bdi { (visible(&user.email)) } }
                @if is_enabled { " can no longer sign in, and their tokens and sessions are rejected within a second." }
                @else { " can sign in again, and their live tokens are accepted again." }
            }
            form.buttons method="post" action={ (PATH) "/" (user.id) "/state" } {
                (hidden_fields(&visitor))
                input type="hidden" name="state" value=(if is_enabled { "disabled" } else { "enabled" });
                button.danger.solid[is_enabled] { (if is_enabled { "Disable" } else { "Enable" }) }
                a.button href={ (PATH) "/" (user.id) } { "Cancel" }
            }
        }
    };
    let page = WebPage { title, section: Section::Users, notice: None, content };
    Ok(layout::page(&visitor, page))
}

/// Disables or enables a user.
pub(super) async fn set_state(
    State(web): SharedWeb,
    Path(id): Path<String>,
    posted: Posted,
) -> PageResult {
    let own = format!("{PATH}/{id}");
    if let Some(page) = openid::ask_again(&web, &posted.visitor, Step::Send, &own) {
        return Ok(page);
    }
    let (state, done) = match posted.params.get("state") {
        "disabled" => (AccountState::Disabled, "disabled"),
        "enabled" => (AccountState::Enabled, "enabled"),
        _ => return Err(PageError::new(StatusCode::BAD_REQUEST, "The form is incomplete.")),
    };
    web.service.set_user_state(&posted.visitor.caller, &id, state).await?;
    Ok(Redirect::to(&format!("{PATH}/{id}?done={done}")).into_response())
}

/// Creates a sign-in link for a user and shows it once.
pub(super) async fn sign_in_link(
    State(web): SharedWeb,
    Path(id): Path<String>,
    parts: Parts,
    posted: Posted,
) -> PageResult {
    let visitor = &posted.visitor;
    let own = format!("{PATH}/{id}");
    if let Some(page) = openid::ask_again(&web, visitor, Step::Send, &own) {
        return Ok(page);
    }
    if !posted.claim(&web).await? {
        return Ok(Redirect::to(&format!("{PATH}/{id}")).into_response());
    }
    let link = web.service.user_link(&visitor.caller, &id).await?;
    let user = web.service.visible_user(&visitor.caller, &id).await?;
    let origin = web.origin.of_request(host(&parts)).unwrap_or_default();
    let url = link.url(&origin);
    let shown = html! {
        div.panel.created {
            h2 { "Sign-in link" }
            p { "Send this link to " bdi { (visible(&user.email)) } ". It signs in whoever opens it first, once, and expires " (relative(link.expires_at)) "." }
            div.secret {
                label for="secret" { "Link" }
                div.copy {
                    input #secret type="text" readonly value=(url) autocomplete="off" spellcheck="false" data-secret;
                    button.primary type="button" data-copy="secret" hidden { "Copy" }
                }
                p.soft role="status" data-copied {}
            }
        }
    };
    let content = user_content(&web, visitor, &user, &shown).await?;
    let page = WebPage { title: &user.name, section: Section::Users, notice: None, content };
    Ok(layout::page_with_status(StatusCode::CREATED, visitor, page))
}
