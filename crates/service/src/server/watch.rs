//! The state of a connection, by which its deadlines are judged.
//!
//! The connection's task stores coarse times in atomics as bytes and requests pass; one task for
//! all connections ([`super::admission::Admission::reap`]) compares them with the clock. A request
//! costs a few atomic operations and no timer.

use super::ticks::{Clock, OptionalTick, ticks};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};

/// Deadline of the TLS handshake.
const HANDSHAKE_WITHIN: u32 = ticks(10);
/// Deadline of a request's headers: of the first one from when the connection is ready, of a later
/// one from its first byte.
const HEADERS_WITHIN: u32 = ticks(10);
/// Time limit of an idle connection between requests.
const IDLE_FOR: u32 = ticks(60);
/// Time limit for a client to read an answer.
const READ_WITHIN: u32 = ticks(30);
/// Time limit of a request until its answer's body is taken off: `SLOTS - 1` slots. More than
/// the limits on requests in [`crate::api`] together.
const SLOT: u32 = ticks(5);
const SLOTS: usize = 18;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// The TLS handshake is not finished.
    Handshake,
    /// No request has been received.
    First,
    /// A request has been received.
    Used,
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One request at a time.
    Http1,
    /// Several requests at a time, and frames between them.
    Http2,
}

/// A connection that can be closed to make room. The lowest one is closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IdleConnection {
    reason: Dispensable,
    /// The tick since when the reason holds.
    since: u32,
}

/// The reason why a connection can be closed to make room, in the order in which connections are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dispensable {
    /// No request has been received.
    Unused,
    /// The bodies of its requests have not arrived.
    Receiving,
    /// It is between requests.
    Idle,
    /// Its client does not read its answers.
    Unread,
}

/// A deadline that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The TLS handshake.
    Handshake,
    /// The headers of a request.
    Headers,
    /// The next request.
    Idle,
    /// The client's reading of an answer, or the whole request.
    Answer,
}

impl Overdue {
    /// The label in metrics and the log.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Headers => "headers",
            Self::Idle => "idle",
            Self::Answer => "answer",
        }
    }
}

/// The times and requests of a connection.
#[derive(Debug)]
pub(super) struct Watch {
    clock: Arc<Clock>,
    stage: AtomicU8,
    multiplexed: AtomicBool,
    /// When the stage began, or the last request was answered or ended.
    quiet_since: AtomicU32,
    /// When the first byte of a request came whose headers are not complete.
    headers_since: OptionalTick,
    /// When something was written that is not flushed yet.
    unflushed_since: OptionalTick,
    /// The requests in progress: until their answer is taken off.
    requests: AtomicU32,
    /// Those that have no answer yet.
    unanswered: AtomicU32,
    /// Those of which a body has not fully arrived, and has kept its reader waiting.
    receiving: AtomicU32,
    /// When `receiving` was last 0.
    receiving_since: AtomicU32,
    /// The requests in progress by the slot of time in which they began.
    began: [AtomicU16; SLOTS],
}

impl Watch {
    pub(super) fn new(clock: Arc<Clock>) -> Self {
        let now = clock.now();
        Self {
            clock,
            stage: AtomicU8::new(Stage::Handshake as u8),
            multiplexed: AtomicBool::new(false),
            quiet_since: AtomicU32::new(now),
            headers_since: OptionalTick::default(),
            unflushed_since: OptionalTick::default(),
            requests: AtomicU32::new(0),
            unanswered: AtomicU32::new(0),
            receiving: AtomicU32::new(0),
            receiving_since: AtomicU32::new(0),
            began: Default::default(),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Handshake,
            1 => Stage::First,
            _ => Stage::Used,
        }
    }

    /// The TLS handshake is finished, or there is none.
    pub(super) fn ready(&self) {
        self.quiet_since.store(self.clock.now(), Relaxed);
        self.stage.store(Stage::First as u8, Relaxed);
    }

