//! What a finding comes down to for people: whether it counts, whether its token is live, whether it
//! still stands there, and where that is.
//!
//! In come records, out come words that hold text of the scanned content: a writer escapes them.

use super::document::{ChangeStatusWord, LocationRecord, Record};
use super::trace::{CommitRecord, short};
use crate::detect::Evidence;
use crate::respond::{RevocationOutcome, Verdict};
use ddpatrol_scan::finding::Part;

/// Whether a token can do harm, as far as anybody said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    /// An issuer accepts it, and nobody has revoked it.
    Live,
    /// It is dead or revoked.
    Dead,
    /// Nobody was asked, or nobody knows.
    Unknown,
}

/// Whether a token still stands where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// In what a change brings.
    Change,
    /// In what is checked out, or in a file or stream that was read.
    Here,
    /// In a name or a message, or in the history of another branch.
    Elsewhere,
    /// In the history only.
    Removed,
    /// In objects that no branch or tag reaches.
    Unreachable,
}

/// What is said of a token in commits that are not pushed yet and not part of the push either.
pub(super) const ALSO_UNPUSHED: &str =
    "also unpushed: not part of the push that was judged, so it does not fail";

impl Presence {
    /// Says it in words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Change => "in the change",
            Self::Here => "still there",
            Self::Elsewhere => "not in HEAD",
            Self::Removed => "removed, in the history",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Record {
    /// Returns `true` if the change does not fail for it: the base has it, or it is not part of the
    /// push that was judged.
    pub(super) fn passes_change(&self) -> bool {
        let passes = |word| !matches!(word, None | Some(ChangeStatusWord::New));
        !self.locations.is_empty() && self.locations.iter().all(|it| passes(it.change_status))
    }

    /// Returns the token as the report shows it: masked, unless secrets were asked for.
    pub(super) fn shown_token(&self) -> &str {
        self.secret.as_deref().unwrap_or(&self.token.redacted)
    }

    /// Tells whether people are to look at it: it counts, or there is news of it.
    pub(super) fn is_listed(&self) -> bool {
        self.suppression.is_none() || self.has_new_location()
    }

    /// Tells whether steps are to be taken.
    pub(super) fn needs_action(&self) -> bool {
        self.evidence == Evidence::Proven
            && self.suppression.is_none()
            && !self.is_dead_or_revoked()
    }

    /// Tells whether its token can do harm.
    pub(super) fn liveness(&self) -> Liveness {
        if self.is_dead_or_revoked() {
            Liveness::Dead
        } else if self.verification.as_ref().is_some_and(|it| it.verdict == Verdict::Live) {
            Liveness::Live
        } else {
            Liveness::Unknown
        }
    }

    /// Says in words whether its token can do harm.
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

    /// Tells whether it still stands there: the worst of its places.
    pub(super) fn presence(&self) -> Presence {
        let presences = || self.locations.iter().map(LocationRecord::presence);
        [Presence::Change, Presence::Here, Presence::Elsewhere, Presence::Removed]
            .into_iter()
            .find(|wanted| presences().any(|it| it == *wanted))
            .unwrap_or(Presence::Unreachable)
    }

    /// Returns the commit that brought it, the earliest if several did.
    pub(super) fn introduced(&self) -> Option<&CommitRecord> {
        self.locations.iter().find_map(|it| it.git.as_ref()?.introduced.as_ref())
    }
}

impl LocationRecord {
    fn presence(&self) -> Presence {
        match &self.git {
            _ if self.change_status.is_some() => Presence::Change,
            None => Presence::Here,
            Some(git) if git.in_head => Presence::Here,
            Some(git) if !git.reachable => Presence::Unreachable,
            Some(git) if !git.removed.is_empty() => Presence::Removed,
            Some(_) => Presence::Elsewhere,
        }
    }

    /// Names the place: `path:line:column`, or what has no path.
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
            Part::Commit | Part::Tag => format!("{path}, line {}", self.line),
            Part::Content => format!("{path}:{}:{}", self.line, self.column),
        }
    }

    /// Says what about the place the label does not: that it is a name, new, moved.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        match self.part {
            Part::Name => remarks.push("in the name of the file or folder".to_owned()),
            Part::Ref => remarks.push("in the name of a branch, tag or other reference".to_owned()),
            Part::Commit => remarks.push("in a commit's text".to_owned()),
            Part::Tag => remarks.push("in a tag's text".to_owned()),
            Part::Content => {}
        }
        remarks.extend(self.encoding.as_ref().map(|it| format!("encoded: {it}")));
        remarks.extend(self.layer.as_ref().map(|it| format!("in {}", it.text())));
        match (&self.moved_from, self.change_status) {
            (Some(from), _) => remarks.push(format!("moved here from {}", from.text())),
            (None, Some(ChangeStatusWord::Preexisting)) => {
                remarks.push("it was already there".to_owned());
            }
            (None, Some(ChangeStatusWord::AlsoUnpushed)) => remarks.push(ALSO_UNPUSHED.to_owned()),
            _ => {}
        }
        if self.new_place {
            remarks.push("a new place: the baseline does not know the token here".to_owned());
        }
        remarks.extend(self.inline.as_ref().map(|it| it.line()));
        remarks
    }
}

/// Cuts text to so many characters, and shows that it did.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
