//! The frame of every page: head, navigation, reminders, notices and errors.

use super::assets;
use super::error::PageError;
use super::forms::hidden_fields;
use super::parts::{relative, visible};
use super::visitor::Visitor;
use crate::permission::Permission;
use crate::permission::Permission::{AuditLogsRead, OrgAppKeysRead};
use crate::permission::Permission::{ServiceAccountWrite, UserAccessRead, UserAppKeys};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};

/// The surroundings of a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame<'a> {
    /// No navigation: nobody is signed in.
    Outside,
    /// The navigation of a visitor.
    Inside(&'a Visitor),
}

/// An entry of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    OwnTokens,
    Sessions,
    AllTokens,
    Users,
    ServiceAccounts,
    Leaks,
    Audit,
    /// A page outside of the navigation.
    None,
}

/// A page of a visitor.
#[derive(Debug)]
pub(super) struct WebPage<'a> {
    pub(super) title: &'a str,
    pub(super) section: Section,
    /// The notice that an action succeeded.
    pub(super) notice: Option<&'a str>,
    pub(super) content: Markup,
}

struct NavigationGroup {
    title: &'static str,
    entries: &'static [NavigationEntry],
}

struct NavigationEntry {
    section: Section,
    label: &'static str,
    path: &'static str,
    /// The permissions, any of which suffices; everybody if empty.
    permissions: &'static [Permission],
}

const GROUPS: [NavigationGroup; 3] = [
    NavigationGroup {
        title: "Personal Settings",
        entries: &[
            NavigationEntry {
                section: Section::OwnTokens,
                label: "Access Tokens",
                path: "/tokens",
                permissions: &[UserAppKeys, OrgAppKeysRead],
            },
            NavigationEntry {
                section: Section::Sessions,
                label: "Sessions",
                path: "/sessions",
                permissions: &[],
            },
        ],
    },
    NavigationGroup {
        title: "Organization Settings",
        entries: &[
            NavigationEntry {
                section: Section::AllTokens,
                label: "Access Tokens",
                path: "/organization/tokens",
                permissions: &[OrgAppKeysRead],
            },
            NavigationEntry {
                section: Section::Users,
                label: "Users",
                path: "/organization/users",
                permissions: &[UserAccessRead, OrgAppKeysRead],
            },
            NavigationEntry {
                section: Section::ServiceAccounts,
                label: "Service Accounts",
                path: "/organization/service-accounts",
                permissions: &[ServiceAccountWrite, OrgAppKeysRead],
            },
        ],
    },
    NavigationGroup {
        title: "Security",
        entries: &[
            NavigationEntry {
                section: Section::Leaks,
                label: "Leaks",
                path: "/security/leaks",
                permissions: &[OrgAppKeysRead],
            },
            NavigationEntry {
                section: Section::Audit,
                label: "Audit Trail",
                path: "/security/audit",
                permissions: &[AuditLogsRead],
            },
        ],
    },
];

/// Returns the response with a page.
pub(super) fn page(visitor: &Visitor, page: WebPage<'_>) -> Response {
    page_with_status(StatusCode::OK, visitor, page)
}

/// Returns the response with a page and a status.
pub(super) fn page_with_status(
    status: StatusCode,
    visitor: &Visitor,
    page: WebPage<'_>,
) -> Response {
    let content = html! {
        @if let Some(notice) = page.notice {
            p.notice role="status" { (notice) }
        }
        (page.content)
    };
    let document = inside(visitor, page.title, page.section, &content);
    (status, Html(document.into_string())).into_response()
}

/// Returns the response with a page outside of the navigation.
pub(super) fn outside(status: StatusCode, title: &str, content: &Markup) -> Response {
    let document = document(
        title,
        &html! {
            div.outside {
                header.brand { (logo()) "ddpatrol" }
                main #main tabindex="-1" { (content) }
            }
        },
    );
    (status, Html(document.into_string())).into_response()
}

