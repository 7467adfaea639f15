//! The parameters of a search in the audit trail: the supported subset of Datadog's search syntax,
//! a time range, and the cursor of a page. Does not search.

use super::{method, name};
use crate::sort::Direction;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// The fields that a query can use.
const FIELDS: &str = "@evt.name, @auth_method, @action, @asset.id, @usr.id, @usr.email";
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
    pub problem: String,
}

/// The criteria for events; an event must match all of those that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Start of the time range (inclusive).
    pub from: Option<Timestamp>,
    /// End of the time range (exclusive).
    pub to: Option<Timestamp>,
    name: Option<String>,
    auth_method: Option<String>,
    action: Option<String>,
    email: Option<String>,
    asset: Option<Uuid>,
    user: Option<Uuid>,
}

impl Filter {
    /// Parses `filter[query]`: `@field:value` pairs, all of which must match.
    ///
    /// # Errors
    /// [`FilterError`] for an unknown or repeated field, or an invalid identifier.
    pub fn parse(query: &str) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for term in query.split_whitespace().filter(|&term| term != "*" && term != "AND") {
            filter.add(term)?;
        }
        Ok(filter)
    }

    fn add(&mut self, term: &str) -> Result<(), FilterError> {
        let wrong = |problem| FilterError { field: "filter[query]", problem };
        let known = || wrong(format!("expected @FIELD:VALUE with one of these fields: {FIELDS}"));
        let (field, value) = term.split_once(':').ok_or_else(known)?;
        let value = value.trim_matches('"');
        if value.is_empty() {
            return Err(known());
        }
        let uuid = || Uuid::parse(value).ok_or_else(|| wrong(format!("{field} must be a UUID")));
        let text = Some(value.to_owned());
        let repeated = match field {
            "@evt.name" => std::mem::replace(&mut self.name, text).is_some(),
            "@auth_method" => std::mem::replace(&mut self.auth_method, text).is_some(),
            "@action" => std::mem::replace(&mut self.action, text).is_some(),
            "@usr.email" => std::mem::replace(&mut self.email, text).is_some(),
            "@asset.id" => self.asset.replace(uuid()?).is_some(),
            "@usr.id" => self.user.replace(uuid()?).is_some(),
            _ => return Err(known()),
        };
        if repeated { Err(wrong(format!("{field} must not occur repeated"))) } else { Ok(()) }
    }

    /// Returns the name of the events.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the email address of the acting user.
    pub(crate) fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Returns the acting user.
    pub(crate) const fn user(&self) -> Option<Uuid> {
        self.user
    }

    /// Returns the token or user that the events are about.
    pub(crate) const fn asset(&self) -> Option<Uuid> {
        self.asset
    }

    /// Returns `true` if only uses of live tokens can match, because of the name.
    pub(crate) fn only_uses(&self) -> bool {
        self.name() == Some(name::USED)
    }

    /// Returns `true` if no use of a live token can match.
    pub(crate) fn excludes_uses(&self) -> bool {
        /// Authentication methods without a live token.
        const OTHERS: [&str; 4] =
            [method::POSSESSION, method::GITHUB_SIGNATURE, method::COMMAND_LINE, method::SYSTEM];
        self.name().is_some_and(|value| value != name::USED)
            || self.action.as_deref().is_some_and(|action| action != super::action(name::USED))
            || self.auth_method.as_deref().is_some_and(|method| OTHERS.contains(&method))
    }

    /// Iterates over columns and the text that each must equal.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("name", &self.name),
            ("auth_method", &self.auth_method),
            ("action", &self.action),
            ("user_email", &self.email),
        ]
        .into_iter()
        .filter_map(|(column, value)| value.as_deref().map(|value| (column, value)))
    }

    /// Iterates over columns and the identifier that each must equal.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (&'static str, &Uuid)> {
        [("asset_id", &self.asset), ("user_id", &self.user)]
            .into_iter()
            .filter_map(|(column, value)| value.as_ref().map(|value| (column, value)))
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
                text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit)).ok_or_else(
                    || FilterError {
                        field: "page[limit]",
                        problem: format!("must be a number from 1 to {MAX_PAGE}"),
                    },
                )?
            }
        };
        let direction = match sort {
            None | Some("timestamp") => Direction::Ascending,
            Some("-timestamp") => Direction::Descending,
            Some(_) => {
                return Err(FilterError {
                    field: "sort",
                    problem: "must be timestamp or -timestamp".to_owned(),
                });
            }
        };
        let after = cursor
            .map(|text| {
                Cursor::decode(text).ok_or_else(|| FilterError {
                    field: "page[cursor]",
                    problem: "invalid cursor; use meta.page.after of the previous page".to_owned(),
                })
            })
            .transpose()?;
        Ok(Self { limit, direction, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_consists_of_pairs_that_must_all_match() {
        let id = Uuid::from_bytes([7; 16]);
        let filter = Filter::parse(&format!(
            "@evt.name:access_token.used AND @asset.id:{id} @usr.email:\"a@b\""
        ))
        .expect("the query is valid");
        assert_eq!(
            filter.texts().collect::<Vec<_>>(),
            [("name", "access_token.used"), ("user_email", "a@b")]
        );
        assert_eq!(filter.ids().collect::<Vec<_>>(), [("asset_id", &id)]);
        assert_eq!(Filter::parse("*").expect("everything"), Filter::default());
    }

    #[test]
    fn an_invalid_query_is_rejected() {
        for query in
            ["text", "@evt.name:", "@nope:1", "@asset.id:x", "@action:a @action:b", "-@action:a"]
        {
            let error = Filter::parse(query).expect_err(query);
            assert!(error.to_string().starts_with("filter[query]: "), "{error}");
        }
    }

    #[test]
    fn a_page_starts_at_the_end_of_the_previous_one() {
        let end = Cursor { at: 1_234_567, sequence: 89 };
        let page = Page::parse(Some("7"), Some(&end.encode()), Some("-timestamp"));
        let direction = Direction::Descending;
        assert_eq!(page.expect("a page"), Page { limit: 7, direction, after: Some(end) });
        assert!(Page::parse(Some("0"), None, None).is_err());
        assert!(Page::parse(None, Some("zzz"), None).is_err());
        assert!(Page::parse(None, None, Some("name")).is_err());
    }
}
