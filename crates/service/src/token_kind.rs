//! The kinds of tokens: those of people, and those of service accounts.

use ddpatrol_token::datadog::{PERSONAL_PREFIX, SERVICE_ACCOUNT_PREFIX};

/// The kind of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// A personal access token.
    #[default]
    Personal,
    /// An access token of a service account.
    ServiceAccount,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Personal, Self::ServiceAccount];

    /// Returns the literal that the tokens begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Personal => PERSONAL_PREFIX,
            Self::ServiceAccount => SERVICE_ACCOUNT_PREFIX,
        }
    }

    /// Returns the type of the resource, in the API and in the audit trail.
    #[must_use]
    pub const fn resource(self) -> &'static str {
        match self {
            Self::Personal => "personal_access_tokens",
            Self::ServiceAccount => "service_access_tokens",
        }
    }

    /// Returns the name for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal access token",
            Self::ServiceAccount => "service account access token",
        }
    }

    pub(crate) const fn from_row(kind: i64) -> Self {
        if kind == 0 { Self::Personal } else { Self::ServiceAccount }
    }

    pub(crate) const fn to_row(self) -> i64 {
        self as i64
    }
}
