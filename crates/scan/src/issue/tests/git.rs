//! The rows of git repositories.

use super::super::{GitIssue, Issue, NamedBy, Severity};
use super::Row;
use ddpatrol_pack::ObjectId;

const FIRST: &str = "1111111111111111111111111111111111111111";

fn id() -> ObjectId {
    FIRST.parse().expect("an id")
}

fn missing(named_by: NamedBy) -> GitIssue {
    GitIssue::ObjectsMissing { count: 2, first: vec![id()], named_by }
}

pub(super) fn rows() -> Vec<Row> {
    use GitIssue as G;
    rows! { GitIssue => Issue::Git;
        G::RepositoryUnreadable { .. } = G::RepositoryUnreadable { source: "why".into() },
            Unread, "git.repository-unreadable", "why";
        G::StoreBlocked { .. } = G::StoreBlocked { source: "a pipe".into() },
            Unread, "git.repository-unreadable", "the history is not scanned: a pipe";
        G::NotARepository = G::NotARepository,
            Unread, "git.not-a-repository", "not a git repository, nor the top of a work tree";
        G::NotAGitFolder = G::NotAGitFolder,
            Opaque, "git.not-a-repository", "not a git repository";
        G::ExtractedIncomplete = G::ExtractedIncomplete,
            Unread, "git.not-a-repository", "not a complete git repository";
        G::StoreUnreadable { .. } = G::StoreUnreadable { source: "why".into() },
            Unread, "git.store-unreadable", "why";
        G::ObjectUnreadable { .. } = G::ObjectUnreadable { source: "why".into() },
            Unread, "git.object-unreadable", "why";
        G::ObjectMissing { .. } = G::ObjectMissing { source: "why".into() },
            Unread, "git.object-missing", "why";
        G::ObjectsMissing { named_by: NamedBy::PartialClone, .. } = missing(NamedBy::PartialClone),
            Opaque, "git.partial-clone",
            "partial clone: 2 objects not fetched (1111111111111111111111111111111111111111, …); \
             `git fetch --refetch --no-filter` fetches them";
        G::ObjectsMissing { named_by: NamedBy::Reachable, .. } = missing(NamedBy::Reachable),
            Unread, "git.object-missing",
            "2 objects missing (1111111111111111111111111111111111111111, …); `git fsck` shows \
             details";
        G::ObjectsMissing { named_by: NamedBy::Unreachable, .. } = missing(NamedBy::Unreachable),
            Opaque, "git.object-missing",
            "2 objects missing that only unreachable history names \
             (1111111111111111111111111111111111111111, …)";
        G::ShallowClone { .. } = G::ShallowClone { count: 1, first: vec![id()] },
            Opaque, "git.shallow-clone",
            "this is a shallow clone: the history before 1 commit \
             (1111111111111111111111111111111111111111) is missing; `git fetch --unshallow` \
             fetches it";
        G::ShallowRange { .. } = G::ShallowRange { commit: id() },
            Opaque, "git.shallow-clone",
            "the shallow clone begins at commit 1111111111111111111111111111111111111111, within \
             the range: everything in it counts as introduced by it";
        G::RefsUnreadable { .. } = G::RefsUnreadable { source: "why".into() },
            Unread, "git.reference", "the commits that introduced tokens are unknown: why";
        G::RefBroken { .. } = G::RefBroken { name: b"HEAD".to_vec(), source: "why".into() },
            Unread, "git.reference", "reference HEAD: why";
        G::RefDangling { .. } = G::RefDangling { name: b"HEAD".to_vec(), source: "why".into() },
            Opaque, "git.reference", "reference HEAD: why";
        G::RefNotRead { .. } = G::RefNotRead { name: b"refs/heads/a".to_vec(), target: id() },
            Unread, "git.reference",
            "reference refs/heads/a: its object 1111111111111111111111111111111111111111 was not \
             read; scan it again";
        G::LfsUnreadable { .. } = G::LfsUnreadable { source: "why".into() },
            Unread, "git.lfs-unreadable", "why";
        G::LfsObjectsMissing { .. } = G::LfsObjectsMissing { count: 2, first: "ab".into() },
            Opaque, "git.lfs-missing",
            "2 Git LFS objects of the history are missing, the first is ab; \
             `git lfs fetch --all` fetches them";
    }
}
