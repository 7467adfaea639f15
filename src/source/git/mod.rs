//! Git repositories: every object of the store, what is staged, what a range brings.

mod catalog;
pub mod changes;
pub mod commits;
pub mod history;
pub mod lfs;
mod lfs_objects;
mod locate;
mod memory;
mod objects;
mod own;
pub mod repo;
pub mod repositories;
pub mod state;
mod store;
mod trees;

pub use store::{ReadError, Store, StoreError};

use crate::detect::Match;

/// The names in a tree, for matches that come in ascending order.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    tree: &'a [u8],
    id_len: usize,
    /// Where the next entry begins.
    at: usize,
    /// The name of the last entry.
    name: std::ops::Range<usize>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(tree: &'a [u8], id_len: usize) -> Self {
        Self { tree, id_len, at: 0, name: 0..0 }
    }

    /// Tells whether a match lies in a name.
    pub(crate) fn have(&mut self, found: &Match) -> bool {
        while self.at <= found.start {
            let Some(entry) = trees::entry(self.tree, self.at, self.id_len) else { return false };
            self.at = entry.end;
            self.name = entry.name_start()..entry.name_start() + entry.name.len();
        }
        self.name.start <= found.start && found.end <= self.name.end
    }
}

/// Finds the entry in whose name an offset lies.
fn entry_around(tree: &[u8], offset: usize, id_len: usize) -> Option<trees::TreeEntry<'_>> {
    let mut at = 0;
    loop {
        let entry = trees::entry(tree, at, id_len)?;
        if offset < entry.end {
            let name = entry.name_start()..entry.name_start() + entry.name.len();
            return name.contains(&offset).then_some(entry);
        }
        at = entry.end;
    }
}
