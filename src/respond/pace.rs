//! How fast issuers are asked, and how long to wait before asking again.

use ddpatrol_scan::lock::lock;
use ddpatrol_token::mint::system_random;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How far apart two requests to one host are at least.
const APART: Duration = Duration::from_millis(100);
/// The longest wait that an issuer may ask for; beyond it the request is given up.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The wait before the second attempt, doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// How often a request is made at most.
pub const ATTEMPTS: u32 = 4;
/// Larger values of `X-RateLimit-Reset` are a time, as GitHub has it, not a number of seconds.
const A_TIME: u64 = 1_000_000_000;

/// Deals out turns, host by host.
#[derive(Debug, Default)]
pub struct Pace {
    hosts: Mutex<HashMap<String, Host>>,
}

#[derive(Debug, Default)]
struct Host {
    /// When the next request may be made.
    next: Option<Instant>,
    /// Why none is made any more.
    given_up: Option<String>,
}

/// Whether a request may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// At once; the turn is taken.
    Now,
    /// Perhaps after this time; the turn is not taken.
    In(Duration),
    /// Not any more, and why.
    Never(String),
}

impl Pace {
    /// Takes the next turn at a host, if it is due.
    #[must_use]
    pub fn turn(&self, host: &str) -> Turn {
        let now = Instant::now();
        let mut hosts = lock(&self.hosts);
        let host = hosts.entry(host.to_owned()).or_default();
        match (&host.given_up, host.next) {
            (Some(why), _) => Turn::Never(why.clone()),
            (None, Some(next)) if next > now => Turn::In(next - now),
            _ => {
                host.next = Some(now + APART);
                Turn::Now
            }
        }
    }

    /// Leaves a host alone for a time, whoever wants to ask it.
    pub fn hold(&self, host: &str, time: Duration) {
        let until = Instant::now() + time;
        let mut hosts = lock(&self.hosts);
        let host = hosts.entry(host.to_owned()).or_default();
        host.next = Some(host.next.map_or(until, |next| next.max(until)));
    }

    /// Leaves a host alone: whoever asks it next would wait as long and learn the same.
    pub fn give_up(&self, host: &str, why: &str) {
        let mut hosts = lock(&self.hosts);
        hosts.entry(host.to_owned()).or_default().given_up = Some(why.to_owned());
    }

    /// Gives every host another chance.
    pub fn forget(&self) {
        let mut hosts = lock(&self.hosts);
        hosts.values_mut().for_each(|host| host.given_up = None);
    }
}

/// Tells how long to wait before attempt `next` (2 is the first repetition), or `None` to give up.
///
/// `told` is what the issuer asked for. Without it the wait doubles each time, with jitter between
/// half and one and a half of it.
#[must_use]
pub fn wait(next: u32, told: Option<Duration>) -> Option<Duration> {
    if next > ATTEMPTS {
        return None;
    }
    if let Some(told) = told {
        return (told <= LONGEST_WAIT).then_some(told);
    }
    let mut random = [128];
    // Without randomness the wait is the middle one.
    let _ = system_random(&mut random);
    let doubled = FIRST_WAIT * 2_u32.pow(next.saturating_sub(2));
    Some(doubled / 2 + doubled * u32::from(random[0]) / 255)
}

/// Reads what an issuer asks for: `Retry-After` in seconds or as a date, else `X-RateLimit-Reset` in
/// seconds (Datadog) or as a time since 1970 (GitHub).
#[must_use]
pub fn told(retry_after: Option<&str>, reset: Option<&str>) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let until = |time: u64| Duration::from_secs(time).saturating_sub(now);
    if let Some(text) = retry_after {
        return match text.trim().parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
                Some(until(u64::try_from(date.timestamp().as_second()).ok()?))
            }
        };
    }
    let reset: u64 = reset?.trim().parse().ok()?;
    Some(if reset > A_TIME { until(reset) } else { Duration::from_secs(reset) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_and_end() {
        for (next, middle) in [(2, 500), (3, 1_000), (4, 2_000)] {
            for _ in 0..50 {
                let wait = wait(next, None).expect("there is another attempt").as_millis();
                assert!((middle / 2..=middle * 3 / 2).contains(&wait), "{wait}");
            }
        }
        assert_eq!(wait(ATTEMPTS + 1, None), None);
    }

    #[test]
    fn what_the_issuer_asks_for_is_honoured_up_to_a_minute() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(wait(2, seconds(7)), seconds(7));
        assert_eq!(wait(2, seconds(61)), None);
        assert_eq!(told(Some("7"), Some("3")), seconds(7));
        assert_eq!(told(None, Some("3")), seconds(3));
        assert_eq!(told(None, None), None);
        assert_eq!(told(None, Some("soon")), None);
        assert_eq!(told(Some("Wed, 21 Oct 2015 07:28:00 GMT"), None), seconds(0));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let until = told(None, Some(&(now + 30).to_string())).expect("a time");
        assert!((28..=30).contains(&until.as_secs()), "{until:?}");
    }

    #[test]
    fn turns_at_one_host_are_apart_and_hosts_do_not_wait_for_each_other() {
        let pace = Pace::default();
        assert_eq!(pace.turn("a"), Turn::Now);
        assert!(matches!(pace.turn("a"), Turn::In(_)));
        assert_eq!(pace.turn("b"), Turn::Now);
    }

    #[test]
    fn a_wait_and_a_refusal_to_wait_hold_for_all_who_ask_that_host() {
        let pace = Pace::default();
        pace.hold("a", Duration::from_secs(30));
        pace.hold("a", Duration::from_secs(1));
        assert!(matches!(pace.turn("a"), Turn::In(time) if time > Duration::from_secs(20)));
        pace.give_up("b", "it is gone");
        assert_eq!(pace.turn("b"), Turn::Never("it is gone".to_owned()));
        assert_eq!(pace.turn("c"), Turn::Now);
        pace.forget();
        assert_eq!(pace.turn("b"), Turn::Now);
        assert!(matches!(pace.turn("a"), Turn::In(_)), "a wait is kept");
    }
}
