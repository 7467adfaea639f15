//! Limits of lookups: queries about tokens that were not live when last asked about.
//!
//! An address may make COUNT lookups in vain. A lookup that the database fails to answer proves
//! nothing about its caller, so it is not counted among them; but for a while after such a failure,
//! only a few lookups of an address may be unanswered in a short window. So an address cannot flood a
//! failing database, and live tokens are accepted soon after it recovers.

use super::Limits;
use super::allowance::Allowance;
use super::class::Class;
use super::key::Keys;
use std::net::IpAddr;

/// A lookup that an address may make. If it is dropped, it stays counted.
#[derive(Debug)]
pub struct Lookup {
    keys: Keys,
    in_vain: Option<Allowance>,
    unanswered: Option<Allowance>,
}

/// The outcome of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The token is live.
    Live,
    /// The token is not live.
    InVain,
    /// The database did not answer.
    Failed,
}

impl Limits {
    /// Counts a lookup of an address.
    ///
    /// # Errors
    /// The exhausted [`Allowance`], if the address may make no lookup now.
    pub fn take_lookup(&self, address: IpAddr) -> Result<Lookup, Allowance> {
        self.take_lookup_at(address, self.clock.seconds())
    }

    /// Takes back what a lookup need not count for.
    pub fn end_lookup(&self, lookup: &Lookup, outcome: Outcome) {
        self.end_lookup_at(lookup, outcome, self.clock.seconds());
    }

    /// Records that the database failed to answer about a token.
    pub fn database_failed(&self) {
        self.unanswered.database_failed(self.clock.seconds());
    }

    pub(super) fn take_lookup_at(&self, address: IpAddr, now: u64) -> Result<Lookup, Allowance> {
        let keys = Keys::of_lookup(address);
        let unanswered = self.take_unanswered(keys, now);
        if let Some(refused) = unanswered.filter(|allowance| !allowance.allowed) {
            return Err(refused);
        }
        let in_vain = self.take_at(Class::Authentication, keys, now);
        let lookup = Lookup { keys, in_vain, unanswered };
        match in_vain.filter(|allowance| !allowance.allowed) {
            None => Ok(lookup),
            Some(refused) => {
                self.answered(&lookup);
                Err(refused)
            }
        }
    }

    pub(super) fn end_lookup_at(&self, lookup: &Lookup, outcome: Outcome, now: u64) {
        if outcome == Outcome::Failed {
            self.unanswered.database_failed(now);
        } else {
            self.answered(lookup);
        }
        if let (Some(allowance), Outcome::Live | Outcome::Failed) = (&lookup.in_vain, outcome) {
            self.give_back(allowance, lookup.keys);
        }
    }

    /// Counts a lookup among those that are not answered, if the database is failing.
    fn take_unanswered(&self, keys: Keys, now: u64) -> Option<Allowance> {
        let rate = self.rates.as_ref()?[Class::Authentication as usize];
        self.unanswered.take(rate, keys, now)
    }

    fn answered(&self, lookup: &Lookup) {
        if let Some(allowance) = &lookup.unanswered {
            self.unanswered.give_back(allowance, lookup.keys);
        }
    }
}
