//! Classes of requests, their default rates, and the rates that an operator gives. It counts nothing.

use axum::http::Method;
use std::str::FromStr;

/// Requests that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Lists and gets of tokens.
    TokensRead,
    /// Creations and updates of tokens.
    TokensWrite,
    /// Revocations of tokens. They count for the caller's token only, never for its owner: a thief
    /// who has one token of a person cannot use up what that person's other tokens need to revoke it.
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

    /// The name in `X-RateLimit-Name` and in the service's options.
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

    /// The class of a request that needs a token.
    #[must_use]
    pub fn of(method: &Method, path: &str) -> Self {
        match path {
            "/api/v2/validate_keys" => Self::Validate,
            "/api/v2/audit/events" => Self::Audit,
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

/// A number of requests in a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub limit: u32,
    /// Seconds.
    pub period: u32,
}

/// An operator's rate for a class: `CLASS=COUNT/SECONDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassRate {
    /// The class.
    pub class: Class,
    /// Its rate.
    pub rate: Rate,
}

impl FromStr for ClassRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('=').and_then(|(class, rate)| {
            let class = Class::ALL.into_iter().find(|known| known.name() == class)?;
            let (limit, period) = rate.split_once('/')?;
            let positive = |text: &str| text.parse().ok().filter(|&number| number > 0);
            let rate = Rate { limit: positive(limit)?, period: positive(period)? };
            Some(Self { class, rate })
        });
        parsed.ok_or_else(|| {
            let names = Class::ALL.map(Class::name).join(", ");
            format!(
                "expected CLASS=COUNT/SECONDS, COUNT and SECONDS at least 1, CLASS one of {names}"
            )
        })
    }
}
