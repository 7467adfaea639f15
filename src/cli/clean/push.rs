//! The command that replaces the history of the remote.
//!
//! Input: the repository as of its last fetch, and the rewritten clone. Output: a `git push` that refuses to
//! discard commits that others pushed since then. Pushes nothing.

use super::report::path;
use super::repository::{Kind, references};
use super::{Plan, Renames};
use crate::report::shell::quote;
use std::collections::HashMap;
use std::path::Path;

/// The kinds of references that are pushed.
const PUSHED: [&str; 3] = ["heads", "tags", "notes"];

impl Plan {
    /// Returns the command that replaces the history of the remote, or of a bare repository without one.
    ///
    /// Each branch is replaced only if the remote still has the commit that the clone was made from
    /// (`--force-with-lease`). Tags of a remote are not known locally, so they are replaced as they are.
    pub(super) fn push(&self, clone: &Path) -> anyhow::Result<Option<String>> {
        let folder = self.folder();
        let url = match &self.repository.remote {
            // The URL can contain credentials.
            Some(remote) => {
                format!("\"$(git -C {folder} remote get-url --push {})\"", quote(&remote.name))
            }
            None if self.repository.kind == Kind::Bare => folder,
            None => return Ok(None),
        };
        let mut command = format!("git -C {} push", path(clone));
        let leases = self.leases(clone)?;
        match &leases {
            Some(leases) => leases.iter().for_each(|it| command.push_str(&format!(" {it}"))),
            None => command.push_str(" --force"),
        }
        if self.renames == Renames::Some {
            command.push_str(" --prune");
        }
        command.push_str(&format!(" {url}"));
        for kind in PUSHED {
            // A lease does not allow an update of a reference that has none.
            let is_leased =
                leases.is_none() || kind == "heads" || self.repository.kind == Kind::Bare;
            let plus = if is_leased { "" } else { "+" };
            command.push_str(&format!(" '{plus}refs/{kind}/*:refs/{kind}/*'"));
        }
        for branch in &self.unpublished {
            let branch = format!("^refs/heads/{}", String::from_utf8_lossy(branch));
            command.push_str(&format!(" {}", quote(&branch)));
        }
        Ok(Some(command))
    }

    /// Returns a lease for each reference that the push changes; `None` if nothing is known about the remote.
    /// A reference that is renamed is deleted under its old name, which is not printed.
    fn leases(&self, clone: &Path) -> anyhow::Result<Option<Vec<String>>> {
        let Some(known) = self.repository.known_remote() else { return Ok(None) };
        let cleaned = references(clone)?;
        let cleaned: HashMap<&[u8], &str> =
            cleaned.iter().map(|it| (&it.name[..], it.object.as_str())).collect();
        let changed = known
            .into_iter()
            .filter(|(name, object)| cleaned.get(&name[..]).is_some_and(|new| new != object));
        let lease = |(name, object): (Vec<u8>, &str)| {
            let name = String::from_utf8_lossy(&name);
            quote(&format!("{name}:{object}"))
        };
        let leases = changed.map(|it| format!("--force-with-lease={}", lease(it)));
        Ok(Some(leases.collect()))
    }
}
