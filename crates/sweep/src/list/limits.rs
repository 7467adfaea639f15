//! Rate limits: how long a response asks to wait.
//!
//! GitHub documents `Retry-After`, `X-RateLimit-Remaining` with `X-RateLimit-Reset`, and at least a minute
//! after a secondary limit without headers; GitLab `RateLimit-Remaining` with `RateLimit-Reset`.

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// Time to wait after a secondary rate limit that does not name one.
const SECONDARY_WAIT: Duration = Duration::from_secs(60);

/// The reason of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// The time to wait from now.
    pub(super) time: Duration,
    /// Whether the host named it.
    pub(super) is_named: bool,
}

/// Returns how long to wait before a refused request is repeated; `None` if waiting does not help.
pub(super) fn after_refusal(
    status: StatusCode,
    headers: &HeaderMap,
    message: &str,
    now: Timestamp,
) -> Option<Wait> {
    if !matches!(status.as_u16(), 403 | 429 | 503) {
        return None;
    }
    if let Some(time) = retry_after(headers, now).or_else(|| reset(headers, now)) {
        return Some(Wait { time, is_named: true });
    }
    let message = message.to_ascii_lowercase();
    let is_limit = status.as_u16() == 429
        || ["rate limit", "abuse detection"].iter().any(|it| message.contains(it));
    (is_limit && status.as_u16() != 503).then_some(Wait { time: SECONDARY_WAIT, is_named: false })
}

/// Returns how long to wait before the next request, if the response used up the limit.
pub(super) fn before_next(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    reset(headers, now)
}

/// Reads `Retry-After`: seconds or an HTTP date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(until(date, now))
}

/// Reads the time of the reset, if no requests are left.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    ["x-ratelimit", "ratelimit"].into_iter().find_map(|prefix| {
        value(&format!("{prefix}-remaining")).filter(|it| *it <= 0)?;
        let reset = Timestamp::from_second(value(&format!("{prefix}-reset"))?).ok()?;
        // Clocks differ, and the limit is reset within that second.
        Some(until(reset, now) + Duration::from_secs(1))
    })
}

fn until(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(time.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        list.iter().map(pair).collect()
    }

    fn wait(status: u16, list: &[(&'static str, &str)], message: &str) -> Option<u64> {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        after_refusal(status, &headers(list), message, now).map(|it| it.time.as_secs())
    }

    #[test]
    fn the_documented_rate_limits_are_recognized() {
        assert_eq!(wait(429, &[("retry-after", "7")], ""), Some(7));
        assert_eq!(wait(403, &[("retry-after", "30")], ""), Some(30));
        let date = [("retry-after", "Fri, 15 Jan 2027 08:01:00 GMT")];
        assert_eq!(wait(429, &date, ""), Some(60));
        let primary = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000100")];
        assert_eq!(wait(403, &primary, "API rate limit exceeded"), Some(101));
        let gitlab = [("ratelimit-remaining", "0"), ("ratelimit-reset", "1800000010")];
        assert_eq!(wait(429, &gitlab, ""), Some(11));
        assert_eq!(wait(403, &[], "You have exceeded a secondary rate limit"), Some(60));
        assert_eq!(wait(429, &[], ""), Some(60));
    }

    #[test]
    fn other_refusals_are_not_waited_for() {
        let left = [("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", "1800000100")];
        assert_eq!(wait(403, &left, "Resource not accessible by personal access token"), None);
        assert_eq!(wait(404, &[("retry-after", "7")], ""), None);
        assert_eq!(wait(429, &[("retry-after", "-1")], ""), Some(60));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")];
        assert_eq!(wait(403, &past, ""), Some(1));
    }
}
