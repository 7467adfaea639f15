//! The parameters of a search in the audit trail: a condition, a time range, and the cursor of a
//! page. Does not search.

use super::condition::{EventCondition, IdColumn, TextColumn};
use super::query_error::QueryError;
use super::{name, query};
use crate::sort::Direction;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// Maximum number of events per page.
const MAX_PAGE: u32 = 1_000;
/// Default number of events per page.
const DEFAULT_PAGE: u32 = 10;

/// An invalid search parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FilterError {
    /// The parameter.
    pub field: &'static str,
    /// The problem, and the allowed values.
    pub problem: FilterFault,
}

impl FilterError {
    /// Names the parameter as in the body of a search.
    pub(crate) fn in_body(self) -> Self {
        let field = match self.field {
            "page[limit]" => "page.limit",
            "page[cursor]" => "page.cursor",
            field => field,
        };
        Self { field, ..self }
    }
}

/// The problem of a search parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// The query is invalid.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The size of the page is too small or too large.
    #[error("must be a number from 1 to {MAX_PAGE}")]
    Limit,
    /// The order is unknown.
    #[error("must be timestamp or -timestamp")]
    Sort,
    /// The time is invalid.
    #[error(
        "must be a time in RFC 3339, or relative to now, for example now-15m, or in milliseconds"
    )]
    Time,
    /// The cursor is not that of a page.
    #[error("invalid cursor; use meta.page.after of the previous page")]
    Cursor,
}

/// The criteria for events; an event must match all of those that are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Start of the time range (inclusive).
    pub from: Option<Timestamp>,
    /// End of the time range (exclusive).
    pub to: Option<Timestamp>,
    condition: EventCondition,
}

impl Default for Filter {
    fn default() -> Self {
        Self { from: None, to: None, condition: EventCondition::All(Vec::new()) }
    }
}

impl Filter {
    /// Parses a query: `audit::query` documents the syntax.
    ///
    /// # Errors
    /// [`FilterError`] with the unsupported part.
    pub fn parse(text: &str, field: &'static str) -> Result<Self, FilterError> {
        let condition =
            query::parse(text).map_err(|error| FilterError { field, problem: error.into() })?;
        Ok(Self { condition, ..Self::default() })
    }

    /// Returns the condition on the content of the events.
    pub(crate) const fn condition(&self) -> &EventCondition {
        &self.condition
    }

    /// Returns `true` if the filter has a condition on the content of the events.
    pub(crate) fn has_condition(&self) -> bool {
        self.condition != EventCondition::All(Vec::new())
    }

    /// Returns the name of the events.
    pub(crate) fn name(&self) -> Option<&str> {
        self.condition.required_text(TextColumn::Name)
    }

    /// Returns the email address of the acting user.
    pub(crate) fn email(&self) -> Option<&str> {
        self.condition.required_text(TextColumn::Email)
    }

    /// Returns the acting user.
    pub(crate) fn user(&self) -> Option<Uuid> {
        self.condition.required_id(IdColumn::User)
    }

    /// Returns the token or user that the events are about.
    pub(crate) fn asset(&self) -> Option<Uuid> {
        self.condition.required_id(IdColumn::Asset)
    }

    /// Returns `true` if only uses of live tokens can match, because of the name.
    pub(crate) fn only_uses(&self) -> bool {
        self.name() == Some(name::USED)
    }

    /// Returns `true` if no use of a live token can match.
    pub(crate) fn excludes_uses(&self) -> bool {
        self.condition.excludes_uses()
    }

    /// Returns the email addresses that the condition compares.
    pub(crate) fn emails(&mut self) -> Vec<String> {
        let mut emails = Vec::new();
        self.condition.for_each_email(&mut |email| emails.push(email.clone()));
        emails
    }

    /// Replaces an email address by the same one as it is stored.
    pub(crate) fn replace_email(&mut self, given: &str, stored: &str) {
        self.condition.for_each_email(&mut |email| {
            if email == given {
                stored.clone_into(email);
            }
        });
    }
}

/// One page of the events, ordered by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Maximum number of events.
    pub limit: u32,
    /// The direction of the order.
    pub direction: Direction,
    /// The end of the previous page.
    pub after: Option<Cursor>,
    /// The last place that is searched, in the direction of the order; the end if absent.
    pub last: Option<Cursor>,
}

/// The position of an event in the order; marks the end of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the event, in microseconds.
    pub at: i64,
    /// The event's number in the database.
    pub sequence: i64,
}

impl Cursor {
    /// Formats the cursor for `page[cursor]`.
    #[must_use]
    pub fn encode(self) -> String {
        let mut bytes = self.at.to_be_bytes().to_vec();
        bytes.extend(self.sequence.to_be_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (at, sequence) = bytes.split_at(8);
        Some(Self {
            at: i64::from_be_bytes(at.try_into().ok()?),
            sequence: i64::from_be_bytes(sequence.try_into().ok()?),
        })
    }
}

impl Page {
    /// Parses `page[limit]`, `page[cursor]` and `sort`.
    ///
    /// # Errors
    /// [`FilterError`] with the parameter and its allowed values.
    pub fn parse(
        limit: Option<&str>,
        cursor: Option<&str>,
        sort: Option<&str>,
    ) -> Result<Self, FilterError> {
        let limit = match limit {
            None => DEFAULT_PAGE,
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
                limit.ok_or(FilterError { field: "page[limit]", problem: FilterFault::Limit })?
            }
        };
        let direction = match sort {
            None | Some("timestamp") => Direction::Ascending,
            Some("-timestamp") => Direction::Descending,
            Some(_) => {
                return Err(FilterError { field: "sort", problem: FilterFault::Sort });
            }
        };
        let after = cursor
            .map(|text| {
                let problem = FilterFault::Cursor;
                Cursor::decode(text).ok_or(FilterError { field: "page[cursor]", problem })
            })
            .transpose()?;
        Ok(Self { limit, direction, after, last: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_conditions_select_the_indexes() {
        let id = Uuid::from_bytes([7; 16]);
        let parse = |query: &str| Filter::parse(query, "filter[query]").expect(query);
        let filter = parse(&format!("(@evt.name:x AND @asset.id:{id}) @usr.email:\"a@b\""));
        assert_eq!((filter.name(), filter.email()), (Some("x"), Some("a@b")));
        assert_eq!((filter.asset(), filter.user()), (Some(id), None));
        assert!(parse("@evt.name:a OR @evt.name:b").name().is_none());
        assert!(parse("-@evt.name:access_token.used").excludes_uses());
        assert!(!parse("-@evt.name:access_token.*").excludes_uses());
        assert_eq!(parse("*"), Filter::default());
    }

    #[test]
    fn a_page_starts_at_the_end_of_the_previous_one() {
        let end = Cursor { at: 1_234_567, sequence: 89 };
        let page = Page::parse(Some("7"), Some(&end.encode()), Some("-timestamp"));
        let direction = Direction::Descending;
        assert_eq!(
            page.expect("a page"),
            Page { limit: 7, direction, after: Some(end), last: None }
        );
        assert!(Page::parse(Some("0"), None, None).is_err());
        assert!(Page::parse(None, Some("zzz"), None).is_err());
        assert!(Page::parse(None, None, Some("name")).is_err());
    }
}
