//! The words of issues of git repositories.

use super::super::git::{GitIssue, NamedBy};
use crate::quantity::count;
use ddpatrol_pack::ObjectId;
use std::fmt::{Display, Formatter, Result};

/// Returns the pronoun for a number of objects.
fn pronoun(count: usize) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

impl Display for GitIssue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::RepositoryUnreadable { source }
            | Self::StoreUnreadable { source }
            | Self::ObjectUnreadable { source, .. }
            | Self::ObjectMissing { source, .. }
            | Self::LfsUnreadable { source, .. } => write!(f, "{source}"),
            Self::StoreBlocked { source } => write!(f, "the history is not scanned: {source}"),
            Self::NotARepository => f.write_str("not a git repository, nor the top of a work tree"),
            Self::NotAGitFolder => f.write_str("not a git repository"),
            Self::ExtractedIncomplete => f.write_str("not a complete git repository"),
            Self::ObjectsMissing { count: len, first, named_by } => {
                let ids = Ids { first, len: *len };
                let count = count(*len, "object");
                match named_by {
                    NamedBy::PartialClone => {
                        write!(
                            f,
                            "partial clone: {count} not fetched ({ids}); `git fetch --refetch \
                             --no-filter` fetches {}",
                            pronoun(*len)
                        )
                    }
                    NamedBy::Reachable => {
                        write!(f, "{count} missing ({ids}); `git fsck` shows details")
                    }
                    NamedBy::Unreachable => {
                        write!(f, "{count} missing that only unreachable history names ({ids})")
                    }
                }
            }
            Self::NotFetched { count: len, first, command } => write!(
                f,
                "partial clone: {} of the change not fetched ({}); `{command}` fetches {}",
                count(*len, "object"),
                Ids { first, len: *len },
                pronoun(*len),
            ),
            Self::ShallowClone { count: len, first } => write!(
                f,
                "this is a shallow clone: the history before {} ({}) is missing; \
                 `git fetch --unshallow` fetches it",
                count(*len, "commit"),
                Ids { first, len: *len },
            ),
            Self::ShallowRange { commit } => write!(
                f,
                "the shallow clone begins at commit {commit}, within the range: everything in it \
                 counts as introduced by it"
            ),
            Self::RefsUnreadable { source } => {
                write!(f, "the commits that introduced tokens are unknown: {source}")
            }
            Self::RefBroken { name, source, .. } | Self::RefDangling { name, source } => {
                write!(f, "reference {}: {source}", String::from_utf8_lossy(name))
            }
            Self::RefNotRead { name, target } => write!(
                f,
                "reference {}: its object {target} was not read; scan it again",
                String::from_utf8_lossy(name)
            ),
            Self::LfsObjectMissing { oid } => {
                write!(f, "its Git LFS object {oid} is missing; `git lfs fetch --all` fetches it")
            }
            Self::LfsObjectsMissing { count: len, first } => {
                let verb = if *len == 1 { "is" } else { "are" };
                let objects = count(*len, "Git LFS object");
                write!(
                    f,
                    "{objects} of the history {verb} missing, the first is {first}; \
                     `git lfs fetch --all` fetches them"
                )
            }
        }
    }
}

/// The first of some ids, with an ellipsis if there are more.
struct Ids<'a> {
    first: &'a [ObjectId],
    len: usize,
}

impl Display for Ids<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, id) in self.first.iter().enumerate() {
            write!(f, "{}{id}", if at > 0 { ", " } else { "" })?;
        }
        f.write_str(if self.len > self.first.len() { ", …" } else { "" })
    }
}
