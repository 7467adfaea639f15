//! The state of a connection, and its deadlines.
//!
//! The connection's task stores coarse times in atomics as it processes bytes and requests; one
//! task for all connections ([`super::admission::Admission::reap`]) compares the times with the
//! clock. A request costs a few atomic operations and no timer.

use super::ticks::{OptionalTick, TickClock, ticks};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};

/// Deadline of the TLS handshake.
const HANDSHAKE_WITHIN: u32 = ticks(10);
/// Deadline of a request's headers. It starts when the connection is ready for its first request,
/// and with the first byte of each later request.
const HEADERS_WITHIN: u32 = ticks(10);
/// Time limit of an idle connection between requests.
const IDLE_FOR: u32 = ticks(60);
/// Time limit for a client to read a response.
const READ_WITHIN: u32 = ticks(30);
/// The length of a slot of the time limit on requests.
const SLOT: u32 = ticks(5);
/// Time limit of a request until its response is sent: `SLOTS - 1` slots. The limit is greater than
/// the sum of the limits on requests in [`crate::api`].
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
    /// Several requests at a time, with frames between them.
    Http2,
}

/// A connection that can be closed to make room. The lowest one is closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IdleConnection {
    reason: Dispensable,
    /// The tick at which the reason began.
    since: u32,
}

/// The reason why a connection can be closed to make room, in the order of closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dispensable {
    /// No request has been received.
    Unused,
    /// The bodies of the requests have not arrived.
    Receiving,
    /// The connection is between requests.
    Idle,
    /// The client does not read its responses.
    Unread,
}

/// A missed deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The TLS handshake.
    Handshake,
    /// The headers of a request.
    Headers,
    /// The next request.
    Idle,
    /// The client's reading of a response, or the whole request.
    Answer,
}

impl Overdue {
    /// Returns the label in metrics and the log.
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
    clock: Arc<TickClock>,
    stage: AtomicU8,
    multiplexed: AtomicBool,
    /// The start of the stage, or the response to or end of the last request.
    quiet_since: AtomicU32,
    /// The first byte of a request whose headers are not complete.
    headers_since: OptionalTick,
    /// The first write that is not flushed yet.
    unflushed_since: OptionalTick,
    /// The number of requests whose response is not completely sent.
    requests: AtomicU32,
    /// The number of requests without a response.
    unanswered: AtomicU32,
    /// The number of requests whose reader waits for the rest of the body.
    receiving: AtomicU32,
    /// The last time at which `receiving` became nonzero.
    receiving_since: AtomicU32,
    /// The number of requests in progress, by the time slot in which they started.
    began: [AtomicU16; SLOTS],
}

impl Watch {
    pub(super) fn new(clock: Arc<TickClock>) -> Self {
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

    /// Records the end of the TLS handshake, or the start of a plain connection.
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

    /// Records complete request headers. The result must be kept until the response is sent.
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
        InProgress { watch: Arc::clone(self), slot, responded: false }
    }

    /// Returns the rank of the connection among those that can be closed to make room; `None` if
    /// the service is processing a request.
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

    /// Returns the start of the time without a request in progress; `None` if there is one.
    fn quiet_since(&self) -> Option<u32> {
        (self.requests.load(Relaxed) == 0).then(|| self.quiet_since.load(Relaxed))
    }

    /// Returns the deadline that is missed at a tick, if any.
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
                // HTTP/2 frames also arrive between requests.
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

/// A request whose response is not completely sent.
#[derive(Debug)]
pub(super) struct InProgress {
    watch: Arc<Watch>,
    slot: usize,
    responded: bool,
}

impl InProgress {
    /// Restarts the time limit of the request, because a part of its response was produced.
    pub(super) fn progressed(&mut self) {
        let slot = (self.watch.clock.now() / SLOT) as usize % SLOTS;
        let began = std::mem::replace(&mut self.slot, slot);
        self.watch.began[slot].fetch_add(1, Relaxed);
        self.watch.began[began].fetch_sub(1, Relaxed);
    }

    /// Records that the request has a response, which is not sent yet.
    pub(super) fn responded(&mut self) {
        if !std::mem::replace(&mut self.responded, true) {
            self.watch.quiet_since.store(self.watch.clock.now(), Relaxed);
            self.watch.unanswered.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.responded();
        let watch = &self.watch;
        watch.began[self.slot].fetch_sub(1, Relaxed);
        watch.quiet_since.store(watch.clock.now(), Relaxed);
        watch.requests.fetch_sub(1, Relaxed);
    }
}

/// Marks a request whose body has not arrived completely while its reader waits for the client.
#[derive(Debug)]
pub(super) struct Receiving {
    watch: Arc<Watch>,
    marked: bool,
}

impl Receiving {
    pub(super) fn new(watch: Arc<Watch>) -> Self {
        Self { watch, marked: false }
    }

    /// Records that the reader waits for the client.
    pub(super) fn waits(&mut self) {
        if std::mem::replace(&mut self.marked, true) {
            return;
        }
        if self.watch.receiving.fetch_add(1, Relaxed) == 0 {
            self.watch.receiving_since.store(self.watch.clock.now(), Relaxed);
        }
    }

    /// Records that the body has arrived or is no longer needed.
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
        Arc::new(Watch::new(Arc::new(TickClock::new())))
    }

    /// Returns the first missed deadline, and the seconds until then.
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
    fn each_part_of_a_streamed_response_restarts_the_time_limit() {
        let watch = watch();
        watch.ready();
        let mut request = watch.begin(Protocol::Http1);
        request.slot = (request.slot + 1) % SLOTS;
        watch.began[request.slot].fetch_add(1, Relaxed);
        let now = watch.clock.now() / SLOT;
        watch.began[now as usize % SLOTS].fetch_sub(1, Relaxed);
        request.progressed();
        let (overdue, seconds) = first_overdue(&watch).expect("a deadline");
        assert!(overdue == Overdue::Answer && (80..=90).contains(&seconds), "{seconds}");
        drop(request);
        assert!(watch.began.iter().all(|slot| slot.load(Relaxed) == 0));
    }

    #[test]
    fn frames_between_requests_do_not_extend_an_http_2_connection() {
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
    fn a_connection_is_dispensable_unless_a_request_is_being_processed() {
        let rank = |watch: &Watch| watch.dispensable().map(|candidate| candidate.reason);
        let watch = watch();
        assert_eq!(rank(&watch), Some(Dispensable::Unused));
        watch.ready();
        let mut first = watch.begin(Protocol::Http2);
        let mut second = watch.begin(Protocol::Http2);
        first.responded();
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
        second.responded();
        assert_eq!(rank(&watch), Some(Dispensable::Unread));
        drop((first, second, body));
        assert_eq!(rank(&watch), Some(Dispensable::Idle));
        assert!(Dispensable::Receiving < Dispensable::Idle);
    }
}
