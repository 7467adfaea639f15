//! Datadog's personal access token, `ddpat_<ALIAS>_<SECRET><CHECKSUM>`: the format and its issuance.
//!
//! Published: the parts and their order, a 32-byte secret, a CRC-32 "following the GitHub checksum
//! standard". Known from recorded API traffic: the alias is the token's UUID in 22 base62 characters. Not
//! published: the encoded length of the secret, and the bytes that the checksum covers. All plausible
//! variants are detected; one is issued.

use crate::format::{Format, FormatError, Lengths, Segment};
use crate::mint::{RandomError, system_random};
use crate::{Algorithm, ByteSet, Encoding, Secret, Uuid, base62};
use zeroize::Zeroizing;

/// The literal that a personal access token begins with.
pub const PERSONAL_PREFIX: &str = "ddpat_";
/// The literal that a service account's access token begins with.
pub const SERVICE_ACCOUNT_PREFIX: &str = "ddsat_";

/// Builds the format of tokens that begin with `prefix`.
///
/// # Errors
/// [`FormatError`] if `prefix` is shorter than three characters or not printable ASCII.
pub fn access_token(prefix: &str) -> Result<Format, FormatError> {
    let whole = format!("{prefix}<ALIAS>_<SECRET>");
    Format::new(
        &format!("{prefix}<ALIAS>_<SECRET><CHECKSUM>"),
        vec![
            Segment::uuid("ALIAS"),
            Segment::text("SECRET", ByteSet::BASE62, Lengths::OneOf(vec![43, 32, 30])),
            Segment::checksum(
                "CHECKSUM",
                Algorithm::Crc32,
                Encoding::Base62,
                base62::U32_WIDTH,
                &["<SECRET>", "<ALIAS>_<SECRET>", "<ALIAS><SECRET>", &whole],
            ),
        ],
    )
}

/// The number of characters of a secret of an issued token with its checksum.
pub const SECRET_LEN: usize = base62::U256_WIDTH + base62::U32_WIDTH;

/// Returns `true` if `text` is the secret of an issued token with its checksum, the part of the
/// token that follows the alias.
#[must_use]
pub fn is_secret(text: &[u8]) -> bool {
    let Some((secret, checksum)) = text.split_at_checked(base62::U256_WIDTH) else { return false };
    base62::decode_u32(checksum).is_some_and(|checksum| {
        secret.iter().all(u8::is_ascii_alphanumeric) && crc32fast::hash(secret) == checksum
    })
}

/// A freshly minted token.
#[derive(Debug)]
pub struct Minted {
    /// The token's identifier, which its alias encodes.
    pub id: Uuid,
    /// The whole token.
    pub token: Secret,
}

/// Mints a personal access token: a version-4 UUID and 32 random bytes from the system.
///
/// # Errors
/// [`RandomError`] where the system's random source fails.
pub fn mint_personal_access_token() -> Result<Minted, RandomError> {
    mint_access_token(PERSONAL_PREFIX)
}

/// Mints a token that begins with `prefix`: a version-4 UUID and 32 random bytes from the system.
///
/// # Errors
/// [`RandomError`] where the system's random source fails.
pub fn mint_access_token(prefix: &str) -> Result<Minted, RandomError> {
    let mut id = [0; 16];
    system_random(&mut id)?;
    let id = Uuid::from_random(id);
    let mut bytes = Zeroizing::new([0; 32]);
    system_random(&mut *bytes)?;
    let secret = Zeroizing::new(base62::encode_u256(&bytes));
    let checksum = base62::encode_u32(crc32fast::hash(&*secret));
    let mut token = Zeroizing::new(Vec::with_capacity(128));
    for part in [prefix.as_bytes(), &id.alias(), b"_", &*secret, &checksum] {
        token.extend_from_slice(part);
    }
    Ok(Minted { id, token: Secret::new(&token) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Check;

    #[test]
    fn a_minted_token_is_proven_and_encodes_its_id() {
        for prefix in [PERSONAL_PREFIX, SERVICE_ACCOUNT_PREFIX] {
            let format = access_token(prefix).expect("the format is valid");
            let minted = mint_access_token(prefix).expect("the system has random bytes");
            let token = minted.token.expose();
            assert_eq!(token.len(), 6 + 22 + 1 + 43 + 6);
            let Check::Proven { split, coverage } = format.check(token) else {
                panic!("a minted token is proven");
            };
            assert_eq!(coverage, 0);
            assert_eq!(format.uuid(split, token).map(|(uuid, _)| uuid), Some(minted.id));
            assert_eq!(minted.id.version(), 4);
            assert!(is_secret(&token[token.len() - SECRET_LEN..]));
            assert!(!is_secret(&token[token.len() - SECRET_LEN - 1..token.len() - 1]));
            assert!(!is_secret(&token[token.len() - SECRET_LEN + 1..]) && !is_secret(b""));
        }
    }
}
