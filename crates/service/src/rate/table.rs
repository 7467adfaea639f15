//! The counts of one class in the current window, with limited memory and constant work per request
//! for any number of callers.
//!
//! The first [`EXACT`] keys of a window have exact counts. Later keys share a count-min sketch:
//! each key has one cell in each of [`ROWS`] rows, selected by a hash with a random key, and its
//! count is the minimum of its cells. The estimate is never too low, so many addresses do not evade
//! a limit. It is too high only if all four cells are shared with busier keys: a million requests
//! beyond the exact keys put fewer than eight into a cell on average. No table is ever scanned: at
//! the end of a window the exact keys are cleared at once, cells are reset at their next use, and
//! the hash gets a new key.

use super::key::Key;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;

/// Maximum number of keys with exact counts. At seven eighths of a power of two, the hash table is
/// full.
pub(super) const EXACT: usize = 14_336;
/// The number of rows of the sketch.
const ROWS: usize = 4;
/// The number of cells per row, a power of two. With 8 bytes per cell, all rows take 4 MiB.
const CELLS: usize = 1 << 17;

/// A count, and the window it belongs to.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// `None` for a cell that was never used.
    window: Option<Mark>,
    count: u32,
}

/// The mark of a window in its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(NonZeroU32);

impl Mark {
    const fn of(window: u64) -> Self {
        // Windows 4,294,967,295 apart share a mark.
        Self(NonZeroU32::MIN.saturating_add((window % (u32::MAX as u64)) as u32))
    }
}

/// The counts of a window.
#[derive(Debug)]
pub(super) struct Table {
    window: u64,
    exact: HashMap<Key, u32>,
    /// Empty until a window has more keys than exact counts.
    sketch: Vec<Cell>,
    hash: RandomState,
}

impl Default for Table {
    fn default() -> Self {
        // The whole capacity is allocated at the start: growing the map would move every entry.
        let exact = HashMap::with_capacity(EXACT);
        Self { window: 0, exact, sketch: Vec::new(), hash: RandomState::new() }
    }
}

impl Table {
    /// Starts a window, unless it has started.
    pub(super) fn enter(&mut self, window: u64) {
        if self.window != window {
            self.window = window;
            self.exact.clear();
            self.hash = RandomState::new();
        }
    }

    /// Returns the window of the counts.
    pub(super) fn window(&self) -> u64 {
        self.window
    }

    /// Returns the count of a key.
    pub(super) fn count(&self, key: Key) -> u32 {
        if let Some(&count) = self.exact.get(&key) {
            return count;
        }
        if self.sketch.is_empty() || self.exact.len() < EXACT {
            return 0;
        }
        let mark = Some(Mark::of(self.window));
        let cells = self.cell_indexes(key).map(|index| self.sketch[index]);
        let counts = cells.map(|cell| if cell.window == mark { cell.count } else { 0 });
        counts.into_iter().min().unwrap_or(0)
    }

    /// Adds one to the count of a key.
    pub(super) fn add(&mut self, key: Key) {
        if let Some(count) = self.exact.get_mut(&key) {
            *count = count.saturating_add(1);
            return;
        }
        if self.exact.len() < EXACT {
            self.exact.insert(key, 1);
            return;
        }
        if self.sketch.is_empty() {
            self.sketch = vec![Cell::default(); ROWS * CELLS];
        }
        let mark = Some(Mark::of(self.window));
        for index in self.cell_indexes(key) {
            let cell = &mut self.sketch[index];
            if cell.window != mark {
                *cell = Cell { window: mark, count: 0 };
            }
            cell.count = cell.count.saturating_add(1);
        }
    }

    /// Subtracts one from the count of a key that [`Table::add`] counted in this window.
    pub(super) fn subtract(&mut self, key: Key) {
        if let Some(count) = self.exact.get_mut(&key) {
            *count = count.saturating_sub(1);
            return;
        }
        if self.sketch.is_empty() {
            return;
        }
        let mark = Some(Mark::of(self.window));
        for index in self.cell_indexes(key) {
            let cell = &mut self.sketch[index];
            if cell.window == mark {
                cell.count = cell.count.saturating_sub(1);
            }
        }
    }

    /// Returns the cells of a key, one in each row.
    fn cell_indexes(&self, key: Key) -> [usize; ROWS] {
        let hash = self.hash.hash_one(key);
        let (first, step) = ((hash >> 32) as usize, (hash as u32 | 1) as usize);
        std::array::from_fn(|row| {
            row * CELLS + (first.wrapping_add(row.wrapping_mul(step)) & (CELLS - 1))
        })
    }

    /// Returns the number of slots of both parts, used or not.
    #[cfg(test)]
    pub(super) fn slots(&self) -> (usize, usize) {
        (self.exact.capacity(), self.sketch.len())
    }
}
