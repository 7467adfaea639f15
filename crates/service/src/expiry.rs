//! The expiry of a token: a time, or never.

use crate::time;
use jiff::Timestamp;
use serde_json::Value;
use std::fmt;

/// The expiry of a token. An earlier expiry is less than a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expiry {
    /// The token expires at this time.
    At(Timestamp),
    /// The token does not expire.
    Never,
}

impl Expiry {
    /// Returns `true` if a token with this expiry has expired at a time.
    #[must_use]
    pub fn is_reached(self, now: Timestamp) -> bool {
        self <= Self::At(now)
    }

    /// Returns the time of the expiry, if there is one.
    #[must_use]
    pub const fn time(self) -> Option<Timestamp> {
        match self {
            Self::At(time) => Some(time),
            Self::Never => None,
        }
    }

    /// Truncates the time to whole microseconds, the precision of a row.
    #[must_use]
    pub fn whole_micros(self) -> Self {
        self.time().map_or(Self::Never, |at| Self::At(time::whole_micros(at)))
    }

    /// Converts the microseconds of a row; the largest number is [`Self::Never`], so that a row
    /// without an expiry is later than every time.
    pub(crate) fn from_row(micros: i64) -> Self {
        if micros == i64::MAX { Self::Never } else { Self::At(time::from_row(micros)) }
    }

    pub(crate) fn to_row(self) -> i64 {
        self.time().map_or(i64::MAX, time::to_row)
    }
}

impl From<Option<Timestamp>> for Expiry {
    fn from(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Never, Self::At)
    }
}

impl From<Expiry> for Value {
    fn from(expiry: Expiry) -> Self {
        expiry.time().map_or(Self::Null, |time| time.to_string().into())
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => time.fmt(f),
            Self::Never => f.write_str("never"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_an_expiry_and_its_absence() {
        let at = Expiry::At("2027-04-08T16:45:59.54Z".parse().expect("a time"));
        for expiry in [at, Expiry::Never] {
            assert_eq!(Expiry::from_row(expiry.to_row()), expiry);
        }
        assert!(at < Expiry::Never && at.to_row() < Expiry::Never.to_row());
        assert!(!Expiry::Never.is_reached(Timestamp::MAX));
        assert!(at.is_reached(at.time().expect("a time")));
        assert_eq!(
            (Value::from(Expiry::Never), Expiry::Never.to_string()),
            (Value::Null, "never".into())
        );
    }
}
