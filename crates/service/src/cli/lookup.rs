//! Users and times on the command line.

use crate::store::Store;
use crate::store::users::User;
use crate::time;
use anyhow::Context as _;
use jiff::Timestamp;
use std::time::Duration;

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.char_indices().next_back().and_then(|(at, unit)| {
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let number: u64 = text[..at].parse().ok()?;
        number.checked_mul(seconds).filter(|&seconds| seconds > 0)
    });
    parsed
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a number followed by s, m, h or d, for example 30d".to_owned())
}

/// Parses a point in the past: a duration before now, a date, or a time in RFC 3339.
pub(super) fn past(text: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = duration(text) {
        return time::now().checked_sub(ago).map_err(|_| "too long ago".to_owned());
    }
    // A date is its first moment in UTC.
    let time = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
    time.map_err(|_| {
        "expected a date, a time in RFC 3339, or a duration before now, for example 30d".to_owned()
    })
}

pub(super) async fn find(store: &Store, email_or_id: &str) -> anyhow::Result<User> {
    store
        .user(email_or_id)
        .await?
        .with_context(|| format!("no user with the email address or UUID {email_or_id:?}"))
}
