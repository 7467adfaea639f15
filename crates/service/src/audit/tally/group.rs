//! An event that counts uses, and the uses that it covers.

use super::uses::{Limit, Use, UseKind};
use crate::audit::batch::LastUse;
use crate::audit::{Event, name};
use crate::time;
use ddpatrol_token::Uuid;
use jiff::Timestamp;
use std::net::IpAddr;

/// The uses that one event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupKey {
    pub(super) kind: UseKind,
    /// `None` for the tokens beyond the limit.
    pub(super) token: Option<Uuid>,
    /// `None` for the addresses beyond the limit.
    pub(super) address: Option<IpAddr>,
    /// The token with which the caller introspected.
    pub(super) caller: Option<Uuid>,
}

impl GroupKey {
    /// Removes the details that do not apply to all uses from an event that covers several
    /// addresses or tokens.
    pub(super) fn covering(self, mut event: Event) -> Event {
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

/// An event that counts uses.
#[derive(Debug)]
pub(super) struct Group {
    event: Event,
    kind: UseKind,
    count: u64,
    limited: u64,
    /// The written part of `count`; if it is not zero, the event has a row.
    written: u64,
    last: Timestamp,
}

/// An aggregated event to write.
#[derive(Debug)]
pub(in crate::audit) struct Aggregate {
    pub(in crate::audit) event: Event,
    pub(in crate::audit) row: Row,
    /// Number of uses of a live token that are not written yet.
    pub(in crate::audit) uses: u64,
    /// The last use of a live token.
    pub(in crate::audit) last: Option<LastUse>,
}

/// The state of an aggregated event's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Row {
    /// The event has no row yet.
    New,
    /// The event has a row with older counts.
    Old,
}

impl Group {
    /// Creates an event with its first use.
    pub(super) fn new(event: Event, first: Use) -> Self {
        let (last, limited) = (event.at, u64::from(first.limit == Limit::Beyond));
        Self { event, kind: first.kind, count: 1, limited, written: 0, last }
    }

    /// Returns `true` if all uses are written.
    pub(super) fn is_written(&self) -> bool {
        self.written == self.count
    }

    /// Counts another use.
    pub(super) fn add(&mut self, token_use: Use) {
        self.count += 1;
        self.limited += u64::from(token_use.limit == Limit::Beyond);
        self.last = self.last.max(time::whole_micros(time::now()));
    }

    /// Returns the event with its counts, and marks them as written.
    pub(super) fn aggregate(&mut self) -> Aggregate {
        let mut event = self
            .event
            .clone()
            .with("count", self.count)
            .with("first", self.event.at.to_string())
            .with("last", self.last.to_string());
        if self.kind == UseKind::Denied && self.limited > 0 {
            event = event.with("rate_limited", self.limited);
        }
        let row = if self.written == 0 { Row::New } else { Row::Old };
        let new = self.count - self.written;
        self.written = self.count;
        let uses = if self.kind == UseKind::Limited { new } else { 0 };
        let used = event.name == name::USED;
        let last = event.asset.filter(|_| used).map(|token| LastUse { token, at: self.last });
        Aggregate { event, row, uses, last }
    }
}
