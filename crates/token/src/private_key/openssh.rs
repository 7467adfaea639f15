//! Keys in the format of OpenSSH, `openssh-key-v1`.
//!
//! Input: the decoded block. Output: the evidence and the public half. A block of one key is read, as
//! `ssh-keygen` writes it. The public half outside the private part is that which is compared: it is not
//! encrypted, and known for encrypted keys, too.

use super::asn1::ed25519;
use super::curve::Curve;
use super::elliptic::recomputed;
use super::parsed::{KeyEvidence, Parsed};
use super::public_half::PublicHalf;
use super::rsa::is_product;

const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The fields that are left: bytes, each preceded by their length.
#[derive(Clone, Copy, Debug)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Returns the bytes of a number without leading zeros.
    fn integer(&mut self) -> Option<&'a [u8]> {
        let bytes = self.bytes()?;
        Some(bytes.strip_prefix(&[0]).unwrap_or(bytes))
    }
}

/// Parses a block.
pub(super) fn parse(block: &[u8]) -> Option<Parsed> {
    let mut fields = Fields(block.strip_prefix(MAGIC)?);
    let (cipher, _kdf, _options) = (fields.bytes()?, fields.bytes()?, fields.bytes()?);
    if fields.number()? != 1 {
        return None;
    }
    let (public, private) = (fields.bytes()?, fields.bytes()?);
    let tag_len = fields.0.len();
    let Some(public) = PublicKey::parse(public) else {
        let evidence =
            if cipher == b"none" { KeyEvidence::Unsupported } else { KeyEvidence::Encrypted };
        return Some(Parsed::without_public(evidence));
    };
    let described = public.half()?;
    if cipher != b"none" {
        // A cipher with authentication appends its tag.
        return (tag_len <= 16)
            .then_some(Parsed { evidence: KeyEvidence::Encrypted, public: Some(described) });
    }
    if tag_len > 0 {
        return None;
    }
    let evidence = match proves(private, public) {
        Some(true) => KeyEvidence::Recomputed,
        Some(false) | None => KeyEvidence::Mismatch,
    };
    Some(Parsed { evidence, public: Some(described) })
}

/// A public key of a supported algorithm.
#[derive(Clone, Copy, Debug)]
enum PublicKey<'a> {
    Rsa { n: &'a [u8], e: &'a [u8] },
    Elliptic { curve: Curve, point: &'a [u8] },
    Ed25519(&'a [u8]),
}

impl<'a> PublicKey<'a> {
    /// Parses a public key; returns `None` for other algorithms, or if it does not use all bytes.
    fn parse(blob: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(blob);
        let name = fields.bytes()?;
        let key = match name {
            b"ssh-rsa" => {
                let e = fields.integer()?;
                Self::Rsa { n: fields.integer()?, e }
            }
            b"ssh-ed25519" => Self::Ed25519(fields.bytes()?),
            _ => {
                let curve = name.strip_prefix(b"ecdsa-sha2-").and_then(Curve::by_ssh_name)?;
                let is_same = fields.bytes()? == curve.ssh_name().as_bytes();
                Self::Elliptic { curve, point: fields.bytes().filter(|_| is_same)? }
            }
        };
        fields.0.is_empty().then_some(key)
    }

    fn half(self) -> Option<PublicHalf> {
        match self {
            Self::Rsa { n, e } => PublicHalf::rsa(n, e),
            Self::Elliptic { curve, point } => Some(PublicHalf::elliptic(curve, point)),
            Self::Ed25519(key) => Some(PublicHalf::ed25519(key.try_into().ok()?)),
        }
    }
}

/// Returns `true` if the private part yields the public key. Returns `None` if it is damaged.
fn proves(private: &[u8], public: PublicKey<'_>) -> Option<bool> {
    let mut fields = Fields(private);
    if fields.number()? != fields.number()? {
        return None;
    }
    let name = fields.bytes()?;
    let is_proof = match public {
        PublicKey::Rsa { n, e } => {
            let own = [fields.integer()?, fields.integer()?];
            let _exponent = fields.integer()?;
            let _coefficient = fields.integer()?;
            let primes = [fields.integer()?, fields.integer()?];
            name == b"ssh-rsa" && own == [n, e] && is_product(n, primes)
        }
        PublicKey::Elliptic { curve, point } => {
            let own = [fields.bytes()?, fields.bytes()?];
            let computed = recomputed(curve, fields.integer()?, Some(point))?;
            own == [curve.ssh_name().as_bytes(), point]
                && computed.evidence == KeyEvidence::Recomputed
        }
        PublicKey::Ed25519(key) => {
            let own = fields.bytes()?;
            let (seed, copy) = fields.bytes()?.split_at_checked(32)?;
            let computed = ed25519(seed, Some(key))?;
            [own, copy] == [key, key] && computed.evidence == KeyEvidence::Recomputed
        }
    };
    let _comment = fields.bytes()?;
    let is_padding = fields.0.iter().zip(1_u8..).all(|(&byte, number)| byte == number);
    Some(is_proof && is_padding && fields.0.len() < 16)
}
