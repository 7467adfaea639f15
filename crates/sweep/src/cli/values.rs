//! Values of arguments: sizes and times.

use anyhow::{Context, ensure};
use std::time::Duration;

/// Parses a size: a number with an optional unit, `k`, `M`, `G`, `T` (powers of 1024).
pub(super) fn parse_size(text: &str) -> anyhow::Result<u64> {
    let unit = text.trim_end_matches(['B', 'b']).trim_end_matches('i');
    let (digits, shift) = match unit.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&unit[..at], 10),
        Some((at, 'm' | 'M')) => (&unit[..at], 20),
        Some((at, 'g' | 'G')) => (&unit[..at], 30),
        Some((at, 't' | 'T')) => (&unit[..at], 40),
        _ => (unit, 0),
    };
    let value: u64 = digits.parse().ok().context("expected a size such as 512M or 200G")?;
    value.checked_mul(1 << shift).context("the size is too large")
}

/// Parses a limit of memory, in which programs can start; 0 for none.
pub(super) fn parse_memory(text: &str) -> anyhow::Result<u64> {
    let limit = parse_size(text)?;
    ensure!(limit == 0 || limit >= 64 << 20, "expected at least 64M, or 0 for no limit");
    Ok(limit)
}

/// Parses a time such as `90s`, `30m` or `2h`.
pub(super) fn parse_time(text: &str) -> anyhow::Result<Duration> {
    let time: jiff::SignedDuration =
        text.parse().ok().context("expected a time such as 90s, 30m or 2h")?;
    let time = Duration::try_from(time).ok().filter(|it| !it.is_zero());
    time.context("expected a time above zero")
}
