//! Microsoft's identifiable keys, whose anchor is in their middle.

use crate::{BASE62, BASE64URL, Random, digits};

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The rule, the characters before the signature, the signature, and the seeds.
type Kind = (&'static str, usize, &'static str, &'static [&'static str]);

const KINDS: &[Kind] = &[
    ("azure-storage-key", 76, "+ASt", &["Default0"]),
    ("azure-cosmos-key", 76, "ACDb", &["MastRO00", "MastRW00", "Encryp00"]),
    ("azure-batch-key", 76, "+ABa", &["AbAcct00"]),
    ("azure-ml-classic-key", 76, "+AMC", &["Classic0"]),
    ("azure-api-management-key", 76, "APIM", &["Tenant00", "IoTHub00", "Gatewy00", "GitKey00"]),
    ("azure-functions-key", 44, "AzFu", &["Functi00", "Master00", "System00"]),
    ("azure-search-key", 42, "AzSe", &["Query000", "PAdmin00"]),
    ("azure-container-registry-key", 42, "+ACR", &["ACRDflt0"]),
    ("azure-service-bus-key", 33, "+ASb", &["Send0000", "Listen00", "Manage00"]),
    ("azure-event-hubs-key", 33, "+AEh", &["Send0000", "Listen00", "Manage00"]),
    ("azure-relay-key", 33, "+ARm", &["Send0000", "Listen00", "Manage00"]),
    ("azure-iot-hub-key", 33, "AIoT", &["IoTHub00", "DpsKey00", "Device00"]),
    ("azure-event-grid-key", 33, "AZEG", &["Default0"]),
];

/// Returns a key of every rule and seed.
pub fn keys(random: &mut Random) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    for &(rule, len, signature, seeds) in KINDS {
        let alphabet = if rule == "azure-functions-key" { BASE64URL } else { BASE64 };
        for seed in seeds {
            let text = format!("{}{signature}", random.text(alphabet, len));
            let mut bits = bits(&text, alphabet);
            while !bits.len().is_multiple_of(8) {
                bits.push(false);
            }
            for byte in marvin32(&bytes(&bits), seed).to_le_bytes() {
                bits.extend((0..8).rev().map(|at| byte >> at & 1 == 1));
            }
            while !bits.len().is_multiple_of(6) {
                bits.push(false);
            }
            let digit = |group: &[bool]| {
                char::from(alphabet[group.iter().fold(0, |sum, &bit| 2 * sum + usize::from(bit))])
            };
            let mut key: String = bits.chunks(6).map(digit).collect();
            while !key.len().is_multiple_of(4) {
                key.push('=');
            }
            keys.push((rule, key));
        }
    }
    keys.push(("nuget-api-key", annotated(random, "NUGT")));
    keys
}

/// Returns a common annotated security key of an issuer.
pub fn annotated(random: &mut Random, signature: &str) -> String {
    let text = format!("{}JQQJ99BC{}{signature}", random.base62(52), random.base62(16));
    let sum = marvin32(&bytes(&bits(&text, BASE64)), "Default0").swap_bytes();
    let number = digits(u128::from(sum), BASE62, 6);
    let number = number.trim_start_matches('0');
    format!("{text}{}", &format!("{number:0<6}")[..4])
}

fn bits(text: &str, alphabet: &[u8]) -> Vec<bool> {
    let value = |byte| alphabet.iter().position(|&digit| digit == byte).expect("a digit");
    text.bytes().flat_map(|byte| (0..6).rev().map(move |at| value(byte) >> at & 1 == 1)).collect()
}

fn bytes(bits: &[bool]) -> Vec<u8> {
    let byte = |group: &[bool]| group.iter().fold(0, |sum: u8, &bit| sum << 1 | u8::from(bit));
    bits.chunks(8).map(byte).collect()
}

/// Returns the checksum of bytes, whose seed is a text.
fn marvin32(bytes: &[u8], seed: &str) -> u32 {
    let seed = seed.bytes().fold(0_u64, |sum, byte| sum << 8 | u64::from(byte));
    let (mut low, mut high) = (seed & 0xffff_ffff, seed >> 32);
    let rotate = |word: u64, by: u32| (word << by | word >> (32 - by)) & 0xffff_ffff;
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while !padded.len().is_multiple_of(4) {
        padded.push(0);
    }
    padded.extend([0; 4]);
    for word in padded.chunks(4) {
        let word = word.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        low = (low + word) & 0xffff_ffff;
        high ^= low;
        low = (rotate(low, 20) + high) & 0xffff_ffff;
        high = rotate(high, 9) ^ low;
        low = (rotate(low, 27) + high) & 0xffff_ffff;
        high = rotate(high, 19);
    }
    (low ^ high) as u32
}
