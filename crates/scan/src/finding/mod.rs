//! Findings: one per token, with all its locations.
//!
//! A match is a span in a blob. A finding is owned, outlives the blob, and keeps its secret in a type that
//! cannot be printed. Text from the input is redacted before it is stored here.

pub mod baseline;
mod collect;
pub mod coverage;
mod dedup;
mod fingerprint;
mod inline;
mod listener;
pub mod roots;
mod snippet;
mod spots;
pub mod suppression;
pub mod suppressor;
#[cfg(test)]
mod tests;
mod utf16;
mod window_matches;
mod worker_collector;

pub use collect::{Collector, Occurrence, Token};
pub use collect::{MatchDescriber, context};
pub use dedup::ENCODED;
pub use fingerprint::{Fingerprint, FingerprintError, FingerprintPrefix, FingerprintPrefixError};
pub use inline::{Inline, InlineAllow};
pub use listener::{MatchListener, MatchOutput};
use snippet::around;
pub use spots::{Spot, Spots};
pub use spots::{TokenLocations, end_of};
pub use window_matches::{Matched, WindowMatches};
pub use worker_collector::{
    LocalTokenNo, LocationContext, MatchWindow, Tokens, WindowMatch, WorkerCollector,
};

use crate::blob::{Origin, Position};
use crate::commit::{Commit, MessageStart};
use crate::place::Place;
use ddpatrol_detect::Evidence;
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::redact::Clean;
use ddpatrol_detect::rules::RuleIndex;
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_token::{Secret, Uuid};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use suppression::Suppression;

/// The parts of a token's identity that reports show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenId {
    /// The token with its secret masked.
    pub redacted: String,
    /// The alias, where the format has one.
    pub alias: Option<String>,
    /// The UUID that the alias encodes.
    pub uuid: Option<Uuid>,
}

/// A token that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its rule.
    pub rule: RuleIndex,
    /// Its evidence.
    pub evidence: Evidence,
    /// The parts of its identity that reports show.
    pub token: TokenId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The token itself.
    pub secret: Secret,
    /// All its locations, never empty. Those where it was introduced into a repository come first, in
    /// order of time.
    pub locations: Vec<Location>,
    /// Every git object that contains it, sorted.
    pub objects: Vec<HeldObject>,
    /// The suppression, if it does not count.
    pub suppression: Option<Suppression>,
}

impl Finding {
    /// Returns `true` if any location is new or not part of a change.
    #[must_use]
    pub fn is_new(&self) -> bool {
        let is_new =
            |place: &Location| matches!(place.change_status, None | Some(ChangeStatus::New));
        self.locations.iter().any(is_new)
    }
}

/// A git object that contains a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldObject {
    /// The object.
    pub id: ObjectId,
    /// Its kind.
    pub kind: Kind,
    /// The positions of the token, in ascending order; empty if only members of an archive contain it.
    pub spans: Arc<[Span]>,
    /// Whether the object is an archive whose members contain the token.
    pub is_in_members: bool,
}

/// A range of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The offset of the first byte.
    pub offset: u64,
    /// The length in bytes.
    pub len: u64,
}

impl HeldObject {
    /// Sorts the objects of one token and merges duplicates, with the spans of all of them.
    pub fn tidy(objects: &mut Vec<Self>) {
        objects.sort_unstable();
        objects.dedup_by(|next, kept| {
            let is_same = (next.id, next.kind) == (kept.id, kept.kind);
            kept.is_in_members |= is_same && next.is_in_members;
            if is_same && next.spans != kept.spans {
                let mut spans = [&*kept.spans, &*next.spans].concat();
                spans.sort_unstable();
                spans.dedup();
                kept.spans = spans.into();
            }
            is_same
        });
    }
}

/// The part of an input that contains a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The content.
    Content,
    /// The name of the file or folder.
    Name,
    /// A commit: its message, author or committer.
    Commit,
    /// An annotated tag: its message or tagger.
    Tag,
    /// The name of a branch, a tag or another reference.
    Ref,
}

impl Part {
    /// Returns the word for it in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Name => "name",
            Self::Commit => "commit",
            Self::Tag => "tag",
            Self::Ref => "ref",
        }
    }
}

