//! RSA keys in PKCS#1.
//!
//! Input: the DER of an `RSAPrivateKey`. Output: its evidence and public half. A key of two primes is proven
//! if their product is the modulus; no random numbers of this size have this property.

use super::der::Elements;
use super::parsed::{KeyEvidence, Parsed};
use super::public_half::PublicHalf;

/// The smallest modulus of a key, in bits.
const MIN_BITS: usize = 512;

/// Parses an `RSAPrivateKey`.
pub(super) fn pkcs1(der: &[u8]) -> Option<Parsed> {
    let mut parts = Elements::in_sequence(der)?;
    let version = parts.integer()?;
    let [n, e] = [parts.integer()?, parts.integer()?];
    // The exponents and the coefficient are not needed for the proof.
    let (d, primes) = (parts.integer()?, [parts.integer()?, parts.integer()?]);
    let others = [parts.integer()?, parts.integer()?, parts.integer()?];
    let public = PublicHalf::rsa(n, e).filter(|public| public.bits >= MIN_BITS)?;
    if d.is_empty() || others.iter().any(|it| it.is_empty()) {
        return None;
    }
    match version {
        [] if parts.is_empty() => Some(Parsed::compared(public, Some(is_product(n, primes)))),
        // Keys of more than two primes list the further ones.
        [1] => Some(Parsed { evidence: KeyEvidence::Unsupported, public: Some(public) }),
        _ => None,
    }
}

/// Returns `true` if a number is the product of two numbers above 1. All are big-endian, without leading zeros.
pub(super) fn is_product(product: &[u8], [a, b]: [&[u8]; 2]) -> bool {
    let is_factor = |it: &[u8]| !matches!(it, [] | [1]);
    // One length has two products: no others are computed.
    let has_len = (product.len()..=product.len() + 1).contains(&(a.len() + b.len()));
    is_factor(a) && is_factor(b) && has_len && multiply(a, b) == product
}

/// Multiplies two numbers; all are big-endian, without leading zeros.
fn multiply(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (a, b) = (limbs(a), limbs(b));
    let mut product = vec![0_u32; a.len() + b.len()];
    for (at, &x) in a.iter().enumerate() {
        let mut carry = 0_u64;
        for (place, &y) in product[at..].iter_mut().zip(b.iter().chain(&[0])) {
            let sum = u64::from(*place) + u64::from(x) * u64::from(y) + carry;
            *place = sum as u32;
            carry = sum >> 32;
        }
    }
    let bytes = product.iter().rev().flat_map(|limb| limb.to_be_bytes());
    bytes.skip_while(|&byte| byte == 0).collect()
}

/// Splits a number into 32-bit limbs, the lowest first.
fn limbs(number: &[u8]) -> Vec<u32> {
    let limb = |chunk: &[u8]| chunk.iter().fold(0, |limb, &byte| limb << 8 | u32::from(byte));
    number.rchunks(4).map(limb).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(number: u128) -> Vec<u8> {
        number.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect()
    }

    proptest! {
        #[test]
        fn products_are_those_of_the_processor(a in 2..u64::MAX, b in 2..u64::MAX) {
            let product = u128::from(a) * u128::from(b);
            let (a, b) = (bytes(a.into()), bytes(b.into()));
            prop_assert!(is_product(&bytes(product), [&a, &b]));
            prop_assert!(!is_product(&bytes(product + 1), [&a, &b]));
        }
    }

    #[test]
    fn carries_run_through_all_limbs() {
        // (2^n - 1)^2 = 2^2n - 2^(n+1) + 1
        let ones = [0xff; 64];
        let square = [&[0xff; 63][..], &[0xfe], &[0; 63], &[1]].concat();
        assert!(is_product(&square, [&ones, &ones]));
        assert!(!is_product(&ones, [&ones, &[1]]) && !is_product(&[], [&[], &ones]));
    }
}
