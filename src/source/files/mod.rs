//! Files and folders: a parallel walk, one reused buffer per worker.
//!
//! Hidden files are read, `.git` folders are not. Inside a git work tree what `.gitignore` and its
//! kin exclude is left out and counted, unless git tracks it. Symbolic links are not followed; devices, sockets and pipes
//! are not read. File and folder names are blobs too: they can hold tokens. What turns out to be an
//! archive is walked when it has been looked at as it is.

mod tracked;
mod watched;

use self::tracked::Tracked;
use self::watched::{Signs, Watched, changed};
use super::archive::{self, Found, Input, Unpacking, Visit, image};
use super::window::{Context, End, Windows};
use super::{Gap, ObjectVisitor, Run, Source, Visitors, add};
use crate::blob::{Blob, Origin};
use crate::config::Exclude;
use crate::finding::baseline::lexical;
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};
use std::collections::HashSet;
use std::fs::{File, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// What to read and how.
#[derive(Clone, Debug)]
pub struct FilesOptions {
    /// The files and folders to read.
    pub paths: Vec<PathBuf>,
    /// Whether to read what `.gitignore` excludes, too.
    pub no_ignore: bool,
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

    fn walk(&self, paths: &[PathBuf], no_ignore: bool) -> Option<WalkBuilder> {
        let (first, rest) = paths.split_first()?;
        let mut builder = WalkBuilder::new(first);
        rest.iter().for_each(|path| {
            builder.add(path);
        });
        builder
            .standard_filters(false)
            .parents(!no_ignore)
            .git_ignore(!no_ignore)
            .git_exclude(!no_ignore)
            .git_global(!no_ignore)
            .follow_links(false)
            .threads(self.options.threads);
        Some(builder)
    }

    fn is_excluded(&self, entry: &DirEntry) -> bool {
        let is_dir = entry.file_type().is_some_and(|kind| kind.is_dir());
        self.is_path_excluded(entry.path(), entry.depth(), is_dir)
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

    /// Counts the files and `.git` folders that there are, ignored or not.
    fn count(&self, paths: &[PathBuf], run: &Run) -> (u64, u64) {
        let (files, folders) = (AtomicU64::new(0), AtomicU64::new(0));
        let Some(builder) = self.walk(paths, true) else { return (0, 0) };
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
                if self.is_excluded(&entry) || self.is_own(entry.path()) {
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
        let Some(builder) = self.walk(&paths, self.options.no_ignore) else {
            return;
        };
        let work_tree = AtomicBool::new(paths.iter().any(|path| in_work_tree(path)));
        let seen = AtomicU64::new(0);
        let tracked = (!self.options.no_ignore).then(|| Tracked::new(&paths));
        let make = || Worker {
            source: self,
            visitor: visitors.make(),
            windows: Windows::new(self.options.context),
            run,
            seen: &seen,
            work_tree: &work_tree,
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
        // The walk does not tell what it leaves out, so a second one that opens nothing counts.
        if !self.options.no_ignore && work_tree.into_inner() && !run.is_interrupted() {
            let (files, folders) = self.count(&paths, run);
            add(&run.tally.ignored, files.saturating_sub(seen.into_inner()));
            let met = self.options.repositories.as_ref();
            let met = met.map_or(0, |met| lock(met).iter().filter(|it| it.is_dir()).count() as u64);
            run.tally.git_folders.store(folders.saturating_sub(met), Ordering::Relaxed);
        }
    }
}

/// One worker of the walk.
struct Worker<'a> {
    source: &'a Files,
    visitor: Box<dyn ObjectVisitor + 'a>,
    windows: Windows,
    run: &'a Run,
    seen: &'a AtomicU64,
    work_tree: &'a AtomicBool,
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
        if let Some(tracked) = self.tracked {
            self.passed.push(tracked.key(entry.path()));
        }
        if is_git_folder(&entry) {
            let is_inner = entry.file_name() == ".git";
            if let Some(tracked) = self.tracked {
                tracked.skip(entry.path());
            }
            self.work_tree.fetch_or(is_inner, Ordering::Relaxed);
            match &self.source.options.repositories {
                // The folder that it lies in has told of it.
                Some(_) if is_inner => {}
                Some(met) => lock(met).push(entry.into_path()),
                None => add(&self.run.tally.git_folders, 1),
            }
            return WalkState::Skip;
        }
        if self.source.is_excluded(&entry) {
            add(&self.run.tally.excluded, 1);
            return WalkState::Skip;
        }
        if self.source.is_own(entry.path()) {
            return WalkState::Continue;
        }
        if let Some(error) = entry.error() {
            // A broken ignore file is still obeyed as far as it can be read.
            let message = format!("an ignore file is wrong: {error}");
            self.run.report(Gap::Opaque, Some(entry.path().to_owned()), message);
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
            add(self.seen, 1);
            self.file(entry.path());
        } else if kind.is_symlink() {
            add(&self.run.tally.symlinks, 1);
        } else if !kind.is_dir() {
            add(&self.run.tally.special, 1);
            let message = format!("not read: it is {}", special(kind));
            self.run.report(Gap::Opaque, Some(entry.into_path()), message);
        }
        WalkState::Continue
    }

    /// Takes note of the repository whose work tree a folder is: an ignore file can hide `.git` itself.
    fn folder(&self, path: &Path, depth: usize) {
        let git = path.join(".git");
        if git.symlink_metadata().is_err() {
            return;
        }
        self.work_tree.store(true, Ordering::Relaxed);
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
            add(self.seen, 1);
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
        let mut file = File::open(path)?;
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
            let kind = special(metadata.file_type());
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

fn in_work_tree(path: &Path) -> bool {
    let Ok(path) = std::path::absolute(path) else {
        return false;
    };
    path.ancestors().any(|folder| folder.join(".git").exists())
}

/// Tells whether an entry is a repository's store; one that the user named is read all the same.
fn is_git_folder(entry: &DirEntry) -> bool {
    let is_folder = entry.depth() > 0 && entry.file_type().is_some_and(|kind| kind.is_dir());
    let has = |name: &str| entry.path().join(name).exists();
    let is_bare = || has("HEAD") && has("objects") && has("refs");
    let name = entry.file_name().as_encoded_bytes();
    is_folder && (name == b".git" || is_bare())
}

fn lock(met: &Met) -> MutexGuard<'_, Vec<PathBuf>> {
    met.lock().unwrap_or_else(|poison| poison.into_inner())
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "no regular file"
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
