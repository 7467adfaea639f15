//! The counts of one class in the current window: bounded memory and constant work per request,
//! however many callers there are.
//!
//! The first [`EXACT`] keys of a window have exact counts. Later keys share a count-min sketch:
//! each key has one cell in each of [`ROWS`] rows, chosen by a hash with a random key, and its count
//! is the smallest of its cells. The estimate is never too low, so many addresses do not
//! escape a limit. It is too high only if all four cells are shared with busier keys: a
//! million requests beyond the exact keys put fewer than eight into a cell on average. Nothing is
//! ever scanned: at the window's edge the exact keys are dropped at once, cells are reset when they
//! are next used, and the hash gets a new key.

use super::key::Key;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;

/// The most keys with exact counts; with seven eighths of a power of two the map's table is full.
pub(super) const EXACT: usize = 14_336;
/// The rows of the sketch.
const ROWS: usize = 4;
/// The cells in a row of the sketch, a power of two; at 8 bytes a cell all rows take 4 MiB.
const CELLS: usize = 1 << 17;

/// The count of a key in the window that it is from.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// `None` in a cell that was never used.
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
    /// Empty until a window has more keys than are counted exactly.
    sketch: Vec<Cell>,
    hash: RandomState,
}

impl Default for Table {
    fn default() -> Self {
        // The whole capacity from the start: a map that grows would move every entry.
        let exact = HashMap::with_capacity(EXACT);
        Self { window: 0, exact, sketch: Vec::new(), hash: RandomState::new() }
    }
}

impl Table {
    /// Begins a window, if it has not begun.
    pub(super) fn enter(&mut self, window: u64) {
        if self.window != window {
            self.window = window;
            self.exact.clear();
            self.hash = RandomState::new();
        }
    }

    /// Returns the window that the counts are from.
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
        let cells = self.places(key).map(|place| self.sketch[place]);
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
        for place in self.places(key) {
            let cell = &mut self.sketch[place];
            if cell.window != mark {
                *cell = Cell { window: mark, count: 0 };
            }
            cell.count = cell.count.saturating_add(1);
        }
    }

    /// Takes one from the count of a key that [`Table::add`] counted in this window.
    pub(super) fn subtract(&mut self, key: Key) {
        if let Some(count) = self.exact.get_mut(&key) {
            *count = count.saturating_sub(1);
            return;
        }
        if self.sketch.is_empty() {
            return;
        }
        let mark = Some(Mark::of(self.window));
        for place in self.places(key) {
            let cell = &mut self.sketch[place];
            if cell.window == mark {
                cell.count = cell.count.saturating_sub(1);
            }
        }
    }

    /// The cells of a key, one in each row.
    fn places(&self, key: Key) -> [usize; ROWS] {
        let hash = self.hash.hash_one(key);
        let (first, step) = ((hash >> 32) as usize, (hash as u32 | 1) as usize);
        std::array::from_fn(|row| {
            row * CELLS + (first.wrapping_add(row.wrapping_mul(step)) & (CELLS - 1))
        })
    }

    /// The slots of both parts, used or not.
    #[cfg(test)]
    pub(super) fn slots(&self) -> (usize, usize) {
        (self.exact.capacity(), self.sketch.len())
    }
}
