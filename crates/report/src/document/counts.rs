//! Counts in the summary: suppressed tokens by reason, skipped content by reason.
//!
//! Input: records, and the counts of a scan. Output: counts.

use super::{LocationRecord, Record, SkippedCounts, SuppressedCounts};
use ddpatrol_engine::scan::Counts;
use ddpatrol_scan::finding::suppression::SuppressionKind;

impl SuppressedCounts {
    pub(super) fn new(findings: &[Record]) -> Self {
        let by = |wanted: SuppressionKind| {
            let all = findings.iter().filter_map(|it| it.suppression.as_ref());
            all.filter(move |it| it.by == wanted)
        };
        Self {
            inline: by(SuppressionKind::Inline).count(),
            allowed: by(SuppressionKind::Allow).count(),
            baseline: by(SuppressionKind::Baseline).count(),
            new_places: findings
                .iter()
                .flat_map(|it| &it.locations)
                .filter(|it| it.new_place)
                .map(LocationRecord::count)
                .sum(),
        }
    }
}

impl SkippedCounts {
    pub(super) fn new(counts: &Counts) -> Self {
        Self {
            ignored_files: counts.ignored,
            excluded: counts.excluded,
            too_large: counts.too_large,
            symlinks: counts.symlinks,
            special: counts.special,
            git_folders: counts.git_folders,
        }
    }
}
