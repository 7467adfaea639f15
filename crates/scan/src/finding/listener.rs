//! Receives matches while a scan runs.
//!
//! Input: occurrences, from all workers. Output: calls of the listener, each with the turn of the
//! entry that contains the match. Nothing is collected or sorted here.

use super::Occurrence;
use crate::sink::Turn;

/// Receives every match as it is found, on the worker that found it.
pub trait MatchListener: Sync {
    /// Receives a match. Matches without a turn are found in the order in which they are to be
    /// output.
    fn found(&self, turn: Option<Turn>, occurrence: Occurrence<'_>);

    /// The entry with this turn has no more matches.
    fn end(&self, turn: Turn);
}

/// A listener, and the turn of the entry whose matches it receives.
#[derive(Clone, Copy)]
pub struct MatchOutput<'a> {
    listener: &'a dyn MatchListener,
    turn: Option<Turn>,
}

impl<'a> MatchOutput<'a> {
    /// Creates an output for matches in their final order.
    #[must_use]
    pub fn new(listener: &'a dyn MatchListener) -> Self {
        Self { listener, turn: None }
    }

    /// Begins the entry with a turn.
    pub fn begin(&mut self, turn: Turn) {
        self.end();
        self.turn = Some(turn);
    }

    /// Ends the entry that was begun, if there is one.
    pub fn end(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.listener.end(turn);
        }
    }

    /// Reports a match.
    pub fn report(&self, occurrence: Occurrence<'_>) {
        self.listener.found(self.turn, occurrence);
    }
}
