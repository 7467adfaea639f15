//! The scanner's own report: whole tokens as proof of possession, and where they were found.

use super::entries::{Entry, ListError, Member, Shape};
use super::{MAX_ENTRIES, actor, take};
use crate::api::body::must_be_json;
use crate::api::error::{ApiError, Errors, OpenRefusals, json};
use crate::audit::method;
use crate::auth::Presented;
use crate::service::Service;
use crate::store::leaks::{LeakOutcome, LeakReport};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use ddpatrol_token::Uuid;
use serde::{Serialize, Serializer};
use std::sync::Arc;
use utoipa::ToSchema;

/// A report.
#[derive(Debug, ToSchema)]
pub struct ReportsBody {
    /// What was found; at most 10,000 entries. A faulty entry is answered as `invalid` and does not
    /// spoil the rest.
    #[schema(max_items = 10000)]
    pub reports: Vec<ReportEntry>,
}

/// One token that was found.
#[derive(Debug, ToSchema)]
pub struct ReportEntry {
    /// The whole token.
    pub token: String,
    /// Who found it.
    #[schema(nullable = false)]
    pub source: Option<String>,
    /// Where it can be seen.
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// Where it stands there: a path, a commit, a line.
    #[schema(nullable = false)]
    pub location: Option<String>,
}

/// What came of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResultsDocument {
    /// For each entry, in order.
    pub results: Vec<ReportResult>,
}

/// What came of one entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportResult {
    /// `revoked`, `flagged`, `already_revoked`, `expired`, `unknown` or `invalid`.
    #[schema(pattern = "^(revoked|flagged|already_revoked|expired|unknown|invalid)$")]
    pub status: &'static str,
    /// The token, where it was issued here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid", nullable = false)]
    pub token_id: Option<String>,
    /// What is wrong with an invalid entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<&'static str>,
}

/// Takes a report of leaked tokens. It needs no login: the tokens are the proof.
#[utoipa::path(
    post, path = "/leaks/v1/reports", tag = "Leaks",
    request_body(content = ReportsBody, content_type = "application/json"),
    responses(
        (status = 200, description = "What came of each entry", body = ResultsDocument, content_type = "application/json"),
        (status = 400, description = "Not a report", body = Errors, content_type = "application/vnd.api+json"),
        (status = 415, description = "Not JSON", body = Errors, content_type = "application/vnd.api+json"),
        OpenRefusals,
    ),
    security(()),
)]
pub async fn reports(
    State(service): State<Arc<Service>>,
    parts: Parts,
    body: Bytes,
) -> Result<Response, ApiError> {
    must_be_json(&parts.headers)?;
    let Report { entries, sound } = read(&service, &body)?;
    drop(body);
    let actor = actor(&service, &parts, method::POSSESSION);
    let outcomes = take(&service, &sound, &actor).await?;
    let answer = Answer { entries: &entries, sound: &sound, outcomes: &outcomes };
    Ok(json(StatusCode::OK, "application/json", &answer))
}

/// The problem of an entry.
type Fault = &'static str;

/// The content of a report.
#[derive(Default)]
struct Report {
    /// The fault of each entry; `None` for a sound entry.
    entries: Vec<Option<Fault>>,
    /// The sound entries.
    sound: Vec<LeakReport>,
}

fn read(service: &Service, body: &[u8]) -> Result<Report, ApiError> {
    let shape = Shape {
        list: Some("reports"),
        texts: ["source", "url", "location"],
        read_token: &|token| service.reader.read(token.as_bytes()),
    };
    let mut found = Report::default();
    let read = shape.read(body, &mut |entry| match entry_report(entry) {
        Ok(report) => {
            found.entries.push(None);
            found.sound.push(report);
        }
        Err(fault) => found.entries.push(Some(fault)),
    });
    match read {
        Ok(()) => Ok(found),
        Err(ListError::TooMany) => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("reports: at most {MAX_ENTRIES} entries; send the rest in another report"),
        )),
        Err(ListError::Syntax { line, column }) => {
            Err(ApiError::bad(vec![format!("body: not JSON (line {line}, column {column})")]))
        }
        Err(ListError::NoList) => Err(ApiError::bad(vec![
            "reports: required once, a list of objects with token, and optionally source, url and location"
                .to_owned(),
        ])),
    }
}

fn entry_report(entry: Entry<Option<Presented>>) -> Result<LeakReport, Fault> {
    if entry.ambiguous {
        return Err("token, source, url and location: at most once each");
    }
    let text = |member| match member {
        Member::None => Ok(String::new()),
        Member::Text(text) => Ok(text),
        Member::Other => Err("source, url and location are texts"),
    };
    let Member::Text(token) = entry.token else { return Err("token: required, a text") };
    let presented = token.ok_or("token: not a personal access token, or its checksum is wrong")?;
    let [source, url, location] = entry.texts;
    let source = text(source)?;
    Ok(LeakReport {
        token: presented.id,
        digest: presented.digest,
        source: if source.is_empty() { "report".to_owned() } else { source },
        url: text(url)?,
        location: text(location)?,
    })
}

/// The answer, written from what was read without a copy: a [`ResultsDocument`].
struct Answer<'a> {
    entries: &'a [Option<Fault>],
    sound: &'a [LeakReport],
    outcomes: &'a [LeakOutcome],
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document<R: Serialize> {
            results: R,
        }
        Document { results: Results(self) }.serialize(serializer)
    }
}

struct Results<'a>(&'a Answer<'a>);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut taken = self.0.sound.iter().zip(self.0.outcomes);
        serializer.collect_seq(self.0.entries.iter().map(|fault| match fault {
            Some(detail) => {
                ReportResult { status: "invalid", token_id: None, detail: Some(detail) }
            }
            // There is an outcome for each sound entry.
            None => taken.next().map_or_else(
                || ReportResult { status: "unknown", token_id: None, detail: None },
                |(report, &outcome)| result(report.token, outcome),
            ),
        }))
    }
}

fn result(token: Uuid, outcome: LeakOutcome) -> ReportResult {
    let status = match outcome {
        LeakOutcome::Revoked => "revoked",
        LeakOutcome::Flagged => "flagged",
        LeakOutcome::AlreadyRevoked => "already_revoked",
        LeakOutcome::Expired => "expired",
        LeakOutcome::Unknown => "unknown",
    };
    let token_id = (outcome != LeakOutcome::Unknown).then(|| token.to_string());
    ReportResult { status, token_id, detail: None }
}
