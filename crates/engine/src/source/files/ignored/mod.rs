//! Ignore rules of git work trees.
//!
//! Input: the paths of a walk, folders before their contents. Output: `true` for paths that `.gitignore`
//! files, `info/exclude` or `core.excludesFile` exclude, by git's rules (gitignore(5)):
//! no brace expansion, no symbolic links, and rules end at the top of a work tree. This module
//! does not check whether git tracks an ignored file.

mod pattern;

use crate::PathKind;
use crate::source::git::repo::{ExcludesFile, Repository};
use crate::source::{Issue, Run};
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};
use pattern::{Case, Pattern};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The ignore rules of all work trees that a walk enters.
#[derive(Debug)]
pub(super) struct Ignored {
    user: UserRules,
    /// The rules for each folder that has rules of its own, and for tops of work trees. They also apply below
    /// the folder.
    folders: RwLock<HashMap<PathBuf, Arc<Rules>>>,
}

/// Ignore settings of the user.
#[derive(Clone, Debug, Default)]
pub struct UserRules {
    /// The user's `core.excludesFile`, for repositories that set none.
    pub excludes_file: Option<PathBuf>,
    /// The home folder, which a repository's `core.excludesFile` can refer to.
    pub home: Option<PathBuf>,
}

/// The rules that apply in a folder.
#[derive(Debug)]
pub(super) struct Rules {
    /// The path of the folder in the walk.
    folder: PathBuf,
    /// Its path from the top of the work tree with `/` after each name; empty for the top.
    from_top: Vec<u8>,
    /// Rules of the folder and of those above it, highest precedence first.
    lists: Vec<Arc<RuleList>>,
    case: Case,
}

/// The rules of one file.
#[derive(Debug)]
struct RuleList {
    /// The length of [`Rules::from_top`] for the folder that the patterns are relative to.
    base: usize,
    /// Patterns in the order of the file; the last match decides.
    patterns: Vec<Pattern>,
}

/// A path to check against ignore rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathEntry<'a> {
    pub(super) path: &'a Path,
    pub(super) kind: PathKind,
}

impl Ignored {
    pub(super) fn new(user: UserRules) -> Self {
        Self { user, folders: RwLock::default() }
    }

    /// Reads the rules for a folder that the user named, including the rules above it.
    ///
    /// If the folder or all of its contents are ignored, the rules above it do not apply, because the user
    /// named it.
    pub(super) fn enter_root(&self, folder: &Path, run: &Run) {
        let Ok(whole) = folder.canonicalize() else { return };
        let is_top = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
        let Some(top) = whole.ancestors().find(is_top) else { return };
        let Ok(below) = whole.strip_prefix(top) else { return };
        let mut rules = self.top(top, run);
        rules.read(run);
        let mut path = top.to_owned();
        let mut is_ignored = false;
        for name in below {
            let entry = PathEntry { path: &path.join(name), kind: PathKind::Folder };
            is_ignored |= rules.ignore(entry);
            path.push(name);
            rules = rules.below(&path);
            rules.read(run);
        }
        // No file has this name; a pattern that matches it matches everything.
        let any = PathEntry { path: &path.join("\u{1}"), kind: PathKind::File };
        if !below.as_os_str().is_empty() && (is_ignored || rules.ignore(any)) {
            let base = rules.from_top.len();
            rules.lists.retain(|list| list.base == base);
        }
        rules.folder = folder.to_owned();
        self.insert(rules);
    }

    /// Reads the rules of the top of a work tree that the walk has entered.
    pub(super) fn enter_top(&self, folder: &Path, run: &Run) {
        let mut rules = self.top(folder, run);
        rules.read(run);
        self.insert(rules);
    }

    /// Reads the rules of a folder that the walk has entered, to be added to those `above` it.
    pub(super) fn enter(&self, folder: &Path, above: &Rules, run: &Run) {
        let before = above.lists.len();
        let mut rules = above.below(folder);
        rules.read(run);
        if rules.lists.len() > before {
            self.insert(rules);
        }
    }