/// Returns the response with an error.
pub(super) fn error_page(error: &PageError, frame: Frame<'_>) -> Response {
    let content = html! {
        div.panel.message {
            h1 { (error.title()) }
            p { (visible(&error.text)) }
            p { a.button href="/" { "Go to the start page" } }
        }
    };
    match frame {
        Frame::Outside => outside(error.status, error.title(), &content),
        Frame::Inside(visitor) => {
            let document = inside(visitor, error.title(), Section::None, &content);
            (error.status, Html(document.into_string())).into_response()
        }
    }
}

/// Returns a page that navigates to a path of this service.
pub(super) fn continue_to(path: &str) -> Response {
    let content = html! {
        div.panel.message {
            h1 { "Continue" }
            p { "Another site linked to this page." }
            p { a.button.primary href=(path) { "Open the page" } }
        }
    };
    let mut response = outside(StatusCode::OK, "Continue", &content);
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={path}")) {
        response.headers_mut().insert(header::REFRESH, value);
    }
    response
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (visible(title)) " · ddpatrol" }
                link rel="icon" href=(assets::ICON);
                link rel="stylesheet" href=(assets::style_path());
                script src=(assets::script_path()) defer {}
            }
            body { (body) }
        }
    }
}

fn inside(visitor: &Visitor, title: &str, section: Section, content: &Markup) -> Markup {
    document(
        title,
        &html! {
            a.skip href="#main" { "Skip to the content" }
            header.bar {
                a.brand href="/" { (logo()) "ddpatrol" }
                details.menu {
                    summary { "Menu" }
                    (navigation(visitor, section, "Menu"))
                }
                (account(visitor))
            }
            div.frame {
                div.side { (navigation(visitor, section, "Main")) }
                main #main tabindex="-1" {
                    (reminders(visitor))
                    (content)
                }
            }
        },
    )
}

fn logo() -> Markup {
    html! {
        svg.logo viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" {
            path d="M10 1 2.5 4v5.2c0 4.6 3.1 8 7.5 9.8 4.4-1.8 7.5-5.2 7.5-9.8V4L10 1z" fill="currentColor" {}
            path class="keyhole" d="M10 6.2a2.3 2.3 0 0 0-1.1 4.3l-.6 3.3h3.4l-.6-3.3A2.3 2.3 0 0 0 10 6.2z" {}
        }
    }
}

fn account(visitor: &Visitor) -> Markup {
    html! {
        div.account {
            div.who {
                bdi.who-name { (visible(&visitor.session.user_name)) }
                @if let Some(token) = &visitor.session.token {
                    span.soft { "with the token " bdi { (visible(&token.name)) } }
                } @else if visitor.session.user_name != *visitor.session.user.email {
                    span.soft { (visible(&visitor.session.user.email)) }
                }
            }
            form method="post" action="/sign-out" {
                (hidden_fields(visitor))
                button.small { "Sign out" }
            }
        }
    }
}

fn navigation(visitor: &Visitor, current: Section, label: &str) -> Markup {
    let is_visible = |entry: &&NavigationEntry| {
        entry.permissions.is_empty() || entry.permissions.iter().any(|&p| visitor.caller.has(p))
    };
    html! {
        nav aria-label=(label) {
            @for group in &GROUPS {
                @let entries: Vec<_> = group.entries.iter().filter(is_visible).collect();
                @if !entries.is_empty() {
                    p.group { (group.title) }
                    ul {
                        @for entry in entries {
                            li {
                                a href=(entry.path) aria-current=[(entry.section == current).then_some("page")] {
                                    (entry.label)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the reminder of the visitor's tokens that expire soon.
fn reminders(visitor: &Visitor) -> Markup {
    const SHOWN: usize = 3;
    let expiring = &visitor.expiring;
    html! {
        @if !expiring.is_empty() {
            aside.reminder aria-label="Tokens that expire soon" {
                @for (at, token) in expiring.iter().take(SHOWN).enumerate() {
                    @if at > 0 { " · " }
                    a href={ "/tokens/" (token.id) } { bdi.short { (visible(&token.name)) } }
                    " expires " (relative(token.expires_at))
                }
                @if expiring.len() > SHOWN {
                    " · " a href="/tokens?sort=expires" { "more" }
                }
            }
        }
    }
}
