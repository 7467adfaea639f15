//! Paths in reports: relative to the repository, and to the base of URIs.
//!
//! Input: the paths of locations as the scan reached them. Output: the path relative to the top of the
//! location's work tree, and its URI for SARIF and annotations. This file searches for `.git` in the folders
//! above a location; it reads no scanned content.

use ddpatrol_engine::scan::Outcome;
use ddpatrol_engine::source::git::repo::Repository;
use ddpatrol_engine::source::repositories::{root_of, top_of_git_dir};
use ddpatrol_scan::finding::roots::Roots;
use ddpatrol_scan::finding::{Location, Part, Trace};
use ddpatrol_scan::path::lexical;
use ddpatrol_scan::place::{Place, plain};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Finds the repository of a path and the base of all URIs of a report, and caches the results.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The folder that relative paths of locations are relative to.
    here: PathBuf,
    /// The working directory of the program.
    working: PathBuf,
    /// The tops of the work trees that contain the scanned paths.
    tops: Vec<PathBuf>,
    /// Scanned paths that contain symbolic links, and their targets.
    links: HashMap<PathBuf, PathBuf>,
    /// The base that the user requested.
    base: Option<PathBuf>,
    /// For each inspected folder, the top of the repository around it.
    known: HashMap<PathBuf, Option<Arc<Path>>>,
    /// The tops of git directories.
    git_dirs: HashMap<PathBuf, PathBuf>,
    /// The folders that the work trees of a repository share, by the tops of the work trees.
    shared: HashMap<PathBuf, PathBuf>,
    /// The first work tree of each repository, by the folder that its work trees share.
    first: HashMap<PathBuf, PathBuf>,
    /// The result for the last location: a file often has many consecutive locations.
    last: Option<LastLocation>,
}

/// A location and the repository that it is in.
#[derive(Clone, Debug)]
struct LastLocation {
    key: Key,
    within: Option<Within>,
}

/// The data that determines the repository of a location.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    place: Place,
    git_dir: Option<Place>,
    is_change: bool,
}

/// The folder that URIs are relative to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base<'a>(&'a Path);

/// A path in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Within {
    pub(crate) top: Arc<Path>,
    /// The path below the top.
    pub(crate) below: Arc<Path>,
    /// The path of the file below the top: for the member of an archive, of the outermost archive.
    pub(crate) file: Arc<Path>,
}

/// The absolute path of a place.
#[derive(Clone, Debug)]
struct WholePath {
    path: PathBuf,
    /// The path of the file: for the member of an archive, of the outermost archive.
    file: PathBuf,
}

impl Within {
    fn new(whole: &WholePath, top: impl Into<Arc<Path>>) -> Option<Self> {
        let top = top.into();
        let below = |path: &Path| Some(Arc::from(path.strip_prefix(&top).ok()?));
        let (below, file) = (below(&whole.path)?, below(&whole.file)?);
        Some(Self { top, below, file })
    }

    /// Returns `true` for the member of an archive.
    pub(crate) fn is_member(&self) -> bool {
        self.below != self.file
    }

    /// Returns `true` if URIs are relative to the top of this repository.
    pub(crate) fn is_at(&self, base: Base<'_>) -> bool {
        *self.top == *base.0
    }
}

