//! Lines of entries that workers read at the same time, in the order of the entries.
//!
//! Input: lines and ends of entries, in any order. Output: the lines that are due: the entry whose
//! turn it is is output as it is read, later ones are kept until the entries before them have
//! ended.

use ddpatrol_scan::Turn;
use std::collections::BTreeMap;

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

#[cfg(test)]
mod tests {
    use super::Turns;
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
}
