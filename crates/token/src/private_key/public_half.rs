//! The public half of a key, and its fingerprint.
//!
//! Input: the numbers of a public key. Output: the fingerprint that OpenSSH prints for it: the SHA-256 of the
//! public key as the SSH protocol encodes it.

use super::curve::Curve;
use sha2::{Digest, Sha256};

/// The public half of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHalf {
    /// The size of the key, in bits.
    pub bits: usize,
    /// The fingerprint, as `ssh-keygen -l` prints it: `SHA256:` and base64 without padding.
    pub fingerprint: String,
    /// The algorithm, as `ssh-keygen -l` prints it: `RSA`, `ECDSA` or `ED25519`.
    pub algorithm: &'static str,
}

impl PublicHalf {
    /// Describes an RSA key by its modulus and exponent, big-endian, without leading zeros. Returns `None` if
    /// one is zero.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let (first, _) = n.split_first().filter(|_| !e.is_empty())?;
        let bits = 8 * n.len() - first.leading_zeros() as usize;
        let fingerprint = fingerprint(&[b"ssh-rsa", &unsigned(e), &unsigned(n)]);
        Some(Self { bits, fingerprint, algorithm: "RSA" })
    }

    /// Describes a point on a curve, in the encoding without compression.
    pub(super) fn elliptic(curve: Curve, point: &[u8]) -> Self {
        let name = format!("ecdsa-sha2-{}", curve.ssh_name());
        let fingerprint = fingerprint(&[name.as_bytes(), curve.ssh_name().as_bytes(), point]);
        Self { bits: curve.bits(), fingerprint, algorithm: "ECDSA" }
    }

    pub(super) fn ed25519(key: &[u8; 32]) -> Self {
        let fingerprint = fingerprint(&[b"ssh-ed25519", key]);
        Self { bits: 256, fingerprint, algorithm: "ED25519" }
    }
}

/// Encodes a number as the SSH protocol does: a number whose first bit is set gets a leading zero.
fn unsigned(number: &[u8]) -> Vec<u8> {
    let zero = number.first().filter(|&&first| first >= 0x80).map(|_| 0);
    zero.into_iter().chain(number.iter().copied()).collect()
}

fn fingerprint(fields: &[&[u8]]) -> String {
    let mut blob = Vec::new();
    for field in fields {
        blob.extend((field.len() as u32).to_be_bytes());
        blob.extend_from_slice(field);
    }
    sha256(&blob)
}

/// Formats the SHA-256 of bytes as OpenSSH does.
pub(super) fn sha256(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "SHA256:".to_owned();
    for chunk in Sha256::digest(bytes).chunks(3) {
        let bits = chunk.iter().fold(0, |bits, &byte| bits << 8 | usize::from(byte));
        let bits = bits << (24 - 8 * chunk.len());
        let digits = (0..=chunk.len()).map(|at| char::from(DIGITS[bits >> (18 - 6 * at) & 63]));
        text.extend(digits);
    }
    text
}
