//! Identifiers: creates UUIDs and converts them from database rows.

use ddpatrol_token::Uuid;
use ddpatrol_token::mint::{RandomError, system_random};
use std::cell::RefCell;

/// The number of random bytes of one identifier.
const LEN: usize = 16;
/// The number of identifiers for which random bytes are read together.
const BATCH: usize = 32;

thread_local! {
    /// Random bytes that no identifier contains yet. Reading them for each event would be a
    /// noticeable part of a token check.
    static UNUSED: RefCell<Vec<[u8; LEN]>> = const { RefCell::new(Vec::new()) };
}

/// Creates a random (version 4) identifier, which is not a secret.
///
/// # Errors
/// [`RandomError`] if the system's random source fails.
pub fn random() -> Result<Uuid, RandomError> {
    UNUSED.with_borrow_mut(|unused| {
        if let Some(bytes) = unused.pop() {
            return Ok(Uuid::from_random(bytes));
        }
        let mut batch = [[0; LEN]; BATCH];
        system_random(batch.as_flattened_mut())?;
        let [first, rest @ ..] = batch;
        unused.extend(rest);
        Ok(Uuid::from_random(first))
    })
}

/// Parses the 16 bytes of an identifier in a row.
pub(crate) fn from_row(bytes: &[u8]) -> Option<Uuid> {
    bytes.try_into().ok().map(Uuid::from_bytes)
}

/// Formats the alias (22 base62 characters) of an identifier.
#[must_use]
pub fn alias(id: Uuid) -> String {
    id.alias().iter().map(|&byte| char::from(byte)).collect()
}
