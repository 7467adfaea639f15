//! The scanner's own report: whole tokens as proof of possession, and their locations.

use super::entries::{ListError, Member, ParsedEntry, Schema};
use super::{MAX_ENTRIES, anonymous_actor, record_leaks, web_url};
use crate::api::body::require_json;
use crate::api::error::{ApiError, Errors, OpenErrors, json};
use crate::audit::method;
use crate::auth::PresentedToken;
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

/// A leak report.
#[derive(Debug, ToSchema)]
pub struct ReportsBody {
    /// The leaked tokens; at most 10,000 entries. The result of an invalid entry is `invalid`; the
    /// other entries are processed.
    #[schema(max_items = 10000)]
    pub reports: Vec<ReportEntry>,
}

/// One leaked token.
#[derive(Debug, ToSchema)]
pub struct ReportEntry {
    /// The whole token.
    pub token: String,
    /// The name of the reporter.
    #[schema(nullable = false)]
    pub source: Option<String>,
    /// The URL where the token was found.
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// The location at that URL: a path, a commit, a line.
    #[schema(nullable = false)]
    pub location: Option<String>,
}

/// The results of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResultsDocument {
    /// The result of each entry, in order.
    pub results: Vec<ReportResult>,
}

/// The result of one entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportResult {
    /// `revoked`, `flagged`, `already_revoked`, `expired`, `unknown` or `invalid`.
    #[schema(pattern = "^(revoked|flagged|already_revoked|expired|unknown|invalid)$")]
    pub status: &'static str,
    /// The token, if it was issued here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid", nullable = false)]
    pub token_id: Option<String>,
    /// The problem of an invalid entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<&'static str>,
}

/// Accepts a report of leaked tokens. Requires no authentication: the tokens are the proof.
#[utoipa::path(
    post, path = "/leaks/v1/reports", tag = "Leaks",
    operation_id = "report_leaks",
    request_body(content = ReportsBody, content_type = "application/json"),
    responses(
        (status = 200, description = "Result of each entry", body = ResultsDocument, content_type = "application/json"),
        (status = 400, description = "Not a report", body = Errors, content_type = "application/vnd.api+json"),
        (status = 415, description = "Not JSON", body = Errors, content_type = "application/vnd.api+json"),
        OpenErrors,
    ),
    security(()),
)]
pub async fn reports(
    State(service): State<Arc<Service>>,
    parts: Parts,
    body: Bytes,
) -> Result<Response, ApiError> {
    require_json(&parts.headers)?;
    let Report { entries, valid } = parse_report(&service, &body)?;
    drop(body);
    let actor = anonymous_actor(&service, &parts, method::POSSESSION);
    let outcomes = record_leaks(&service, &valid, &actor).await?;
    let response = ReportResponse { entries: &entries, valid: &valid, outcomes: &outcomes };
    Ok(json(StatusCode::OK, "application/json", &response))
}

/// The problem of an entry.
type Problem = &'static str;

/// The parsed content of a report.
#[derive(Default)]
struct Report {
    /// The problem of each entry; `None` for a valid entry.
    entries: Vec<Option<Problem>>,
    /// The valid entries.
    valid: Vec<LeakReport>,
}

fn parse_report(service: &Service, body: &[u8]) -> Result<Report, ApiError> {
    let schema = Schema {
        list: Some("reports"),
        texts: ["source", "url", "location"],
        parse_token: &|token| service.token_parser.parse(token.as_bytes()),
    };
    let mut parsed = Report::default();
    let read = schema.parse(body, &mut |entry| match entry_report(entry) {
        Ok(report) => {
            parsed.entries.push(None);
            parsed.valid.push(report);
        }
        Err(problem) => parsed.entries.push(Some(problem)),
    });
    match read {
        Ok(()) => Ok(parsed),
        Err(ListError::TooMany) => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("reports: must have at most {MAX_ENTRIES} entries; send the others in another report"),
        )),
        Err(ListError::Syntax { line, column }) => {
            Err(ApiError::bad_request(vec![format!("body: not JSON (line {line}, column {column})")]))
        }
        Err(ListError::NoList) => Err(ApiError::bad_request(vec![
            "reports: must occur once and be a list of objects with token, and optionally source, url and location"
                .to_owned(),
        ])),
    }
}

fn entry_report(entry: ParsedEntry<Option<PresentedToken>>) -> Result<LeakReport, Problem> {
    if entry.ambiguous {
        return Err("token, source, url and location must occur at most once each");
    }
    let text = |member| match member {
        Member::None => Ok(String::new()),
        Member::Text(text) => Ok(text),
        Member::Other => Err("source, url and location must be strings"),
    };
    let Member::Text(token) = entry.token else { return Err("token: must be a string") };
    let presented = token.ok_or("token: not a valid access token")?;
    let [source, url, location] = entry.texts;
    let source = text(source)?;
    Ok(LeakReport {
        token: presented.id,
        digest: presented.digest,
        source: anonymous_source(source),
        url: web_url(text(url)?),
        location: text(location)?,
    })
}

/// Returns the source of a report that nobody signed. A source that resembles GitHub's, or may
/// imitate it with other scripts, is marked as unverified.
fn anonymous_source(source: String) -> String {
    let letters: String =
        source.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    if source.is_empty() {
        "report".to_owned()
    } else if !source.is_ascii() || letters.contains("github") {
        format!("{source} (unverified)")
    } else {
        source
    }
}

/// The response, serialized from the parsed entries without a copy: a [`ResultsDocument`].
struct ReportResponse<'a> {
    entries: &'a [Option<Problem>],
    valid: &'a [LeakReport],
    outcomes: &'a [LeakOutcome],
}

impl Serialize for ReportResponse<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Document<R: Serialize> {
            results: R,
        }
        Document { results: Results(self) }.serialize(serializer)
    }
}

struct Results<'a>(&'a ReportResponse<'a>);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut taken = self.0.valid.iter().zip(self.0.outcomes);
        serializer.collect_seq(self.0.entries.iter().map(|problem| match problem {
            Some(detail) => {
                ReportResult { status: "invalid", token_id: None, detail: Some(detail) }
            }
            // There is an outcome for each valid entry.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsigned_report_cannot_pass_for_githubs() {
        for source in ["github", "GitHub", "Git-Hub ", "github secret scanning", "g\u{456}thub"] {
            assert!(anonymous_source(source.to_owned()).ends_with(" (unverified)"), "{source}");
        }
        for (given, stored) in [("", "report"), ("ddpatrol", "ddpatrol"), ("gitlab", "gitlab")] {
            assert_eq!(anonymous_source(given.to_owned()), stored);
        }
    }
}
