//! Uses that are aggregated: their kinds, and the limits of each kind. Nothing is counted here.

use ddpatrol_token::Uuid;
use std::net::IpAddr;

/// The kinds of uses that are aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A dead token was tried.
    Denied,
    /// A request of a live token was beyond a rate limit.
    Limited,
    /// A live token was introspected.
    Introspected,
    /// A dead token was introspected.
    DeniedIntrospection,
}

impl Kind {
    pub(super) const COUNT: usize = 4;

    /// Maximum number of addresses for which a token has events of their own in a minute; `None` if
    /// only the number of events is limited.
    pub(super) const fn max_addresses(self) -> Option<u32> {
        match self {
            Self::Denied | Self::Limited | Self::DeniedIntrospection => Some(16),
            Self::Introspected => None,
        }
    }

    /// Maximum number of events in a minute, besides the one that counts the uses beyond them.
    pub(super) const fn max_events(self) -> u32 {
        match self {
            Self::Denied | Self::DeniedIntrospection => 256,
            Self::Limited => 1_024,
            Self::Introspected => 16_384,
        }
    }
}

/// One use that is aggregated with others like it.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The kind of use.
    pub kind: Kind,
    /// The token that was used.
    pub token: Uuid,
    /// The caller's address.
    pub address: IpAddr,
    /// The token that the caller used to introspect.
    pub caller: Option<Uuid>,
    /// The state of the caller's rate limit.
    pub limit: Limit,
}

/// The state of a rate limit at a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The use was within the limit.
    Within,
    /// The use was beyond the limit.
    Beyond,
}
