//! The facts that an issuer reports about a live token.
//!
//! Input: untrusted text of a response. Output: the facts, limited in number and length. This file neither
//! redacts nor escapes: reports do.

use jiff::Timestamp;

/// Maximum number of scopes that are reported.
const MAX_SCOPES: usize = 100;
/// Maximum length of a login, a scope or an expiry, in characters.
const MAX_TEXT_LEN: usize = 100;

/// The facts that an issuer reports about a live token. All of it is untrusted text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The login of the account that the token belongs to.
    pub login: Option<String>,
    /// The scopes of the token; `None` if the issuer does not report them.
    pub scopes: Option<Vec<String>>,
    /// The time of its expiry.
    pub expires_at: Option<String>,
}

impl Grant {
    /// Creates a grant with the login or name of the token's owner.
    #[must_use]
    pub fn of_owner(owner: Option<&str>) -> Self {
        let owner = owner.filter(|text| !text.is_empty());
        Self { login: owner.map(shortened), ..Self::default() }
    }

    /// Adds the scopes, if the issuer reports them.
    #[must_use]
    pub fn with_scopes<'a>(self, scopes: Option<impl IntoIterator<Item = &'a str>>) -> Self {
        let scopes = scopes.map(|it| it.into_iter().take(MAX_SCOPES).map(shortened).collect());
        Self { scopes, ..self }
    }

    /// Adds the expiry, if the issuer reports it.
    #[must_use]
    pub fn with_expiry(self, expiry: Option<&str>) -> Self {
        Self { expires_at: expiry.map(shortened), ..self }
    }

    /// Adds the expiry as a number of milliseconds since 1970, if the issuer reports it.
    #[must_use]
    pub fn with_expiry_ms(self, expiry: Option<i64>) -> Self {
        let time = expiry.and_then(|time| Timestamp::from_millisecond(time).ok());
        Self { expires_at: time.map(|time| time.to_string()), ..self }
    }
}

/// Returns the scopes of a list that is separated by commas.
pub(super) fn separated(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|scope| !scope.is_empty())
}

/// Cuts text of an issuer.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_limited_in_number_and_length() {
        let long = "x".repeat(200);
        let scopes = vec![long.as_str(); 200];
        let grant = Grant::of_owner(Some(&long)).with_scopes(Some(scopes)).with_expiry(Some(&long));
        assert_eq!(grant.login.as_deref().map(str::len), Some(100));
        assert_eq!(grant.expires_at.as_deref().map(str::len), Some(100));
        let scopes = grant.scopes.expect("scopes");
        assert_eq!((scopes.len(), scopes[0].len()), (100, 100));
    }

    #[test]
    fn an_expiry_in_milliseconds_is_a_time() {
        let expiry = |time| Grant::default().with_expiry_ms(Some(time)).expires_at;
        assert_eq!(expiry(1_632_816_536_002).as_deref(), Some("2021-09-28T08:08:56.002Z"));
        assert_eq!(expiry(i64::MAX), None);
    }

    #[test]
    fn an_empty_owner_is_none() {
        assert_eq!(Grant::of_owner(Some("")), Grant::default());
    }
}
