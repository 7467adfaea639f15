//! Keys on elliptic curves in SEC 1, and their public points.
//!
//! Input: the DER of an `ECPrivateKey`, or a curve and a private number. Output: the evidence and the public
//! half. Curves other than P-256, P-384, P-521 and secp256k1 are not computed.

use super::curve::Curve;
use super::der::{self, Elements, OCTETS, OID};
use super::parsed::{KeyEvidence, Parsed};
use super::public_half::PublicHalf;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytesSize, PublicKey, SecretKey};

/// Computes the public point of a private number on a curve, big-endian, and compares it with `given`, an
/// encoded point. Returns `None` if the number is not valid on the curve.
pub(super) fn recomputed(curve: Curve, private: &[u8], given: Option<&[u8]>) -> Option<Parsed> {
    // Some programs omit leading zeros.
    let zeros = curve.bits().div_ceil(8).saturating_sub(private.len());
    let private = &[&vec![0; zeros], private].concat();
    let computed = match curve {
        Curve::P256 => compute::<p256::NistP256>(private, given),
        Curve::P384 => compute::<p384::NistP384>(private, given),
        Curve::P521 => compute::<p521::NistP521>(private, given),
        Curve::Secp256k1 => compute::<k256::Secp256k1>(private, given),
    };
    let Computed { point, is_given } = computed?;
    Some(Parsed::compared(PublicHalf::elliptic(curve, &point), is_given))
}

/// A recomputed public point.
struct Computed {
    /// The point without compression.
    point: Vec<u8>,
    /// Whether it is the point that was given, if one was.
    is_given: Option<bool>,
}

fn compute<C>(private: &[u8], given: Option<&[u8]>) -> Option<Computed>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    let secret = SecretKey::<C>::from_slice(private).ok()?;
    let public = secret.public_key();
    let point = public.to_sec1_point(false).as_bytes().to_vec();
    let is_given = given.map(|given| PublicKey::<C>::from_sec1_bytes(given) == Ok(public));
    Some(Computed { point, is_given })
}

/// Parses an `ECPrivateKey`. `curve` is the object identifier of the curve, if it is known from outside.
pub(super) fn sec1(der: &[u8], curve: Option<&[u8]>) -> Option<Parsed> {
    let mut parts = Elements::in_sequence(der)?;
    if parts.integer()? != [1] {
        return None;
    }
    let private = parts.take(OCTETS)?;
    let parameters = parts.take_optional(0xa0);
    let point = match parts.take_optional(0xa1) {
        Some(bits) => Some(der::only_bits(bits)?),
        None => None,
    };
    if private.is_empty() || !parts.is_empty() {
        return None;
    }
    let named = parameters.and_then(|parameters| {
        let mut parameters = Elements::of(parameters);
        parameters.take(OID).filter(|_| parameters.is_empty())
    });
    match named.or(curve).and_then(Curve::by_oid) {
        Some(curve) => {
            let mismatch = Parsed::without_public(KeyEvidence::Mismatch);
            Some(recomputed(curve, private, point).unwrap_or(mismatch))
        }
        None => Some(Parsed::without_public(KeyEvidence::Unsupported)),
    }
}
