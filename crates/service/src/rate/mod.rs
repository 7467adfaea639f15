//! Rate limits: fixed windows for each class of requests and each caller, told in the headers that
//! Datadog's clients read.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many windows are remembered before those that are over are forgotten.
const MANY: usize = 10_000;

/// Requests that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Lists and gets of tokens.
    TokensRead,
    /// Creations, updates and revocations.
    TokensWrite,
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
    pub const ALL: [Self; 7] = [
        Self::TokensRead,
        Self::TokensWrite,
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
            _ if method == Method::GET => Self::TokensRead,
            _ => Self::TokensWrite,
        }
    }

    const fn default_rate(self) -> Rate {
        let limit = match self {
            Self::TokensWrite | Self::Audit => 300,
            Self::TokensRead | Self::Authentication => 600,
            Self::Leaks => 120,
            Self::Validate | Self::Introspect => 60_000,
        };
        Rate { limit, period: 60 }
    }
}

/// How many requests in how many seconds.
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
            format!("a rate is CLASS=COUNT/SECONDS, both at least 1, with a CLASS of {names}")
        })
    }
}

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A person.
    User([u8; 16]),
    /// An address; of IPv6 the 64 bits that one site has.
    Address([u8; 16]),
}

impl From<IpAddr> for Key {
    fn from(address: IpAddr) -> Self {
        let mut bytes = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        if address.is_ipv6() {
            bytes[8..].fill(0);
        }
        Self::Address(bytes)
    }
}

#[derive(Clone, Copy, Debug)]
struct Window {
    number: u64,
    count: u32,
}

/// The windows of all callers.
#[derive(Debug)]
pub struct Limits {
    rates: Option<[Rate; Class::ALL.len()]>,
    windows: Mutex<HashMap<(Class, Key), Window>>,
}

/// What a request has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    class: Class,
    rate: Rate,
    remaining: u32,
    reset: u64,
    /// Whether the request is within its limit.
    pub allowed: bool,
}

impl Limits {
    /// Limits with the default rates, but for those given.
    #[must_use]
    pub fn new(given: &[ClassRate]) -> Self {
        let mut rates = Class::ALL.map(Class::default_rate);
        for &ClassRate(class, rate) in given {
            rates[class as usize] = rate;
        }
        Self { rates: Some(rates), windows: Mutex::default() }
    }

    /// No limits.
    #[must_use]
    pub fn none() -> Self {
        Self { rates: None, windows: Mutex::default() }
    }

    /// Counts a request; `None` if nothing is limited.
    pub fn take(&self, class: Class, key: Key) -> Option<Allowance> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.take_at(class, key, now)
    }

    fn take_at(&self, class: Class, key: Key, now: u64) -> Option<Allowance> {
        let rates = self.rates.as_ref()?;
        let rate = rates[class as usize];
        let period = u64::from(rate.period);
        let number = now / period;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MANY {
            windows.retain(|(class, _), window| {
                window.number >= now / u64::from(rates[*class as usize].period)
            });
        }
        let window = windows.entry((class, key)).or_insert(Window { number, count: 0 });
        if window.number != number {
            *window = Window { number, count: 0 };
        }
        let allowed = window.count < rate.limit;
        window.count += u32::from(allowed);
        let remaining = rate.limit - window.count;
        Some(Allowance { class, rate, remaining, reset: period - now % period, allowed })
    }
}

impl Allowance {
    /// Writes the headers that tell a client where it stands.
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
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_and_the_next_begins() {
        let limits = Limits::new(&["audit=2/10".parse().expect("a rate")]);
        let key = Key::User([1; 16]);
        let take = |now| limits.take_at(Class::Audit, key, now).expect("it is limited");
        let told = [take(20), take(21), take(29), take(30)];
        assert_eq!(told.map(|told| told.allowed), [true, true, false, true]);
        assert_eq!(told.map(|told| told.remaining), [1, 0, 0, 1]);
        assert_eq!(told.map(|told| told.reset), [10, 9, 1, 10]);
        let other = limits.take_at(Class::Audit, Key::User([2; 16]), 29).expect("limited");
        assert!(other.allowed, "callers do not share a window");
    }

    #[test]
    fn a_rate_that_is_none_is_refused_with_the_classes_named() {
        for text in ["", "audit", "nope=1/1", "audit=0/1", "audit=1/0", "audit=1", "audit=x/1"] {
            let error = text.parse::<ClassRate>().expect_err(text);
            assert!(error.contains("tokens_read"), "{error}");
        }
        assert!(Limits::none().take(Class::Audit, Key::User([0; 16])).is_none());
    }

    #[test]
    fn addresses_of_one_ipv6_site_share_a_window() {
        let key = |text: &str| Key::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(key("2001:db8::1"), key("2001:db8::2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
