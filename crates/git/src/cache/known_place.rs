//! Places of tokens and issues in the state of a repository.
//!
//! Input: traces. Output: the form of the state file. A place whose path or references contain a
//! token is not converted.

use ddpatrol_detect::redact::Redactor;
use ddpatrol_pack::{Kind, ObjectId};
use ddpatrol_scan::finding::{Part, Trace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A place of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownPlace {
    /// The object that holds the token.
    pub(crate) object: String,
    pub(crate) kind: String,
    pub(crate) part: String,
    /// The tokens at the place, as indices of [`super::known::Known::tokens`].
    pub(crate) tokens: BTreeSet<usize>,
    /// The path, its bytes in hexadecimal.
    pub(crate) path: Option<String>,
    pub(crate) introduced: Option<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) removed_total: usize,
    pub(crate) at_boundary: bool,
    pub(crate) in_head: bool,
    pub(crate) reachable: bool,
    pub(crate) refs: Vec<String>,
    pub(crate) refs_total: usize,
    pub(crate) date: i64,
}

impl KnownPlace {
    /// Converts a place without its tokens; `None` if it cannot be written: it is in a name, a
    /// reference is not UTF-8, or the result would contain a secret.
    pub(crate) fn new(
        redactor: &Redactor,
        part: Part,
        path: Option<&[u8]>,
        trace: &Trace,
    ) -> Option<Self> {
        let is_clean = |bytes: &[u8]| redactor.clean(bytes).as_bytes() == bytes;
        let refs: Vec<String> = trace
            .refs
            .iter()
            .map(|name| String::from_utf8(name.clone()).ok().filter(|it| is_clean(it.as_bytes())))
            .collect::<Option<_>>()?;
        // A name that contains a token cannot be written.
        if part == Part::Name || !path.is_none_or(is_clean) {
            return None;
        }
        Some(Self {
            object: trace.object.to_string(),
            kind: trace.kind.name().to_owned(),
            part: part.name().to_owned(),
            tokens: BTreeSet::new(),
            path: path.map(hex::encode),
            introduced: trace.introduced.as_ref().map(|commit| commit.id.to_string()),
            removed: trace.removed.first.iter().map(|commit| commit.id.to_string()).collect(),
            removed_total: trace.removed.total,
            at_boundary: trace.at_boundary,
            in_head: trace.in_head,
            reachable: trace.reachable,
            refs,
            refs_total: trace.refs_total,
            date: trace.order,
        })
    }

    /// Decodes the path.
    pub(crate) fn path(&self) -> Result<Option<Vec<u8>>, hex::FromHexError> {
        self.path.as_ref().map(hex::decode).transpose()
    }

    /// Returns `true` if the place is in this part.
    pub(crate) fn is_part(&self, part: Part) -> bool {
        self.part == part.name()
    }

    pub(crate) fn part(&self) -> Option<Part> {
        [Part::Content, Part::Commit, Part::Tag].into_iter().find(|part| part.name() == self.part)
    }

    pub(crate) fn object(&self) -> Option<(ObjectId, Kind)> {
        Some((self.object.parse().ok()?, Kind::from_name(self.kind.as_bytes())?))
    }
}
