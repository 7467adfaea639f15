//! Encoders that share no code with ddpatrol's decoders: base64 by strings of bits, the others character
//! by character.

const STANDARD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn digits(bytes: &[u8], alphabet: &[u8]) -> String {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let groups = bits.as_bytes().chunks(6);
    groups
        .map(|group| {
            let mut group = String::from_utf8(group.to_vec()).expect("digits");
            while group.len() < 6 {
                group.push('0');
            }
            char::from(alphabet[usize::from_str_radix(&group, 2).expect("six bits")])
        })
        .collect()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = digits(bytes, STANDARD);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

pub(crate) fn base64_url(bytes: &[u8]) -> String {
    digits(bytes, URL_SAFE)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn utf16_le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(crate) fn utf16_be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Which characters are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    Marks,
}

/// Escapes characters with a formatting function.
pub(crate) fn escape(text: &str, which: Which, escape: fn(u32) -> String) -> String {
    let is_escaped = |c: char| which == Which::All || !c.is_ascii_alphanumeric();
    let one = |c: char| if is_escaped(c) { escape(u32::from(c)) } else { c.to_string() };
    text.chars().map(one).collect()
}

/// Name and formatting function of each kind of escape.
pub(crate) type Escape = (&'static str, fn(u32) -> String);

/// All kinds of escapes.
pub(crate) const ESCAPES: [Escape; 15] = [
    ("percent-encoding", |c| format!("%{c:02X}")),
    ("percent-encoding", |c| format!("%{c:02x}")),
    ("\\u escapes", |c| format!("\\u{c:04x}")),
    ("\\u escapes", |c| format!("\\u{c:04X}")),
    ("\\u escapes", |c| format!("\\u{{{c:x}}}")),
    ("\\u escapes", |c| format!("\\u{{{c:04x}}}")),
    ("\\x escapes", |c| format!("\\x{c:02x}")),
    ("\\x escapes", |c| format!("\\x{c:02X}")),
    ("HTML entities", |c| format!("&#{c};")),
    ("HTML entities", |c| format!("&#x{c:x};")),
    ("HTML entities", |c| format!("&#x{c:X};")),
    ("HTML entities", |c| format!("&#{c:04};")),
    ("HTML entities", |c| format!("&#x{c:04x};")),
    ("HTML entities", |c| format!("&#X{c:03X};")),
    ("quoted-printable", |c| format!("={c:02X}")),
];

/// The longest escapes: with them, the characters before a literal in the middle of a token are not all searched.
pub(crate) const LONG_ESCAPES: [Escape; 3] = [
    ("\\u escapes", |c| format!("\\u{{{c:06X}}}")),
    ("HTML entities", |c| format!("&#{c:07};")),
    ("HTML entities", |c| format!("&#x{c:06X};")),
];

/// Breaks a text into lines of a fixed width, joined by a separator.
pub(crate) fn folded(text: &str, width: usize, between: &str) -> String {
    let lines = text.as_bytes().chunks(width);
    let lines: Vec<&str> = lines.map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    lines.join(between)
}
