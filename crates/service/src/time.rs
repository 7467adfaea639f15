//! Timestamps: microseconds since 1970 in rows; RFC 3339 in UTC without trailing zeros in
//! responses.

use jiff::Timestamp;

/// Returns the service's current time; see [`crate::clock`].
#[must_use]
pub fn now() -> Timestamp {
    crate::clock::now()
}

/// Converts a time to the microseconds of a row.
#[must_use]
pub fn to_row(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// Converts the microseconds of a row to a time. Values outside of the calendar become its nearest
/// end.
#[must_use]
pub fn from_row(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// Truncates a time to whole microseconds, the precision of a row.
#[must_use]
pub fn whole_micros(time: Timestamp) -> Timestamp {
    from_row(to_row(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_without_trailing_zeros() {
        for (given, written) in [
            ("2027-04-08T16:45:59.540Z", "2027-04-08T16:45:59.54Z"),
            ("2026-04-09T08:58:54.000Z", "2026-04-09T08:58:54Z"),
            ("2026-04-08T16:45:36.006189144Z", "2026-04-08T16:45:36.006189144Z"),
            ("2026-04-08T18:45:36+02:00", "2026-04-08T16:45:36Z"),
        ] {
            let time: Timestamp = given.parse().expect("a time");
            assert_eq!(time.to_string(), written);
        }
    }

    #[test]
    fn a_row_keeps_microseconds() {
        let time: Timestamp = "2026-04-08T16:45:36.006189144Z".parse().expect("a time");
        assert_eq!(from_row(to_row(time)).to_string(), "2026-04-08T16:45:36.006189Z");
        assert_eq!(whole_micros(time), from_row(to_row(time)));
    }
}
