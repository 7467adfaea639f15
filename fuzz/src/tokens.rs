//! Puts valid tokens into the input of a fuzz target, which no mutation would find.
//!
//! Input: any bytes, some of which stand for tokens. Output: the bytes with encoded tokens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ddpatrol_test_mint::{self as mint, Random};
use std::sync::LazyLock;

/// The least byte that stands for a token. UTF-8 has no such bytes.
const LEAST: u8 = 0xf8;

/// The tokens, also those with an anchor in their middle.
static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let random = &mut Random(1);
    let keys = mint::azure::keys(random);
    mint::all(random).into_iter().chain(keys).map(|(_, token)| token).collect()
});

/// Replaces each byte from 0xf8, which selects an encoding, and the byte after it, which selects a token, by the
/// encoded token.
pub fn with_tokens(input: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = input.iter();
    while let Some(&byte) = rest.next() {
        match byte.checked_sub(LEAST) {
            None => bytes.push(byte),
            Some(encoding) => {
                let which = rest.next().map_or(0, |&it| usize::from(it));
                encode(TOKENS[which % TOKENS.len()].as_bytes(), encoding, &mut bytes);
            }
        }
    }
    bytes
}

/// Appends an encoded token.
fn encode(token: &[u8], encoding: u8, out: &mut Vec<u8>) {
    match encoding {
        0 => out.extend(token),
        1 => out.extend(base64(token)),
        2 => out.extend(base64(token).chunks(40).collect::<Vec<_>>().join(&b'\n')),
        3 => out.extend(token.iter().flat_map(|byte| format!("{byte:02x}").into_bytes())),
        4 => out.extend(token.iter().flat_map(|byte| format!("%{byte:02X}").into_bytes())),
        5 => out.extend(token.iter().flat_map(|&byte| [byte, 0])),
        6 => out.extend(base64(&base64(token))),
        _ => out.extend(token.chunks(20).collect::<Vec<_>>().join(&b"\x1b[0m"[..])),
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    STANDARD.encode(bytes).into_bytes()
}
