//! Tokens found in git objects, and their places once attribution has determined them.
//!
//! A scan records a [`Sighting`] for each token in each object, without a path or a commit. Attribution
//! and the classification of changes turn sightings into [`Placement`]s. Nothing is read or searched here.

use crate::finding::{ChangeStatus, Finding, Fingerprint, HeldObject, Part, Span, Token, Trace};
use crate::place::Place;
use ddpatrol_detect::encoding::Encoding;
use ddpatrol_detect::rules::RuleIndex;
use ddpatrol_pack::{Kind, ObjectId};
use std::sync::Arc;

/// The number of a token among all tokens that a scan has found in git objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenNo(pub u32);

/// Identifies a token across scans, without revealing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenKey {
    /// Its rule.
    pub rule: RuleIndex,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
}

impl From<&Token> for TokenKey {
    fn from(token: &Token) -> Self {
        Self { rule: token.rule, fingerprint: token.fingerprint }
    }
}

impl From<&Finding> for TokenKey {
    fn from(finding: &Finding) -> Self {
        Self { rule: finding.rule, fingerprint: finding.fingerprint }
    }
}

/// The bytes that contain a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A git object of this kind.
    Object(ObjectId, Kind),
    /// The Git LFS object whose pointer is this blob.
    Lfs(ObjectId),
    /// A text that the source identifies by this number, such as a name in a change.
    Text(u32),
}

impl Holder {
    /// Returns the id of the git object, or of the LFS pointer.
    #[must_use]
    pub fn id(self) -> Option<ObjectId> {
        match self {
            Self::Object(id, _) | Self::Lfs(id) => Some(id),
            Self::Text(_) => None,
        }
    }

    /// Returns the place of bytes that have no path.
    #[must_use]
    pub fn place(self) -> Place {
        match self {
            Self::Object(id, kind) => Place::Object(id, kind),
            Self::Lfs(id) => Place::Object(id, Kind::Blob),
            Self::Text(_) => Place::Stdin,
        }
    }
}

/// A range of bytes that contains a token, and the encoding of the token in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EncodedSpan {
    /// The offset of the first byte.
    pub offset: u64,
    /// The length in bytes.
    pub len: u64,
    /// The encoding of the token.
    pub encoding: Encoding,
}

/// A token found in the bytes of one holder.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The token.
    pub token: TokenNo,
    /// The bytes that contain it.
    pub holder: Holder,
    /// Its positions in the bytes, in ascending order; empty if only members contain it.
    pub spans: Arc<[EncodedSpan]>,
    /// Whether the bytes are an archive whose members contain the token. Their locations depend on the path
    /// of the archive, so they are determined after attribution.
    pub is_in_members: bool,
}

/// A shaped match that is only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapedSighting {
    /// Identifies the match.
    pub key: TokenKey,
    /// The object with the smallest id among those that contain it.
    pub object: ObjectId,
}

impl Sighting {
    /// Returns the git object that contains the token; `None` for other holders.
    #[must_use]
    pub fn object(&self) -> Option<HeldObject> {
        match self.holder {
            Holder::Object(id, kind) => Some(HeldObject {
                id,
                kind,
                spans: plain_spans(&self.spans),
                is_in_members: self.is_in_members,
            }),
            Holder::Lfs(_) | Holder::Text(_) => None,
        }
    }
}

/// A place of a sighting: path, part of the repository and commit.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The token.
    pub token: TokenNo,
    /// The bytes that contain it.
    pub holder: Holder,
    /// The name that the spans refer to; `None` if they refer to the bytes of the holder.
    pub name: Option<Vec<u8>>,
    /// The positions of the token in the bytes or in the name.
    pub spans: Arc<[EncodedSpan]>,
    /// Whether members of the archive that the bytes are contain it.
    pub is_in_members: bool,
    /// The path; `None` if no commit gives the object a path.
    pub path: Option<Place>,
    /// The kind of content that contains the token.
    pub part: Part,
    /// The commits that introduced and removed the token there; `None` for uncommitted content.
    pub trace: Option<Arc<Trace>>,
    /// The status relative to the base of a change; `None` outside of changes.
    pub change_status: Option<ChangeStatus>,
}

impl Placement {
    /// Creates a placement without a path for a sighting.
    #[must_use]
    pub fn of(sighting: &Sighting, part: Part) -> Self {
        Self {
            token: sighting.token,
            holder: sighting.holder,
            name: None,
            spans: Arc::clone(&sighting.spans),
            is_in_members: sighting.is_in_members,
            path: None,
            part,
            trace: None,
            change_status: None,
        }
    }

    /// Returns the git object of a change that contains the token. Returns `None` for names, Git LFS
    /// objects, uncommitted content, and scans that are not changes: there the sightings give the objects.
    #[must_use]
    pub fn object_of_change(&self) -> Option<HeldObject> {
        let trace = self.trace.as_ref().filter(|trace| trace.kind != Kind::Tree)?;
        self.change_status.as_ref()?;
        if !matches!(self.holder, Holder::Object(..)) {
            return None;
        }
        Some(HeldObject {
            id: trace.object,
            kind: trace.kind,
            spans: plain_spans(&self.spans),
            is_in_members: self.is_in_members,
        })
    }
}

/// Returns spans without their encodings.
fn plain_spans(spans: &[EncodedSpan]) -> Arc<[Span]> {
    let mut spans: Vec<Span> =
        spans.iter().map(|it| Span { offset: it.offset, len: it.len }).collect();
    spans.dedup();
    spans.into()
}
