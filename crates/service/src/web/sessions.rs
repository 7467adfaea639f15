//! Personal Settings > Sessions: the visitor's own sessions.

use super::forms::{Posted, hidden_fields};
use super::layout::{self, Section, WebPage};
use super::params::{Params, encode};
use super::parts::{Neighbours, moment, relative, visible};
use super::state::{PageResult, SharedWeb};
use super::token_parts::notice;
use super::visitor::{Visitor, ended_cookie};
use crate::audit::method;
use crate::refusal::Refusal;
use crate::sessions::is_person;
use crate::store::sessions::Session;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Redirect};
use axum_extra::extract::cookie::CookieJar;
use ddpatrol_token::Uuid;
use maud::{Markup, html};

/// Number of sessions per page.
const PAGE: u32 = 50;

/// Shows the visitor's sessions.
pub(super) async fn list(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    let after = Uuid::parse(params.get("after"));
    let mut sessions = if is_person(&visitor.caller) {
        web.service.store.sessions_of(visitor.caller.user(), after, PAGE + 1).await?
    } else {
        vec![visitor.session.clone()]
    };
    let more = sessions.len() > PAGE as usize;
    sessions.truncate(PAGE as usize);
    let next = sessions.last().filter(|_| more).map(|last| last.id.to_string());
    let neighbours = Neighbours {
        first: after.map(|_| "/sessions".to_owned()),
        previous: None,
        next: next.map(|after| format!("/sessions{}", encode([("after", &*after)].into_iter()))),
    };
    let content = html! {
        div.heading {
            div {
                h1 { "Sessions" }
                p.lead { "The browsers in which you are signed in. A session ends after 30 minutes without use, and after 12 hours." }
            }
        }
        table.rows {
            caption.off { "Your sessions" }
            thead {
                tr {
                    th scope="col" { "Browser" }
                    th scope="col" { "Address" }
                    th scope="col" { "Signed in" }
                    th scope="col" { "Last used" }
                    th.date scope="col" { span.off { "Actions" } }
                }
            }
            tbody {
                @for session in &sessions {
                    tr {
                        td data-label="Browser" { (browser(session, &visitor)) }
                        td data-label="Address" { code { (visible(&session.ip)) } }
                        td data-label="Signed in" { (moment(session.created_at)) div.soft { (way(session)) } }
                        td data-label="Last used" { (relative(session.used_at)) }
                        td.actions {
                            form method="post" action={ "/sessions/" (session.id) "/end" } {
                                (hidden_fields(&visitor))
                                button.small.danger { @if session.id == visitor.session.id { "Sign out" } @else { "End" } }
                            }
                        }
                    }
                }
            }
        }
        (neighbours.markup())
    };
    let notice = notice(params.get("done"));
    let page = WebPage { title: "Sessions", section: Section::Sessions, notice, content };
    Ok(layout::page(&visitor, page))
}

fn way(session: &Session) -> Markup {
    html! {
        @match session.method.as_str() {
            method::SIGN_IN_LINK => "with a sign-in link",
            method::OPENID => "with OpenID Connect",
            _ => {
                "with the token "
                @if let Some(token) = &session.token { bdi { (visible(&token.name)) } }
            },
        }
    }
}

fn browser(session: &Session, visitor: &Visitor) -> Markup {
    html! {
        div.name {
            span { (short_agent(&session.user_agent)) }
            @if session.id == visitor.session.id { " " span.badge.live { "this session" } }
        }
        span.soft.clip title=(visible(&session.user_agent)) { (visible(&session.user_agent)) }
    }
}

/// Returns the browser and the system that a user agent names.
fn short_agent(agent: &str) -> String {
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|known| known.1)
    };
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

/// Ends one of the visitor's sessions.
pub(super) async fn end(
    State(web): SharedWeb,
    Path(id): Path<String>,
    jar: CookieJar,
    posted: Posted,
) -> PageResult {
    let visitor = &posted.visitor;
    let id = Uuid::parse(&id).ok_or(Refusal::NotFound("session"))?;
    web.service.end_own_session(&visitor.caller, id).await?;
    if id == visitor.session.id {
        let jar = jar.add(ended_cookie(&web.origin));
        return Ok((jar, Redirect::to("/sign-in?done=signed-out")).into_response());
    }
    Ok(Redirect::to("/sessions?done=ended").into_response())
}