    /// Returns the rules for the contents of a folder; `None` outside of work trees.
    pub(super) fn rules(&self, folder: &Path) -> Option<Arc<Rules>> {
        let folders = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        if folders.is_empty() {
            return None;
        }
        folder.ancestors().find_map(|it| folders.get(it)).map(Arc::clone)
    }

    fn insert(&self, rules: Rules) {
        let mut folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        folders.insert(rules.folder.clone(), Arc::new(rules));
    }

    /// Returns the rules for the whole work tree at `folder`: `info/exclude` before `core.excludesFile`. A
    /// `.git` that is not a repository has neither.
    fn top(&self, folder: &Path, run: &Run) -> Rules {
        let repository = Repository::at(folder).ok().flatten();
        let folds = repository.as_ref().is_some_and(Repository::ignores_case);
        let case = if folds { Case::Folded } else { Case::Sensitive };
        let mut rules =
            Rules { folder: folder.to_owned(), from_top: Vec::new(), lists: Vec::new(), case };
        let exclude = repository.as_ref().map(|it| it.common_dir.join("info/exclude"));
        let own = repository.as_ref().map(|it| it.excludes_file(self.user.home.as_deref()));
        let global = match own.unwrap_or(ExcludesFile::Unset) {
            ExcludesFile::Unset => self.user.excludes_file.clone(),
            ExcludesFile::None => None,
            ExcludesFile::File(path) => Some(path),
        };
        for path in [exclude, global].into_iter().flatten() {
            rules.lists.extend(RuleList::read(
                &path,
                ListOptions { base: 0, case },
                Links::Follow,
                run,
            ));
        }
        rules
    }
}

impl Rules {
    /// Returns `true` if git ignores the entry, which must be in the folder or below it.
    ///
    /// The result is not valid for entries of an ignored folder, which a walk does not enter.
    pub(super) fn ignore(&self, entry: PathEntry<'_>) -> bool {
        if self.lists.is_empty() {
            return false;
        }
        let path = self.path_from_top(entry.path);
        let matching = self.lists.iter().find_map(|list| {
            let path = &path[list.base..];
            list.patterns.iter().rev().find(|pattern| pattern.matches(path, entry.kind))
        });
        matching.is_some_and(|pattern| !pattern.is_negative)
    }

    /// Returns the path of an entry in the folder or below it, from the top of the work tree.
    fn path_from_top(&self, path: &Path) -> Vec<u8> {
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        let mut from_top = self.from_top.clone();
        for (at, name) in below.iter().enumerate() {
            if at > 0 {
                from_top.push(b'/');
            }
            from_top.extend_from_slice(name.as_encoded_bytes());
        }
        from_top
    }

    /// Returns the same rules for a folder below, without its own rules.
    fn below(&self, folder: &Path) -> Self {
        let mut from_top = self.path_from_top(folder);
        from_top.push(b'/');
        Self { folder: folder.to_owned(), from_top, lists: self.lists.clone(), case: self.case }
    }

    /// Adds the rules of the folder's own `.gitignore`, before all others.
    fn read(&mut self, run: &Run) {
        let path = self.folder.join(".gitignore");
        let options = ListOptions { base: self.from_top.len(), case: self.case };
        if let Some(list) = RuleList::read(&path, options, Links::Refuse, run) {
            self.lists.insert(0, list);
        }
    }
}

/// How to interpret the patterns of a file.
#[derive(Clone, Copy, Debug)]
struct ListOptions {
    /// See [`RuleList::base`].
    base: usize,
    case: Case,
}

impl RuleList {
    /// Reads a file; `None` if it does not exist, cannot be read (which is reported) or has no rules.
    fn read(path: &Path, options: ListOptions, links: Links, run: &Run) -> Option<Arc<Self>> {
        match regular::read(path, links, MAX_TEXT) {
            Ok(bytes) => {
                let patterns = pattern::parse(&bytes, options.case);
                (!patterns.is_empty()).then(|| Arc::new(Self { base: options.base, patterns }))
            }
            Err(error) if is_absent(&error) => None,
            Err(source) => {
                run.report(Issue::IgnoreRules { source }, Some(path.to_owned()));
                None
            }
        }
    }
}

/// Returns `true` if the file does not exist or is a folder: git ignores both.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
