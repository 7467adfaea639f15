//! The header of a member of a cpio archive, and how the old binary form of it is recognized.

/// A member's header: the lengths of its name and content, and to what they are padded.
pub(super) struct Header {
    pub(super) name: u64,
    pub(super) len: u64,
    pub(super) read: u64,
    pub(super) align: u64,
}

/// Returns `true` if bytes begin as the old binary form does: its mark and a name that ends.
pub(super) fn is_binary(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<26>().and_then(binary) else { return false };
    let end = usize::try_from(header.name).unwrap_or_default().saturating_add(26);
    let name = head.get(26..end).unwrap_or_default();
    matches!(name.split_last(), Some((0, text)) if !text.is_empty() && !text.contains(&0))
}

/// Reads a header of the old binary form, in either byte order.
pub(super) fn binary(header: &[u8; 26]) -> Option<Header> {
    let word = |at: usize| match header[..2] {
        [0xc7, 0x71] => Some(u64::from(u16::from_le_bytes([header[at], header[at + 1]]))),
        [0x71, 0xc7] => Some(u64::from(u16::from_be_bytes([header[at], header[at + 1]]))),
        _ => None,
    };
    let (high, low) = (word(22)?, word(24)?);
    Some(Header { name: word(20)?, len: high << 16 | low, read: 26, align: 2 })
}