impl Paths {
    /// Prepares for the locations of a scan of `scanned`.
    ///
    /// `base` is the folder of `--path-base`.
    #[must_use]
    pub fn new(roots: &Roots, scanned: &[PathBuf], base: Option<&Path>) -> Self {
        let links = scanned.iter().filter_map(|path| {
            let named = roots.whole(path);
            let real = path.canonicalize().ok().filter(|real| *real != named)?;
            Some((named, real))
        });
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| lexical(path));
        let working = std::env::current_dir().unwrap_or_else(|_| roots.here.clone());
        Self {
            here: roots.here.clone(),
            base: base.map(|base| real(&working.join(base))),
            working,
            tops: roots.tops.clone(),
            links: links.collect(),
            known: HashMap::new(),
            git_dirs: HashMap::new(),
            shared: HashMap::new(),
            first: HashMap::new(),
            last: None,
        }
    }

    /// Returns `true` if `git` finds this repository when started in the working directory.
    pub(crate) fn is_current(&mut self, top: &Path) -> bool {
        let working = self.working.clone();
        self.top_of(&working).is_some_and(|it| *it == *top)
    }

    /// Returns the top of the repository with a git directory.
    pub(crate) fn top_of_git_dir(&mut self, git_dir: &Path) -> PathBuf {
        if let Some(top) = self.git_dirs.get(git_dir) {
            return top.clone();
        }
        let top = top_of_git_dir(&self.whole(git_dir));
        self.git_dirs.insert(git_dir.to_owned(), top.clone());
        top
    }

    /// Returns the work tree that commands for a repository run in: the current one if it belongs to the
    /// repository, otherwise the first of the repository that this was called with.
    pub(crate) fn command_top(&mut self, top: PathBuf) -> PathBuf {
        let shared = self.shared(&top);
        let working = self.working.clone();
        // The current folder may also be in a `.git` folder.
        if let Some(current) = self.top_of(&working)
            && current.join(".git").exists()
            && self.shared(&current) == shared
        {
            return current.to_path_buf();
        }
        self.first.entry(shared).or_insert(top).clone()
    }

    /// Returns the folder that all work trees of a repository share, or `top` if there is no repository.
    fn shared(&mut self, top: &Path) -> PathBuf {
        if let Some(shared) = self.shared.get(top) {
            return shared.clone();
        }
        let repository = Repository::at(top).ok().flatten();
        let shared = repository.map_or_else(|| top.to_owned(), |it| it.common_dir);
        let shared = shared.canonicalize().unwrap_or(shared);
        self.shared.insert(top.to_owned(), shared.clone());
        shared
    }

    /// Returns the absolute path.
    pub(crate) fn whole(&self, path: &Path) -> PathBuf {
        let whole = lexical(&self.here.join(path));
        if self.links.is_empty() {
            return whole;
        }
        let real = whole.ancestors().find_map(|named| Some((named, self.links.get(named)?)));
        match real.and_then(|(named, real)| Some((real, whole.strip_prefix(named).ok()?))) {
            Some((real, below)) if below.as_os_str().is_empty() => real.clone(),
            Some((real, below)) => real.join(below),
            None => whole,
        }
    }

    /// Returns the repository that a location is in, and its path there.
    ///
    /// A file in a submodule is in the submodule. The content of a repository in an archive is in the
    /// repository that contains the archive.
    pub(crate) fn within(&mut self, location: &Location) -> Option<Within> {
        let place = location.path.as_ref().filter(|_| location.part != Part::Ref)?;
        let git_dir = location.trace.as_deref().map(|trace| &trace.repository);
        let is_change = location.change_status.is_some();
        if let Some(LastLocation { key, within }) = &self.last
            && key.place == *place
            && key.git_dir.as_ref() == git_dir
            && key.is_change == is_change
        {
            return within.clone();
        }
        let within = self.find_within(location, place);
        let key = Key { place: place.clone(), git_dir: git_dir.cloned(), is_change };
        self.last = Some(LastLocation { key, within: within.clone() });
        within
    }

    fn find_within(&mut self, location: &Location, place: &Place) -> Option<Within> {
        let whole = self.whole_of(place);
        if location.change_status.is_some() {
            return Within::new(&whole, &*self.here);
        }
        let git_dir = location.trace.as_deref().and_then(|trace| trace.repository.as_file());
        if git_dir.is_none() && is_stdin(place) {
            return None;
        }
        let traced = git_dir.and_then(|it| Within::new(&whole, self.whole(root_of(it))));
        // The repository was reached by its `.git`, which no tree can contain.
        let traced =
            traced.map(|it| match (it.below.strip_prefix(".git"), it.file.strip_prefix(".git")) {
                (Ok(below), Ok(file)) => Within { below: below.into(), file: file.into(), ..it },
                _ => it,
            });
        traced.or_else(|| Within::new(&whole, self.top_above(&whole.file)?))
    }

    /// Returns the absolute path of a place.
    fn whole_of(&self, place: &Place) -> WholePath {
        let path = self.whole(&place.path());
        let file = match place.container() {
            Some(_) => self.whole(&place.outermost().path()),
            None => path.clone(),
        };
        WholePath { path, file }
    }

    /// Returns the repository that content in a history is in, and its path there.
    pub(crate) fn traced_within(&mut self, place: &Place, trace: &Trace) -> Option<Within> {
        let git_dir = trace.introduced.as_ref().and(trace.repository.as_file())?;
        Within::new(&self.whole_of(place), self.whole(root_of(git_dir)))
    }

    /// Returns the repository that a file is in, and its path there.
    pub(crate) fn file_within(&mut self, place: &Place) -> Option<Within> {
        let whole = self.whole_of(place);
        let top = match is_stdin(place) {
            true => return None,
            false if whole.file.is_dir() => self.top_of(&whole.file)?,
            false => self.top_above(&whole.file)?,
        };
        Within::new(&whole, top)
    }

    /// Returns the top of the repository around a file.
    fn top_above(&mut self, file: &Path) -> Option<Arc<Path>> {
        // The files of a `.git` folder belong to the work tree that it is in.
        let git = file.ancestors().filter(|it| it.file_name().is_some_and(|name| name == ".git"));
        self.top_of(git.last().unwrap_or(file).parent()?)
    }

    /// Returns the top of the repository that a folder is, or is in.
    fn top_of(&mut self, folder: &Path) -> Option<Arc<Path>> {
        let mut visited = Vec::new();
        let mut found = None;
        for folder in folder.ancestors() {
            if let Some(top) = self.known.get(folder) {
                found = top.clone();
                break;
            }
            visited.push(folder);
            if is_top(folder) {
                found = Some(Arc::from(folder));
                break;
            }
        }
        let visited = visited.into_iter().map(|folder| (folder.to_owned(), found.clone()));
        self.known.extend(visited);
        found
    }

    /// Returns the base of URIs: the folder that the user requested; otherwise the top of the repository if
    /// all locations are in one, or the deepest folder that contains all repositories.
    pub(crate) fn base(&mut self, outcome: &Outcome) -> PathBuf {
        if let Some(base) = &self.base {
            return base.clone();
        }
        let read = outcome.repositories.iter().filter_map(|it| it.root.as_file());
        let mut tops: Vec<PathBuf> = read.map(|root| self.whole(root_of(root))).collect();
        tops.extend(self.tops.iter().cloned());
        for location in outcome.findings.iter().flat_map(|it| &it.locations) {
            let Some(place) = &location.path else { continue };
            match self.within(location) {
                Some(within) if tops.iter().any(|top| **top == *within.top) => {}
                Some(within) => tops.push(within.top.to_path_buf()),
                // The path of a file outside of all repositories is relative to the folder of the scan.
                None if location.part == Part::Ref || tops.contains(&self.here) => {}
                None if is_stdin(place) => {}
                None if self.whole(&place.path()).starts_with(&self.here) => {
                    tops.push(self.here.clone());
                }
                None => {}
            }
        }
        let common = |a: PathBuf, b: PathBuf| -> PathBuf {
            a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
        };
        let base = tops.into_iter().reduce(common).filter(|base| !base.as_os_str().is_empty());
        base.unwrap_or_else(|| self.here.clone())
    }

    /// Returns the path of a place relative to the base, if it is below.
    pub(crate) fn below(&self, place: &Place, base: Base<'_>) -> Option<PathBuf> {
        let path = place.path();
        if is_stdin(place) {
            return Some(path.into_owned());
        }
        let whole = self.whole(&path);
        match whole.strip_prefix(base.0) {
            Ok(below) => Some(below.to_owned()),
            // `../x`, outside of any repository.
            Err(_) if base.0 == self.here && path.is_relative() => Some(plain(&path)),
            Err(_) => None,
        }
    }
}

impl<'a> Base<'a> {
    pub(crate) fn new(folder: &'a Path) -> Self {
        Self(folder)
    }
}

/// Returns `true` if a folder is the top of a work tree or a bare repository.
fn is_top(folder: &Path) -> bool {
    let resembles = |name: &str| folder.join(name).symlink_metadata().is_ok();
    // The git directory of a linked work tree is no repository of its own.
    let is_bare = || resembles("HEAD") && !resembles("commondir");
    (resembles(".git") || is_bare()) && matches!(Repository::at(folder), Ok(Some(_)))
}

/// Returns the archive that contains a location; `None` if it is in no archive.
pub(super) fn archive(location: &Location) -> Option<&Place> {
    let place = location.path.as_ref().filter(|_| location.part != Part::Ref)?;
    place.is_member().then(|| place.outermost())
}

/// Returns `true` for standard input, and for a member of an archive in it.
fn is_stdin(place: &Place) -> bool {
    matches!(place.outermost(), Place::Stdin)
}

#[cfg(test)]
mod tests;
