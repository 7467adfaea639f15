//! Identifiers: how a UUID is made, and how it goes into and comes out of a database row.

use ddpatrol_token::Uuid;
use ddpatrol_token::mint::{RandomError, system_random};

/// Makes a random (version 4) identifier.
///
/// # Errors
/// [`RandomError`] where the system's random source fails.
pub fn random() -> Result<Uuid, RandomError> {
    let mut bytes = [0; 16];
    system_random(&mut bytes)?;
    Ok(Uuid::from_random(bytes))
}

/// Reads an identifier from a row's 16 bytes.
pub(crate) fn from_row(bytes: &[u8]) -> Option<Uuid> {
    bytes.try_into().ok().map(Uuid::from_bytes)
}

/// Spells the alias (22 base62 characters) of an identifier.
#[must_use]
pub fn alias(id: Uuid) -> String {
    id.alias().iter().map(|&byte| char::from(byte)).collect()
}
