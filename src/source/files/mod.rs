//! Files and folders: a parallel walk, one reused buffer per worker.
//!
//! Hidden files are read, `.git` folders are not. Inside a git work tree what `.gitignore` and its
//! kin exclude is left out and counted, unless git tracks it. Symbolic links are not followed; devices, sockets and pipes
//! are not read. File and folder names are blobs too: they can hold tokens. What turns out to be an
//! archive is walked when it has been looked at as it is.

mod ignored;
mod tracked;
mod watched;
mod worker;

use self::ignored::Ignored;
pub use self::ignored::UserRules;
use self::tracked::{Tracked, TrackedKind};
use self::worker::Worker;
use super::archive::Unpacking;
use super::git::lfs::{Lfs, LfsError, Pointer};
use super::git::repo::{Environment, Repository};
use super::window::Windows;
use super::{Gap, Run, Source, Visitors, add};
use crate::blob::Context;
use crate::config::Exclude;
use crate::finding::baseline::lexical;
use crate::regular;
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What to read and how.
#[derive(Clone, Debug)]
pub struct FilesOptions {
    /// The files and folders to read.
    pub paths: Vec<PathBuf>,
    /// Whether to read what `.gitignore` excludes, too.
    pub no_ignore: bool,
    /// The user's own ignore rules.
    pub user_rules: UserRules,
    /// What to leave out, as `.gitignore` would write it.
    pub exclude: Vec<String>,
    /// What the configuration leaves out.
    pub configured: Exclude,
    /// The folder that relative paths count from.
    pub here: PathBuf,
    /// The largest file to read, in bytes.
    pub max_file_size: Option<u64>,
    /// Files of the scan's own making, which are passed over: reports that are being written.
    pub own: Vec<PathBuf>,
    /// How many workers.
    pub threads: usize,
    /// The context that windows keep.
    pub context: Context,
    /// How archives are read; without it they are looked at as they are.
    pub archives: Option<Unpacking>,
    /// Where the repositories that the walk meets are listed; without it they are counted as left
    /// out.
    pub repositories: Option<Met>,
    /// Whether they are a repository's own files, which are counted apart.
    pub is_store: bool,
}

/// Repositories that a walk has met: their `.git` folders or files, and bare ones.
pub type Met = Arc<Mutex<Vec<PathBuf>>>;

/// Files and folders as a source.
#[derive(Debug)]
pub struct Files {
    options: FilesOptions,
    exclude: Override,
}

/// An exclusion is no glob.
#[derive(Debug, thiserror::Error)]
#[error("--exclude {glob}: {what}")]
pub struct ExcludeError {
    glob: String,
    what: String,
}

impl Files {
    /// Prepares the walk.
    ///
    /// # Errors
    /// [`ExcludeError`] for an exclusion that is no glob.
    pub fn new(options: FilesOptions) -> Result<Self, ExcludeError> {
        let mut builder = OverrideBuilder::new("");
        for glob in &options.exclude {
            let error = |what| ExcludeError { glob: glob.clone(), what };
            if glob.starts_with('!') {
                return Err(error("it takes back nothing; leave out the `!`".to_owned()));
            }
            builder.add(&format!("!{glob}")).map_err(|source| {
                error(match source {
                    ignore::Error::Glob { err, .. } => err,
                    other => other.to_string(),
                })
            })?;
        }
        let exclude = builder.build().map_err(|source| ExcludeError {
            glob: options.exclude.join(" "),
            what: source.to_string(),
        })?;
        Ok(Self { options, exclude })
    }

    fn walk(&self, paths: &[PathBuf]) -> Option<WalkBuilder> {
        let (first, rest) = paths.split_first()?;
        let mut builder = WalkBuilder::new(first);
        rest.iter().for_each(|path| {
            builder.add(path);
        });
        builder.standard_filters(false).follow_links(false).threads(self.options.threads);
        Some(builder)
    }

    fn is_excluded(&self, entry: &DirEntry, depth: usize) -> bool {
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        self.is_path_excluded(entry.path(), depth, is_dir)
    }

