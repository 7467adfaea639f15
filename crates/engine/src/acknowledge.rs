//! Acknowledged issues: content that the project knows cannot be scanned.
//!
//! Input: entries of a configuration, and the issues of a scan. Output: issues that are marked as acknowledged,
//! and the entries that no issue needed. No issue is removed.

use crate::{Exclude, ExcludePatternError, PathKind};
use ddpatrol_scan::finding::roots::Roots;
use ddpatrol_scan::place::Place;
use ddpatrol_scan::{Acknowledgment, Code, Diagnostic};
use jiff::civil::Date;
use std::path::Path;

/// An entry `[[acknowledge]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcknowledgeEntry {
    /// The code of the issues.
    pub code: Code,
    /// The content that they concern.
    pub target: IssueTarget,
    /// The reason.
    pub reason: String,
    /// The last day on which it applies.
    pub expires: Date,
}

/// The content that acknowledged issues concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueTarget {
    /// A pattern of paths below the folder of the configuration, in the syntax of `.gitignore`. It also matches
    /// everything in a matched folder or archive.
    Path(String),
    /// The id of a git object.
    Object(String),
}

/// An entry that no issue needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedAcknowledgment {
    /// The entry.
    pub entry: AcknowledgeEntry,
    /// Whether it has expired.
    pub has_expired: bool,
}

/// The entries of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Acknowledgments {
    entries: Vec<(AcknowledgeEntry, Exclude)>,
}

impl Acknowledgments {
    /// Compiles the entries; paths are relative to `folder`.
    ///
    /// # Errors
    /// A pattern is invalid.
    pub fn new(folder: &Path, entries: Vec<AcknowledgeEntry>) -> Result<Self, ExcludePatternError> {
        let compile = |entry: AcknowledgeEntry| {
            let globs = match &entry.target {
                IssueTarget::Path(glob) => vec![glob.clone()],
                IssueTarget::Object(_) => Vec::new(),
            };
            Ok((entry, Exclude::new(folder.to_owned(), &globs)?))
        };
        Ok(Self { entries: entries.into_iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Returns `true` if there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Marks the issues that an entry acknowledges; returns the other entries.
    #[must_use]
    pub fn apply(
        &self,
        diagnostics: &mut [&mut Diagnostic],
        roots: &Roots,
        today: Date,
    ) -> Vec<UnusedAcknowledgment> {
        let mut unused = Vec::new();
        for (entry, paths) in &self.entries {
            let has_expired = entry.expires < today;
            let mut is_used = false;
            for diagnostic in diagnostics.iter_mut().filter(|it| it.code() == entry.code) {
                let is_meant = match &entry.target {
                    IssueTarget::Path(_) => {
                        diagnostic.places().any(|place| concerns(paths, place, roots))
                    }
                    IssueTarget::Object(id) => {
                        diagnostic.object().is_some_and(|object| object.to_string() == *id)
                    }
                };
                if is_meant && !has_expired {
                    let (reason, expires) = (entry.reason.clone(), entry.expires);
                    diagnostic.acknowledged = Some(Acknowledgment { reason, expires });
                    is_used = true;
                }
            }
            if !is_used {
                unused.push(UnusedAcknowledgment { entry: entry.clone(), has_expired });
            }
        }
        unused
    }
}

/// Returns `true` if a pattern matches a place, a folder above it or an archive that contains it.
fn concerns(patterns: &Exclude, place: &Place, roots: &Roots) -> bool {
    let mut places = std::iter::once(place).chain(place.containers());
    places.any(|place| patterns.has(&roots.whole(&place.path()), PathKind::File))
}
