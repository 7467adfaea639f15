//! The events of one minute, limited in number: counts uses and yields batches of events to write.

use super::group::{Aggregate, Group, GroupKey};
use super::uses::{Use, UseKind};
use crate::audit::Event;
use ddpatrol_token::Uuid;
use ddpatrol_token::mint::RandomError;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Interval at which grown counts are written.
pub(in crate::audit) const UPDATE_EVERY: Duration = Duration::from_secs(2);
/// Maximum number of aggregated events in one batch of the queue.
const BATCH: usize = 512;
/// Maximum number of unwritten events of earlier minutes; beyond it, the current minute is
/// extended.
const MAX_EARLIER: usize = 4_096;

/// The result of counting a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Counted {
    /// The use is counted.
    Done,
    /// The use is counted, and the writer must be notified.
    Wake,
    /// The limit of events for this kind and minute is reached.
    Full,
}

/// The events to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Flush {
    /// New events, and also changed counts if the last update is long enough ago.
    Due,
    /// All events.
    All,
}

/// The aggregated events of one minute, and those of earlier minutes that are not written.
#[derive(Debug, Default)]
pub(super) struct Minute {
    number: u64,
    groups: HashMap<GroupKey, Group>,
    /// The number of addresses with their own events, by token.
    addresses: HashMap<(UseKind, Uuid), u32>,
    /// The number of events, by kind.
    events: [u32; UseKind::COUNT],
    /// Events that have no row yet.
    fresh: VecDeque<GroupKey>,
    /// Events whose counts have grown since they were written.
    grown: VecDeque<GroupKey>,
    /// Events of earlier minutes.
    earlier: VecDeque<Aggregate>,
    /// The number of changed counts that the current update still has to write.
    to_update: usize,
    /// The start of the last update.
    updated: Option<Instant>,
}

impl Minute {
    /// Returns `true` if [`Minute::take`] would return any event.
    pub(super) fn is_due(&self, flush: Flush) -> bool {
        !self.fresh.is_empty() || !self.earlier.is_empty() || self.updates_are_due(flush)
    }

    /// Returns `true` if counts have grown since they were last written.
    pub(super) fn has_grown(&self) -> bool {
        !self.grown.is_empty()
    }

    /// Starts a minute, unless it has started.
    pub(super) fn enter(&mut self, number: u64) {
        if self.number == number || self.earlier.len() >= MAX_EARLIER {
            return;
        }
        self.number = number;
        for key in self.fresh.drain(..).chain(self.grown.drain(..)) {
            self.earlier.extend(self.groups.get_mut(&key).map(Group::aggregate));
        }
        self.groups.clear();
        self.addresses.clear();
        self.events = [0; UseKind::COUNT];
        self.to_update = 0;
    }