    /// Tells whether a path so many folders below one that was named is excluded by itself.
    fn is_path_excluded(&self, path: &Path, depth: usize, is_dir: bool) -> bool {
        if depth == 0 {
            return false;
        }
        let configured = &self.options.configured;
        if !configured.is_empty()
            && configured.has_itself(&lexical(&self.options.here.join(path)), is_dir)
        {
            return true;
        }
        if self.exclude.is_empty() {
            return false;
        }
        let mut below: Vec<_> = path.components().rev().take(depth).collect();
        below.reverse();
        self.exclude.matched(below.iter().collect::<PathBuf>(), is_dir).is_ignore()
    }

    /// Tells whether a file so many folders below a path that was named is excluded, or a folder above it.
    fn is_below_excluded(&self, path: &Path, depth: usize) -> bool {
        let mut above = path.ancestors().take(depth).enumerate();
        above.any(|(up, path)| self.is_path_excluded(path, depth - up, up > 0))
    }

    /// Tells whether a path is a report that this scan is writing.
    fn is_own(&self, path: &Path) -> bool {
        let same_name = |own: &&PathBuf| own.file_name() == path.file_name();
        let same = |own: &PathBuf| std::fs::canonicalize(path).is_ok_and(|it| it == *own);
        self.options.own.iter().filter(same_name).any(same)
    }

    /// Reports the content that is not scanned because only Git LFS's pointer to it is here.
    fn report_pointers(&self, pointers: Vec<(PathBuf, Pointer)>, run: &Run) {
        let mut stores: HashMap<PathBuf, Option<Lfs>> = HashMap::new();
        for (path, pointer) in pointers {
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).to_owned();
            let store = stores.entry(folder).or_insert_with_key(|folder| {
                let repository = Repository::discover(folder, &Environment::default());
                repository.ok().map(|repository| Lfs::new(&repository))
            });
            let object = store.as_ref().and_then(|store| store.path(&pointer));
            let message = match object {
                None => LfsError::Missing(pointer.oid().to_owned()).to_string(),
                // It is scanned with the repository.
                Some(_) if self.options.repositories.is_some() => continue,
                Some(_) => "its Git LFS object is not scanned; `git lfs checkout` puts it in the \
                            place of this pointer"
                    .to_owned(),
            };
            run.report(Gap::Opaque, Some(path), message);
        }
    }

    /// Counts the files and `.git` folders in ignored folders, each given with its depth below the
    /// path that was named.
    fn count(&self, ignored: &HashMap<PathBuf, usize>, run: &Run) -> (u64, u64) {
        let (files, folders) = (AtomicU64::new(0), AtomicU64::new(0));
        let paths: Vec<PathBuf> = ignored.keys().cloned().collect();
        let Some(builder) = self.walk(&paths) else { return (0, 0) };
        let depth = |entry: &DirEntry| {
            let above = entry.path().ancestors().nth(entry.depth());
            entry.depth() + above.and_then(|path| ignored.get(path)).copied().unwrap_or(0)
        };
        builder.build_parallel().run(|| {
            Box::new(|entry| {
                if run.is_interrupted() {
                    return WalkState::Quit;
                }
                let Ok(entry) = entry else {
                    return WalkState::Continue;
                };
                if is_git_folder(&entry) {
                    add(&folders, 1);
                    return WalkState::Skip;
                }
                if self.is_excluded(&entry, depth(&entry)) || self.is_own(entry.path()) {
                    return WalkState::Skip;
                }
                add(&files, u64::from(entry.file_type().is_some_and(|kind| kind.is_file())));
                WalkState::Continue
            })
        });
        (files.into_inner(), folders.into_inner())
    }
}

