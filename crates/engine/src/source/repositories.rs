//! Lists the repositories of a scan: those that the user named, those that a walk of files discovered,
//! and their submodules; each once.

use super::admin_files::AdminFiles;
use crate::source::Run;
use crate::source::archive::{ExtractedRepo, ExtractedRepos};
use crate::source::files::{Discovered, FilesOptions};
use ddpatrol_git::history::{History, HistoryOptions};
use ddpatrol_git::repo::{RepoError, Repository};
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::path::lexical;
use ddpatrol_scan::place::Place;
use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

/// The repositories of a scan.
#[derive(Debug)]
pub struct Repositories {
    /// The repositories that the user named, each with the folder that its reported paths start with.
    named: Vec<(Repository, PathBuf)>,
    discovered: Discovered,
    /// Repositories extracted from archives.
    packs: ExtractedRepos,
    options: HistoryOptions,
    /// Options for reading the administrative files.
    files: FilesOptions,
}

impl Repositories {
    /// Prepares to read the named repositories, and those in `discovered` and `packs` at the time of reading.
    /// The paths in `files` are not read.
    #[must_use]
    pub fn new(
        named: Vec<(Repository, PathBuf)>,
        discovered: Discovered,
        packs: ExtractedRepos,
        options: HistoryOptions,
        files: FilesOptions,
    ) -> Self {
        Self { named, discovered, packs, options, files }
    }
}

/// A repository and its content to scan.
pub struct RepositoryEntry<'a> {
    /// Its history.
    pub history: &'a History,
    /// Its administrative files; `None` for a repository in an archive, which was scanned as an archive.
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
                // A folder that is only named `.git` is scanned as files if the user names it.
                Ok(None) => run.report(GitIssue::NotAGitFolder, Some(path)),
                Err(error) => report_unreadable(run, path, error),
            }
        }
        // Submodules come last: a submodule that is checked out was discovered by the walk, and then has
        // the paths of its work tree.
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
                            Err(error) => report_unreadable(run, folder, error),
                        }
                    }
                }
                Err(error) => report_unreadable(run, root.clone(), error),
            }
            let mut common = repository.common_dir.clone();
            if common != repository.git_dir {
                // A linked work tree reaches it by `..`, which reports should not show.
                common = lexical(&common);
            }
            let files = AdminFiles { common, root: root.clone(), options: &self.files };
            let history = History::new(repository, root.into(), self.options.clone());
            on_entry(RepositoryEntry { history: &history, admin_files: Some(files) });
        }
        self.each_packed(run, on_entry);
    }

    /// Calls `on_entry` with the repositories extracted from archives, and deletes their folders.
    fn each_packed(&self, run: &Run, on_entry: &mut dyn FnMut(RepositoryEntry<'_>)) {
        let mut packs = lock(&self.packs);
        let mut packs = std::mem::take(&mut *packs);
        packs.sort_by(|a, b| a.git_dir.cmp(&b.git_dir));
        // The state identifies repositories by path, and these paths are temporary.
        let options = HistoryOptions { state: None, ..self.options.clone() };
        for ExtractedRepo { folder, git_dir, root } in packs {
            if run.is_interrupted() {
                return;
            }
            match Repository::at(folder.path()) {
                Ok(Some(repository)) => {
                    let repository = repository.reported_as(git_dir);
                    let history = History::new(repository, root, options.clone());
                    on_entry(RepositoryEntry { history: &history, admin_files: None });
                }
                Ok(None) => run.report(GitIssue::ExtractedIncomplete, Some(git_dir)),
                Err(error) => report_unreadable(run, git_dir, error),
            }
        }
    }
}

/// Returns the folder that contains a `.git`, or a bare repository itself.
#[must_use]
pub fn root_of(path: &Path) -> &Path {
    match path.file_name() {
        Some(name) if name == ".git" => path.parent().unwrap_or(path),
        _ => path,
    }
}

/// Returns the top of the work tree of a git directory, or a bare repository itself.
///
/// The git directory of a linked work tree contains the path of that work tree. If the work tree no longer
/// exists, this returns the top of the repository that it was linked to.
#[must_use]
pub fn top_of_git_dir(path: &Path) -> PathBuf {
    let is_linked = path.join("commondir").is_file();
    match is_linked.then(|| Repository::at(path)) {
        Some(Ok(Some(Repository { work_tree: Some(top), .. }))) if top.exists() => lexical(&top),
        Some(Ok(Some(repository))) => root_of(&lexical(&repository.common_dir)).to_owned(),
        _ => root_of(path).to_owned(),
    }
}

/// Reports a repository that cannot be opened or read.
fn report_unreadable(run: &Run, place: impl Into<Place>, error: RepoError) {
    run.report(GitIssue::RepositoryUnreadable { source: error.into() }, Some(place));
}
