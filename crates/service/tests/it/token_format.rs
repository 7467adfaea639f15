//! The format of tokens, implemented independently of the service.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Decodes the UUID in the alias of a token.
#[track_caller]
pub(crate) fn id_of(token: &str) -> String {
    let value = token[6..28].bytes().fold(0_u128, |value, byte| {
        let digit = DIGITS.iter().position(|&digit| digit == byte).unwrap();
        value * 62 + digit as u128
    });
    let hex = format!("{value:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
