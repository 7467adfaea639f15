//! Git repositories: every object of the store, what is staged, what a range brings.

mod catalog;
pub mod changes;
pub mod commits;
pub mod history;
mod locate;
mod memory;
mod objects;
pub mod repo;
pub mod repositories;
pub mod state;
mod store;
mod trees;

pub use store::{ReadError, Store, StoreError};

use crate::detect::Match;

/// Tells whether a match in a tree lies in the name of an entry.
#[must_use]
pub(crate) fn is_in_name(tree: &[u8], found: &Match, id_len: usize) -> bool {
    entry_around(tree, found.start, id_len)
        .is_some_and(|entry| found.end <= entry.name_start() + entry.name.len())
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
