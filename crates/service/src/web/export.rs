//! Exports as CSV and JSON, which are sent while they are read. They hold exactly what the page with
//! the same query shows, on all of its pages.

use super::error::PageError;
use super::params::Params;
use super::state::{PageResult, SharedWeb, Web};
use super::token_parts::token_query;
use super::visitor::Visitor;
use crate::api::audit::resource;
use crate::audit::{Event, Filter, Page as EventPage};
use crate::caller::Caller;
use crate::permission::Permission::{AuditLogsRead, OrgAppKeysRead};
use crate::refusal::Refusal;
use crate::server::Streamed;
use crate::sort::Direction;
use crate::store::listing::state_name;
use crate::store::token_pages::{Owner, TokenCursor, TokenPosition, TokenQuery};
use crate::store::tokens::Token;
use crate::{id, request_span, time};
use axum::Extension;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::Span;

/// Number of rows that are read at once.
const CHUNK: u32 = 500;
/// Number of parts that wait for a slow browser.
const WAITING: usize = 2;

/// A body whose parts are produced while it is sent. A part that failed breaks the connection off,
/// so that a browser does not take the file for complete.
struct PartsBody(Receiver<io::Result<Bytes>>);

impl HttpBody for PartsBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}

/// Returns the response with a file.
fn file(parts: Receiver<io::Result<Bytes>>, media: &'static str, name: &str) -> Response {
    let mut response = Body::new(PartsBody(parts)).into_response();
    response.extensions_mut().insert(Streamed);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The end of an export before all rows were read.
enum ExportEnd {
    /// The browser no longer waits.
    Abandoned,
    /// The database failed, or the visitor may no longer read the rows.
    Failed(Refusal),
}

impl From<Refusal> for ExportEnd {
    fn from(refusal: Refusal) -> Self {
        Self::Failed(refusal)
    }
}

async fn send(parts: &Sender<io::Result<Bytes>>, text: String) -> Result<(), ExportEnd> {
    parts.send(Ok(text.into())).await.map_err(|_| ExportEnd::Abandoned)
}

/// Produces the parts of an export in the background.
fn produce<F>(run: impl FnOnce(Sender<io::Result<Bytes>>) -> F) -> Receiver<io::Result<Bytes>>
where
    F: Future<Output = Result<(), ExportEnd>> + Send + 'static,
{
    let (sender, receiver) = channel(WAITING);
    let failing = sender.clone();
    let running = run(sender);
    let span = request_span::current().unwrap_or_else(Span::none);
    tokio::spawn(async move {
        if let Err(ExportEnd::Failed(error)) = running.await {
            span.in_scope(|| {
                tracing::error!(error = &error as &dyn std::error::Error, "export failed");
            });
            // The receiver may be gone.
            let _ = failing.send(Err(io::Error::other("export failed"))).await;
        }
    });
    receiver
}

/// Exports the events of the audit page's filter as CSV.
pub(super) async fn events_csv(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    events(&web, visitor, query.as_deref(), EventFormat::Csv)
}

/// Exports the events of the audit page's filter as JSON, in the format of the API.
pub(super) async fn events_json(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    events(&web, visitor, query.as_deref(), EventFormat::Json)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EventFormat {
    Csv,
    Json,
}

fn events(
    web: &Arc<Web>,
    visitor: Visitor,
    query: Option<&str>,
    format: EventFormat,
) -> PageResult {
    let params = Params::parse(query.unwrap_or_default())?;
    visitor.caller.require(&[AuditLogsRead])?;
    let mut filter = super::audit_filter::filter(&params)
        .map_err(|problem| PageError::new(StatusCode::BAD_REQUEST, problem.to_string()))?;
    // Events that are written while the export runs are not part of it.
    filter.to.get_or_insert_with(time::now);
    let web = Arc::clone(web);
    let parts = produce(|parts| async move {
        write_events(&web, &visitor.caller, &filter, format, &parts).await
    });
    let (media, name) = match format {
        EventFormat::Csv => ("text/csv; charset=utf-8", "audit-trail.csv"),
        EventFormat::Json => ("application/json", "audit-trail.json"),
    };
    Ok(file(parts, media, name))
}

async fn write_events(
    web: &Web,
    caller: &Caller,
    filter: &Filter,
    format: EventFormat,
    parts: &Sender<io::Result<Bytes>>,
) -> Result<(), ExportEnd> {
    const HEAD: &str = "time,event,action,actor,person,method,asset_type,asset_id,address,http_method,http_path,status,user_agent,metadata\r\n";
    let head = if format == EventFormat::Csv { HEAD } else { "[" };
    send(parts, head.to_owned()).await?;
    let mut page =
        EventPage { limit: CHUNK, direction: Direction::Descending, after: None, last: None };
    let mut is_first = true;
    loop {
        let search = web.service.store.events(filter, &page);
        let events = web.service.search(&web.service.searches, caller, search).await?;
        let mut text = String::new();
        for stored in &events {
            match format {
                EventFormat::Csv => text.push_str(&event_row(&stored.event)),
                EventFormat::Json => {
                    text.push_str(if is_first { "\n" } else { ",\n" });
                    let resource = resource(stored.event.clone());
                    text.push_str(&serde_json::to_string(&resource).unwrap_or_default());
                }
            }
            is_first = false;
        }
        send(parts, text).await?;
        page.after = events.last().map(|last| last.cursor());
        if events.len() < CHUNK as usize {
            break;
        }
    }
    let end = if format == EventFormat::Csv { "" } else { "\n]\n" };
    send(parts, end.to_owned()).await
}

fn event_row(event: &Event) -> String {
    let request = event.request.as_ref();
    row(&[
        &event.at.to_string(),
        &event.name,
        &event.action,
        &event.actor,
        event.user.as_ref().map_or("", |user| &user.email),
        &event.auth_method,
        &event.asset_type,
        &event.asset.map(|asset| asset.to_string()).unwrap_or_default(),
        request.map_or("", |request| &request.ip),
        request.map_or("", |request| &request.method),
        request.map_or("", |request| &request.path),
        &event.status.map(|status| status.to_string()).unwrap_or_default(),
        request.map_or("", |request| &request.user_agent),
        &event.metadata.as_ref().map(ToString::to_string).unwrap_or_default(),
    ])
}

/// Exports the tokens of the organization's list as CSV.
pub(super) async fn tokens_csv(
    State(web): SharedWeb,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> PageResult {
    let params = Params::parse(query.as_deref().unwrap_or_default())?;
    visitor.caller.require(&[OrgAppKeysRead])?;
    let mut asked = token_query(&params);
    super::organization::narrow(&web, &params, &mut asked).await?;
    asked.position = None;
    asked.listing.size = CHUNK;
    let web = Arc::clone(&web);
    let parts =
        produce(|parts| async move { write_tokens(&web, &visitor.caller, asked, &parts).await });
    Ok(file(parts, "text/csv; charset=utf-8", "access-tokens.csv"))
}

async fn write_tokens(
    web: &Web,
    caller: &Caller,
    mut asked: TokenQuery,
    parts: &Sender<io::Result<Bytes>>,
) -> Result<(), ExportEnd> {
    let head = "token_id,alias,name,owner,state,scopes,created,expires,last_used,revoked,leaked,owner_disabled\r\n";
    send(parts, head.to_owned()).await?;
    loop {
        let search = web.service.store.token_slice(&asked);
        let slice = web.service.search(&web.service.searches, caller, search).await?;
        let owners = slice.tokens.iter().map(|token| token.owner);
        let owners = web.service.store.owners(owners).await.map_err(Refusal::from)?;
        let mut text = String::new();
        for token in &slice.tokens {
            let owner = owners.get(token.owner.as_bytes()).cloned().unwrap_or_default();
            text.push_str(&token_row(token, &owner));
        }
        send(parts, text).await?;
        let last = slice.tokens.last().filter(|_| slice.has_next);
        let Some(last) = last else { return Ok(()) };
        asked.position = Some(TokenPosition::After(TokenCursor::of(last, asked.listing.order)));
    }
}

fn token_row(token: &Token, owner: &Owner) -> String {
    let text = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    row(&[
        &token.id.to_string(),
        &id::alias(token.id),
        &token.name,
        &owner.email,
        state_name(token),
        &token.scopes.join(" "),
        &token.created_at.to_string(),
        &token.expires_at.to_string(),
        &text(token.last_used_at),
        &text(token.revoked_at),
        &text(token.leak.as_ref().map(|leak| leak.date)),
        if owner.is_disabled { "yes" } else { "no" },
    ])
}

/// Formats a row of CSV. A cell that a spreadsheet would take for a formula starts with an
/// apostrophe.
fn row(cells: &[&str]) -> String {
    let mut text = String::new();
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if guard.is_empty() && !cell.contains([',', '"', '\n', '\r']) {
            text.push_str(cell);
        } else {
            text.push_str(&format!("\"{guard}{}\"", cell.replace('"', "\"\"")));
        }
    }
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        assert_eq!(row(&["a", "b,c", "d\"e", "=1+1", ""]), "a,\"b,c\",\"d\"\"e\",\"'=1+1\",\r\n");
    }
}