/// The attribution of a location: the commits that introduced and removed the token, and the refs that
/// contain it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    /// The git directory, as the source reached it.
    pub repository: Place,
    /// The object that contains the token.
    pub object: ObjectId,
    /// The kind of the object.
    pub kind: Kind,
    /// The commit that introduced the token at this path; `None` if no commit contains the object.
    pub introduced: Option<Arc<Commit>>,
    /// Whether the parents of that commit are missing, as at the boundary of a shallow clone, so that the
    /// token may be older.
    pub at_boundary: bool,
    /// The commits that removed it from this path.
    pub removed: Removed,
    /// Whether the checked-out commit contains it at this path; for a change, whether its head does.
    pub in_head: bool,
    /// Whether a reference reaches the commit. If not, at most a reflog does.
    pub reachable: bool,
    /// Some of the references that reach it.
    pub refs: Vec<Vec<u8>>,
    /// The number of references that reach it.
    pub refs_total: usize,
    /// How the index contains the blob, if no reference reaches it.
    pub staged: Option<Staged>,
    /// The order among locations: in a history a date that is never earlier than those of the
    /// parents of the commit, in a change the number of the commit.
    pub order: i64,
}

/// How the index contains a blob that is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Staged {
    /// Its path can be reset to the version in `HEAD`.
    Resettable,
    /// A merge or similar operation is in progress, and a reset would lose its changes.
    InOperation,
}

impl Trace {
    /// Creates the trace of an object without commits.
    #[must_use]
    pub fn new(repository: Place, object: ObjectId, kind: Kind) -> Self {
        Self {
            repository,
            object,
            kind,
            introduced: None,
            at_boundary: false,
            removed: Removed::default(),
            in_head: false,
            reachable: false,
            refs: Vec::new(),
            refs_total: 0,
            staged: None,
            order: 0,
        }
    }
}

/// The commits that removed a token from a path; all locations at the path share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removed {
    /// The first commits, in order of time.
    pub first: Arc<Vec<Arc<Commit>>>,
    /// The total number.
    pub total: usize,
}

/// One place of a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, folder or member of an archive; `None` for standard input, and for a git object that no
    /// commit gives a path.
    pub path: Option<Place>,
    /// The part of the input that contains it.
    pub part: Part,
    /// The offset of its first byte in that part.
    pub offset: u64,
    /// Its encoded length in bytes.
    pub len: u64,
    /// The position of its first byte.
    pub start: Position,
    /// The position after its last byte.
    pub end: Position,
    /// The line around it, masked.
    pub snippet: Clean,
    /// Its encoding.
    pub encoding: Encoding,
    /// Its attribution, for a location in a history.
    pub trace: Option<Arc<Trace>>,
    /// Its status relative to the base, for a location in a change.
    pub change_status: Option<ChangeStatus>,
    /// The inline comment in its line.
    pub inline: Option<Inline>,
    /// Whether the baseline contains the token, but not this place.
    pub is_new_place: bool,
    /// The description of the container image layer around it.
    pub layer: Option<Arc<str>>,
    /// Further places in the same content that differ from this one only in their start.
    pub further: Spots,
    /// The beginning of the message, in a commit or tag: its lines are counted from there.
    pub message: Option<MessageStart>,
    /// A pattern that the name of the reference matches, with `?` for each masked byte.
    pub name_pattern: Option<Box<Clean>>,
}

/// The status of a token relative to the base of a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeStatus {
    /// No version of the changed paths in the base contains it.
    New,
    /// The base contains it at this other path.
    Moved(PathBuf),
    /// The base contains it at the same path.
    Preexisting,
    /// It is in other unpushed commits, which are not judged.
    AlsoUnpushed,
}

impl Location {
    /// Returns the path and part of an origin.
    fn place(origin: Origin<'_>) -> (Option<Place>, Part) {
        match origin {
            Origin::File(path) => (Some(path.plain()), Part::Content),
            Origin::Name(path) => (Some(path.plain()), Part::Name),
            Origin::Stdin | Origin::Object(..) | Origin::Lfs(_) | Origin::Text(_) => {
                (None, Part::Content)
            }
            Origin::Ref(repository, _) => (Some(repository.plain()), Part::Ref),
        }
    }
}
