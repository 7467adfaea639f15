//! Decoded parameters of a query or a form.

use super::error::PageError;
use crate::redact::{holds_token, redact};
use axum::http::StatusCode;
use ddpatrol_token::Uuid;
use ddpatrol_token::datadog::is_secret;

/// Decoded pairs of a query or a form, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes a query or a form.
    ///
    /// # Errors
    /// [`PageError`] 400 if the text is not form-encoded UTF-8.
    pub(super) fn parse(text: &str) -> Result<Self, PageError> {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(text).map_err(|_| malformed())?;
        if pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(malformed());
        }
        Ok(Self(pairs))
    }

    /// Returns the last value of a parameter; empty if it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.all(name).last().unwrap_or_default()
    }

    /// Returns `true` if a parameter occurs.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pair| pair.0 == name)
    }

    /// Iterates over the values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |pair| pair.0 == name).map(|pair| pair.1.as_str())
    }

    /// Returns the query without access tokens; `None` if it contains none.
    pub(super) fn without_tokens(&self) -> Option<String> {
        self.0.iter().find(|(name, value)| holds_token(name) || holds_token(value))?;
        let clean =
            |(name, value): &(String, String)| (redact(name).into_owned(), without_token(value));
        let pairs: Vec<(String, String)> = self.0.iter().map(clean).collect();
        Some(encode(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
    }

    /// Returns the query with some parameters replaced; an empty value removes one.
    pub(super) fn with(&self, changes: &[(&str, &str)]) -> String {
        let kept = self
            .0
            .iter()
            .filter(|pair| !pair.1.is_empty() && !changes.iter().any(|change| change.0 == pair.0));
        let kept = kept.map(|pair| (pair.0.as_str(), pair.1.as_str()));
        let added = changes.iter().copied().filter(|change| !change.1.is_empty());
        encode(kept.chain(added))
    }
}

/// Returns a value of a query without access tokens: the alias of a whole token, which the pages search for, and
/// otherwise the redacted text.
fn without_token(value: &str) -> String {
    let parts: Vec<&str> = value.trim().split('_').collect();
    match parts[..] {
        ["ddpat" | "ddsat", alias, secret]
            if is_secret(secret.as_bytes()) && Uuid::from_alias(alias.as_bytes()).is_some() =>
        {
            alias.to_owned()
        }
        _ => redact(value).into_owned(),
    }
}

/// Encodes the pairs of a query, with the question mark; empty if there is none.
pub(super) fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() {
        return String::new();
    }
    format!("?{}", serde_urlencoded::to_string(&pairs).unwrap_or_default())
}

fn malformed() -> PageError {
    PageError::new(StatusCode::BAD_REQUEST, "The request is not form-encoded text.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_query_keeps_the_other_parameters() {
        let params = Params::parse("q=a%26b&sort=name&after=x&empty=").expect("valid");
        assert_eq!(params.with(&[("after", ""), ("sort", "-name")]), "?q=a%26b&sort=-name");
        assert_eq!(Params::default().with(&[]), "");
        assert!(Params::parse("q=%00").is_err());
    }
}
