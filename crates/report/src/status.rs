//! Status of a finding for people: whether it is listed, whether its token is live, and where it still is.
//!
//! Input: records. Output: status values and text, which can contain scanned content: writers escape it.

use super::document::{ChangeStatusWord, LocationRecord, Record};
use super::trace::{CommitRecord, short};
use ddpatrol_detect::Evidence;
use ddpatrol_respond::{RevocationOutcome, Verdict};
use ddpatrol_scan::finding::Part;
use std::collections::BTreeSet;

/// Whether a token is live, as far as issuers reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// An issuer accepts it, and it was not revoked.
    Live,
    /// It is dead or revoked.
    Dead,
    /// It was not verified, or the verification was inconclusive.
    Unknown,
}

/// Where a token still is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// In a change.
    Change,
    /// In the history of a change, but not in its head.
    ChangeHistory,
    /// In `HEAD`, or in a file or stream.
    Here,
    /// In a name or a message, or in the history of another branch.
    Elsewhere,
    /// In the history only.
    Removed,
    /// In objects that no branch or tag reaches.
    Unreachable,
}

/// Remark on a token in unpushed commits that are not part of the judged push.
pub(super) const ALSO_UNPUSHED: &str =
    "also unpushed: not part of this push, so it does not fail the check";

impl Record {
    /// Returns `true` if the finding does not fail a change: the base contains the token, or it is not part
    /// of the judged push.
    pub(super) fn passes_change(&self) -> bool {
        let passes = |word| !matches!(word, None | Some(ChangeStatusWord::New));
        !self.locations.is_empty() && self.locations.iter().all(|it| passes(it.change_status))
    }

    /// Returns the token for reports: masked, unless the report contains secrets.
    pub(super) fn shown_token(&self) -> &str {
        self.secret.as_deref().unwrap_or(&self.token.redacted)
    }

    /// Returns `true` if reports list it: it is not suppressed, or it has a new location.
    pub(super) fn is_listed(&self) -> bool {
        self.suppression.is_none() || self.has_new_location()
    }

    /// Returns `true` if it needs remediation.
    pub(super) fn needs_action(&self) -> bool {
        self.evidence == Evidence::Proven
            && self.suppression.is_none()
            && !self.is_dead_or_revoked()
    }

    /// Returns whether its token is live.
    pub(super) fn liveness(&self) -> Liveness {
        if self.is_dead_or_revoked() {
            Liveness::Dead
        } else if self.verification.as_ref().is_some_and(|it| it.verdict == Verdict::Live) {
            Liveness::Live
        } else {
            Liveness::Unknown
        }
    }

    /// Describes whether its token is live.
    pub(super) fn liveness_words(&self) -> &'static str {
        let verdict = self.verification.as_ref().map(|it| it.verdict);
        match (self.revocation.as_ref().map(|it| it.outcome), verdict) {
            (Some(RevocationOutcome::Revoked), _) => "revoked",
            (Some(RevocationOutcome::AlreadyDead), _) | (_, Some(Verdict::Dead)) => "dead",
            (
                Some(RevocationOutcome::Failed | RevocationOutcome::CannotRevoke),
                Some(Verdict::Live),
            ) => "live, not revoked",
            (Some(RevocationOutcome::Failed | RevocationOutcome::CannotRevoke), _) => "not revoked",
            (_, Some(Verdict::Live)) => "live",
            (_, Some(Verdict::Unknown)) => "unknown if live",
            (_, None) => "not verified",
        }
    }

    /// Returns where the token still is: the most severe of its locations.
    pub(super) fn presence(&self) -> Presence {
        let presences = || self.locations.iter().map(LocationRecord::presence);
        [
            Presence::Change,
            Presence::Here,
            Presence::ChangeHistory,
            Presence::Elsewhere,
            Presence::Removed,
        ]
        .into_iter()
        .find(|wanted| presences().any(|it| it == *wanted))
        .unwrap_or(Presence::Unreachable)
    }

    /// Returns the owners of its locations, each once.
    pub(super) fn owners(&self) -> Vec<String> {
        let owners = self.locations.iter().flat_map(|it| &it.owners);
        let owners: BTreeSet<String> = owners.map(|it| it.text().into_owned()).collect();
        owners.into_iter().collect()
    }

    /// Returns the commit that introduced it, the earliest if there are several.
    pub(super) fn introduced(&self) -> Option<&CommitRecord> {
        self.locations.iter().find_map(|it| it.git.as_ref()?.introduced.as_ref())
    }
}

