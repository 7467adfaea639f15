//! Limits of lookups: queries about tokens that were not live at their last query.
//!
//! An address has COUNT unsuccessful lookups. A lookup that fails in the database says nothing
//! about its caller, so it is not counted. For a while after such a failure, however, only a few
//! unanswered lookups per address are allowed in a short window. An address therefore cannot flood
//! a failing database, and live tokens are accepted soon after it recovers.

use super::Limits;
use super::allowance::Allowance;
use super::class::Class;
use super::key::Keys;
use std::net::IpAddr;

/// A lookup that an address has taken. It remains counted if it is dropped.
#[derive(Debug)]
pub struct Lookup {
    keys: Keys,
    unsuccessful: Option<Allowance>,
    unanswered: Option<Allowance>,
}

/// The outcome of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupOutcome {
    /// The token is live.
    Live,
    /// The token is not live.
    NotLive,
    /// The database did not respond.
    Failed,
}

impl Limits {
    /// Takes a lookup of an address.
    ///
    /// # Errors
    /// The exhausted [`Allowance`] if the address has no lookups left.
    pub fn take_lookup(&self, address: IpAddr) -> Result<Lookup, Allowance> {
        self.take_lookup_at(address, self.clock.seconds())
    }

    /// Refunds the counts of a lookup that do not apply to its outcome.
    pub fn finish_lookup(&self, lookup: &Lookup, outcome: LookupOutcome) {
        self.finish_lookup_at(lookup, outcome, self.clock.seconds());
    }

    /// Records that a query about a token failed.
    pub fn database_failed(&self) {
        self.unanswered.database_failed(self.clock.seconds());
    }

    pub(super) fn take_lookup_at(&self, address: IpAddr, now: u64) -> Result<Lookup, Allowance> {
        let keys = Keys::of_lookup(address);
        let unanswered = self.take_unanswered(keys, now);
        if let Some(refused) = unanswered.filter(|allowance| !allowance.allowed) {
            return Err(refused);
        }
        let unsuccessful = self.take_at(Class::Authentication, keys, now);
        let lookup = Lookup { keys, unsuccessful, unanswered };
        match unsuccessful.filter(|allowance| !allowance.allowed) {
            None => Ok(lookup),
            Some(refused) => {
                self.answered(&lookup);
                Err(refused)
            }
        }
    }

    pub(super) fn finish_lookup_at(&self, lookup: &Lookup, outcome: LookupOutcome, now: u64) {
        if outcome == LookupOutcome::Failed {
            self.unanswered.database_failed(now);
        } else {
            self.answered(lookup);
        }
        if let (Some(allowance), LookupOutcome::Live | LookupOutcome::Failed) =
            (&lookup.unsuccessful, outcome)
        {
            self.refund(allowance, lookup.keys);
        }
    }

    /// Counts a lookup as unanswered if the database is failing.
    fn take_unanswered(&self, keys: Keys, now: u64) -> Option<Allowance> {
        let rate = self.rates.as_ref()?[Class::Authentication as usize];
        self.unanswered.take(rate, keys, now)
    }

    fn answered(&self, lookup: &Lookup) {
        if let Some(allowance) = &lookup.unanswered {
            self.unanswered.refund(allowance, lookup.keys);
        }
    }
}
