//! The filter of the audit page: its facets become a query of the audit trail.

use super::params::Params;
use crate::audit::{Filter, FilterError};
use crate::time;
use ddpatrol_token::Uuid;
use jiff::{SignedDuration, Timestamp};
use std::net::IpAddr;

/// A problem with the filter, for the reader.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FilterProblem {
    #[error("A text search needs a time range.")]
    NoRange,
    #[error("The token must be a Token ID or an alias.")]
    Token,
    #[error("The address must be an IP address.")]
    Address,
    #[error(transparent)]
    Query(#[from] FilterError),
    #[error("Invalid time {0:?}.")]
    Time(String),
    #[error("Unknown time range.")]
    Range,
}

/// Parses the filter of the page, which the exports share.
///
/// # Errors
/// The problem, for the reader.
pub(super) fn filter(params: &Params) -> Result<Filter, FilterProblem> {
    let mut terms = Vec::new();
    let free = params.get("q").trim();
    let range = time_range(params);
    if !free.is_empty() {
        if range == "all" {
            return Err(FilterProblem::NoRange);
        }
        terms.push(format!("({free})"));
    }
    for (name, field) in [
        ("event", "@evt.name"),
        ("method", "@auth_method"),
        ("person", "@usr.email"),
        ("address", "@network.client.ip"),
    ] {
        let value = params.get(name).trim();
        if value.is_empty() {
            continue;
        }
        if name == "address" && value.parse::<IpAddr>().is_err() {
            return Err(FilterProblem::Address);
        }
        // The values of the selections may contain `*`, which quotes would make literal.
        let value = if name == "event" { value.to_owned() } else { quoted(value) };
        terms.push(format!("{field}:{value}"));
    }
    let token = params.get("token").trim();
    if !token.is_empty() {
        let id = Uuid::parse(token).or_else(|| Uuid::from_alias(token.as_bytes()));
        let id = id.ok_or(FilterProblem::Token)?;
        terms.push(format!("@asset.id:{id}"));
    }
    let mut filter = Filter::parse(&terms.join(" "), "Search")?;
    (filter.from, filter.to) = times(params, range)?;
    Ok(filter)
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Returns the name of the time range.
pub(super) fn time_range(params: &Params) -> &str {
    match params.get("range") {
        "" => "24h",
        range => range,
    }
}

/// Returns the start and the end of a time range.
fn times(
    params: &Params,
    range: &str,
) -> Result<(Option<Timestamp>, Option<Timestamp>), FilterProblem> {
    let hours = match range {
        "1h" => 1,
        "24h" => 24,
        "7d" => 7 * 24,
        "30d" => 30 * 24,
        "all" => return Ok((None, None)),
        "custom" => {
            let at = |name| match params.get(name) {
                "" => Ok(None),
                text => match local_time(text) {
                    Some(time) => Ok(Some(time)),
                    None => Err(FilterProblem::Time(text.to_owned())),
                },
            };
            return Ok((at("from")?, at("to")?));
        }
        _ => return Err(FilterProblem::Range),
    };
    let from = time::now().checked_sub(SignedDuration::from_hours(hours)).ok();
    Ok((from, None))
}

/// Parses a time of a form, which is in UTC, with or without seconds.
fn local_time(text: &str) -> Option<Timestamp> {
    let whole = if text.len() == "2027-01-01T00:00".len() {
        format!("{text}:00Z")
    } else {
        format!("{text}Z")
    };
    whole.parse().or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_become_a_query_and_values_are_literal() {
        let parse = |query: &str| filter(&Params::parse(query).expect("a query"));
        let asked = parse("method=personal_access_token&person=a%22b&event=access_token.*");
        let expected = Filter::parse(
            r#"@evt.name:access_token.* @auth_method:"personal_access_token" @usr.email:"a\"b""#,
            "x",
        );
        assert_eq!(
            asked.map(|filter| filter.condition().clone()),
            Ok(expected.expect("valid").condition().clone())
        );
        assert_eq!(parse("token=nonsense"), Err(FilterProblem::Token));
        assert_eq!(parse("address=nonsense"), Err(FilterProblem::Address));
        assert!(parse("address=2001:db8::1").is_ok());
        assert!(parse("q=text&range=all").is_err());
        assert!(parse("q=@unknown:1").is_err());
        let custom = parse("range=custom&from=2027-01-01T00:00").expect("a filter");
        assert_eq!(custom.from, "2027-01-01T00:00:00Z".parse().ok());
        assert_eq!(custom.to, None);
        assert!(parse("").expect("a filter").from.is_some(), "24 hours by default");
    }
}
