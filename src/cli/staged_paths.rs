//! The paths given to `ddpatrol staged`.
//!
//! Input: paths as the user or the pre-commit framework passes them, and the staged changes.
//! Output: the changes at these paths, and sources for the paths that are not staged, which are
//! scanned whole. Does not scan.

use super::scan::user_rules;
use super::scan_run::{Inputs, ScanContext};
use crate::scan::Input;
use crate::source::archive::{ArchiveOptions, ArchiveSettings};
use crate::source::files::{Files, FilesOptions};
use crate::source::git::repo::{StagedChange, Status};
use crate::source::text::TextSource;
use anyhow::Context;
use ddpatrol_scan::add;
use ddpatrol_scan::path::lexical;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The content that paths select.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The staged changes at the paths, and HEAD's versions of the other changed paths.
    pub(super) changes: Vec<StagedChange>,
    /// Paths that are not staged, and whose files are scanned whole.
    unstaged: Vec<PathBuf>,
    /// The staged files below folders among them.
    staged: Vec<PathBuf>,
}

impl Selection {
    /// Selects from `changes`, whose paths are relative to `top`, by paths relative to the current
    /// folder.
    pub(super) fn new(
        paths: &[PathBuf],
        changes: Vec<StagedChange>,
        top: &Path,
    ) -> anyhow::Result<Self> {
        let here =
            std::env::current_dir().context("cannot read the current folder; was it removed?")?;
        let mut places = PathResolver { here, top, parents: HashMap::new() };
        let changed: HashSet<&[u8]> = changes.iter().map(|it| &it.path[..]).collect();
        let renamed = changes.iter().filter(|it| it.status == Status::Renamed);
        let gone: HashSet<&[u8]> = renamed.filter_map(|it| it.old_path.as_deref()).collect();
        let mut selected: HashSet<Vec<u8>> = HashSet::new();
        let mut folders: Vec<Vec<u8>> = Vec::new();
        let mut unstaged = Vec::new();
        for path in paths {
            let (path, below) = places.find(path);
            let Some(below) = below else {
                unstaged.push(path);
                continue;
            };
            let metadata = path.symlink_metadata();
            let is_gone = metadata.is_err() && gone.contains(&below[..]);
            if metadata.is_ok_and(|it| it.is_dir()) && !changed.contains(&below[..]) {
                folders.push(below);
                unstaged.push(path);
            } else if changed.contains(&below[..]) {
                selected.insert(below);
            } else if !is_gone {
                unstaged.push(path);
            }
        }
        let is_below = |path: &[u8]| {
            folders.iter().any(|folder| {
                folder.is_empty()
                    || path.strip_prefix(&folder[..]).is_some_and(|rest| rest.starts_with(b"/"))
            })
        };
        let (in_folders, others): (Vec<StagedChange>, Vec<StagedChange>) =
            changes.into_iter().partition(|it| is_below(&it.path));
        let staged = in_folders.iter().map(|it| top.join(path_of(&it.path))).collect();
        let (mut chosen, rest): (Vec<StagedChange>, Vec<StagedChange>) =
            others.into_iter().partition(|it| selected.contains(&it.path));
        chosen.extend(in_folders);
        if !chosen.is_empty() {
            // The other changes are not scanned, but a token may have moved from their old versions.
            chosen.extend(rest.into_iter().map(|it| StagedChange { new: None, ..it }));
        }
        Ok(Self { changes: chosen, unstaged, staged })
    }

    /// Creates the sources for the paths that are not staged.
    pub(super) fn sources(
        self,
        archives: Option<ArchiveOptions>,
        scan_context: &ScanContext<'_>,
    ) -> anyhow::Result<Inputs> {
        let mut sources: Inputs = Vec::new();
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for path in self.unstaged {
            // The pre-commit framework passes files that the user did not name.
            if scan_context
                .exclude
                .has_below(&lexical(&scan_context.here.join(&path)), scan_context.here)
            {
                add(&scan_context.run.tally.excluded, 1);
                continue;
            }
            match path.symlink_metadata() {
                Ok(metadata) if metadata.is_symlink() => {
                    // Git stores the target path of a link.
                    let target = std::fs::read_link(&path)
                        .with_context(|| format!("cannot read symbolic link {}", path.display()))?;
                    let bytes = target.as_os_str().as_encoded_bytes().to_vec();
                    sources.push(Input::source(TextSource { path, bytes }));
                }
                Ok(metadata) if metadata.is_dir() => {
                    let is_top = path.canonicalize().is_ok_and(|it| it == scan_context.here);
                    if !is_top && path.join(".git").symlink_metadata().is_ok() {
                        let path = path.display();
                        scan_context.run.note(format!("{path} is another repository: not scanned"));
                    } else {
                        folders.push(path);
                    }
                }
                _ => files.push(path),
            }
        }
        // Named files are read even if an ignore file excludes them.
        for (paths, no_ignore) in [(files, true), (folders, false)] {
            if paths.is_empty() {
                continue;
            }
            let mut own = scan_context.own.clone();
            own.extend(self.staged.iter().filter_map(|path| path.canonicalize().ok()));
            let unpacking = archives.map(|options| ArchiveSettings { options, repositories: None });
            sources.push(Input::source(Files::new(FilesOptions {
                paths,
                no_ignore,
                user_rules: user_rules(),
                exclude: Vec::new(),
                configured: scan_context.exclude.clone(),
                here: scan_context.here.to_owned(),
                max_file_size: None,
                own,
                threads: scan_context.workers.count(),
                context: scan_context.context,
                archives: unpacking,
                repositories: None,
                is_store: false,
            })?));
        }
        Ok(sources)
    }
}

/// Finds paths below the top of a work tree.
struct PathResolver<'a> {
    here: PathBuf,
    top: &'a Path,
    /// Folders with links resolved, by the given path.
    parents: HashMap<PathBuf, PathBuf>,
}

impl PathResolver<'_> {
    /// Returns a path for reports and, if it is below the top, git's path. Links in the folders above
    /// it are resolved; the path itself is not followed.
    fn find(&mut self, path: &Path) -> (PathBuf, Option<Vec<u8>>) {
        let whole = lexical(&self.here.join(path));
        let place = match (whole.parent(), whole.file_name()) {
            _ if whole == self.top => whole.clone(),
            (Some(parent), Some(name)) => {
                let resolve = || parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
                self.parents.entry(parent.to_owned()).or_insert_with(resolve).join(name)
            }
            _ => whole.clone(),
        };
        let Ok(below) = place.strip_prefix(self.top) else { return (path.to_owned(), None) };
        let parts: Vec<&[u8]> = below.iter().map(|part| part.as_encoded_bytes()).collect();
        let git_path = parts.join(&b'/');
        // The paths of staged content are relative to the top as well.
        let is_relative = self.here == self.top && !below.as_os_str().is_empty();
        (if is_relative { below.to_owned() } else { place.clone() }, Some(git_path))
    }
}

/// Converts git's bytes to a path.
fn path_of(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
    }
    #[cfg(not(unix))]
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
