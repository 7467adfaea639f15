//! The content of the form of a token, as it was typed, and its checks.

use super::error::{problem_text, sentence};
use super::params::Params;
use super::state::Web;
use crate::expiry::Expiry;
use crate::refusal::Refusal;
use crate::service::a_year_after;
use crate::time;
use crate::tokens::fields::{MAX_SCOPES, check_expiry, check_name, check_scope};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// The offered lifetimes, in days.
pub(super) const LIFETIMES: [(&str, &str); 6] = [
    ("1", "1 day"),
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("180", "180 days"),
    ("365", "1 year"),
];
/// The lifetime of a token that does not expire.
pub(super) const NEVER: &str = "never";

/// The content of a form, as it was typed, with its problems.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) name: String,
    /// A number of days, or `date`.
    pub(super) lifetime: String,
    pub(super) date: String,
    pub(super) scopes: Vec<String>,
    /// The email address of the owner; the visitor if empty.
    pub(super) owner: String,
    pub(super) problems: Problems,
}

/// The problems of a form.
#[derive(Clone, Debug, Default)]
pub(super) struct Problems {
    pub(super) name: Option<String>,
    pub(super) expiry: Option<String>,
    pub(super) scopes: Option<String>,
    pub(super) owner: Option<String>,
    /// A problem of the form as a whole.
    pub(super) form: Option<String>,
}

impl Problems {
    pub(super) const fn is_empty(&self) -> bool {
        self.name.is_none()
            && self.expiry.is_none()
            && self.scopes.is_none()
            && self.owner.is_none()
            && self.form.is_none()
    }

    /// Adds a refusal of the service beside its field.
    pub(super) fn add(&mut self, refusal: &Refusal) {
        let text = refusal.to_string();
        let problem = Some(sentence(&problem_text(refusal)));
        if text.contains("attributes.scopes") {
            self.scopes = problem;
        } else if text.contains("attributes.expires_at") {
            self.expiry = problem;
        } else if text.contains("owned_by") {
            self.owner = problem;
        } else {
            self.form = problem;
        }
    }
}

/// A problem with the expiry in a form, as a sentence for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpiryProblem {
    #[error("Choose a date.")]
    NoDate,
    #[error("Choose when the token expires.")]
    NoLifetime,
    #[error("Choose a date from {first} to {last}.")]
    Range { first: Date, last: Date },
}

impl Draft {
    /// Reads the fields of a form and checks them.
    pub(super) fn read(params: &Params, web: &Web) -> Self {
        let text = |name: &str| params.get(name).trim().to_owned();
        let mut scopes: Vec<String> = params.all("scope").map(str::to_owned).collect();
        scopes.sort();
        scopes.dedup();
        let mut draft = Self {
            name: text("name"),
            lifetime: text("lifetime"),
            date: text("date"),
            scopes,
            owner: text("owner"),
            problems: Problems::default(),
        };
        draft.problems.name =
            check_name(&draft.name).err().map(|problem| sentence(&problem.to_string()));
        draft.problems.scopes = draft.scope_problem(web);
        draft
    }

    fn scope_problem(&self, web: &Web) -> Option<String> {
        if self.scopes.is_empty() {
            return Some("Choose at least one scope.".to_owned());
        }
        if self.scopes.len() > MAX_SCOPES {
            return Some(format!("Choose at most {MAX_SCOPES} scopes."));
        }
        let known = web.service.scopes.current();
        let unknown = self.scopes.iter().find_map(|scope| check_scope(scope, &known).err());
        unknown.map(|problem| sentence(&problem.to_string()))
    }

    /// Returns the time of expiry, or the problem with it.
    ///
    /// # Errors
    /// The problem.
    pub(super) fn expires_at(&self) -> Result<Timestamp, ExpiryProblem> {
        let now = time::now();
        let at = if self.lifetime == "date" {
            let date: Date = self.date.parse().map_err(|_| ExpiryProblem::NoDate)?;
            let end = format!("{date}T23:59:59Z").parse();
            end.map_err(|_| ExpiryProblem::NoDate)?
        } else {
            let offered = LIFETIMES.iter().find(|offered| offered.0 == self.lifetime);
            let days = offered.and_then(|offered| offered.0.parse::<i64>().ok());
            let days = days.ok_or(ExpiryProblem::NoLifetime)?;
            now.checked_add((days * 24).hours()).unwrap_or(Timestamp::MAX)
        };
        if check_expiry(at).is_err() {
            let (first, last) = dates(now);
            return Err(ExpiryProblem::Range { first, last });
        }
        Ok(at)
    }
}

impl Draft {
    /// Returns the expiry of a service account's token, or the problem with it.
    ///
    /// # Errors
    /// The problem.
    pub(super) fn account_expiry(&self) -> Result<Expiry, ExpiryProblem> {
        if self.lifetime == NEVER { Ok(Expiry::Never) } else { self.expires_at().map(Expiry::At) }
    }
}

/// Returns the first and the last date on which a token may expire, at the end of the day in UTC.
pub(super) fn dates(now: Timestamp) -> (Date, Date) {
    let date = |at: Timestamp| at.to_zoned_datetime(TimeZone::UTC).date();
    let first = date(now).checked_add(1.day()).unwrap_or(Date::MAX);
    let last = date(a_year_after(now)).checked_sub(1.day()).unwrap_or(Date::MIN);
    (first, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offered_date_is_accepted() {
        let (first, last) = dates(time::now());
        for date in [first, last] {
            let draft =
                Draft { lifetime: "date".to_owned(), date: date.to_string(), ..Draft::default() };
            assert!(draft.expires_at().is_ok(), "{date}");
        }
        for (lifetime, date) in [("date", "x"), ("date", "2020-01-01"), ("2", ""), ("", "")] {
            let (lifetime, date) = (lifetime.to_owned(), date.to_owned());
            assert!(Draft { lifetime, date, ..Draft::default() }.expires_at().is_err());
        }
    }
}
