//! The whole history of a repository as a source: every object, then where each token came in.

use super::locate::Locator;
use super::objects::{Means, ObjectReader, Objects};
use super::repo::Repository;
use super::store::Store;
use crate::blob::{Blob, Origin};
use crate::source::window::Context;
use crate::source::{Gap, Run, Scanned, Source, Visitors};
use ddpatrol_pack::ObjectId;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many bytes the buffers of all workers may hold together.
const BUDGET: usize = 192 << 20;
/// How many missing objects are named.
const MOST_NAMED: usize = 3;

/// What to read and how.
#[derive(Clone, Debug)]
pub struct HistoryOptions {
    /// How many workers.
    pub threads: usize,
    /// The context that windows keep.
    pub context: Context,
}

/// A repository's history as a source.
#[derive(Debug)]
pub struct History {
    repository: Repository,
    /// The folder that paths in the repository are told below, as the user reached it.
    root: PathBuf,
    options: HistoryOptions,
}

impl History {
    /// Prepares to read a repository that was reached by `root`.
    #[must_use]
    pub fn new(repository: Repository, root: PathBuf, options: HistoryOptions) -> Self {
        Self { repository, root, options }
    }

    fn report(&self, run: &Run, kind: Gap, message: impl Into<String>) {
        run.report(kind, Some(self.root.clone()), message);
    }

    fn open(&self, run: &Run) -> Store {
        let mut folders = vec![self.repository.objects_dir()];
        folders.extend_from_slice(self.repository.alternates());
        Store::open(&folders, self.repository.hash, &mut |problem| {
            self.report(run, Gap::Unread, problem.to_string());
        })
    }

    /// Tells of what could not be read, and of what is cut off.
    fn tell_gaps(&self, objects: &Objects, shallow: &[ObjectId], run: &Run) {
        let broken: BTreeSet<_> = objects.broken.iter().map(|(_, message)| message).collect();
        for message in broken {
            self.report(run, Gap::Unread, message.clone());
        }
        if !shallow.is_empty() {
            let commits = if shallow.len() == 1 { "1 commit" } else { "some commits" };
            let message = format!(
                "this is a shallow clone: what lies before {commits} ({}) is not here; \
                 `git fetch --unshallow` brings it",
                shallow
                    .iter()
                    .take(MOST_NAMED)
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            );
            self.report(run, Gap::Opaque, message);
        }
    }
}

impl Source for History {
    fn visit(&self, visitors: &dyn Visitors, run: &Run) {
        if run.is_interrupted() {
            return;
        }
        let shallow = self.repository.shallow_commits().unwrap_or_else(|error| {
            self.report(run, Gap::Unread, error.to_string());
            Vec::new()
        });
        let mut store = self.open(run);
        let mut objects = Objects::default();
        let means =
            Means { threads: self.options.threads, budget: BUDGET, context: self.options.context };
        ObjectReader { means, visitors, run }.read(&mut store, &mut objects);
        if run.is_interrupted() {
            return;
        }
        self.tell_gaps(&objects, &shallow, run);
        let refs = self.repository.refs().unwrap_or_else(|error| {
            let message = format!("where tokens came in is not known: {error}");
            self.report(run, Gap::Unread, message);
            super::repo::Refs::default()
        });
        run.scanned(Scanned { root: self.root.clone(), head: refs.head });
        let mut names = visitors.make();
        for reference in &refs.list {
            names.visit(&Blob::whole(Origin::Ref(&self.root, &reference.name), &reference.name));
        }
        for broken in &refs.broken {
            let name = String::from_utf8_lossy(&broken.name);
            self.report(run, Gap::Unread, format!("reference {name}: {}", broken.problem));
        }
        let is_partial = self.repository.is_partial().unwrap_or(false);
        let locator = Locator {
            repository: &self.repository,
            root: &self.root,
            store: &store,
            objects: &objects,
            refs: &refs,
            shallow: &shallow,
            visitors,
            run,
            means,
        };
        locator.missing(is_partial);
        locator.locate();
    }
}

/// Joins a path of a tree to the folder that the repository was reached by.
pub(super) fn join(root: &Path, path: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        root.join(std::ffi::OsStr::from_bytes(path))
    }
    #[cfg(not(unix))]
    root.join(String::from_utf8_lossy(path).as_ref())
}
