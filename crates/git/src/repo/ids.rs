//! Converts object ids: from hexadecimal digits, and from and to libgit2's.

use ddpatrol_pack::ObjectId;
use git2::Oid;

/// Parses an id from its hexadecimal digits.
pub(super) fn id(hex: &[u8]) -> Option<ObjectId> {
    std::str::from_utf8(hex).ok()?.parse().ok()
}

/// Converts libgit2's id to ours.
pub(super) fn object_id(oid: Oid) -> ObjectId {
    ObjectId::from_bytes(oid.as_bytes()).expect("libgit2's ids have 20 bytes")
}

/// Converts our id to libgit2's.
pub(super) fn oid(id: &ObjectId) -> Result<Oid, git2::Error> {
    Oid::from_bytes(id.as_bytes())
}
