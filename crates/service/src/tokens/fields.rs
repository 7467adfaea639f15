//! The rules of a token's fields. Each check returns the problem, without the field's name.

use crate::redact::holds_token;
use crate::scope::KnownScopes;
use crate::service::a_year_after;
use crate::{audit, time};
use jiff::{Timestamp, ToSpan as _};

/// Maximum length of a name, in characters.
pub const MAX_NAME: usize = 255;
/// Maximum number of scopes of a token.
pub const MAX_SCOPES: usize = 1_000;
/// Tolerance of the minimum lifetime, for the time that a request takes to arrive.
const GRACE_SECONDS: i64 = 60;

/// A problem of a field, without the field's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// The name is empty or too long.
    #[error("must be a string of 1 to {MAX_NAME} characters")]
    NameLength,
    /// The name consists of blanks.
    #[error("must not be blank")]
    BlankName,
    /// The name contains a character that misleads readers.
    #[error("must not contain control, bidirectional or invisible characters")]
    DeceptiveName,
    /// The name contains a token.
    #[error("must not contain an access token, since other users can see it")]
    TokenInName,
    /// The scope is unknown.
    #[error("unknown scope {name:?}; {}", similar_scopes(.similar))]
    UnknownScope {
        /// The scope, as it may be shown.
        name: String,
        /// The known scopes that resemble it.
        similar: Vec<String>,
    },
    /// The time of expiry is too early or too late.
    #[error("must be between 24 hours and one year from now, {first} to {latest}")]
    Expiry {
        /// The earliest allowed time.
        first: Timestamp,
        /// The latest allowed time.
        latest: Timestamp,
    },
}

fn similar_scopes(similar: &[String]) -> String {
    if similar.is_empty() {
        "use the scope names from the documentation".to_owned()
    } else {
        format!("similar scopes: {}", similar.join(", "))
    }
}

/// Checks a name that other users can see.
///
/// # Errors
/// The problem.
pub fn check_name(name: &str) -> Result<(), FieldProblem> {
    if name.is_empty() || name.chars().count() > MAX_NAME {
        Err(FieldProblem::NameLength)
    } else if name.trim().is_empty() {
        Err(FieldProblem::BlankName)
    } else if name.chars().any(is_deceptive) {
        Err(FieldProblem::DeceptiveName)
    } else if holds_token(name) {
        Err(FieldProblem::TokenInName)
    } else {
        Ok(())
    }
}

/// Returns `true` for characters that hide text or change its order: control characters, line
/// separators, bidirectional controls, and characters without width.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Checks that a scope is known.
///
/// # Errors
/// The problem, with similar scopes.
pub fn check_scope(name: &str, known: &KnownScopes) -> Result<(), FieldProblem> {
    if known.contains(name) {
        return Ok(());
    }
    let similar = known.similar(name).into_iter().map(str::to_owned).collect();
    Err(FieldProblem::UnknownScope { name: audit::clean(name), similar })
}

/// Checks that a time of expiry is between 24 hours and one year from now.
///
/// # Errors
/// The problem, with the allowed range.
pub fn check_expiry(expires_at: Timestamp) -> Result<(), FieldProblem> {
    let now = time::now();
    let first = now.checked_add(24.hours()).unwrap_or(Timestamp::MAX);
    let earliest = first.checked_sub(GRACE_SECONDS.seconds()).unwrap_or(first);
    let latest = a_year_after(now);
    if expires_at >= earliest && expires_at <= latest {
        return Ok(());
    }
    let (first, latest) = (time::whole_micros(first), time::whole_micros(latest));
    Err(FieldProblem::Expiry { first, latest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_visible_text_in_its_own_order() {
        for name in ["deploy", "Zürich – Büro 東京", "مفتاح", "a b"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for c in "\n\u{7f}\u{85}\u{ad}\u{61c}\u{200b}\u{200d}\u{200f}\u{2028}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{e0041}".chars() {
            assert!(check_name(&format!("a{c}b")).is_err(), "{c:?}");
        }
        assert!(check_name("\u{3164}").is_err() && check_name(" ").is_err());
    }
}
