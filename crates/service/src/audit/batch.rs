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
    /// Tokens whose last use is later than their events say.
    pub used: Vec<(Uuid, Timestamp)>,
    /// How many answered uses of live tokens are recorded by this.
    pub uses: u64,
}
