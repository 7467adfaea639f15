//! The state of one repository: objects, tokens and places that an earlier scan has found.
//!
//! Input: the results of a scan. Output: the form of the state file, and back. No text of it
//! contains a token.

use super::known_issue::{KnownGap, KnownIssue};
use super::known_place::KnownPlace;
use crate::lfs::Pointer;
use crate::store::Store;
use ddpatrol_detect::rules::RuleIndex;
use ddpatrol_pack::{Kind, ObjectId, Pack};
use ddpatrol_scan::finding::{Fingerprint, HeldObject, Span};
use ddpatrol_scan::sighting::TokenKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The state of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The checksums of the packs that were read.
    pub(crate) packs: BTreeSet<String>,
    /// The loose objects that were read.
    pub(crate) loose: BTreeSet<String>,
    /// The Git LFS pointers among the objects: the digests and sizes of their objects.
    pub(crate) pointers: Vec<(String, u64)>,
    /// The tokens, and the objects that hold each.
    pub(crate) tokens: Vec<KnownToken>,
    /// A digest of the references and of the other input of attribution besides the objects.
    pub(crate) refs: String,
    /// The places of the tokens; `None` if a place cannot be written without a token.
    pub(crate) places: Option<Vec<KnownPlace>>,
    /// Opaque issues about missing objects.
    pub(crate) gaps: Vec<KnownGap>,
    /// Issues in objects that were read, such as damaged archives.
    pub(crate) issues: BTreeSet<KnownIssue>,
    /// The places of the objects of these issues; `None` if one cannot be written without a secret.
    pub(crate) issue_places: Option<Vec<KnownPlace>>,
    /// The matches in objects that are shaped only.
    pub(crate) shaped: BTreeSet<KnownShaped>,
}

/// Objects that hold tokens.
pub(crate) struct Holders {
    pub(crate) objects: BTreeSet<ObjectId>,
    /// The archives in whose members an earlier scan found tokens; not all of them are among
    /// `objects`.
    pub(crate) archives: BTreeSet<ObjectId>,
}

/// A match that is shaped only. It is only counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct KnownShaped {
    rule: RuleIndex,
    fingerprint: Fingerprint,
    /// The object with the smallest id among those that contain it.
    object: String,
}

impl KnownShaped {
    pub(crate) fn new(key: TokenKey, object: ObjectId) -> Self {
        let TokenKey { rule, fingerprint } = key;
        Self { rule, fingerprint, object: object.to_string() }
    }

    pub(crate) fn key(&self) -> TokenKey {
        TokenKey { rule: self.rule, fingerprint: self.fingerprint }
    }

    pub(crate) fn object(&self) -> Option<ObjectId> {
        self.object.parse().ok()
    }
}

/// A token, and the objects that hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownToken {
    /// Its rule among those that the state was written with.
    pub(crate) rule: RuleIndex,
    pub(crate) fingerprint: Fingerprint,
    /// Never empty.
    pub(crate) objects: Vec<KnownObject>,
}

impl KnownToken {
    /// Returns the key of the token.
    pub(crate) fn key(&self) -> TokenKey {
        TokenKey { rule: self.rule, fingerprint: self.fingerprint }
    }
}

/// An object that holds a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownObject {
    pub(crate) id: String,
    pub(crate) kind: String,
    /// The spans of the token in the object: offsets and lengths in bytes.
    pub(crate) spans: Vec<(u64, u64)>,
    /// Whether the object is an archive whose members hold the token.
    pub(crate) in_members: bool,
}

impl KnownObject {
    pub(crate) fn new(object: &HeldObject) -> Self {
        Self {
            id: object.id.to_string(),
            kind: object.kind.name().to_owned(),
            spans: object.spans.iter().map(|span| (span.offset, span.len)).collect(),
            in_members: object.is_in_members,
        }
    }

    pub(crate) fn read(&self) -> Option<HeldObject> {
        let (id, kind) = (self.id.parse().ok()?, Kind::from_name(self.kind.as_bytes())?);
        let spans = self.spans.iter().map(|&(offset, len)| Span { offset, len }).collect();
        Some(HeldObject { id, kind, spans, is_in_members: self.in_members })
    }
}

impl Known {
    /// Returns `true` if a loose object that was read no longer exists, not even in a pack.
    pub(crate) fn lacks_loose(&self, store: &Store) -> bool {
        self.loose.iter().any(|id| id.parse().is_ok_and(|id: ObjectId| !store.has(&id)))
    }

    /// Returns `true` if every object that is stored with a shaped match still exists. Without one
    /// of them nothing is known about the match: other objects may contain it, or none.
    pub(crate) fn has_shaped(&self, store: &Store) -> bool {
        self.shaped.iter().all(|shaped| shaped.object().is_some_and(|id| store.has(&id)))
    }

    /// Returns `true` if all packs that were read still exist.
    pub(crate) fn has_packs(&self, store: &Store) -> bool {
        self.packs.is_subset(&pack_names(store))
    }

    /// Returns the Git LFS pointers among the objects.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = Pointer> {
        self.pointers.iter().filter_map(|(oid, size)| Pointer::new(oid, *size))
    }

    /// Returns the objects that hold tokens.
    pub(crate) fn holders(&self) -> Holders {
        let objects = || self.tokens.iter().flat_map(|token| &token.objects);
        let id = |object: &KnownObject| object.id.parse().ok();
        Holders {
            objects: objects().filter_map(id).collect(),
            archives: objects().filter(|it| it.in_members).filter_map(id).collect(),
        }
    }
}

/// Returns the name of a pack in a state: its checksum, as its index has it, and its length.
pub(crate) fn pack_name(pack: &Pack) -> String {
    format!("{}-{}", hex::encode(pack.index().pack_checksum()), pack.len())
}

/// Returns the names of all packs of a store.
pub(super) fn pack_names(store: &Store) -> BTreeSet<String> {
    store.packs().iter().map(|pack| pack_name(pack)).collect()
}
