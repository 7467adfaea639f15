//! Lists the repositories of a scan: those that the user named, those that a walk of files discovered,
//! and their submodules; each once.

use super::admin_files::AdminFiles;
use crate::source::archive::{Packed, Packs};
use crate::source::files::{Discovered, FilesOptions};
use crate::source::{Code, Run, Severity};
use ddpatrol_git::history::{History, HistoryOptions};
use ddpatrol_git::repo::{RepoError, Repository};
use ddpatrol_scan::lock::lock;
use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

/// The repositories of a scan.
#[derive(Debug)]
pub struct Repositories {
    /// The repositories that the user named, each with the folder that its paths are told below.
    named: Vec<(Repository, PathBuf)>,
    discovered: Discovered,
    /// Those that lay in archives.
    packs: Packs,
    options: HistoryOptions,
    /// How the files of the repositories themselves are read.
    files: FilesOptions,
}

impl Repositories {
    /// Prepares to read named repositories and those that are listed by then: met ones, and those that
    /// lay in archives; of the paths in `files` none is read.
    #[must_use]
    pub fn new(
        named: Vec<(Repository, PathBuf)>,
        discovered: Discovered,
        packs: Packs,
        options: HistoryOptions,
        files: FilesOptions,
    ) -> Self {
        Self { named, discovered, packs, options, files }
    }
}

/// A repository, and what to read of it.
pub struct RepositoryEntry<'a> {
    /// Its history.
    pub history: &'a History,
    /// The files of the repository itself; `None` if it lay in an archive, which was scanned.
    pub admin_files: Option<AdminFiles<'a>>,
}

impl Repositories {
    /// Calls `on_entry` with each repository, until the run is interrupted.
    pub fn each(&self, run: &Run, on_entry: &mut dyn FnMut(RepositoryEntry<'_>)) {
        let mut known = HashSet::new();
        let mut open = VecDeque::from(self.named.clone());
        let mut discovered = lock(&self.discovered).clone();
        discovered.sort();
        for path in discovered {
            let root = root_of(&path);
            match Repository::at(root) {
                Ok(Some(repository)) => open.push_back((repository, root.to_owned())),
                // A folder that only bears the name is read as files by whoever names it.
                Ok(None) => run.report_message(
                    Severity::Opaque,
                    Code::NotARepository,
                    Some(path),
                    "it is no repository of git",
                ),
                Err(error) => report_unreadable(run, path, &error),
            }
        }
        // Submodules come last: one that is checked out was discovered, and its paths are those of its work
        // tree.
        while let Some((repository, root)) = open.pop_front() {
            if run.is_interrupted() {
                return;
            }
            let common = &repository.common_dir;
            if !known.insert(std::fs::canonicalize(common).unwrap_or_else(|_| common.clone())) {
                continue;
            }
            match repository.submodule_git_dirs() {
                Ok(folders) => {
                    for folder in folders {
                        match Repository::at(&folder) {
                            Ok(Some(inner)) => open.push_back((inner, folder)),
                            Ok(None) => {}
                            Err(error) => report_unreadable(run, folder, &error),
                        }
                    }
                }
                Err(error) => report_unreadable(run, root.clone(), &error),
            }
            let common = repository.common_dir.clone();
            let files = AdminFiles { common, root: root.clone(), options: &self.files };
            let history = History::new(repository, root, self.options.clone());
            on_entry(RepositoryEntry { history: &history, admin_files: Some(files) });
        }
        self.each_packed(run, on_entry);
    }

    /// Calls `on_entry` with the repositories that lay in archives, and removes their folders.
    fn each_packed(&self, run: &Run, on_entry: &mut dyn FnMut(RepositoryEntry<'_>)) {
        let mut packs = lock(&self.packs);
        let mut packs = std::mem::take(&mut *packs);
        packs.sort_by(|a, b| a.git_dir.cmp(&b.git_dir));
        // A state names repositories by where they lie, which these do not do for long.
        let options = HistoryOptions { state: None, ..self.options.clone() };
        for Packed { folder, git_dir, root } in packs {
            if run.is_interrupted() {
                return;
            }
            match Repository::at(folder.path()) {
                Ok(Some(repository)) => {
                    let repository = repository.told_as(git_dir);
                    let history = History::new(repository, root, options.clone());
                    on_entry(RepositoryEntry { history: &history, admin_files: None });
                }
                Ok(None) => run.report_message(
                    Severity::Unread,
                    Code::NotARepository,
                    Some(git_dir),
                    "it is no whole repository",
                ),
                Err(error) => report_unreadable(run, git_dir, &error),
            }
        }
    }
}

/// The folder that holds a `.git`, or a bare repository itself.
#[must_use]
pub fn root_of(path: &Path) -> &Path {
    match path.file_name() {
        Some(name) if name == ".git" => path.parent().unwrap_or(path),
        _ => path,
    }
}

/// Reports a repository that cannot be opened or asked.
fn report_unreadable(run: &Run, path: PathBuf, error: &RepoError) {
    run.report_message(Severity::Unread, Code::RepositoryUnreadable, Some(path), error.to_string());
}