impl LocationRecord {
    fn presence(&self) -> Presence {
        match &self.git {
            _ if self.removal_in_change().is_some() => Presence::ChangeHistory,
            _ if self.change_status.is_some() => Presence::Change,
            None => Presence::Here,
            Some(git) if git.in_head || git.staged => Presence::Here,
            Some(git) if !git.reachable => Presence::Unreachable,
            Some(git) if !git.removed.is_empty() => Presence::Removed,
            Some(_) => Presence::Elsewhere,
        }
    }

    /// Describes the removal of the token if the history of the change contains it at this path, but the
    /// head of the change does not.
    pub(super) fn removal_in_change(&self) -> Option<String> {
        let change_status = self.change_status?;
        let git = self.git.as_ref().filter(|git| !git.in_head)?;
        let first = git.removed.first()?;
        let again = if change_status == ChangeStatusWord::New { " again" } else { "" };
        let more = match git.removed_total.unwrap_or(git.removed.len()) {
            1 => String::new(),
            len => format!(" and {} more", len - 1),
        };
        Some(format!(
            "removed{again} by {}{more}: not at this path in the head of the change, but in its history",
            short(&first.commit)
        ))
    }

    /// Formats the location: `path:line:column`, or the object if it has no path.
    pub(super) fn label(&self) -> String {
        let path = match (&self.path, &self.git) {
            (Some(path), _) => path.text().into_owned(),
            (None, Some(git)) => {
                let id = match (&git.introduced, self.part) {
                    (Some(commit), Part::Commit) => &commit.commit,
                    _ => &git.object,
                };
                format!("{} {}", git.kind, short(id))
            }
            (None, None) => "standard input".to_owned(),
        };
        match self.part {
            Part::Name => path,
            Part::Ref => self.snippet.text().into_owned(),
            Part::Commit | Part::Tag => format!("{path}: {}", self.message_line()),
            Part::Content => format!("{path}:{}:{}", self.line, self.column),
        }
    }

    /// Returns remarks that the label does not contain, such as new or moved.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        match self.part {
            Part::Name => remarks.push("in the name of the file or folder".to_owned()),
            Part::Ref => remarks.push("in the name of a branch, tag or other reference".to_owned()),
            Part::Commit => remarks.push("in the text of a commit".to_owned()),
            Part::Tag => remarks.push("in the text of a tag".to_owned()),
            Part::Content => {}
        }
        remarks.extend(self.encoding.as_ref().map(|it| format!("encoded: {it}")));
        remarks.extend(self.layer.as_ref().map(|it| format!("in {}", it.text())));
        match (&self.moved_from, self.change_status) {
            (Some(from), _) => remarks.push(format!("moved here from {}", from.text())),
            (None, Some(ChangeStatusWord::Preexisting)) => {
                remarks.push("existed before the change".to_owned());
            }
            (None, Some(ChangeStatusWord::AlsoUnpushed)) => remarks.push(ALSO_UNPUSHED.to_owned()),
            _ => {}
        }
        remarks.extend(self.removal_in_change());
        if self.new_place {
            remarks.push("new place: the baseline does not list the token here".to_owned());
        }
        remarks.extend(self.inline.as_ref().map(|it| it.line()));
        remarks
    }
}

/// Truncates text to `most` characters and adds an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
