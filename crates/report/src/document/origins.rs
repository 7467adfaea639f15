//! The origins of scanned repositories: the owners of their files, and their web pages.
//!
//! Input: the top of a work tree, or a bare repository. Output: the `CODEOWNERS` of its `HEAD` and the web page
//! of its remote, read once per repository. A repository that cannot be read has neither; the scan reports
//! why. Nothing is contacted.

use super::code_owners::{self, CodeOwners};
use super::web_links::WebRepository;
use ddpatrol_engine::source::Run;
use ddpatrol_engine::source::git::changes::Snapshot;
use ddpatrol_engine::source::git::repo::Repository;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Facts about a repository besides its content: its web address and owners.
#[derive(Debug, Default)]
pub(super) struct RepositoryOrigin {
    /// The owners of files in `HEAD`.
    pub(super) owners: CodeOwners,
    /// The repository on the web.
    pub(super) web: Option<WebRepository>,
}

/// The origins of repositories, by the absolute path of their top.
#[derive(Debug, Default)]
pub(super) struct Origins(HashMap<PathBuf, Arc<RepositoryOrigin>>);

impl Origins {
    /// Returns the origin of the repository at `top`.
    pub(super) fn of(&mut self, top: &Path) -> Arc<RepositoryOrigin> {
        if let Some(known) = self.0.get(top) {
            return Arc::clone(known);
        }
        let repository = Repository::at(top).ok().flatten();
        let origin = Arc::new(repository.as_ref().map(RepositoryOrigin::read).unwrap_or_default());
        self.0.insert(top.to_owned(), Arc::clone(&origin));
        origin
    }
}

impl RepositoryOrigin {
    fn read(repository: &Repository) -> Self {
        let urls = repository.remote_urls();
        Self {
            owners: owners(repository).map(|it| CodeOwners::parse(&it)).unwrap_or_default(),
            web: urls.iter().find_map(|url| WebRepository::of_remote(url)),
        }
    }
}

/// Reads the `CODEOWNERS` of `HEAD`.
fn owners(repository: &Repository) -> Option<String> {
    // The scan itself reports problems of the repository. libgit2 is not asked for objects, since it never
    // returns from some damaged ones.
    let head = repository.targets().ok()?.head?;
    let files = Snapshot::new(repository, head, &Run::default()).ok()?;
    let read = |place: &&str| files.read(Path::new(place)).ok().flatten();
    let text = code_owners::PLACES.iter().find_map(read)?;
    (text.len() <= code_owners::MAX_SIZE).then(|| String::from_utf8_lossy(&text).into_owned())
}
