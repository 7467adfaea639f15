//! Uses that are aggregated: their kinds, and the limits of each kind. Does not count.

use ddpatrol_token::Uuid;
use std::net::IpAddr;

/// The kinds of uses that are aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UseKind {
    /// A dead token was presented.
    Denied,
    /// A request with a live token exceeded a rate limit.
    Limited,
    /// A live token was introspected.
    Introspected,
    /// A dead token was introspected.
    DeniedIntrospection,
}

impl UseKind {
    pub(super) const COUNT: usize = 4;

    /// Returns the maximum number of addresses per minute for which a token has its own events;
    /// `None` if only the number of events is limited.
    pub(super) const fn max_addresses(self) -> Option<u32> {
        match self {
            Self::Denied | Self::Limited | Self::DeniedIntrospection => Some(16),
            Self::Introspected => None,
        }
    }

    /// Returns the maximum number of events per minute, in addition to the event that counts the
    /// uses beyond it.
    pub(super) const fn max_events(self) -> u32 {
        match self {
            Self::Denied | Self::DeniedIntrospection => 256,
            Self::Limited => 1_024,
            Self::Introspected => 16_384,
        }
    }
}

/// One use to aggregate with others of its kind.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The kind of use.
    pub kind: UseKind,
    /// The token that was used.
    pub token: Uuid,
    /// The caller's address.
    pub address: IpAddr,
    /// The token with which the caller introspected.
    pub caller: Option<Uuid>,
    /// The state of the caller's rate limit.
    pub limit: Limit,
}

/// The state of a rate limit at the time of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The use was within the limit.
    Within,
    /// The use exceeded the limit.
    Beyond,
}
