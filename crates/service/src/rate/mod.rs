//! Rate limits: fixed windows for each class of requests and each caller, reported in the headers
//! that Datadog's clients read.
//!
//! A request counts for each of its keys: its token and the token's owner, or its address and, of
//! IPv6, the address's network. It is allowed only if every key is below its limit, and only allowed
//! requests are counted. Windows follow a steady clock, never the wall clock.

mod lookups;
mod table;

pub use lookups::{Lookup, Outcome};

use crate::steady::Steady;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use ddpatrol_token::Uuid;
use lookups::Unanswered;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use table::Table;

/// A person's total for all tokens together, as a multiple of a token's limit.
const PERSON: u32 = 4;
/// The total of an IPv6 /48, as a multiple of an address's limit.
const NETWORK: u32 = 16;

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

    const fn default_rate(self) -> Rate {
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
pub struct ClassRate(pub Class, pub Rate);

impl FromStr for ClassRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('=').and_then(|(class, rate)| {
            let class = Class::ALL.into_iter().find(|known| known.name() == class)?;
            let (limit, period) = rate.split_once('/')?;
            let positive = |text: &str| text.parse().ok().filter(|&number| number > 0);
            Some(Self(class, Rate { limit: positive(limit)?, period: positive(period)? }))
        });
        parsed.ok_or_else(|| {
            let names = Class::ALL.map(Class::name).join(", ");
            format!(
                "expected CLASS=COUNT/SECONDS, COUNT and SECONDS at least 1, CLASS one of {names}"
            )
        })
    }
}

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
    /// The tokens of an address for which the database was asked in vain.
    AddressLookups([u8; 16]),
    /// The same of an IPv6 network.
    NetworkLookups([u8; 16]),
}

impl Key {
    fn limit(self, rate: Rate) -> u32 {
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

    /// The keys of a token from an address that the database has to be asked about.
    #[must_use]
    pub fn of_lookup(address: IpAddr) -> Self {
        let (site, network) = site(address);
        Self(Key::AddressLookups(site), network.map(Key::NetworkLookups))
    }

    fn iter(self) -> impl Iterator<Item = Key> {
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

/// The counts of all callers.
#[derive(Debug)]
pub struct Limits {
    rates: Option<[Rate; Class::ALL.len()]>,
    tables: [Mutex<Table>; Class::ALL.len()],
    unanswered: Unanswered,
    clock: Steady,
}

/// The state of a limit after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    class: Class,
    rate: Rate,
    window: u64,
    remaining: u32,
    /// Seconds until the window ends.
    reset: u64,
    /// `true` if the request is within its limits.
    pub allowed: bool,
}

impl Limits {
    /// Limits with the default rates, except for those given.
    #[must_use]
    pub fn new(given: &[ClassRate]) -> Self {
        let mut rates = Class::ALL.map(Class::default_rate);
        for &ClassRate(class, rate) in given {
            rates[class as usize] = rate;
        }
        Self { rates: Some(rates), ..Self::none() }
    }

    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        let tables = Class::ALL.map(|_| Mutex::default());
        Self { rates: None, tables, unanswered: Unanswered::default(), clock: Steady::start() }
    }

    /// Counts a request if it is within the limit of each of its keys; `None` if nothing is limited.
    pub fn take(&self, class: Class, keys: Keys) -> Option<Allowance> {
        self.take_at(class, keys, self.clock.seconds())
    }

    fn take_at(&self, class: Class, keys: Keys, now: u64) -> Option<Allowance> {
        let rate = self.rates.as_ref()?[class as usize];
        Some(take_from(&mut self.table(class), class, rate, keys, now))
    }

    /// Takes back the count of an allowed request for each of its keys.
    pub fn give_back(&self, allowance: &Allowance, keys: Keys) {
        give_back_to(&mut self.table(allowance.class), allowance, keys);
    }

    /// Takes back the count of an allowed request for its person: whoever may not do something does
    /// not use up what the person's other tokens may do.
    pub fn give_back_to_person(&self, allowance: &Allowance, keys: Keys) {
        if let Some(person) = keys.1 {
            self.give_back(allowance, Keys(person, None));
        }
    }

    fn table(&self, class: Class) -> MutexGuard<'_, Table> {
        self.tables[class as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request in a table if it is within the limit of each of its keys.
fn take_from(table: &mut Table, class: Class, rate: Rate, keys: Keys, now: u64) -> Allowance {
    let period = u64::from(rate.period);
    table.enter(now / period);
    let left = |key: Key| key.limit(rate).saturating_sub(table.count(key));
    let left = keys.iter().map(left).min().unwrap_or(0);
    let allowed = left > 0;
    if allowed {
        keys.iter().for_each(|key| table.add(key));
    }
    let remaining = left.saturating_sub(1).min(rate.limit);
    let (window, reset) = (table.window(), period - now % period);
    Allowance { class, rate, window, remaining, reset, allowed }
}

/// Takes back from a table the count of an allowed request, unless its window is over.
fn give_back_to(table: &mut Table, allowance: &Allowance, keys: Keys) {
    if allowance.allowed && table.window() == allowance.window {
        keys.iter().for_each(|key| table.subtract(key));
    }
}

impl Allowance {
    /// Writes the headers that say what a client has left.
    pub fn write(&self, status: StatusCode, headers: &mut HeaderMap) {
        let number = |value: u64| HeaderValue::from(value);
        headers.insert("x-ratelimit-limit", number(self.rate.limit.into()));
        headers.insert("x-ratelimit-period", number(self.rate.period.into()));
        headers.insert("x-ratelimit-remaining", number(self.remaining.into()));
        headers.insert("x-ratelimit-reset", number(self.reset));
        headers.insert("x-ratelimit-name", HeaderValue::from_static(self.class.name()));
        // Datadog's paths have no such header: with it, urllib3 waits and repeats a GET by itself, and
        // the official client never sees its own error.
        let others = matches!(self.class, Class::Leaks | Class::Introspect);
        if others && status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert("retry-after", number(self.reset));
        }
    }
}

#[cfg(test)]
mod tests;