impl Source for Files {
    fn visit(&self, visitors: &dyn Visitors, run: &Run) {
        let mut paths = self.options.paths.clone();
        paths.retain(|path| (!self.options.is_store || path.exists()) && check_root(path, run));
        let mut known = HashSet::new();
        paths.retain(|path| std::fs::canonicalize(path).map_or(true, |path| known.insert(path)));
        let Some(builder) = self.walk(&paths) else { return };
        let ignored = (!self.options.no_ignore).then(|| {
            let ignored = Ignored::new(self.options.user_rules.clone());
            let folders = paths.iter().filter(|path| path.is_dir());
            folders.for_each(|folder| ignored.enter_root(folder, run));
            ignored
        });
        let left_out = LeftOut::default();
        let pointers = Mutex::default();
        let tracked = (!self.options.is_store).then(|| Tracked::new(&paths));
        let make = || Worker {
            source: self,
            visitor: visitors.make(),
            windows: Windows::new(self.options.context),
            run,
            ignored: ignored.as_ref(),
            rules: None,
            left_out: &left_out,
            pointers: &pointers,
            tracked: tracked.as_ref(),
            passed: Vec::new(),
        };
        builder.build_parallel().run(|| {
            let mut worker = make();
            Box::new(move |entry| worker.enter(entry))
        });
        let mut submodules = Vec::new();
        if let Some(tracked) = &tracked {
            let mut worker = make();
            tracked.missed(run, &mut |path, depth, kind| {
                if self.is_below_excluded(path, depth) || self.is_own(path) {
                    return;
                }
                match kind {
                    TrackedKind::Submodule => {
                        // Git tracks a submodule whatever an ignore rule says.
                        if lock(&left_out.folders).remove(path).is_some() {
                            submodules.push(path.to_owned());
                        }
                        report_submodule(path, run);
                    }
                    TrackedKind::File => worker.tracked(path),
                }
            });
        }
        if run.is_interrupted() {
            return;
        }
        self.report_pointers(pointers.into_inner().unwrap_or_else(PoisonError::into_inner), run);
        // Ignored folders are not entered, so a second walk that opens no file counts what they hold.
        let folders = left_out.folders.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (files, git_folders) = self.count(&folders, run);
        let files = files + left_out.files.into_inner();
        add(&run.tally.ignored, files.saturating_sub(left_out.read.into_inner()));
        add(&run.tally.git_folders, git_folders);
        if !submodules.is_empty() {
            let options = FilesOptions { paths: submodules, ..self.options.clone() };
            Self { options, exclude: self.exclude.clone() }.visit(visitors, run);
        }
    }
}

/// What ignore rules leave out of a walk.
#[derive(Debug, Default)]
struct LeftOut {
    /// Ignored files in folders that are not ignored.
    files: AtomicU64,
    /// Ignored folders, with their depth below the path that was named.
    folders: Mutex<HashMap<PathBuf, usize>>,
    /// Files among them that git tracks, which were read all the same.
    read: AtomicU64,
}

/// Reports a submodule whose files are not here.
fn report_submodule(path: &Path, run: &Run) {
    if path.join(".git").symlink_metadata().is_err() {
        let message = "the submodule is not checked out, so it is not scanned; \
                       `git submodule update --init --recursive` checks it out";
        run.report(Gap::Opaque, Some(path.to_owned()), message);
    }
}

/// Checks a path that the user named; `false` if there is nothing to walk.
fn check_root(path: &Path, run: &Run) -> bool {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() || metadata.is_dir() => true,
        Ok(metadata) => {
            let kind = regular::special_kind(metadata.file_type());
            let message = format!("not read: it is {kind}; `-` reads standard input");
            run.report(Gap::Unread, Some(path.to_owned()), message);
            false
        }
        Err(error) => {
            let message = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
                _ => format!("cannot be read: {error}"),
            };
            run.report(Gap::Unread, Some(path.to_owned()), message);
            false
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns `true` for the folder of a repository. One that the user names is read all the same.
fn is_git_folder(entry: &DirEntry) -> bool {
    let is_folder = entry.depth() > 0 && entry.file_type().is_some_and(|kind| kind.is_dir());
    let has = |name: &str| entry.path().join(name).exists();
    let is_bare = || has("HEAD") && has("objects") && has("refs");
    let name = entry.file_name().as_encoded_bytes();
    is_folder && (name == b".git" || is_bare())
}
