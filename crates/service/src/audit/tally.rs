//! Aggregated events: repeated uses of a kind by one token from one address are one event per
//! minute, with a count, so that nobody can grow the trail by repeating a refused request.
//!
//! An event is written when its first use comes; its count is written again every few seconds while
//! it grows. The number of events in a minute is bounded, and so is the memory: uses beyond the
//! bound are counted in an event without an address, or without a token and an address.

use super::{Event, name};
use crate::steady::Steady;
use crate::time;
use ddpatrol_token::Uuid;
use ddpatrol_token::mint::RandomError;
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Interval at which grown counts are written.
pub(super) const UPDATE_EVERY: Duration = Duration::from_secs(2);
/// The most aggregated events in one batch of the queue.
const BATCH: usize = 512;
/// Maximum number of unwritten events of earlier minutes; beyond it a minute is prolonged instead.
const MAX_OVER: usize = 4_096;
/// The seconds that one event covers.
const PERIOD: u64 = 60;

/// The kinds of uses that are aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A dead token was tried.
    Denied,
    /// A request of a live token was beyond a rate limit.
    Limited,
    /// A live token was introspected.
    Introspected,
    /// A dead token was introspected.
    DeniedIntrospection,
}

impl Kind {
    const COUNT: usize = 4;

    /// The most addresses for which a token has events of their own in a minute.
    const fn max_addresses(self) -> u32 {
        match self {
            Self::Denied | Self::Limited | Self::DeniedIntrospection => 16,
            Self::Introspected => u32::MAX,
        }
    }

    /// The most events in a minute, besides the one that counts what is beyond them.
    const fn max_events(self) -> u32 {
        match self {
            Self::Denied | Self::DeniedIntrospection => 256,
            Self::Limited => 1_024,
            Self::Introspected => 16_384,
        }
    }
}

/// One use that is aggregated with others like it.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The kind of use.
    pub kind: Kind,
    /// The token that it happened to.
    pub token: Uuid,
    /// The caller's address.
    pub address: IpAddr,
    /// The token that the caller used to introspect.
    pub caller: Option<Uuid>,
    /// The state of the caller's rate limit.
    pub limit: Limit,
}

/// The state of a rate limit at a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The use was within the limit.
    Within,
    /// The use was beyond the limit.
    Beyond,
}

/// The outcome of counting a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// The use is counted.
    Done,
    /// The use is counted, and the writer has to know.
    Wake,
    /// The minute has no room for another event of this kind.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    token: Option<Uuid>,
    address: Option<IpAddr>,
    caller: Option<Uuid>,
}

/// An event that counts uses.
#[derive(Debug)]
struct Group {
    event: Event,
    kind: Kind,
    count: u64,
    limited: u64,
    /// The part of `count` that is written; the event has a row once it is not zero.
    written: u64,
    last: Timestamp,
}

/// An aggregated event to write.
#[derive(Debug)]
pub(super) struct Aggregate {
    pub(super) event: Event,
    pub(super) row: Row,
    /// The uses that count as answered to a live token, and are not written yet.
    pub(super) uses: u64,
    /// The token's last use.
    pub(super) last: Option<(Uuid, Timestamp)>,
}

/// The state of an aggregated event's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// It has none yet.
    New,
    /// It has one, whose counts are old.
    Old,
}

impl Group {
    fn aggregate(&mut self) -> Aggregate {
        let mut event = self
            .event
            .clone()
            .with("count", self.count)
            .with("first", self.event.at.to_string())
            .with("last", self.last.to_string());
        if self.kind == Kind::Denied && self.limited > 0 {
            event = event.with("rate_limited", self.limited);
        }
        let row = if self.written == 0 { Row::New } else { Row::Old };
        let new = self.count - self.written;
        self.written = self.count;
        let uses = if self.kind == Kind::Limited { new } else { 0 };
        let used = event.name == name::USED;
        let last = event.asset.filter(|_| used).map(|token| (token, self.last));
        Aggregate { event, row, uses, last }
    }
}

#[derive(Debug, Default)]
struct Minute {
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

/// The aggregated events of the current minute.
#[derive(Debug)]
pub(super) struct Tally {
    clock: Steady,
    minute: Mutex<Minute>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { clock: Steady::start(), minute: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Minute> {
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a use; `event` is called if it is the first of its event.
    pub(super) fn count(
        &self,
        seen: Use,
        event: impl FnOnce() -> Result<Event, RandomError>,
    ) -> Result<Counted, RandomError> {
        let number = self.clock.seconds() / PERIOD;
        let mut minute = self.lock();
        minute.enter(number);
        minute.count(seen, event)
    }

    /// Returns `true` if there is something to write now; with `All`, also counts that have grown
    /// just now.
    pub(super) fn is_due(&self, what: What) -> bool {
        let minute = self.lock();
        !minute.fresh.is_empty() || !minute.over.is_empty() || minute.updates_are_due(what)
    }

    /// Returns `true` if counts have grown since they were written.
    pub(super) fn has_grown(&self) -> bool {
        !self.lock().grown.is_empty()
    }

    /// Takes what has to be written, a batch at most.
    pub(super) fn take(&self, what: What) -> Vec<Aggregate> {
        self.lock().take(what)
    }
}

/// Which counts to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// New events, and counts that grew, if the last update is long enough ago.
    Due,
    /// Everything.
    All,
}

impl Minute {
    fn enter(&mut self, number: u64) {
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

    fn count(
        &mut self,
        seen: Use,
        event: impl FnOnce() -> Result<Event, RandomError>,
    ) -> Result<Counted, RandomError> {
        let Some(key) = self.key(seen) else { return Ok(Counted::Full) };
        let limited = u64::from(seen.limit == Limit::Beyond);
        if let Some(group) = self.groups.get_mut(&key) {
            // A group with unwritten uses is in one of the lists already.
            let settled = group.written == group.count;
            group.count += 1;
            group.limited += limited;
            group.last = group.last.max(time::whole_micros(time::now()));
            if settled {
                self.grown.push_back(key);
            }
            let first = settled && self.grown.len() == 1;
            return Ok(if first { Counted::Wake } else { Counted::Done });
        }
        let event = key.covering(event()?);
        let last = event.at;
        let group = Group { event, kind: key.kind, count: 1, limited, written: 0, last };
        self.groups.insert(key, group);
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
        if addresses < kind.max_addresses() && room {
            return Some(exact);
        }
        if kind == Kind::Introspected {
            return None;
        }
        let token_only = Key { address: None, caller: None, ..exact };
        let crowded = addresses >= kind.max_addresses();
        if crowded && (room || self.groups.contains_key(&token_only)) {
            return Some(token_only);
        }
        Some(Key { token: None, ..token_only })
    }

    fn updates_are_due(&self, what: What) -> bool {
        let long_ago = || self.updated.is_none_or(|at| at.elapsed() >= UPDATE_EVERY);
        self.pass > 0 || (!self.grown.is_empty() && (what == What::All || long_ago()))
    }

    fn take(&mut self, what: What) -> Vec<Aggregate> {
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

impl Key {
    /// Removes from an event what it does not say, because it covers more than one address or token.
    fn covering(self, mut event: Event) -> Event {
        if self.address.is_some() {
            return event;
        }
        event.request = None;
        if self.token.is_some() {
            return event.with("covers", "further addresses of this token");
        }
        event.user = None;
        event.asset = None;
        event.metadata = None;
        event.with("covers", "further tokens and addresses")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Actor, method};

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
