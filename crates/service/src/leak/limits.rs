//! The limits of leak reports. Data only.

/// Maximum length of a report's body, in bytes.
pub const MAX_BODY: usize = 8 * 1024 * 1024;
/// Maximum number of tokens in one report.
pub const MAX_ENTRIES: usize = 10_000;
