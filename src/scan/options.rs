//! The detector and the settings that all workers of a scan share.

use crate::detect::Detector;
use crate::redact::Redactor;
use crate::source::archive::ArchiveOptions;
use ddpatrol_scan::blob::Context;
use ddpatrol_scan::finding::{InlineAllow, MatchDescriber, OnMatch, context};

/// The detector and the settings of a scan.
pub struct Scan<'a> {
    /// Searches for tokens.
    pub detector: &'a Detector,
    /// Masks them.
    pub redactor: &'a Redactor,
    /// Whether inline `ddpatrol:allow` comments are honoured.
    pub inline: InlineAllow,
    /// How archives in git objects are unpacked; without it only their own bytes are scanned.
    pub archives: Option<ArchiveOptions>,
    /// Whether shaped matches become findings, or are only counted.
    pub keep_shaped: bool,
    /// Called for every match that becomes a finding, immediately and in no particular order.
    pub on_match: Option<OnMatch<'a>>,
}

impl Scan<'_> {
    /// Returns the context that windows must keep for this scan.
    #[must_use]
    pub fn context(&self) -> Context {
        context(self.detector, self.redactor)
    }

    pub(super) fn describer(&self) -> MatchDescriber<'_> {
        MatchDescriber {
            detector: self.detector,
            masker: self.redactor.masker(),
            inline: self.inline,
        }
    }
}
