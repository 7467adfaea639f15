//! The keys by which requests are counted: tokens, people, addresses and networks. It counts nothing.

use super::class::{Class, Rate};
use ddpatrol_token::Uuid;
use std::net::IpAddr;

/// A person's limit for all tokens together, as a multiple of one token's limit.
const PERSON: u32 = 4;
/// The limit of an IPv6 /48 for all its addresses, as a multiple of one address's limit.
const NETWORK: u32 = 16;

/// Whose requests are counted.
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
    /// Database lookups of unknown tokens from an address.
    AddressLookups([u8; 16]),
    /// Database lookups of unknown tokens from an IPv6 network.
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
pub struct Keys(Key, Option<Key>);

impl Keys {
    /// The keys of a request that a token makes.
    #[must_use]
    pub fn of_token(class: Class, token: Uuid, owner: Uuid) -> Self {
        let owner = (class != Class::TokensRevoke).then(|| Key::Person(*owner.as_bytes()));
        Self(Key::Token(*token.as_bytes()), owner)
    }

    /// The keys of a database lookup for a token from an address.
    #[must_use]
    pub fn of_lookup(address: IpAddr) -> Self {
        let (site, network) = site(address);
        Self(Key::AddressLookups(site), network.map(Key::NetworkLookups))
    }

    /// The second key alone, if there is one: of a token's keys that of its owner.
    pub(super) fn person(self) -> Option<Self> {
        self.1.map(|person| Self(person, None))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Key> {
        std::iter::once(self.0).chain(self.1)
    }
}

impl From<IpAddr> for Keys {
    fn from(address: IpAddr) -> Self {
        let (site, network) = site(address);
        Self(Key::Address(site), network.map(Key::Network))
    }
}

/// Returns an IPv4 address, or the site and the network of an IPv6 address.
fn site(address: IpAddr) -> ([u8; 16], Option<[u8; 16]>) {
    match address {
        IpAddr::V4(address) => (address.to_ipv6_mapped().octets(), None),
        IpAddr::V6(address) => {
            let mut site = address.octets();
            site[8..].fill(0);
            let mut network = site;
            network[6..].fill(0);
            (site, Some(network))
        }
    }
}
