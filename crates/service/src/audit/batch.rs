//! The events and last uses of one transaction. Data only: [`super::queue`] fills a batch, and the
//! store writes it.

use super::Event;
use ddpatrol_token::Uuid;
use jiff::Timestamp;

/// The content of one transaction.
#[derive(Debug, Default)]
pub struct Batch {
    /// New events.
    pub events: Vec<Event>,
    /// Aggregated events that have a row, with new metadata.
    pub updates: Vec<Event>,
    /// Last uses that are later than the events of their tokens.
    pub used: Vec<LastUse>,
    /// Number of answered uses of live tokens that the batch records.
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

/// The possibility that a batch is written already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The batch has not been written before.
    First,
    /// An earlier attempt failed; the database may have committed it all the same.
    Retry,
}