    pub(super) fn was_read(&self) {
        if self.requests.load(Relaxed) == 0 && self.headers_since.get().is_none() {
            self.headers_since.set(self.clock.now());
        }
    }

    pub(super) fn was_written(&self) {
        if self.unflushed_since.get().is_none() {
            self.unflushed_since.set(self.clock.now());
        }
    }

    pub(super) fn was_flushed(&self) {
        self.unflushed_since.clear();
    }

    /// A request's headers are complete. The result lives until its answer is taken off.
    pub(super) fn begin(self: &Arc<Self>, protocol: Protocol) -> InProgress {
        let slot = (self.clock.now() / SLOT) as usize % SLOTS;
        self.requests.fetch_add(1, Relaxed);
        self.unanswered.fetch_add(1, Relaxed);
        self.began[slot].fetch_add(1, Relaxed);
        self.headers_since.clear();
        if self.stage() != Stage::Used {
            self.multiplexed.store(protocol == Protocol::Http2, Relaxed);
            self.stage.store(Stage::Used as u8, Relaxed);
        }
        InProgress { watch: Arc::clone(self), slot, answered: false }
    }

    /// Returns the rank of the connection among those that can be closed to make room; `None` if the
    /// service is at work on a request.
    pub(super) fn dispensable(&self) -> Option<IdleConnection> {
        let unanswered = self.unanswered.load(Relaxed);
        if unanswered > self.receiving.load(Relaxed) {
            return None;
        }
        if unanswered > 0 {
            let since = self.receiving_since.load(Relaxed);
            return Some(IdleConnection { reason: Dispensable::Receiving, since });
        }
        let reason = match (self.quiet_since(), self.stage()) {
            (None, _) => Dispensable::Unread,
            (Some(_), Stage::Used) => Dispensable::Idle,
            (Some(_), Stage::Handshake | Stage::First) => Dispensable::Unused,
        };
        Some(IdleConnection { reason, since: self.quiet_since.load(Relaxed) })
    }

    /// Returns since when no request has been in progress, or `None` if one is.
    fn quiet_since(&self) -> Option<u32> {
        (self.requests.load(Relaxed) == 0).then(|| self.quiet_since.load(Relaxed))
    }

    /// Returns the deadline that has passed at a tick.
    pub(super) fn overdue(&self, now: u32) -> Option<Overdue> {
        let over = |since: u32, limit| now.saturating_sub(since) > limit;
        if self.unflushed_since.get().is_some_and(|since| over(since, READ_WITHIN)) {
            return Some(Overdue::Answer);
        }
        let Some(quiet) = self.quiet_since() else {
            let oldest = ((now / SLOT) as usize + 1) % SLOTS;
            return (self.began[oldest].load(Relaxed) > 0).then_some(Overdue::Answer);
        };
        match self.stage() {
            Stage::Handshake => over(quiet, HANDSHAKE_WITHIN).then_some(Overdue::Handshake),
            Stage::First => over(quiet, HEADERS_WITHIN).then_some(Overdue::Headers),
            Stage::Used => {
                // Frames of HTTP/2 come between requests too.
                let headers = !self.multiplexed.load(Relaxed)
                    && self.headers_since.get().is_some_and(|since| over(since, HEADERS_WITHIN));
                if headers {
                    return Some(Overdue::Headers);
                }
                over(quiet, IDLE_FOR).then_some(Overdue::Idle)
            }
        }
    }
}

/// A request whose answer has not been taken off.
#[derive(Debug)]
pub(super) struct InProgress {
    watch: Arc<Watch>,
    slot: usize,
    answered: bool,
}

impl InProgress {
    /// The request has an answer, which the client has yet to take off.
    pub(super) fn answered(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            self.watch.quiet_since.store(self.watch.clock.now(), Relaxed);
            self.watch.unanswered.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.answered();
        let watch = &self.watch;
        watch.began[self.slot].fetch_sub(1, Relaxed);
        watch.quiet_since.store(watch.clock.now(), Relaxed);
        watch.requests.fetch_sub(1, Relaxed);
    }
}

