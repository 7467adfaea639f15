//! The headers of containers.
//!
//! Input: the first bytes of content. Output: whether they are the header of a format. Nothing is read here.

use super::zip_directory::u32_at;

/// The length of the header of a cabinet, in bytes.
pub(super) const CAB_HEADER: usize = 36;

pub(super) const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The offset of the first volume descriptor.
pub(super) const ISO_DESCRIPTOR: u64 = 32 << 10;

/// Returns `true` for the header of a cabinet.
pub(super) fn is_cab(head: &[u8]) -> bool {
    let Some(head) = head.get(..CAB_HEADER) else { return false };
    let is_reserved = |at: usize| u32_at(head, at) == 0;
    head.starts_with(b"MSCF") && [4, 12, 20].into_iter().all(is_reserved) && head[24..26] == [3, 1]
}

/// Returns `true` for the header of a dump.
pub(super) fn is_pg_dump(head: &[u8]) -> bool {
    matches!(head, [b'P', b'G', b'D', b'M', b'P', 1, 0..=32, _, 4 | 8, 4 | 8, 1, ..])
}

/// Returns `true` for the beginning of an image that may have compressed text.
pub(super) fn is_png_with_text(head: &[u8]) -> bool {
    let has = |kind: &[u8]| memchr::memmem::find(head, kind).is_some();
    // The whole image is often in the first read.
    head.starts_with(PNG_MAGIC)
        && (!head.ends_with(b"IEND\xae\x42\x60\x82") || has(b"zTXt") || has(b"iTXt"))
}

/// Returns `true` for the volume descriptor of a file system.
pub(super) fn is_iso_descriptor(bytes: &[u8]) -> bool {
    matches!(bytes, [0..=3 | 255, b'C', b'D', b'0', b'0', b'1', 1, ..])
}
