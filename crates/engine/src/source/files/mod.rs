//! Source of files and folders: a parallel walk. Files are read as the walk reaches them, or after
//! it in the order of their paths if the output needs an order.
//!
//! Hidden files are read, `.git` folders are not. Inside a git work tree the files that `.gitignore`
//! and other ignore files exclude are counted but not read, unless git tracks them. Symbolic links are not
//! followed; devices, sockets and pipes are not read. File and folder names are blobs too, because they can
//! contain tokens. An archive is scanned as a file first, then unpacked.

mod change_guard;
mod entries;
mod exclusion;
mod folders;
mod ignored;
mod ignored_count;
mod options;
mod reader;
mod tracked;
mod worker;

use self::entries::{EntryList, EntrySink};
use self::exclusion::Exclusion;
pub use self::exclusion::GlobError;
use self::ignored::Ignored;
pub use self::ignored::UserRules;
use self::ignored_count::IgnoredCount;
pub use self::options::{Discovered, FilesOptions};
use self::reader::{FileReader, PointerFile};
use self::tracked::{Tracked, TrackedKind};
use self::worker::WalkWorker;
use super::git::lfs::{Lfs, LfsError};
use super::git::repo::{Environment, Repository};
use super::window::Windows;
use super::{Issue, PushOrder, Run, Sinks, Source};
use ddpatrol_scan::regular;
use ddpatrol_scan::workers::Workers;
use ignore::overrides::Override;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Files and folders as a source.
#[derive(Debug)]
pub struct Files {
    options: FilesOptions,
    exclude: Override,
}

impl Files {
    /// Prepares the walk.
    ///
    /// # Errors
    /// Returns [`GlobError`] for an invalid glob of `--exclude`.
    pub fn new(options: FilesOptions) -> Result<Self, GlobError> {
        let exclude = exclusion::compile(&options.exclude)?;
        Ok(Self { options, exclude })
    }

    fn exclusion(&self) -> Exclusion<'_> {
        Exclusion { options: &self.options, globs: &self.exclude }
    }

    /// Reports content that is not scanned because only its Git LFS pointer is available.
    fn report_pointers(&self, pointers: Vec<PointerFile>, run: &Run) {
        let mut stores: HashMap<PathBuf, Option<Lfs>> = HashMap::new();
        for PointerFile { path, pointer } in pointers {
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).to_owned();
            let store = stores.entry(folder).or_insert_with_key(|folder| {
                let repository = Repository::discover(folder, &Environment::default());
                repository.ok().map(|repository| Lfs::new(&repository))
            });
            let object = store.as_ref().and_then(|store| store.path(&pointer));
            let issue = match object {
                None => {
                    let oid = pointer.oid().to_owned();
                    let source = LfsError::Missing(oid.clone()).into();
                    Issue::LfsMissing { oid, source }
                }
                // It is scanned with the repository.
                Some(_) if self.options.repositories.is_some() => continue,
                Some(_) => Issue::LfsSkipped,
            };
            run.report(issue, Some(path));
        }
    }
}

impl Source for Files {
    fn read(&self, sinks: &dyn Sinks, run: &Run) {
        let pointers = Mutex::default();
        let make = || FileReader {
            options: &self.options,
            sink: sinks.sink(),
            windows: Windows::new(self.options.context),
            run,
            pointers: &pointers,
        };
        match sinks.order() {
            PushOrder::Any => self.walk(&|| EntrySink::Read(make()), run),
            PushOrder::ByPath => {
                let entries = EntryList::default();
                self.walk(&|| EntrySink::list(&entries), run);
                entries.read(&Workers::new(self.options.threads), sinks, run, &make);
            }
        }
        if !run.is_interrupted() {
            let pointers = pointers.into_inner().unwrap_or_else(PoisonError::into_inner);
            self.report_pointers(pointers, run);
        }
    }
}

impl Files {
    /// Pushes the entries to sinks, one for each worker, and counts what is skipped.
    fn walk<'a>(&self, make_sink: &(dyn Fn() -> EntrySink<'a> + Sync), run: &Run) {
        let mut paths = self.options.paths.clone();
        paths.retain(|path| (!self.options.is_store || path.exists()) && check_root(path, run));
        let mut known = HashSet::new();
        paths.retain(|path| std::fs::canonicalize(path).map_or(true, |path| known.insert(path)));
        let Some(builder) = folders::walk(&paths, self.options.threads) else { return };
        let exclusion = self.exclusion();
        let ignored = (!self.options.no_ignore).then(|| {
            let ignored = Ignored::new(self.options.user_rules.clone());
            let folders = paths.iter().filter(|path| path.is_dir());
            folders.for_each(|folder| ignored.enter_root(folder, run));
            ignored
        });
        let ignored_count = IgnoredCount::default();
        let tracked = (!self.options.is_store).then(|| Tracked::new(&paths));
        let make = || WalkWorker {
            options: &self.options,
            exclusion,
            sink: make_sink(),
            run,
            ignored: ignored.as_ref(),
            rules: None,
            ignored_count: &ignored_count,
            tracked: tracked.as_ref(),
            visited: Vec::new(),
        };
        builder.build_parallel().run(|| {
            let mut worker = make();
            Box::new(move |entry| worker.enter(entry))
        });
        let mut submodules = Vec::new();
        if let Some(tracked) = &tracked {
            let mut worker = make();
            tracked.each_unvisited(run, &mut |path, depth, kind| {
                if exclusion.has_below(path, depth) || exclusion.is_own(path) {
                    return;
                }
                match kind {
                    TrackedKind::Submodule => {
                        // Git tracks a submodule regardless of ignore rules.
                        if ignored_count.remove_folder(path) {
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
        ignored_count.count(exclusion, run);
        if !submodules.is_empty() {
            let options = FilesOptions { paths: submodules, ..self.options.clone() };
            Self { options, exclude: self.exclude.clone() }.walk(make_sink, run);
        }
    }
}

/// Reports a submodule that is not checked out.
fn report_submodule(path: &Path, run: &Run) {
    if path.join(".git").symlink_metadata().is_err() {
        run.report(Issue::SubmoduleMissing, Some(path.to_owned()));
    }
}

/// Returns `true` if a path that the user named can be walked; reports it otherwise.
fn check_root(path: &Path, run: &Run) -> bool {
    let issue = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() || metadata.is_dir() => return true,
        Ok(metadata) => Issue::SpecialPath { kind: regular::special_kind(metadata.file_type()) },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Issue::PathMissing,
        Err(source) => Issue::FileUnreadable { source },
    };
    run.report(issue, Some(path.to_owned()));
    false
}
