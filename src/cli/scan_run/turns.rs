//! Lines of entries that workers read at the same time, in the order of the entries.
//!
//! Input: lines and ends of entries, in any order. Output: the lines that are due: the entry whose
//! turn it is is output as it is read, later ones are kept until the entries before them have
//! ended.

use ddpatrol_scan::Turn;
use ddpatrol_scan::lock::lock;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The turn that is output, and the lines of later turns.
#[derive(Debug, Default)]
pub(super) struct Turns {
    current: Turn,
    later: BTreeMap<Turn, PendingEntry>,
    /// The number of bytes that are kept.
    kept: usize,
}

/// An entry whose turn has not come.
#[derive(Debug, Default)]
struct PendingEntry {
    lines: Vec<u8>,
    is_ended: bool,
}

impl Turns {
    /// Returns `true` if lines of a turn can be output at once.
    pub(super) fn is_due(&self, turn: Turn) -> bool {
        turn <= self.current
    }

    /// Returns the number of bytes that are kept.
    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    /// Keeps a line of a turn that is not due.
    pub(super) fn keep(&mut self, turn: Turn, line: &[u8]) {
        self.later.entry(turn).or_default().lines.extend_from_slice(line);
        self.kept += line.len();
    }

    /// Ends a turn; returns the lines that are due after it.
    pub(super) fn end(&mut self, turn: Turn) -> Vec<u8> {
        if turn > self.current {
            self.later.entry(turn).or_default().is_ended = true;
            return Vec::new();
        }
        let mut due = Vec::new();
        loop {
            self.current.0 += 1;
            let Some(next) = self.later.remove(&self.current) else { break };
            self.kept -= next.lines.len();
            due.extend(next.lines);
            if !next.is_ended {
                break;
            }
        }
        due
    }
}

/// An output that workers share, and the turn that is output.
pub(super) struct TurnLock<T> {
    state: Mutex<TurnState<T>>,
    /// Notified when a turn ends.
    turn_ended: Condvar,
    /// The number of bytes of lines whose turn has not come at which workers wait.
    max_kept: usize,
}

/// The state of a [`TurnLock`].
pub(super) struct TurnState<T> {
    pub(super) turns: Turns,
    pub(super) output: T,
}

impl<T> TurnLock<T> {
    /// Creates a lock; workers wait for their turns if more than `max_kept` bytes are kept.
    pub(super) fn new(output: T, max_kept: usize) -> Self {
        let state = TurnState { turns: Turns::default(), output };
        Self { state: Mutex::new(state), turn_ended: Condvar::new(), max_kept }
    }

    /// Locks the output for lines of a turn. Waits until the turn comes if the lines of later turns
    /// take too much memory; the worker whose turn it is never waits.
    pub(super) fn lock(&self, turn: Option<Turn>) -> MutexGuard<'_, TurnState<T>> {
        let state = lock(&self.state);
        let Some(turn) = turn else { return state };
        let is_early = |TurnState { turns, .. }: &mut TurnState<T>| {
            turns.kept() > self.max_kept && !turns.is_due(turn)
        };
        self.turn_ended.wait_while(state, is_early).unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a turn, and calls `on_due` with the lines that are due after it.
    pub(super) fn end(&self, turn: Turn, on_due: impl FnOnce(&mut T, &[u8])) {
        let mut state = lock(&self.state);
        let due = state.turns.end(turn);
        on_due(&mut state.output, &due);
        drop(state);
        self.turn_ended.notify_all();
    }

    /// Returns the output.
    pub(super) fn into_output(self) -> T {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).output
    }
}

#[cfg(test)]
mod tests {
    use super::{TurnLock, TurnState, Turns};
    use ddpatrol_scan::Turn;

    /// Outputs a line of a turn, or keeps it.
    fn line(turns: &mut Turns, output: &mut String, turn: u64, line: &str) {
        match turns.is_due(Turn(turn)) {
            true => output.push_str(line),
            false => turns.keep(Turn(turn), line.as_bytes()),
        }
    }

    fn end(turns: &mut Turns, output: &mut String, turn: u64) {
        output.push_str(&String::from_utf8(turns.end(Turn(turn))).expect("text"));
    }

    #[test]
    fn lines_are_output_in_the_order_of_turns() {
        let (mut turns, mut output) = (Turns::default(), String::new());
        line(&mut turns, &mut output, 2, "c");
        line(&mut turns, &mut output, 1, "b");
        end(&mut turns, &mut output, 2);
        line(&mut turns, &mut output, 0, "a");
        assert_eq!((output.as_str(), turns.kept()), ("a", 2));
        end(&mut turns, &mut output, 0);
        assert_eq!((output.as_str(), turns.kept()), ("ab", 1));
        line(&mut turns, &mut output, 1, "b");
        end(&mut turns, &mut output, 1);
        assert_eq!((output.as_str(), turns.kept()), ("abbc", 0));
        line(&mut turns, &mut output, 3, "d");
        assert_eq!(output, "abbcd");
    }

    #[test]
    fn the_lines_of_the_current_turn_are_not_kept() {
        let (mut turns, mut output) = (Turns::default(), String::new());
        end(&mut turns, &mut output, 1);
        end(&mut turns, &mut output, 0);
        line(&mut turns, &mut output, 2, "c");
        assert_eq!((output.as_str(), turns.kept()), ("c", 0));
    }

    #[test]
    fn workers_wait_for_their_turn_if_too_much_is_kept() {
        const LINES: u64 = 200;
        let output = TurnLock::new(Vec::new(), 10);
        let entry = |turn: Turn| {
            for _ in 0..LINES {
                let mut state = output.lock(Some(turn));
                let TurnState { turns, output } = &mut *state;
                match turns.is_due(turn) {
                    true => output.push(turn.0 as u8),
                    false => turns.keep(turn, &[turn.0 as u8]),
                }
                assert!(turns.kept() <= 11, "{}", turns.kept());
                drop(state);
                std::thread::yield_now();
            }
            output.end(turn, |output, due| output.extend_from_slice(due));
        };
        // Each thread takes the entries in order, as the workers of a scan do.
        let next = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    loop {
                        let turn = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if turn >= 9 {
                            return;
                        }
                        entry(Turn(turn));
                    }
                });
            }
        });
        let expected: Vec<u8> = (0..9).flat_map(|turn| [turn; LINES as usize]).collect();
        assert!(output.into_output() == expected);
    }
}
