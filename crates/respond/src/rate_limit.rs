//! Rate limit for requests to issuers, and delays before a retry.
//!
//! Input: host names and the headers of responses. Output: whether and when a request may be sent. This
//! file sends no requests.

use ddpatrol_scan::lock::lock;
use ddpatrol_token::mint::system_random;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Minimum time between two requests to one host.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// Longest delay that an issuer may request; for a longer one the request is given up.
const MAX_DELAY: Duration = Duration::from_secs(60);
/// Delay before the second attempt; doubled for each further attempt.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// Maximum number of attempts per request.
pub const ATTEMPTS: u32 = 4;
/// Larger values of `X-RateLimit-Reset` are a Unix time (GitHub), smaller ones a number of seconds.
const MIN_UNIX_TIME: u64 = 1_000_000_000;

/// Limits the rate of requests to each host.
#[derive(Debug, Default)]
pub struct RateLimiter {
    hosts: Mutex<HashMap<String, Host>>,
}

#[derive(Debug, Default)]
struct Host {
    /// Earliest time of the next request.
    next: Option<Instant>,
    /// Reason for giving up the host, if it was.
    given_up: Option<String>,
}

/// Whether a request to a host may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Yes; the turn is taken.
    Now,
    /// Not before this time has passed; the turn is not taken.
    In(Duration),
    /// The host was given up, for this reason.
    Never(String),
}

impl RateLimiter {
    /// Takes the next turn at a host if it is due.
    #[must_use]
    pub fn turn(&self, host: &str) -> Turn {
        let now = Instant::now();
        let mut hosts = lock(&self.hosts);
        let host = hosts.entry(host.to_owned()).or_default();
        match (&host.given_up, host.next) {
            (Some(why), _) => Turn::Never(why.clone()),
            (None, Some(next)) if next > now => Turn::In(next - now),
            _ => {
                host.next = Some(now + MIN_INTERVAL);
                Turn::Now
            }
        }
    }

    /// Delays all requests to a host.
    pub fn delay(&self, host: &str, time: Duration) {
        let until = Instant::now() + time;
        let mut hosts = lock(&self.hosts);
        let host = hosts.entry(host.to_owned()).or_default();
        host.next = Some(host.next.map_or(until, |next| next.max(until)));
    }

    /// Gives up a host: further requests would wait equally long and fail for the same reason.
    pub fn give_up(&self, host: &str, why: &str) {
        let mut hosts = lock(&self.hosts);
        hosts.entry(host.to_owned()).or_default().given_up = Some(why.to_owned());
    }

    /// Allows requests to hosts that were given up. Delays remain.
    pub fn reset(&self) {
        let mut hosts = lock(&self.hosts);
        hosts.values_mut().for_each(|host| host.given_up = None);
    }
}

/// Returns the delay before attempt `next` (2 is the first retry), or `None` to give up.
///
/// `requested` is the delay that the issuer requested. Without it the delay doubles each time, with
/// jitter from 50 % to 150 %.
#[must_use]
pub fn retry_delay(next: u32, requested: Option<Duration>) -> Option<Duration> {
    if next > ATTEMPTS {
        return None;
    }
    if let Some(requested) = requested {
        return (requested <= MAX_DELAY).then_some(requested);
    }
    let mut random = [128];
    // Without randomness the delay has no jitter.
    let _ = system_random(&mut random);
    let doubled = FIRST_DELAY * 2_u32.pow(next.saturating_sub(2));
    Some(doubled / 2 + doubled * u32::from(random[0]) / 255)
}

/// Returns the delay that an issuer requests: `Retry-After` in seconds or as a date, otherwise
/// `X-RateLimit-Reset` in seconds (Datadog) or as a Unix time (GitHub).
#[must_use]
pub fn requested_delay(retry_after: Option<&str>, reset: Option<&str>) -> Option<Duration> {
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
    Some(if reset > MIN_UNIX_TIME { until(reset) } else { Duration::from_secs(reset) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_with_jitter_until_the_last_attempt() {
        for (next, middle) in [(2, 500), (3, 1_000), (4, 2_000)] {
            for _ in 0..50 {
                let delay = retry_delay(next, None).expect("there is another attempt").as_millis();
                assert!((middle / 2..=middle * 3 / 2).contains(&delay), "{delay}");
            }
        }
        assert_eq!(retry_delay(ATTEMPTS + 1, None), None);
    }

    #[test]
    fn a_requested_delay_is_honoured_up_to_a_minute() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(retry_delay(2, seconds(7)), seconds(7));
        assert_eq!(retry_delay(2, seconds(61)), None);
        assert_eq!(requested_delay(Some("7"), Some("3")), seconds(7));
        assert_eq!(requested_delay(None, Some("3")), seconds(3));
        assert_eq!(requested_delay(None, None), None);
        assert_eq!(requested_delay(None, Some("soon")), None);
        assert_eq!(requested_delay(Some("Wed, 21 Oct 2015 07:28:00 GMT"), None), seconds(0));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let until = requested_delay(None, Some(&(now + 30).to_string())).expect("a time");
        assert!((28..=30).contains(&until.as_secs()), "{until:?}");
    }

    #[test]
    fn requests_to_one_host_are_spaced_and_hosts_are_independent() {
        let limiter = RateLimiter::default();
        assert_eq!(limiter.turn("a"), Turn::Now);
        assert!(matches!(limiter.turn("a"), Turn::In(_)));
        assert_eq!(limiter.turn("b"), Turn::Now);
    }

    #[test]
    fn a_delay_and_giving_up_apply_to_all_requests_to_that_host() {
        let limiter = RateLimiter::default();
        limiter.delay("a", Duration::from_secs(30));
        limiter.delay("a", Duration::from_secs(1));
        assert!(matches!(limiter.turn("a"), Turn::In(time) if time > Duration::from_secs(20)));
        limiter.give_up("b", "it is gone");
        assert_eq!(limiter.turn("b"), Turn::Never("it is gone".to_owned()));
        assert_eq!(limiter.turn("c"), Turn::Now);
        limiter.reset();
        assert_eq!(limiter.turn("b"), Turn::Now);
        assert!(matches!(limiter.turn("a"), Turn::In(_)), "the delay remains");
    }
}
