//! Keys in PKCS#8, encrypted or not, and DSA keys.
//!
//! Input: DER. Output: the evidence and the public half. RSA and elliptic keys are passed on.

use super::der::{Elements, INTEGER, OCTETS, OID, SEQUENCE, whole_bits};
use super::elliptic;
use super::parsed::{KeyEvidence, Parsed};
use super::public_half::PublicHalf;
use super::rsa;

/// 1.2.840.113549.1.1.1, `rsaEncryption`.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1, `id-ecPublicKey`.
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.3.101.112, `id-Ed25519`.
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Parses a `PrivateKeyInfo` or `OneAsymmetricKey`.
pub(super) fn pkcs8(der: &[u8]) -> Option<Parsed> {
    let mut parts = Elements::in_sequence(der)?;
    let version = parts.integer()?;
    let mut algorithm = Elements::of(parts.take(SEQUENCE)?);
    let key = parts.take(OCTETS)?;
    // Attributes, such as a name.
    let _ = parts.take_optional(0xa0);
    // Some programs tag the public half as if it had elements.
    let public = match parts.take_optional(0x81).or_else(|| parts.take_optional(0xa1)) {
        Some(bits) => Some(whole_bits(bits)?),
        None => None,
    };
    if !matches!(version, [] | [1]) || key.is_empty() || !parts.is_empty() {
        return None;
    }
    match algorithm.take(OID)? {
        RSA => rsa::pkcs1(key),
        ELLIPTIC => elliptic::sec1(key, algorithm.take_optional(OID)),
        ED25519 => {
            let mut seed = Elements::of(key);
            let seed = seed.take(OCTETS).filter(|_| seed.is_empty())?;
            ed25519(seed, public)
        }
        _ => Some(Parsed::without_public(KeyEvidence::Unsupported)),
    }
}

/// Computes the public half of the seed of an Ed25519 key, and compares it with `given`.
pub(super) fn ed25519(seed: &[u8], given: Option<&[u8]>) -> Option<Parsed> {
    let key = ed25519_dalek::SigningKey::from_bytes(seed.try_into().ok()?).verifying_key();
    let is_given = given.map(|given| given == key.as_bytes());
    Some(Parsed::compared(PublicHalf::ed25519(key.as_bytes()), is_given))
}

/// Parses an `EncryptedPrivateKeyInfo`.
pub(super) fn encrypted_pkcs8(der: &[u8]) -> Option<Parsed> {
    let mut parts = Elements::in_sequence(der)?;
    let mut algorithm = Elements::of(parts.take(SEQUENCE)?);
    algorithm.take(OID)?;
    let content = parts.take(OCTETS)?;
    let is_whole = parts.is_empty() && !content.is_empty();
    is_whole.then(|| Parsed::without_public(KeyEvidence::Encrypted))
}

/// Parses a DSA key in the form of OpenSSL: a zero, then five numbers. It is not computed.
pub(super) fn dsa(der: &[u8]) -> Option<Parsed> {
    let mut parts = Elements::in_sequence(der)?;
    let is_first = parts.integer()?.is_empty();
    for _ in 0..5 {
        parts.take(INTEGER).filter(|number| !number.is_empty())?;
    }
    let is_key = is_first && parts.is_empty();
    is_key.then(|| Parsed::without_public(KeyEvidence::Unsupported))
}
