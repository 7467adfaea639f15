//! Commits as findings and reports show them. The git source reads them from repositories.

use ddpatrol_pack::ObjectId;

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
