//! The header of a cpio member, and detection of its old binary format.

/// The header of a member: the lengths of its name and content, and their alignment.
pub(super) struct CpioHeader {
    pub(super) name: u64,
    pub(super) len: u64,
    pub(super) read: u64,
    pub(super) align: u64,
}

/// Returns `true` if bytes begin with a header of a format with digits: a magic number, and fields of digits.
pub(super) fn is_text(head: &[u8]) -> bool {
    let (len, is_digit): (usize, fn(&u8) -> bool) = match head.first_chunk() {
        Some(b"070701" | b"070702") => (110, u8::is_ascii_hexdigit),
        Some(b"070707") => (76, |byte| matches!(byte, b'0'..=b'7')),
        _ => return false,
    };
    head.len() > 6 && head[6..head.len().min(len)].iter().all(is_digit)
}

/// Returns `true` if bytes begin with a header of the old binary format: its magic number and a
/// terminated name.
pub(super) fn is_binary(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<26>().and_then(binary) else { return false };
    let end = usize::try_from(header.name).unwrap_or_default().saturating_add(26);
    let name = head.get(26..end).unwrap_or_default();
    matches!(name.split_last(), Some((0, text)) if !text.is_empty() && !text.contains(&0))
}

/// Parses a header of the old binary format, in either byte order.
pub(super) fn binary(header: &[u8; 26]) -> Option<CpioHeader> {
    let word = |at: usize| match header[..2] {
        [0xc7, 0x71] => Some(u64::from(u16::from_le_bytes([header[at], header[at + 1]]))),
        [0x71, 0xc7] => Some(u64::from(u16::from_be_bytes([header[at], header[at + 1]]))),
        _ => None,
    };
    let (high, low) = (word(22)?, word(24)?);
    Some(CpioHeader { name: word(20)?, len: high << 16 | low, read: 26, align: 2 })
}
