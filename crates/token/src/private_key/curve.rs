//! The supported elliptic curves, and their names.
//!
//! Input: an object identifier or a name. Output: the curve. Nothing is computed here.

/// A supported curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
}

impl Curve {
    /// Returns the curve with this object identifier.
    pub(super) fn by_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Some(Self::P256),
            [0x2b, 0x81, 0x04, 0x00, 0x22] => Some(Self::P384),
            [0x2b, 0x81, 0x04, 0x00, 0x23] => Some(Self::P521),
            [0x2b, 0x81, 0x04, 0x00, 0x0a] => Some(Self::Secp256k1),
            _ => None,
        }
    }

    /// Returns the curve with this name in the SSH protocol.
    pub(super) fn by_ssh_name(name: &[u8]) -> Option<Self> {
        let curves = [Self::P256, Self::P384, Self::P521];
        curves.into_iter().find(|curve| curve.ssh_name().as_bytes() == name)
    }

    /// Returns the name in the SSH protocol; RFC 5656 names other curves by their object identifier.
    pub(super) fn ssh_name(self) -> &'static str {
        match self {
            Self::P256 => "nistp256",
            Self::P384 => "nistp384",
            Self::P521 => "nistp521",
            Self::Secp256k1 => "1.3.132.0.10",
        }
    }

    pub(super) fn bits(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }
}
