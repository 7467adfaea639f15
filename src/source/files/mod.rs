//! Files and folders: a parallel walk, one reused buffer per worker.
//!
//! Hidden files are read, `.git` folders are not. Inside a git work tree what `.gitignore` and its
//! kin exclude is left out and counted, unless git tracks it. Symbolic links are not followed; devices, sockets and pipes
//! are not read. File and folder names are blobs too: they can hold tokens. What turns out to be an
//! archive is walked when it has been looked at as it is.

mod ignored;
mod tracked;
mod watched;

use self::ignored::{Entry, Ignored, Rules};
use self::tracked::Tracked;
use self::watched::{Signs, Watched, changed};
use super::archive::{self, Found, Input, Unpacking, Visit, image};
use super::window::{Context, End, Windows};
use super::{Gap, ObjectVisitor, Run, Source, Visitors, add};
use crate::blob::{Blob, Origin};
use crate::config::Exclude;
use crate::finding::baseline::lexical;
use crate::regular;
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};
use std::collections::{HashMap, HashSet};
use std::fs::File;
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
    /// The user's own ignore rules, for repositories that set no `core.excludesFile`.
    pub excludes_file: Option<PathBuf>,
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
            let ignored = Ignored::new(self.options.excludes_file.clone());
            let folders = paths.iter().filter(|path| path.is_dir());
            folders.for_each(|folder| ignored.enter_root(folder, run));
            ignored
        });
        let left_out = LeftOut::default();
        let tracked = (!self.options.no_ignore).then(|| Tracked::new(&paths));
        let make = || Worker {
            source: self,
            visitor: visitors.make(),
            windows: Windows::new(self.options.context),
            run,
            ignored: ignored.as_ref(),
            rules: None,
            left_out: &left_out,
            tracked: tracked.as_ref(),
            passed: Vec::new(),
        };
        builder.build_parallel().run(|| {
            let mut worker = make();
            Box::new(move |entry| worker.enter(entry))
        });
        if let Some(tracked) = &tracked {
            let mut worker = make();
            tracked.missed(run, &mut |path, depth| {
                if !self.is_below_excluded(path, depth) && !self.is_own(path) {
                    worker.tracked(path);
                }
            });
        }
        if run.is_interrupted() {
            return;
        }
        // Ignored folders are not entered, so a second walk that opens no file counts what they hold.
        let folders = left_out.folders.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (files, git_folders) = self.count(&folders, run);
        let files = files + left_out.files.into_inner();
        add(&run.tally.ignored, files.saturating_sub(left_out.read.into_inner()));
        add(&run.tally.git_folders, git_folders);
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

/// One worker of the walk.
struct Worker<'a> {
    source: &'a Files,
    visitor: Box<dyn ObjectVisitor + 'a>,
    windows: Windows,
    run: &'a Run,
    ignored: Option<&'a Ignored>,
    /// The folder that was asked about last, and the rules that apply in it.
    rules: Option<(PathBuf, Option<Arc<Rules>>)>,
    left_out: &'a LeftOut,
    tracked: Option<&'a Tracked>,
    /// What it has passed by, for [`Tracked`].
    passed: Vec<u64>,
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        if let Some(tracked) = self.tracked {
            tracked.pass(&self.passed);
        }
    }
}

