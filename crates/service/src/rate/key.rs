//! The keys by which requests are counted: tokens, people, addresses and networks. It counts nothing.

use super::class::{Class, Rate};
use ddpatrol_token::Uuid;
use std::net::IpAddr;

/// A person's limit for all tokens together, as a multiple of one token's limit.
const PERSON: u32 = 4;
/// The limit of an IPv6 /48 for all its addresses, as a multiple of one address's limit.
const NETWORK: u32 = 16;

/// The caller whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A token.
    Token([u8; 16]),
    /// A person, with all their tokens.
    Person([u8; 16]),
    /// An address; of IPv6 the 64 bits that one site has.
    Address([u8; 16]),
    /// The first 48 bits of an IPv6 address, which hold 65,536 sites.
    Network([u8; 16]),
    /// Database lookups in vain from an address.
    AddressLookups([u8; 16]),
    /// Database lookups in vain from an IPv6 network.
    NetworkLookups([u8; 16]),
}

impl Key {
    pub(super) fn limit(self, rate: Rate) -> u32 {
        match self {
            Self::Token(_) | Self::Address(_) | Self::AddressLookups(_) => rate.limit,
            Self::Person(_) => rate.limit.saturating_mul(PERSON),
            Self::Network(_) | Self::NetworkLookups(_) => rate.limit.saturating_mul(NETWORK),
        }
    }
}

/// The keys that a request counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The token or the address.
    own: Key,
    /// The person or the network that it belongs to.
    group: Option<Key>,
}

impl Keys {
    /// The keys of a request that a token makes.
    #[must_use]
    pub fn of_token(class: Class, token: Uuid, owner: Uuid) -> Self {
        let person = (class != Class::TokensRevoke).then(|| Key::Person(*owner.as_bytes()));
        Self { own: Key::Token(*token.as_bytes()), group: person }
    }

    /// The keys of a database lookup for a token from an address.
    #[must_use]
    pub fn of_lookup(address: IpAddr) -> Self {
        let Origin { site, network } = address.into();
        Self { own: Key::AddressLookups(site), group: network.map(Key::NetworkLookups) }
    }

    /// The key of the token's owner alone; `None` if the request does not count for a person.
    pub(super) fn person(self) -> Option<Self> {
        match self.group {
            Some(person @ Key::Person(_)) => Some(Self { own: person, group: None }),
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

/// The parts of an address that are counted.
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
