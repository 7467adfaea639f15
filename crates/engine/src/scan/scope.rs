//! Decides which bytes of a blob or git object are searched, and how.
//!
//! Input: the origin of the bytes, or the kind of the object. It searches nothing itself.

use crate::detect::ContentKind;
use crate::source::git::TreeNames;
use ddpatrol_pack::{HashKind, Kind};
use ddpatrol_scan::blob::Origin;
use std::ops::Range;

/// Returns the kind of bytes that an origin has.
pub(super) fn within(origin: Origin<'_>, offset: u64) -> ContentKind {
    match origin {
        Origin::Object(_, Kind::Tree) => ContentKind::TreeNames,
        _ => ContentKind::Blob { offset },
    }
}

/// Returns the names of a tree, outside of which matches do not count; `None` if the bytes are not a
/// tree.
pub(super) fn names<'a>(origin: Origin<'_>, bytes: &'a [u8]) -> Option<TreeNames<'a>> {
    match origin {
        Origin::Object(id, Kind::Tree) => Some(TreeNames::new(bytes, id.as_bytes().len())),
        _ => None,
    }
}

/// Returns the range of an object in which tokens can begin. It excludes the ids at the start of a
/// commit: they are long enough to look like encoded text and too short to be a token.
pub(super) fn own(kind: Kind, bytes: &[u8]) -> Range<usize> {
    let mut start = 0;
    if kind == Kind::Commit {
        while let Some(len) = id_line(&bytes[start..]) {
            start += len;
        }
    }
    start..bytes.len()
}

/// Returns the length of a line that names a tree or a parent, if bytes begin with one.
fn id_line(bytes: &[u8]) -> Option<usize> {
    let word = [&b"tree "[..], b"parent "].into_iter().find(|word| bytes.starts_with(word))?;
    let line = &bytes[word.len()..];
    let len = [HashKind::Sha1, HashKind::Sha256]
        .map(|hash| 2 * hash.len())
        .into_iter()
        .find(|&len| line.get(len) == Some(&b'\n'))?;
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    line[..len].iter().all(is_digit).then_some(word.len() + len + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_a_commit_begin_after_its_tree_and_parents() {
        for len in [40, 64] {
            let id = "0a".repeat(len / 2);
            let text = format!("tree {id}\nparent {id}\nparent {id}\nauthor A\n");
            let start = text.find("author").unwrap();
            assert_eq!(own(Kind::Commit, text.as_bytes()), start..text.len());
        }
    }

    #[test]
    fn lines_without_an_id_are_searched() {
        let short = b"tree 0a0a\nauthor A\n";
        assert_eq!(own(Kind::Commit, short), 0..short.len());
        let text = format!("tree {}\n", "g".repeat(40));
        assert_eq!(own(Kind::Commit, text.as_bytes()), 0..text.len());
        let blob = format!("tree {}\n", "0".repeat(40));
        assert_eq!(own(Kind::Blob, blob.as_bytes()), 0..blob.len());
    }
}
