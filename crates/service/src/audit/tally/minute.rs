//! The events of one minute, in bounded number: counts uses and yields batches of events to write.

use super::group::{Aggregate, Group, Key};
use super::uses::{Kind, Use};
use crate::audit::Event;
use ddpatrol_token::Uuid;
use ddpatrol_token::mint::RandomError;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Interval at which grown counts are written.
pub(in crate::audit) const UPDATE_EVERY: Duration = Duration::from_secs(2);
/// Maximum number of aggregated events in one batch of the queue.
const BATCH: usize = 512;
/// Maximum number of unwritten events of earlier minutes; beyond it a minute is prolonged instead.
const MAX_OVER: usize = 4_096;

/// The outcome of counting a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Counted {
    /// The use is counted.
    Done,
    /// The use is counted, and the writer has to know.
    Wake,
    /// The minute has no room for another event of this kind.
    Full,
}

/// Which counts to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum What {
    /// New events, and counts that grew, if the last update is long enough ago.
    Due,
    /// Everything.
    All,
}

/// The aggregated events of one minute, and those of earlier minutes that are not written.
#[derive(Debug, Default)]
pub(super) struct Minute {
    number: u64,
    groups: HashMap<Key, Group>,
    /// The number of addresses that each token has events for.
    addresses: HashMap<(Kind, Uuid), u32>,
    /// The number of events.
    events: [u32; Kind::COUNT],
    /// Events that have no row yet.
    fresh: VecDeque<Key>,
    /// Events whose counts have grown since they were written.
    grown: VecDeque<Key>,
    /// Events of earlier minutes.
    over: VecDeque<Aggregate>,
    /// The number of grown counts that the current update still has to write.
    pass: usize,
    /// When the last update began.
    updated: Option<Instant>,
}

impl Minute {
    /// Returns `true` if [`Minute::take`] would take something.
    pub(super) fn is_due(&self, what: What) -> bool {
        !self.fresh.is_empty() || !self.over.is_empty() || self.updates_are_due(what)
    }

    /// Returns `true` if counts have grown since they were written.
    pub(super) fn has_grown(&self) -> bool {
        !self.grown.is_empty()
    }

    /// Begins a minute, if it has not begun.
    pub(super) fn enter(&mut self, number: u64) {
        if self.number == number || self.over.len() >= MAX_OVER {
            return;
        }
        self.number = number;
        for key in self.fresh.drain(..).chain(self.grown.drain(..)) {
            self.over.extend(self.groups.get_mut(&key).map(Group::aggregate));
        }
        self.groups.clear();
        self.addresses.clear();
        self.events = [0; Kind::COUNT];
        self.pass = 0;
    }

    /// Counts a use; `event` is called if it is the first of its event.
    pub(super) fn count(
        &mut self,
        seen: Use,
        event: impl FnOnce() -> Result<Event, RandomError>,
    ) -> Result<Counted, RandomError> {
        let Some(key) = self.key(seen) else { return Ok(Counted::Full) };
        if let Some(group) = self.groups.get_mut(&key) {
            // A group with unwritten uses is in one of the lists already.
            let settled = group.is_written();
            group.add(seen);
            if settled {
                self.grown.push_back(key);
            }
            let first = settled && self.grown.len() == 1;
            return Ok(if first { Counted::Wake } else { Counted::Done });
        }
        let event = key.covering(event()?);
        self.groups.insert(key, Group::new(event, seen));
        self.fresh.push_back(key);
        self.updated.get_or_insert_with(Instant::now);
        if let Some(token) = key.token {
            self.events[key.kind as usize] += 1;
            if key.address.is_some() {
                *self.addresses.entry((key.kind, token)).or_default() += 1;
            }
        }
        Ok(Counted::Wake)
    }

    /// Returns the event that counts a use, or `None` if there is no room for it.
    fn key(&self, seen: Use) -> Option<Key> {
        let Use { kind, token, address, caller, .. } = seen;
        let exact = Key { kind, token: Some(token), address: Some(address), caller };
        if self.groups.contains_key(&exact) {
            return Some(exact);
        }
        let room = self.events[kind as usize] < kind.max_events();
        let addresses = self.addresses.get(&(kind, token)).copied().unwrap_or(0);
        let crowded = kind.max_addresses().is_some_and(|max| addresses >= max);
        if !crowded && room {
            return Some(exact);
        }
        if kind == Kind::Introspected {
            return None;
        }
        let token_only = Key { address: None, caller: None, ..exact };
        if crowded && (room || self.groups.contains_key(&token_only)) {
            return Some(token_only);
        }
        Some(Key { token: None, ..token_only })
    }

    /// Returns `true` if grown counts have to be written.
    fn updates_are_due(&self, what: What) -> bool {
        let long_ago = || self.updated.is_none_or(|at| at.elapsed() >= UPDATE_EVERY);
        self.pass > 0 || (!self.grown.is_empty() && (what == What::All || long_ago()))
    }

