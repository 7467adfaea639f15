//! The events and last uses of one transaction: data only. [`super::queue`] fills a batch, and the
//! store writes it.

use super::Event;
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// The content of one transaction.
#[derive(Debug, Default)]
pub struct Batch {
    /// New events.
    pub events: Vec<Event>,
    /// Changed aggregated events whose rows exist.
    pub updates: Vec<Event>,
    /// Uses later than the events of their tokens.
    pub used: Vec<LastUse>,
    /// Number of uses of live tokens that the batch records.
    pub uses: u64,
}

/// The last use of a live token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// The token.
    pub token: Uuid,
    /// The time of the use.
    pub at: Timestamp,
}

/// Whether a batch may already be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The batch has not been written before.
    First,
    /// An earlier attempt failed, but the database may have committed it.
    Retry,
}