    /// Counts a use. Calls `event` if the use is the first of an event.
    pub(super) fn count(
        &mut self,
        token_use: Use,
        event: impl FnOnce() -> Result<Event, RandomError>,
    ) -> Result<Counted, RandomError> {
        let Some(key) = self.key(token_use) else { return Ok(Counted::Full) };
        if let Some(group) = self.groups.get_mut(&key) {
            // A group with unwritten uses is already in one of the lists.
            let settled = group.is_written();
            group.add(token_use);
            if settled {
                self.grown.push_back(key);
            }
            let first = settled && self.grown.len() == 1;
            return Ok(if first { Counted::Wake } else { Counted::Done });
        }
        let event = key.covering(event()?);
        self.groups.insert(key, Group::new(event, token_use));
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

    /// Returns the key of the event that counts a use, or `None` if the limit is reached.
    fn key(&self, token_use: Use) -> Option<GroupKey> {
        let Use { kind, token, address, caller, .. } = token_use;
        let exact = GroupKey { kind, token: Some(token), address: Some(address), caller };
        if self.groups.contains_key(&exact) {
            return Some(exact);
        }
        let room = self.events[kind as usize] < kind.max_events();
        let addresses = self.addresses.get(&(kind, token)).copied().unwrap_or(0);
        let crowded = kind.max_addresses().is_some_and(|max| addresses >= max);
        if !crowded && room {
            return Some(exact);
        }
        if kind == UseKind::Introspected {
            return None;
        }
        let token_only = GroupKey { address: None, caller: None, ..exact };
        if crowded && (room || self.groups.contains_key(&token_only)) {
            return Some(token_only);
        }
        Some(GroupKey { token: None, ..token_only })
    }

    /// Returns `true` if changed counts are due.
    fn updates_are_due(&self, flush: Flush) -> bool {
        let long_ago = || self.updated.is_none_or(|at| at.elapsed() >= UPDATE_EVERY);
        self.to_update > 0 || (!self.grown.is_empty() && (flush == Flush::All || long_ago()))
    }

    /// Takes at most one batch of events to write.
    pub(super) fn take(&mut self, flush: Flush) -> Vec<Aggregate> {
        let mut taken: Vec<Aggregate> = Vec::new();
        let earlier = self.earlier.len().min(BATCH);
        taken.extend(self.earlier.drain(..earlier));
        while taken.len() < BATCH
            && let Some(key) = self.fresh.pop_front()
        {
            taken.extend(self.groups.get_mut(&key).map(Group::aggregate));
        }
        if self.to_update == 0 && self.updates_are_due(flush) {
            self.to_update = self.grown.len();
            self.updated = Some(Instant::now());
        }
        while self.to_update > 0
            && taken.len() < BATCH
            && let Some(key) = self.grown.pop_front()
        {
            self.to_update -= 1;
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

    fn used(kind: UseKind, token: u32, address: u32) -> Use {
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

    fn count(minute: &mut Minute, token_use: Use) -> Counted {
        let actor = Actor::without_user(method::BEARER);
        let event = || actor.event(name::DENIED, Some(token_use.token));
        minute.count(token_use, event).expect("random bytes")
    }

    /// Takes all events, in batches.
    fn drained(minute: &mut Minute) -> Vec<Aggregate> {
        let mut all = Vec::new();
        loop {
            let batch = minute.take(Flush::All);
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
        let token_use = used(UseKind::Denied, 1, 1);
        assert_eq!(count(&mut minute, token_use), Counted::Wake);
        assert_eq!(count(&mut minute, token_use), Counted::Done);
        let first = drained(&mut minute);
        assert_eq!((first.len(), first[0].row, counted(&first[0])), (1, Row::New, 2));
        assert_eq!(count(&mut minute, token_use), Counted::Wake);
        assert!(minute.take(Flush::Due).is_empty(), "changed counts wait for the next update");
        let second = drained(&mut minute);
        assert_eq!((second.len(), second[0].row, counted(&second[0])), (1, Row::Old, 3));
        assert_eq!(second[0].event.id, first[0].event.id);
        assert!(drained(&mut minute).is_empty());
        minute.enter(1);
        count(&mut minute, token_use);
        let next = drained(&mut minute);
        assert_eq!((next[0].row, counted(&next[0])), (Row::New, 1));
        assert_ne!(next[0].event.id, first[0].event.id);
    }

    #[test]
    fn the_number_of_events_is_limited_and_no_use_is_lost() {
        let mut minute = Minute::default();
        let max = UseKind::Denied.max_events() as usize;
        for address in 0..1_000 {
            for token in 0..100 {
                count(&mut minute, used(UseKind::Denied, token, address));
            }
        }
        let events = drained(&mut minute);
        assert!(events.len() <= max + 1, "{}", events.len());
        assert_eq!(events.iter().map(counted).sum::<u64>(), 100_000);
        assert!(minute.groups.len() <= max + 1);
        let mut single = Minute::default();
        for address in 0..1_000 {
            count(&mut single, used(UseKind::Denied, 1, address));
        }
        let events = drained(&mut single);
        assert_eq!(events.len(), 17);
        assert_eq!(events.iter().map(counted).max(), Some(984));
    }

    #[test]
    fn unwritten_events_of_earlier_minutes_are_limited() {
        let mut minute = Minute::default();
        for number in 1..10_000 {
            minute.enter(number);
            for token in 0..40 {
                count(&mut minute, used(UseKind::Denied, token, 1));
            }
        }
        assert!(minute.earlier.len() <= MAX_EARLIER + 40);
        let total: u64 = drained(&mut minute).iter().map(counted).sum();
        assert_eq!(total, 9_999 * 40);
    }

    #[test]
    fn a_kind_without_aggregation_is_full_at_its_limit() {
        let mut minute = Minute::default();
        let max = UseKind::Introspected.max_events();
        for token in 0..max {
            assert_ne!(count(&mut minute, used(UseKind::Introspected, token, 1)), Counted::Full);
        }
        assert_eq!(count(&mut minute, used(UseKind::Introspected, max, 1)), Counted::Full);
        assert_eq!(drained(&mut minute).len(), max as usize);
    }
}
