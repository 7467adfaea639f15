//! Tokens seen in git objects, and the places that they turn out to have.
//!
//! A scan records a [`Sighting`] for each token in each object, without a path or a commit. Attribution
//! and the classification of changes are functions from sightings to [`Placement`]s. Nothing is read or
//! searched here.

use crate::finding::{ChangeStatus, Fingerprint, HeldObject, Location, Part, Span, Trace};
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_pack::{Kind, ObjectId};
use std::path::PathBuf;
use std::sync::Arc;

/// The number of a token among all tokens that a scan has seen in git objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenNo(pub u32);

/// Identifies a token from one scan to the next, without revealing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenKey {
    /// The index of its rule.
    pub rule: usize,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

/// The bytes that a token was seen in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A git object of this kind.
    Object(ObjectId, Kind),
    /// The Git LFS object whose pointer is this blob.
    Lfs(ObjectId),
    /// A text that the source knows by this number: a name in a change, for example.
    Text(u32),
}

impl Holder {
    /// Returns the id of the git object, or of the blob that is the pointer.
    #[must_use]
    pub fn id(self) -> Option<ObjectId> {
        match self {
            Self::Object(id, _) | Self::Lfs(id) => Some(id),
            Self::Text(_) => None,
        }
    }
}

/// A range of bytes that holds a token, and how the token is encoded in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncodedSpan {
    /// The offset of the first byte.
    pub offset: u64,
    /// The length in bytes.
    pub len: u64,
    /// The encoding of the token.
    pub encoding: Encoding,
}

/// A token seen in the bytes of one holder.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The token.
    pub token: TokenNo,
    /// The bytes that it was seen in.
    pub holder: Holder,
    /// Where it is in them, in ascending order; empty if only members hold it.
    pub spans: Arc<[EncodedSpan]>,
    /// Where it is in the members of the archive that the bytes are. The path of each location is the
    /// part that follows the path of the archive, such as `!/a.env`.
    pub members: Arc<[Location]>,
}

impl Sighting {
    /// Returns the git object that holds the token; `None` for other holders.
    #[must_use]
    pub fn object(&self) -> Option<HeldObject> {
        match self.holder {
            Holder::Object(id, kind) => Some(held(id, kind, &self.spans, &self.members)),
            Holder::Lfs(_) | Holder::Text(_) => None,
        }
    }
}

/// A place of a token: the path, the part of the repository and the commit of what was sighted.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The token.
    pub token: TokenNo,
    /// The bytes that hold it.
    pub holder: Holder,
    /// The name that the spans lie in; `None` if they lie in the bytes of the holder itself.
    pub name: Option<Vec<u8>>,
    /// Where the token is in the bytes or in the name.
    pub spans: Arc<[EncodedSpan]>,
    /// Where it is in the members of an archive; see [`Sighting::members`].
    pub members: Arc<[Location]>,
    /// The path; `None` where no commit gives the object one.
    pub path: Option<PathBuf>,
    /// The part of the repository that the bytes are.
    pub part: Part,
    /// The commit that introduced the token there, and what became of it; `None` for what is not
    /// committed yet.
    pub trace: Option<Arc<Trace>>,
    /// Whether the token is new in a change; `None` outside of changes.
    pub change_status: Option<ChangeStatus>,
}

impl Placement {
    /// Creates the placement of a sighting in the bytes of its holder, without a path.
    #[must_use]
    pub fn of(sighting: &Sighting, part: Part) -> Self {
        Self {
            token: sighting.token,
            holder: sighting.holder,
            name: None,
            spans: Arc::clone(&sighting.spans),
            members: Arc::clone(&sighting.members),
            path: None,
            part,
            trace: None,
            change_status: None,
        }
    }

    /// Returns the git object of a change that holds the token; `None` for names, for what is not
    /// committed yet, and outside of changes, whose objects are known from the sightings.
    #[must_use]
    pub fn object_of_change(&self) -> Option<HeldObject> {
        let trace = self.trace.as_ref().filter(|trace| trace.kind != Kind::Tree)?;
        self.change_status.as_ref()?;
        Some(held(trace.object, trace.kind, &self.spans, &self.members))
    }
}

fn held(id: ObjectId, kind: Kind, spans: &[EncodedSpan], members: &[Location]) -> HeldObject {
    let mut spans: Vec<Span> =
        spans.iter().map(|it| Span { offset: it.offset, len: it.len }).collect();
    spans.dedup();
    HeldObject { id, kind, spans: spans.into(), is_in_members: !members.is_empty() }
}
