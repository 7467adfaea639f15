//! The line around a match, masked and truncated for reports.
//!
//! Input: bytes and the range of a match. Output: masked text. Nothing is searched except by the masker.

use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::redact::{Clean, Masker};
use std::ops::Range;

/// Bytes shown before and after a match.
pub(super) const REACH: usize = 60;

/// Cuts the line around `matched` out of `bytes` and masks it.
///
/// More bytes are searched on both sides, so that a neighbouring token is masked even if it is only partly
/// shown or its rule is disabled.
pub(crate) fn around(
    masker: &mut Masker<'_>,
    bytes: &[u8],
    matched: Range<usize>,
    encoding: Encoding,
) -> Clean {
    let least = matched.start.saturating_sub(REACH);
    let line_start = memchr::memrchr(b'\n', &bytes[least..matched.start]).map(|at| least + at + 1);
    let start = line_start.unwrap_or_else(|| char_start(bytes, least));
    let most = bytes.len().min(matched.end + REACH);
    let end = memchr::memchr(b'\n', &bytes[matched.end..most])
        .map_or_else(|| char_start(bytes, most), |at| matched.end + at);
    let end = if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end };
    let from = start.saturating_sub(masker.context_len());
    let to = bytes.len().min(end + masker.context_len());
    let part = start - from..end - from;
    if encoding.is_plain() {
        return masker.clean_part(&bytes[from..to], part);
    }
    let hidden =
        matched.start.saturating_sub(from)..matched.end.saturating_sub(from).min(to - from);
    let line = masker.clean_line(&bytes[from..to], part, hidden);
    if encoding.is_wide() { line.without_zeros() } else { line }
}

/// Returns the offset of the next byte that begins a character.
fn char_start(bytes: &[u8], mut at: usize) -> usize {
    let limit = bytes.len().min(at + 3);
    while at > 0 && at < limit && bytes[at] & 0xc0 == 0x80 {
        at += 1;
    }
    at
}
