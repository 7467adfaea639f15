//! The detector and the settings that all workers of a scan share.

use crate::detect::Detector;
use crate::redact::Redactor;
use crate::source::archive::ArchiveOptions;
use ddpatrol_scan::blob::Context;
use ddpatrol_scan::finding::{InlineAllow, MatchDescriber, MatchListener, MatchOutput, context};

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
    /// Receives every match that becomes a finding while the scan runs. With a listener, files are
    /// read in the order of their paths.
    pub listener: Option<&'a dyn MatchListener>,
}

impl Scan<'_> {
    /// Returns the context that windows must keep for this scan.
    #[must_use]
    pub fn context(&self) -> Context {
        context(self.detector, self.redactor)
    }

    pub(super) fn output(&self) -> Option<MatchOutput<'_>> {
        self.listener.map(MatchOutput::new)
    }

    pub(super) fn describer(&self) -> MatchDescriber<'_> {
        MatchDescriber {
            detector: self.detector,
            masker: self.redactor.masker(),
            inline: self.inline,
        }
    }
}
