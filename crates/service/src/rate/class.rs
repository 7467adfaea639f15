//! Classes of requests, their default rates, and the rates set by the operator. Does not count.

use axum::http::Method;
use std::str::FromStr;

/// A class of requests that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Requests that read or list tokens.
    TokensRead,
    /// Requests that create or update tokens.
    TokensWrite,
    /// Revocations of tokens. They are counted for the caller's token only, not for its owner: a
    /// thief with one token of a user must not prevent the user's other tokens from revoking it.
    TokensRevoke,
    /// `validate_keys`.
    Validate,
    /// The audit trail.
    Audit,
    /// Leak reports and RFC 7009, by address.
    Leaks,
    /// RFC 7662.
    Introspect,
    /// Failed authentications, by address.
    Authentication,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 8] = [
        Self::TokensRead,
        Self::TokensWrite,
        Self::TokensRevoke,
        Self::Validate,
        Self::Audit,
        Self::Leaks,
        Self::Introspect,
        Self::Authentication,
    ];

    /// Returns the name in `X-RateLimit-Name` and in the options of the service.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokensRead => "tokens_read",
            Self::TokensWrite => "tokens_write",
            Self::TokensRevoke => "tokens_revoke",
            Self::Validate => "validate",
            Self::Audit => "audit",
            Self::Leaks => "leaks",
            Self::Introspect => "introspect",
            Self::Authentication => "authentication",
        }
    }

    /// Returns the class of a request that requires a token.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        match path {
            "/api/v1/validate" | "/api/v2/validate_keys" => Self::Validate,
            "/api/v2/audit/events" | "/api/v2/audit/events/search" => Self::Audit,
            "/oauth2/introspect" => Self::Introspect,
            _ if method == Method::GET || method == Method::HEAD => Self::TokensRead,
            _ if method == Method::DELETE => Self::TokensRevoke,
            _ => Self::TokensWrite,
        }
    }

    pub(super) const fn default_rate(self) -> Rate {
        let limit = match self {
            Self::TokensWrite | Self::TokensRevoke | Self::Audit => 300,
            Self::TokensRead | Self::Authentication => 600,
            Self::Leaks => 120,
            Self::Validate | Self::Introspect => 60_000,
        };
        Rate { limit, period: 60 }
    }
}

/// A maximum number of requests per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The maximum number of requests.
    pub limit: u32,
    /// The period, in seconds.
    pub period: u32,
}

/// A rate for a class, set by the operator: `CLASS=COUNT/SECONDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassRate {
    /// The class.
    pub class: Class,
    /// The rate.
    pub rate: Rate,
}

/// The rate of a class is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected CLASS=COUNT/SECONDS with COUNT and SECONDS of at least 1 and one of these classes: {}",
    Class::ALL.map(Class::name).join(", ")
)]
pub struct ClassRateError;

impl FromStr for ClassRate {
    type Err = ClassRateError;

    fn from_str(text: &str) -> Result<Self, ClassRateError> {
        let parsed = text.split_once('=').and_then(|(class, rate)| {
            let class = Class::ALL.into_iter().find(|known| known.name() == class)?;
            let (limit, period) = rate.split_once('/')?;
            let positive = |text: &str| text.parse().ok().filter(|&number| number > 0);
            let rate = Rate { limit: positive(limit)?, period: positive(period)? };
            Some(Self { class, rate })
        });
        parsed.ok_or(ClassRateError)
    }
}
