//! Errors in the description of a format.
//!
//! Plain data: the part with the error, the error, and the remedy.

/// A description is not a valid format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {hint}")]
pub struct FormatError {
    /// The part with the error: the pattern, a segment, or a coverage.
    pub place: FormatPart,
    /// The error.
    pub what: String,
    /// The remedy.
    pub hint: String,
}

/// The part of a description that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatPart {
    /// The pattern.
    Pattern,
    /// The segment with this name.
    Segment(String),
    /// A coverage of the checksum.
    Coverage {
        /// The name of the checksum segment.
        segment: String,
        /// The index into [`Checksum::over`](crate::Checksum::over).
        index: usize,
    },
}

pub(super) fn error<T>(
    place: FormatPart,
    what: impl Into<String>,
    hint: impl Into<String>,
) -> Result<T, FormatError> {
    Err(FormatError { place, what: what.into(), hint: hint.into() })
}
