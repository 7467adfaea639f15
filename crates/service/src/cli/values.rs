//! Values of arguments.
//!
//! Input: the text of an argument. Output: the value. Reads no database.

use crate::permission::Permission;
use crate::store::PoolSize;
use crate::time;
use jiff::Timestamp;
use std::time::Duration;

/// A value on the command line is invalid. clap prints the option and the value before the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueError {
    #[error("expected a number followed by s, m, h or d, for example 30d")]
    Duration,
    #[error("too long ago")]
    TooLongAgo,
    #[error("expected a date, a time in RFC 3339, or a duration before now, for example 30d")]
    Past,
    #[error("expected one of {}", Permission::ALL.map(Permission::name).join(", "))]
    Permission,
    #[error("expected a number of at least {}", PoolSize::MIN)]
    PoolSize,
    #[error("expected a number of at least 1")]
    Count,
}

/// Parses a duration.
pub(super) fn duration(text: &str) -> Result<Duration, ValueError> {
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
    parsed.map(Duration::from_secs).ok_or(ValueError::Duration)
}

/// Parses a point in the past: a duration before now, a date, or a time in RFC 3339.
pub(super) fn past(text: &str) -> Result<Timestamp, ValueError> {
    if let Ok(ago) = duration(text) {
        return time::now().checked_sub(ago).map_err(|_| ValueError::TooLongAgo);
    }
    // A date is its first moment in UTC.
    let time = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
    time.map_err(|_| ValueError::Past)
}

/// Parses the name of a permission.
pub(super) fn permission(text: &str) -> Result<Permission, ValueError> {
    Permission::from_name(text).ok_or(ValueError::Permission)
}

/// Parses a number of connections to the database.
pub(super) fn pool_size(text: &str) -> Result<PoolSize, ValueError> {
    text.parse().ok().and_then(PoolSize::new).ok_or(ValueError::PoolSize)
}

/// Parses a positive number.
pub(super) fn at_least_one(text: &str) -> Result<usize, ValueError> {
    text.parse().ok().filter(|&count| count > 0).ok_or(ValueError::Count)
}
