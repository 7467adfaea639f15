//! The keys by which requests are counted: tokens, users, addresses and networks. Does not count.

use super::class::{Class, Rate};
use ddpatrol_token::Uuid;
use std::net::IpAddr;

/// The limit of a user for all tokens, as a multiple of the limit of one token.
const USER_FACTOR: u32 = 4;
/// The limit of an IPv6 /48 network for all its addresses, as a multiple of the limit of one
/// address.
const NETWORK_FACTOR: u32 = 16;

/// One counter of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A token.
    Token([u8; 16]),
    /// A user, with all their tokens.
    User([u8; 16]),
    /// The site of an address: an IPv4 address, or the first 64 bits of an IPv6 address.
    Address([u8; 16]),
    /// The first 48 bits of an IPv6 address, which contain 65,536 sites.
    Network([u8; 16]),
    /// Unsuccessful database lookups from an address.
    AddressLookups([u8; 16]),
    /// Unsuccessful database lookups from an IPv6 network.
    NetworkLookups([u8; 16]),
}

impl Key {
    pub(super) fn limit(self, rate: Rate) -> u32 {
        match self {
            Self::Token(_) | Self::Address(_) | Self::AddressLookups(_) => rate.limit,
            Self::User(_) => rate.limit.saturating_mul(USER_FACTOR),
            Self::Network(_) | Self::NetworkLookups(_) => rate.limit.saturating_mul(NETWORK_FACTOR),
        }
    }
}

/// The keys for which a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The token or the address.
    own: Key,
    /// The user of the token, or the network of the address.
    group: Option<Key>,
}

impl Keys {
    /// Returns the keys of a request with a token.
    #[must_use]
    pub fn of_token(class: Class, token: Uuid, owner: Uuid) -> Self {
        let user = (class != Class::TokensRevoke).then(|| Key::User(*owner.as_bytes()));
        Self { own: Key::Token(*token.as_bytes()), group: user }
    }

    /// Returns the keys of a database lookup from an address.
    #[must_use]
    pub fn of_lookup(address: IpAddr) -> Self {
        let Origin { site, network } = address.into();
        Self { own: Key::AddressLookups(site), group: network.map(Key::NetworkLookups) }
    }

    /// Returns the key of the token's owner alone; `None` if the request is not counted for a user.
    pub(super) fn user(self) -> Option<Self> {
        match self.group {
            Some(user @ Key::User(_)) => Some(Self { own: user, group: None }),
            _ => None,
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Key> {
        std::iter::once(self.own).chain(self.group)
    }
}

impl From<IpAddr> for Keys {
    fn from(address: IpAddr) -> Self {
        let Origin { site, network } = address.into();
        Self { own: Key::Address(site), group: network.map(Key::Network) }
    }
}

/// The parts of an address that are counted separately.
struct Origin {
    /// An IPv4 address, or the first 64 bits of an IPv6 address.
    site: [u8; 16],
    /// The first 48 bits of an IPv6 address.
    network: Option<[u8; 16]>,
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self { site: address.to_ipv6_mapped().octets(), network: None },
            IpAddr::V6(address) => {
                let mut site = address.octets();
                site[8..].fill(0);
                let mut network = site;
                network[6..].fill(0);
                Self { site, network: Some(network) }
            }
        }
    }
}