/// Marks a request whose body has not fully arrived, once its reader has to wait for the client.
#[derive(Debug)]
pub(super) struct Receiving {
    watch: Arc<Watch>,
    marked: bool,
}

impl Receiving {
    pub(super) fn new(watch: Arc<Watch>) -> Self {
        Self { watch, marked: false }
    }

    /// The client has to send more.
    pub(super) fn waits(&mut self) {
        if std::mem::replace(&mut self.marked, true) {
            return;
        }
        if self.watch.receiving.fetch_add(1, Relaxed) == 0 {
            self.watch.receiving_since.store(self.watch.clock.now(), Relaxed);
        }
    }

    /// The body has arrived, or nobody wants it.
    pub(super) fn ended(&mut self) {
        if std::mem::replace(&mut self.marked, false) {
            self.watch.receiving.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.ended();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Arc<Watch> {
        Arc::new(Watch::new(Arc::new(Clock::new())))
    }

    /// The first deadline that passes, and after how many seconds.
    fn first_overdue(watch: &Watch) -> Option<(Overdue, u32)> {
        let now = watch.clock.now();
        (0..ticks(600)).find_map(|more| Some((watch.overdue(now + more)?, more / 4)))
    }

    #[test]
    fn every_stage_of_a_connection_has_a_deadline() {
        let watch = watch();
        assert_eq!(first_overdue(&watch), Some((Overdue::Handshake, 10)));
        watch.ready();
        assert_eq!(first_overdue(&watch), Some((Overdue::Headers, 10)));
        watch.was_read();
        assert_eq!(first_overdue(&watch), Some((Overdue::Headers, 10)));
        let request = watch.begin(Protocol::Http1);
        let (overdue, seconds) = first_overdue(&watch).expect("a deadline");
        assert!(overdue == Overdue::Answer && (80..=90).contains(&seconds), "{seconds}");
        watch.was_written();
        assert_eq!(first_overdue(&watch), Some((Overdue::Answer, 30)));
        watch.was_flushed();
        drop(request);
        assert_eq!(first_overdue(&watch), Some((Overdue::Idle, 60)));
        watch.was_read();
        assert_eq!(first_overdue(&watch), Some((Overdue::Headers, 10)));
    }

    #[test]
    fn frames_between_requests_do_not_prolong_an_http_2_connection() {
        let watch = watch();
        watch.ready();
        drop(watch.begin(Protocol::Http2));
        watch.was_read();
        assert_eq!(first_overdue(&watch), Some((Overdue::Idle, 60)));
        let requests = [watch.begin(Protocol::Http2), watch.begin(Protocol::Http2)];
        assert_eq!(watch.quiet_since(), None);
        drop(requests);
        assert!(watch.quiet_since().is_some());
    }

    #[test]
    fn a_connection_is_dispensable_unless_the_service_is_at_work_on_a_request() {
        let rank = |watch: &Watch| watch.dispensable().map(|candidate| candidate.reason);
        let watch = watch();
        assert_eq!(rank(&watch), Some(Dispensable::Unused));
        watch.ready();
        let mut first = watch.begin(Protocol::Http2);
        let mut second = watch.begin(Protocol::Http2);
        first.answered();
        assert_eq!(rank(&watch), None);
        let mut body = Receiving::new(Arc::clone(&watch));
        assert_eq!(rank(&watch), None);
        body.waits();
        body.waits();
        assert_eq!(rank(&watch), Some(Dispensable::Receiving));
        let third = watch.begin(Protocol::Http2);
        assert_eq!(rank(&watch), None, "a request that does not wait for its body");
        drop(third);
        body.ended();
        body.ended();
        assert_eq!(rank(&watch), None);
        second.answered();
        assert_eq!(rank(&watch), Some(Dispensable::Unread));
        drop((first, second, body));
        assert_eq!(rank(&watch), Some(Dispensable::Idle));
        assert!(Dispensable::Receiving < Dispensable::Idle);
    }
}
