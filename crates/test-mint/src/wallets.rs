//! Mints keys without fixed text that could be searched for: those of wallets, and of NATS.

use super::Random;
use super::base58::base58check;

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Returns the id of every rule of such keys, and a key.
pub fn keys(random: &mut Random) -> Vec<(&'static str, String)> {
    // The kinds of NATS: account, cluster, server, operator, user and curve.
    let kind = random.pick(&[0, 2 << 3, 13 << 3, 14 << 3, 20 << 3, 23 << 3]);
    let mut compressed = random.bytes(33);
    compressed[32] = 1;
    let plain = random.bytes(32);
    let encrypted = random.bytes(36);
    let flags = random.pick(&[0xc0, 0xe0]);
    vec![
        ("nats-nkey-seed", base32_crc16(&[0x90 | kind >> 5, (kind & 31) << 3], &random.bytes(32))),
        ("stellar-secret-seed", stellar(&random.bytes(32))),
        ("bitcoin-private-key", base58check(&[0x80], &plain)),
        ("bitcoin-private-key-compressed", base58check(&[0x80], &compressed)),
        ("bip38-encrypted-key", base58check(&[0x01, 0x42, flags], &encrypted)),
    ]
}

/// Returns the seed of a Stellar account with a secret of 32 bytes.
pub fn stellar(secret: &[u8]) -> String {
    base32_crc16(&[0x90], secret)
}

/// Returns base32 of a version, a secret and the CRC-16/XMODEM of both, the least significant byte first.
fn base32_crc16(version: &[u8], secret: &[u8]) -> String {
    let mut bytes = [version, secret].concat();
    // Polynomial division, one bit at a time.
    let mut crc = 0_u32;
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        let top = (crc >> 15 & 1) ^ u32::from(bit);
        crc = (crc << 1 & 0xffff) ^ (top * 0x1021);
    }
    bytes.extend([(crc & 0xff) as u8, (crc >> 8) as u8]);
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |group: &[u8]| {
        let group = format!("{:0<5}", String::from_utf8_lossy(group));
        char::from(BASE32[usize::from_str_radix(&group, 2).expect("five bits")])
    };
    bits.as_bytes().chunks(5).map(digit).collect()
}