impl Worker<'_> {
    fn enter(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if self.run.is_interrupted() {
            return WalkState::Quit;
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let is_gone = error.io_error().is_some_and(|it| self.is_taken_away(it));
                if !is_gone {
                    let (path, message) = describe(&error);
                    self.run.report(Gap::Unread, path, message);
                }
                return WalkState::Continue;
            }
        };
        if is_git_folder(&entry) {
            let is_inner = entry.file_name() == ".git";
            if let Some(tracked) = self.tracked {
                tracked.skip(entry.path());
            }
            match &self.source.options.repositories {
                // The folder that it lies in has told of it.
                Some(_) if is_inner => {}
                Some(met) => lock(met).push(entry.into_path()),
                None => add(&self.run.tally.git_folders, 1),
            }
            return WalkState::Skip;
        }
        if self.is_ignored(&entry) {
            return WalkState::Skip;
        }
        if let Some(tracked) = self.tracked {
            self.passed.push(tracked.key(entry.path()));
        }
        if self.source.is_excluded(&entry, entry.depth()) {
            add(&self.run.tally.excluded, 1);
            return WalkState::Skip;
        }
        if self.source.is_own(entry.path()) {
            return WalkState::Continue;
        }
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        if is_dir {
            self.folder(entry.path(), entry.depth());
        }
        self.name(entry.path());
        let Some(kind) = entry.file_type() else {
            return WalkState::Continue;
        };
        if kind.is_file() || (entry.depth() == 0 && kind.is_symlink() && entry.path().is_file()) {
            self.file(entry.path());
        } else if kind.is_symlink() {
            add(&self.run.tally.symlinks, 1);
        } else if !kind.is_dir() {
            add(&self.run.tally.special, 1);
            let message = format!("not read: it is {}", regular::special_kind(kind));
            self.run.report(Gap::Opaque, Some(entry.into_path()), message);
        }
        WalkState::Continue
    }

    /// Returns `true` if git ignores an entry, and counts it. What the user named is never ignored.
    fn is_ignored(&mut self, entry: &DirEntry) -> bool {
        let Some(folder) = entry.path().parent().filter(|_| entry.depth() > 0) else {
            return false;
        };
        let Some(rules) = self.rules_in(folder) else { return false };
        let kind = entry.file_type();
        let is_dir = kind.is_some_and(|kind| kind.is_dir());
        if !rules.ignore(Entry { path: entry.path(), is_dir }) {
            return false;
        }
        if is_dir {
            lock(&self.left_out.folders).insert(entry.path().to_owned(), entry.depth());
        } else if kind.is_some_and(|kind| kind.is_file())
            && !self.source.is_excluded(entry, entry.depth())
            && !self.source.is_own(entry.path())
        {
            add(&self.left_out.files, 1);
        }
        true
    }

    /// Returns the ignore rules that apply to what a folder holds.
    fn rules_in(&mut self, folder: &Path) -> Option<Arc<Rules>> {
        let ignored = self.ignored?;
        match &self.rules {
            Some((known, rules)) if known == folder => rules.clone(),
            _ => {
                let rules = ignored.rules(folder);
                self.rules = Some((folder.to_owned(), rules.clone()));
                rules
            }
        }
    }

    /// Reads the ignore rules of a folder that the walk enters, and notes the repository whose work
    /// tree it is.
    fn folder(&mut self, path: &Path, depth: usize) {
        let git = path.join(".git");
        let is_top = git.symlink_metadata().is_ok();
        if let Some(ignored) = self.ignored.filter(|_| depth > 0) {
            if is_top {
                ignored.enter_top(path, self.run);
            } else if let Some(above) = path.parent().and_then(|above| self.rules_in(above)) {
                ignored.enter(path, &above, self.run);
            }
        }
        if !is_top {
            return;
        }
        if let Some(tracked) = self.tracked.filter(|_| depth > 0) {
            tracked.add(path, depth);
        }
        if let Some(met) = &self.source.options.repositories {
            lock(met).push(git);
        }
    }

    /// Reads a file that git tracks although an ignore file names it; of a folder above one, the name.
    fn tracked(&mut self, path: &Path) {
        // What was removed is tracked until that is staged.
        let Ok(metadata) = path.symlink_metadata() else { return };
        self.name(path);
        if metadata.is_file() {
            add(&self.left_out.read, 1);
            self.file(path);
        } else if metadata.is_symlink() {
            add(&self.run.tally.symlinks, 1);
        }
    }

    /// Looks at the last component of a path.
    fn name(&mut self, path: &Path) {
        let Some(name) = path.file_name() else { return };
        let name = name.as_encoded_bytes();
        // The shortest head has three bytes, and few names hold more than a head.
        if name.len() > 8 {
            self.visitor.visit(&Blob::whole(Origin::Name(path), name));
        }
    }

    /// Tells whether git, which may do so at any moment, has taken a file of its own away.
    fn is_taken_away(&self, error: &io::Error) -> bool {
        self.source.options.is_store && error.kind() == io::ErrorKind::NotFound
    }

    fn file(&mut self, path: &Path) {
        if let Err(error) = self.read(path)
            && !self.is_taken_away(&error)
        {
            self.run.report(Gap::Unread, Some(path.to_owned()), format!("cannot be read: {error}"));
        }
    }

    fn read(&mut self, path: &Path) -> io::Result<()> {
        // A FIFO that has taken the place of a file must not be waited for.
        let mut file = regular::nonblocking().open(path)?;
        if let Some(limit) = self.source.options.max_file_size {
            let size = file.metadata()?.len();
            if size > limit {
                add(&self.run.tally.too_large, 1);
                let message = format!("not read: {size} bytes exceed --max-file-size");
                self.run.report(Gap::Opaque, Some(path.to_owned()), message);
                return Ok(());
            }
        }
        let mut watched = Watched::new(&mut file, path);
        let counted = (self.run, &self.run.tally.bytes);
        let end = self.windows.visit(Origin::File(path), &mut watched, &mut *self.visitor, counted);
        let (before, signs) = (watched.before, watched.signs);
        match end {
            End::Whole(len) => {
                let tally = &self.run.tally;
                let is_store = self.source.options.is_store;
                add(if is_store { &tally.git_files } else { &tally.files }, 1);
                if before.is_some_and(|before| changed(&before, &file, len)) {
                    let message = "it changed while it was read; scan it again";
                    self.run.report(Gap::Unread, Some(path.to_owned()), message);
                }
                self.unpack(path, &mut file, signs)
            }
            End::Interrupted => Ok(()),
            End::Failed(error) => Err(error),
        }
    }
}

impl Worker<'_> {
    /// Walks a file that shows signs of an archive.
    fn unpack(&mut self, path: &Path, file: &mut File, signs: Signs) -> io::Result<()> {
        let Some(archives) = &self.source.options.archives else { return Ok(()) };
        let format = match signs {
            Signs::None => None,
            Signs::Format(format) => Some(format),
            Signs::Perhaps => archive::detect_whole(file, path)?,
        };
        let Some(format) = format else { return Ok(()) };
        let found = Found { path, format, layer: image::of_folder(path) };
        let repositories = archives.repositories.as_ref();
        let mut sink = Visit { visitor: &mut *self.visitor, run: self.run, repositories };
        archive::walk(Input::Whole(file), &found, &archives.options, &mut sink)
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

/// Tells whether an entry is a repository's store; one that the user named is read all the same.
fn is_git_folder(entry: &DirEntry) -> bool {
    let is_folder = entry.depth() > 0 && entry.file_type().is_some_and(|kind| kind.is_dir());
    let has = |name: &str| entry.path().join(name).exists();
    let is_bare = || has("HEAD") && has("objects") && has("refs");
    let name = entry.file_name().as_encoded_bytes();
    is_folder && (name == b".git" || is_bare())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Splits an error of the walk into its path and its words.
fn describe(error: &ignore::Error) -> (Option<PathBuf>, String) {
    match error {
        ignore::Error::WithPath { path, err } => (Some(path.clone()), describe(err).1),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            describe(err)
        }
        ignore::Error::Io(error) => (None, format!("cannot be read: {error}")),
        other => (None, other.to_string()),
    }
}
