//! Integration tests: the real program on real databases, from outside.
//!
//! PostgreSQL comes from `scripts/postgres.sh run cargo nextest run -p ddpatrol-service`; without it
//! the tests that need it fail.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod audit;
mod bodies;
mod clock;
mod connections;
mod database;
mod denied;
mod edges;
mod escalation;
mod expiry;
mod full_disk;
mod http;
mod introspection;
mod leak_batches;
mod limits;
mod lost_answers;
mod network;
mod propagation;
mod reload;
mod searches;
mod server;
mod slow_senders;
mod wall_clock;

use std::time::{Duration, Instant};

/// How long anything may take that has no limit of its own.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
