//! The scanner's own report: whole tokens as proof of possession, and where they were found.

use super::{MAX_ENTRIES, actor, take};
use crate::api::body::{must_be_json, value};
use crate::api::error::{ApiError, Errors, OpenRefusals, json};
use crate::audit::{clean, method};
use crate::service::Service;
use crate::store::leaks::{LeakOutcome, LeakReport};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use ddpatrol_token::Uuid;
use serde::Serialize;
use serde_json::Value;
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
    let entries = entries(&body)?;
    let read: Vec<Result<LeakReport, &'static str>> =
        entries.iter().map(|entry| entry_report(&service, entry)).collect();
    let sound: Vec<LeakReport> = read.iter().filter_map(|entry| entry.clone().ok()).collect();
    let actor = actor(&service, &parts, method::POSSESSION);
    let mut outcomes = take(&service, &sound, &actor).await?.into_iter();
    let results = read
        .iter()
        .map(|entry| match entry {
            Ok(report) => result(report.token, outcomes.next().unwrap_or(LeakOutcome::Unknown)),
            Err(detail) => ReportResult { status: "invalid", token_id: None, detail: Some(detail) },
        })
        .collect();
    Ok(json(StatusCode::OK, "application/json", &ResultsDocument { results }))
}

fn entries(body: &[u8]) -> Result<Vec<Value>, ApiError> {
    let mut value = value(body)?;
    match value.get_mut("reports").map(Value::take) {
        Some(Value::Array(entries)) if entries.len() > MAX_ENTRIES => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("reports: at most {MAX_ENTRIES} entries; send the rest in another report"),
        )),
        Some(Value::Array(entries)) => Ok(entries),
        _ => Err(ApiError::bad(vec![
            "reports: required, a list of objects with token, and optionally source, url and location"
                .to_owned(),
        ])),
    }
}

fn entry_report(service: &Service, entry: &Value) -> Result<LeakReport, &'static str> {
    let text = |name| match entry.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(clean(text).replace('\0', ""))),
        Some(_) => Err("source, url and location are texts"),
    };
    let Some(token) = entry.get("token").and_then(Value::as_str) else {
        return Err("token: required, a text");
    };
    let presented = service
        .reader
        .read(token.as_bytes())
        .ok_or("token: not a personal access token, or its checksum is wrong")?;
    let source = text("source")?.filter(|source| !source.is_empty());
    Ok(LeakReport {
        token: presented.id,
        digest: presented.digest,
        source: source.unwrap_or_else(|| "report".to_owned()),
        url: text("url")?.unwrap_or_default(),
        location: text("location")?.unwrap_or_default(),
    })
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
