//! Operations in progress: the commits besides HEAD from which the next commit takes content.
//!
//! Input: the files that git writes into the git directory when a merge, cherry-pick, revert or rebase
//! stops. Output: ids of commits. Git runs `pre-merge-commit` before it writes them, and names the merged
//! commits in variables, which the caller reads.

use super::error::RepoError;
use super::files::{absent, read_some};
use super::ids::id;
use super::repository::Repository;
use ddpatrol_pack::ObjectId;

/// An operation that the next commit ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The operation; `None` if there is none.
    pub operation: Option<Operation>,
    /// The commits whose content is in the index: merged commits, and the commit that is picked or
    /// rebased.
    pub sources: Vec<ObjectId>,
    /// The commits that are reverted: the content of their parents is in the index.
    pub reverted: Vec<ObjectId>,
}

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `git merge` or `git pull`.
    Merge,
    /// `git cherry-pick`.
    CherryPick,
    /// `git revert`.
    Revert,
    /// `git rebase`, or `git am`.
    Rebase,
}

impl Operation {
    /// Returns its name: `merge`, `cherry-pick`, `revert`, `rebase`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::CherryPick => "cherry-pick",
            Self::Revert => "revert",
            Self::Rebase => "rebase",
        }
    }
}

impl Repository {
    /// Returns the merge, cherry-pick, revert or rebase that the next commit ends.
    ///
    /// # Errors
    /// Fails if a file of the operation cannot be read, or contains anything but ids.
    pub fn progress(&self) -> Result<Progress, RepoError> {
        let list = |name: &str| -> Result<Vec<ObjectId>, RepoError> {
            let path = self.git_dir.join(name);
            let text = match read_some(&path) {
                Ok(text) => text,
                Err(RepoError::Read { source, .. }) if absent(&source) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
            let ids: Option<Vec<ObjectId>> = lines.map(|line| id(line.trim_ascii())).collect();
            let why = "it does not consist of object ids".to_owned();
            ids.ok_or(RepoError::Broken { path, why })
        };
        let mut progress = Progress::default();
        let is_rebase =
            ["rebase-merge", "rebase-apply"].iter().any(|it| self.git_dir.join(it).is_dir());
        let is_edit = self.git_dir.join("rebase-merge/amend").exists();
        let files = [
            ("MERGE_HEAD", Operation::Merge),
            ("CHERRY_PICK_HEAD", Operation::CherryPick),
            ("REVERT_HEAD", Operation::Revert),
            ("REBASE_HEAD", Operation::Rebase),
        ];
        for (name, operation) in files {
            // Git leaves REBASE_HEAD behind in some cases. If a rebase has stopped to edit a commit, HEAD
            // is that commit already, and the staged content is the user's own.
            if operation == Operation::Rebase && (!is_rebase || is_edit) {
                continue;
            }
            let mut ids = list(name)?;
            if !ids.is_empty() {
                progress.operation.get_or_insert(operation);
            }
            let revert = operation == Operation::Revert;
            if revert { &mut progress.reverted } else { &mut progress.sources }.append(&mut ids);
        }
        if is_rebase {
            progress.operation = Some(Operation::Rebase);
        }
        Ok(progress)
    }
}
