//! Commits as findings and reports show them. The git source reads them from repositories.

use ddpatrol_pack::{Kind, ObjectId};

/// The person and time recorded in a commit or tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    /// The name.
    pub name: Vec<u8>,
    /// The address, without brackets.
    pub email: Vec<u8>,
    /// Seconds since 1970.
    pub time: i64,
    /// Minutes east of Greenwich.
    pub offset: i32,
}

/// The fields of a commit that reports show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit {
    /// Its id.
    pub id: ObjectId,
    /// Who wrote the change.
    pub author: Signature,
    /// Who committed it.
    pub committer: Signature,
    /// The first line of the message.
    pub subject: Vec<u8>,
}

/// The beginning of the message in a commit or tag object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageStart {
    /// The offset of its first byte.
    pub offset: u64,
    /// The number of lines before it.
    pub lines: u64,
}

impl MessageStart {
    /// Finds the message in an object: after the first empty line. An object without a message is a header
    /// only. Returns `None` for trees and blobs.
    #[must_use]
    pub fn find(kind: Kind, object: &[u8]) -> Option<Self> {
        if !matches!(kind, Kind::Commit | Kind::Tag) {
            return None;
        }
        let end = memchr::memmem::find(object, b"\n\n").map_or(object.len(), |end| end + 2);
        let lines = memchr::memchr_iter(b'\n', &object[..end]).count() as u64;
        Some(Self { offset: end as u64, lines })
    }

    /// Converts a line of the object at an offset to a line of the message; lines of the header stay.
    #[must_use]
    pub const fn line(&self, line: u64, offset: u64) -> u64 {
        if offset < self.offset { line } else { line.saturating_sub(self.lines) }
    }

    /// Returns the line of the object at an offset, given the line that [`MessageStart::line`] returned.
    #[must_use]
    pub const fn object_line(&self, line: u64, offset: u64) -> u64 {
        if offset < self.offset { line } else { line.saturating_add(self.lines) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_the_beginning_of_the_message() {
        let object = b"tree x\nauthor y\n\nsubject\n\nbody";
        let start = MessageStart::find(Kind::Commit, object).expect("a commit has a header");
        assert_eq!(start, MessageStart { offset: 17, lines: 3 });
        assert_eq!([start.line(2, 8), start.line(4, 17), start.line(6, 26)], [2, 1, 3]);
        assert_eq!(MessageStart::find(Kind::Blob, object), None);
    }

    #[test]
    fn an_object_without_a_message_is_a_header() {
        let start = MessageStart::find(Kind::Tag, b"object x\ntag y").expect("it is a tag");
        assert_eq!(start.line(2, 9), 2);
        let empty = MessageStart::find(Kind::Tag, b"").expect("it is a tag");
        assert_eq!(empty, MessageStart { offset: 0, lines: 0 });
    }
}