    /// Takes what has to be written, a batch at most.
    pub(super) fn take(&mut self, what: What) -> Vec<Aggregate> {
        let mut taken: Vec<Aggregate> = Vec::new();
        let over = self.over.len().min(BATCH);
        taken.extend(self.over.drain(..over));
        while taken.len() < BATCH
            && let Some(key) = self.fresh.pop_front()
        {
            taken.extend(self.groups.get_mut(&key).map(Group::aggregate));
        }
        if self.pass == 0 && self.updates_are_due(what) {
            self.pass = self.grown.len();
            self.updated = Some(Instant::now());
        }
        while self.pass > 0
            && taken.len() < BATCH
            && let Some(key) = self.grown.pop_front()
        {
            self.pass -= 1;
            taken.extend(self.groups.get_mut(&key).map(Group::aggregate));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::super::group::Row;
    use super::super::uses::Limit;
    use super::*;
    use crate::audit::{Actor, method, name};
    use std::net::IpAddr;

    fn used(kind: Kind, token: u32, address: u32) -> Use {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&token.to_be_bytes());
        Use {
            kind,
            token: Uuid::from_bytes(id),
            address: IpAddr::from(address.to_be_bytes()),
            caller: None,
            limit: Limit::Within,
        }
    }

    fn count(minute: &mut Minute, seen: Use) -> Counted {
        let actor = Actor { user: None, auth_method: method::BEARER, token: None, request: None };
        let event = || actor.event(name::DENIED, Some(seen.token));
        minute.count(seen, event).expect("random bytes")
    }

    /// Takes everything, in batches.
    fn drained(minute: &mut Minute) -> Vec<Aggregate> {
        let mut all = Vec::new();
        loop {
            let batch = minute.take(What::All);
            assert!(batch.len() <= BATCH);
            if batch.is_empty() {
                return all;
            }
            all.extend(batch);
        }
    }

    fn counted(aggregate: &Aggregate) -> u64 {
        aggregate.event.metadata.as_ref().expect("metadata")["count"].as_u64().expect("a count")
    }

    #[test]
    fn uses_of_one_token_from_one_address_are_one_event_whose_count_grows() {
        let mut minute = Minute::default();
        let seen = used(Kind::Denied, 1, 1);
        assert_eq!(count(&mut minute, seen), Counted::Wake);
        assert_eq!(count(&mut minute, seen), Counted::Done);
        let first = drained(&mut minute);
        assert_eq!((first.len(), first[0].row, counted(&first[0])), (1, Row::New, 2));
        assert_eq!(count(&mut minute, seen), Counted::Wake);
        assert!(minute.take(What::Due).is_empty(), "counts are not written all the time");
        let second = drained(&mut minute);
        assert_eq!((second.len(), second[0].row, counted(&second[0])), (1, Row::Old, 3));
        assert_eq!(second[0].event.id, first[0].event.id);
        assert!(drained(&mut minute).is_empty());
        minute.enter(1);
        count(&mut minute, seen);
        let next = drained(&mut minute);
        assert_eq!((next[0].row, counted(&next[0])), (Row::New, 1));
        assert_ne!(next[0].event.id, first[0].event.id);
    }

    #[test]
    fn however_many_tokens_and_addresses_there_are_the_events_are_bounded_and_no_use_is_lost() {
        let mut minute = Minute::default();
        let max = Kind::Denied.max_events() as usize;
        for address in 0..1_000 {
            for token in 0..100 {
                count(&mut minute, used(Kind::Denied, token, address));
            }
        }
        let events = drained(&mut minute);
        assert!(events.len() <= max + 1, "{}", events.len());
        assert_eq!(events.iter().map(counted).sum::<u64>(), 100_000);
        assert!(minute.groups.len() <= max + 1);
        let mut single = Minute::default();
        for address in 0..1_000 {
            count(&mut single, used(Kind::Denied, 1, address));
        }
        let events = drained(&mut single);
        assert_eq!(events.len(), 17);
        assert_eq!(events.iter().map(counted).max(), Some(984));
    }

    #[test]
    fn unwritten_events_of_earlier_minutes_are_bounded() {
        let mut minute = Minute::default();
        for number in 1..10_000 {
            minute.enter(number);
            for token in 0..40 {
                count(&mut minute, used(Kind::Denied, token, 1));
            }
        }
        assert!(minute.over.len() <= MAX_OVER + 40);
        let total: u64 = drained(&mut minute).iter().map(counted).sum();
        assert_eq!(total, 9_999 * 40);
    }

    #[test]
    fn a_kind_that_fits_no_more_is_said_to_be_full() {
        let mut minute = Minute::default();
        let max = Kind::Introspected.max_events();
        for token in 0..max {
            assert_ne!(count(&mut minute, used(Kind::Introspected, token, 1)), Counted::Full);
        }
        assert_eq!(count(&mut minute, used(Kind::Introspected, max, 1)), Counted::Full);
        assert_eq!(drained(&mut minute).len(), max as usize);
    }
}
