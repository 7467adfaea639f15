//! Base58check, by long division.

/// Returns base58check of a version and a content.
pub(crate) fn base58check(version: &[u8], content: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    const DIGITS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [version, content].concat();
    let digest = Sha256::digest(Sha256::digest(&bytes));
    bytes.extend(&digest[..4]);
    let mut text = Vec::new();
    while bytes.iter().any(|&byte| byte != 0) {
        let mut rest = 0;
        for byte in &mut bytes {
            let value = 256 * rest + usize::from(*byte);
            *byte = (value / 58) as u8;
            rest = value % 58;
        }
        text.push(DIGITS[rest]);
    }
    text.reverse();
    String::from_utf8(text).expect("digits are ASCII")
}
