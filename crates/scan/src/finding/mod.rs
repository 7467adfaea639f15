//! Findings: one per token, with every place where it stands.
//!
//! A match is a span in a blob; a finding is owned, survives the blob, and keeps its secret in a
//! type that does not print itself. Text taken from the input has passed the redactor before it is
//! stored here.

pub mod baseline;
mod collect;
mod dedup;
mod fingerprint;
mod inline;
mod member_path;
mod snippet;
mod spots;
pub mod suppression;
pub mod suppressor;
#[cfg(test)]
mod tests;
mod utf16;
mod window_matches;
mod worker_collector;

pub use collect::{Collector, Occurrence, OnMatch, Token};
pub use collect::{MatchDescriber, context};
pub use dedup::STDIN;
pub use fingerprint::{Fingerprint, FingerprintError};
pub use inline::{Inline, InlineAllow};
pub use member_path::{archives, is_member};
use snippet::around;
pub use spots::{Spot, Spots};
pub use spots::{TokenLocations, end_of};
pub use window_matches::{Matched, WindowMatches};
pub use worker_collector::{LocationContext, MatchWindow, Tokens, WindowMatch, WorkerCollector};

use crate::blob::{Origin, Position};
use crate::commit::Commit;
use ddpatrol_detect::Evidence;
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::redact::Clean;
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_token::{Secret, Uuid};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use suppression::Suppression;

/// The parts of a token's identity that reports show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenId {
    /// The token with its secret masked.
    pub redacted: String,
    /// The alias, where the format has one.
    pub alias: Option<String>,
    /// The identifier that the alias spells.
    pub uuid: Option<Uuid>,
}

/// A token that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The index of its rule.
    pub rule: usize,
    /// How sure it is.
    pub evidence: Evidence,
    /// Its identity, as far as it may be told.
    pub token: TokenId,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// The token itself.
    pub secret: Secret,
    /// Every place where it stands: those where it came into a repository first, the earliest
    /// leading; never empty.
    pub locations: Vec<Location>,
    /// Every git object that holds it, sorted.
    pub objects: Vec<HeldObject>,
    /// Why it does not count, if it does not.
    pub suppression: Option<Suppression>,
}

impl Finding {
    /// Tells whether any of its places is new, or lies in no change.
    #[must_use]
    pub fn is_new(&self) -> bool {
        let is_new =
            |place: &Location| matches!(place.change_status, None | Some(ChangeStatus::New));
        self.locations.iter().any(is_new)
    }
}

/// A git object that holds a token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldObject {
    /// The object.
    pub id: ObjectId,
    /// What it is.
    pub kind: Kind,
    /// Where the token is in it, in ascending order; empty if only members of an archive hold it.
    pub spans: Arc<[Span]>,
    /// Whether the object is an archive whose members hold the token.
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
    /// Sorts objects that hold one token, each once, with all the spans that any of the entries has.
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

/// What part of an input a location lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The content.
    Content,
    /// The name of the file or folder.
    Name,
    /// A commit: its message, or who made it.
    Commit,
    /// An annotated tag: its message, or who made it.
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

/// How a token came into a repository, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace {
    /// The git directory, as it was reached.
    pub repository: PathBuf,
    /// The object that holds the token.
    pub object: ObjectId,
    /// What the object is.
    pub kind: Kind,
    /// The commit that brought the token to this path; `None` if no commit holds the object.
    pub introduced: Option<Arc<Commit>>,
    /// Whether what comes before that commit is not here, as where the history of a shallow clone begins,
    /// so that the token may be older.
    pub at_boundary: bool,
    /// The commits that took it away from this path.
    pub removed: Removed,
    /// Whether it stands at this path in what is checked out.
    pub in_head: bool,
    /// Whether a reference reaches the commit; if none does, only a reflog may, or nothing.
    pub reachable: bool,
    /// Some references that reach it.
    pub refs: Vec<Vec<u8>>,
    /// How many reach it.
    pub refs_total: usize,
    /// A date by which places can be ordered: no commit's is earlier than its parents'.
    pub date: i64,
}

impl Trace {
    /// Creates the trace of an object of which nothing else is known.
    #[must_use]
    pub fn new(repository: PathBuf, object: ObjectId, kind: Kind) -> Self {
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
            date: 0,
        }
    }
}

/// The commits that took a token away from a path: all places at the path share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Removed {
    /// The first ones, in order of time.
    pub first: Arc<Vec<Arc<Commit>>>,
    /// How many there are.
    pub total: usize,
}

/// One place where a token is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file or folder; `None` is standard input.
    pub path: Option<PathBuf>,
    /// Whether it stands in the content or in the name.
    pub part: Part,
    /// The offset of its first byte in that part.
    pub offset: u64,
    /// Its length in bytes, encoded as it is.
    pub len: u64,
    /// Where it begins.
    pub start: Position,
    /// Where it ends, exclusive.
    pub end: Position,
    /// The line around it, masked.
    pub snippet: Clean,
    /// In what it is encoded there.
    pub encoding: Encoding,
    /// How it came in, for a place in a repository's history.
    pub trace: Option<Arc<Trace>>,
    /// How it stands against the base, for a place in a change.
    pub change_status: Option<ChangeStatus>,
    /// What its own line says about it.
    pub inline: Option<Inline>,
    /// Whether the baseline knows the token, but not here.
    pub is_new_place: bool,
    /// The layer of a container image that it lies in, in words.
    pub layer: Option<Arc<str>>,
    /// Further places in the same content that differ from this one in where they begin only.
    pub further: Spots,
}

/// How a token in a change stands against the base of the change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeStatus {
    /// No version of a changed path in the base holds it.
    New,
    /// The base has it at this other path.
    Moved(PathBuf),
    /// The base has it at this path.
    Preexisting,
    /// It is new, but in commits that are not part of what is judged and not pushed yet either.
    AlsoUnpushed,
}

impl Location {
    /// Names the place of an origin.
    fn place(origin: Origin<'_>) -> (Option<PathBuf>, Part) {
        match origin {
            Origin::File(path) => (Some(plain(path)), Part::Content),
            Origin::Name(path) => (Some(plain(path)), Part::Name),
            Origin::Stdin | Origin::Object(..) | Origin::Lfs(_) | Origin::Text(_) => {
                (None, Part::Content)
            }
            Origin::Ref(repository, _) => (Some(plain(repository)), Part::Ref),
        }
    }
}

/// Drops the `./` that a walk of `.` puts before every path.
pub fn plain(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}
