//! A commit as findings and reports show it. How it is read from a repository is in
//! `source::git::commits`.

use ddpatrol_pack::ObjectId;

/// A person and a moment, as a commit or tag names them.
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

/// A commit as people know it.
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
