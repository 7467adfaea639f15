//! Integration tests of the real program on real databases.
//!
//! Run them with `scripts/postgres.sh run cargo nextest run -p ddpatrol-service`; without
//! PostgreSQL, the tests that need it fail.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod administration;
mod audit;
mod audit_queries;
mod backup;
mod bodies;
mod clock;
mod connections;
mod database;
mod denied;
mod edges;
mod escalation;
mod expiry;
mod first_secret;
mod full_disk;
mod http;
mod introspection;
mod leak_batches;
mod limits;
mod lookups;
mod lost_answers;
mod network;
mod observability;
mod people;
mod postgres_access;
mod propagation;
mod reload;
mod rotation;
mod searches;
mod server;
mod service_accounts;
mod slow_senders;
mod token_format;
mod token_state;
mod unread_bodies;
mod upgrade;
mod users;
mod wall_clock;
mod web;
mod web_forms;
mod web_lists;
mod web_sessions;
mod write_ahead_log;

use std::time::{Duration, Instant};

/// Maximum duration of any step without a limit of its own.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls a function repeatedly until it returns a value.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "timed out waiting: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
