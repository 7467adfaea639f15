//! Identifiers: creates UUIDs and converts them from database rows.

use ddpatrol_token::Uuid;
use ddpatrol_token::mint::{RandomError, system_random};

/// Creates a random (version 4) identifier.
///
/// # Errors
/// [`RandomError`] if the system's random source fails.
pub fn random() -> Result<Uuid, RandomError> {
    let mut bytes = [0; 16];
    system_random(&mut bytes)?;
    Ok(Uuid::from_random(bytes))
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
