//! The objects of a repository: packs and loose files, in its own folder and in its alternates.
//!
//! Single objects are read as git does: from packs, then from loose files, then from any other copy. For
//! walks over all objects the store lists packs and loose objects. It never writes.

mod alternates;
mod error;
mod loose;

pub use error::{ReadError, StoreError};

use super::commits::tag_target;
use super::repo::guard::check_folder;
use super::repo::{Repository, SpecialFile};
use alternates::alternate;
use ddpatrol_pack::{Fault, HashKind, Kind, ObjectId, Pack, PackError, Reader};
use ddpatrol_scan::Run;
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::place::Place;
use ddpatrol_scan::regular::{self, Links, MAX_TEXT};
use loose::{LargeBlob, Loose};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Maximum nesting depth of alternates, as in git.
const DEEPEST_ALTERNATE: usize = 5;
/// Maximum length of a chain of tags.
pub(super) const LONGEST_TAGS: usize = 100;

/// The object folders of a repository.
#[derive(Debug)]
pub struct Store {
    hash: HashKind,
    folders: Vec<PathBuf>,
    packs: Vec<Arc<Pack>>,
    opened: BTreeSet<PathBuf>,
}

impl Store {
    /// Opens the store of a repository, with the folders that the environment adds. Calls `problem`
    /// with each folder or pack that cannot be used.
    pub(super) fn of(repository: &Repository, problem: &mut dyn FnMut(StoreError)) -> Self {
        Self::open(&repository.object_folders(), repository.hash, problem)
    }

    /// Opens the store of a repository, and reports what cannot be used at `place`.
    pub(super) fn reporting(repository: &Repository, run: &Run, place: &Place) -> Self {
        Self::of(repository, &mut |problem| {
            let issue = GitIssue::StoreUnreadable { source: problem.into() };
            run.report(issue, Some(place));
        })
    }

    /// Opens object folders and their alternates. Calls `problem` with each folder or pack that cannot
    /// be used.
    pub fn open(folders: &[PathBuf], hash: HashKind, problem: &mut dyn FnMut(StoreError)) -> Self {
        let mut store =
            Self { hash, folders: Vec::new(), packs: Vec::new(), opened: BTreeSet::new() };
        for folder in folders {
            store.add_folder(folder, 0, problem);
        }
        store.add_packs(problem);
        store
    }

    /// Returns the hash function of object ids.
    #[must_use]
    pub fn hash(&self) -> HashKind {
        self.hash
    }

    /// Returns the packs, the largest first.
    #[must_use]
    pub fn packs(&self) -> &[Arc<Pack>] {
        &self.packs
    }

    fn add_folder(&mut self, path: &Path, depth: usize, problem: &mut dyn FnMut(StoreError)) {
        let folder = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.folders.contains(&folder) || depth > DEEPEST_ALTERNATE {
            return;
        }
        if let Err(source) = std::fs::read_dir(&folder) {
            return problem(StoreError::Folder { path: path.to_owned(), source });
        }
        self.folders.push(folder.clone());
        let alternates =
            match regular::read(&folder.join("info/alternates"), Links::Follow, MAX_TEXT) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(source) => {
                    let path = folder.join("info/alternates");
                    return problem(StoreError::Folder { path, source });
                }
            };
        for line in alternates.split(|&byte| byte == b'\n') {
            if !line.is_empty() && !line.starts_with(b"#") {
                self.add_folder(&folder.join(alternate(line)), depth + 1, problem);
            }
        }
    }

    /// Opens packs that have appeared since the last call, and returns their number.
    ///
    /// A repack can replace packs at any moment, even by packs of the same names. If a listed pack has
    /// vanished, all packs are listed again.
    pub fn add_packs(&mut self, problem: &mut dyn FnMut(StoreError)) -> usize {
        let before = self.packs.len();
        for turn in 1..=LISTED {
            let gone = self.list_packs(problem);
            if gone.is_empty() {
                break;
            }
            if turn == LISTED {
                for path in gone.into_iter().filter(|path| path.exists()) {
                    self.opened.insert(path.clone());
                    problem(StoreError::NoIndex(path));
                }
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Results must not depend on the order in which a folder lists its files.
        self.packs.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.path().cmp(b.path())));
        self.packs.len() - before
    }

    /// Opens the packs that are not open yet; returns those that vanished, or whose indexes vanished,
    /// before they were opened.
    fn list_packs(&mut self, problem: &mut dyn FnMut(StoreError)) -> Vec<PathBuf> {
        let mut gone = Vec::new();
        for folder in self.folders.clone() {
            let folder = folder.join("pack");
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => {
                    problem(StoreError::Folder { path: folder, source });
                    continue;
                }
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                let is_pack = path.extension().is_some_and(|it| it == "pack") && is_final(&path);
                if !is_pack || self.opened.contains(&path) {
                    continue;
                }
                match Pack::open(&path, self.hash) {
                    Ok(pack) => {
                        if let Err(error) = pack.check() {
                            problem(error.into());
                        }
                        self.packs.push(Arc::new(pack));
                    }
                    Err(error) if is_gone(&error) => {
                        gone.push(path);
                        continue;
                    }
                    Err(error) => problem(error.into()),
                }
                self.opened.insert(path);
            }
        }
        gone
    }

    /// Returns the first named pipe or device among the files of all folders. Programs that read objects
    /// would block on it.
    #[must_use]
    pub fn special(&self) -> Option<SpecialFile> {
        self.folders.iter().find_map(|folder| {
            let mut below = Vec::new();
            let mut check =
                |folder: &Path| check_folder(folder, &mut |path| below.push(path)).err();
            check(folder)
                .or_else(|| below.iter().find_map(|it| check_folder(it, &mut |_| ()).err()))
        })
    }

    /// Lists the loose objects of all folders, sorted and without duplicates.
    pub fn loose(&self, problem: &mut dyn FnMut(StoreError)) -> Vec<ObjectId> {
        let mut ids = Vec::new();
        for folder in &self.folders {
            let entries = match std::fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(source) => {
                    problem(StoreError::Folder { path: folder.clone(), source });
                    continue;
                }
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let Some(first) = name.to_str().filter(|it| it.len() == 2) else { continue };
                if !first.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    continue;
                }
                let files = match std::fs::read_dir(entry.path()) {
                    Ok(files) => files,
                    // Git removes empty folders.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(source) => {
                        problem(StoreError::Folder { path: entry.path(), source });
                        continue;
                    }
                };
                let rest = files.flatten().filter_map(|file| file.file_name().into_string().ok());
                let id = |rest: String| format!("{first}{rest}").parse::<ObjectId>().ok();
                ids.extend(rest.filter_map(id).filter(|id| id.kind() == self.hash));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Returns `true` if a pack comes from a promisor remote, so that objects may be missing.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.packs.iter().any(|pack| pack.path().with_extension("promisor").exists())
    }

    /// Returns `true` if a pack contains an object.
    #[must_use]
    pub fn is_packed(&self, id: &ObjectId) -> bool {
        self.packs.iter().any(|pack| pack.index().find(id.as_bytes()).is_some())
    }

    /// Returns `true` if a copy of an object exists, even a broken one.
    #[must_use]
    pub fn has(&self, id: &ObjectId) -> bool {
        let name = id.to_string();
        let is_loose =
            || self.folders.iter().any(|it| it.join(&name[..2]).join(&name[2..]).is_file());
        self.is_packed(id) || is_loose()
    }

    /// Follows tags to an object that is not a tag; returns its id and kind.
    ///
    /// # Errors
    /// [`ReadError`] if an object cannot be read, or a tag names none.
    pub fn peel(&self, id: &ObjectId, reader: &mut Reader) -> Result<(ObjectId, Kind), ReadError> {
        let mut next = *id;
        // Ids are not verified, so crafted tags can form a cycle.
        for _ in 0..LONGEST_TAGS {
            match self.read(&next, reader)? {
                (Kind::Tag, bytes) => {
                    let broken =
                        || ReadError::Broken { id: next, cause: "it names no object".into() };
                    next = tag_target(&bytes).ok_or_else(broken)?;
                }
                (kind, _) => return Ok((next, kind)),
            }
        }
        Err(ReadError::Broken { id: *id, cause: "its chain of tags is too long".into() })
    }

    /// Opens a loose object; `None` if it does not exist.
    ///
    /// # Errors
    /// Fails if the file cannot be opened, or its header cannot be read.
    pub fn open_loose(&self, id: &ObjectId) -> io::Result<Option<Loose>> {
        let name = id.to_string();
        let mut failure = None;
        for folder in &self.folders {
            match regular::open(&folder.join(&name[..2]).join(&name[2..]), Links::Follow) {
                Ok(file) => match Loose::new(file) {
                    Ok(loose) => return Ok(Some(loose)),
                    Err(error) => failure = Some(error),
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// Opens a blob longer than `min` bytes as a stream, unless its first copy is a delta.
    pub(super) fn stream_blob(&self, id: &ObjectId, min: u64) -> Option<LargeBlob<'_>> {
        for pack in &self.packs {
            let position = pack.index().find(id.as_bytes());
            if let Some(offset) = position.and_then(|at| pack.index().offset(at)) {
                let blob = pack.stream_blob(offset, min)?;
                return Some(LargeBlob::Packed(Box::new(blob)));
            }
        }
        let loose = self.open_loose(id).ok().flatten()?;
        (loose.kind == Kind::Blob && loose.len > min).then(|| LargeBlob::Loose(Box::new(loose)))
    }

    /// Reads an object from its first intact copy.
    ///
    /// # Errors
    /// [`ReadError`] if there is none.
    pub fn read(&self, id: &ObjectId, reader: &mut Reader) -> Result<(Kind, Vec<u8>), ReadError> {
        self.read_below(id, reader, 0)
    }

    fn read_below(
        &self,
        id: &ObjectId,
        reader: &mut Reader,
        depth: usize,
    ) -> Result<(Kind, Vec<u8>), ReadError> {
        let mut cause: Option<Box<dyn std::error::Error + Send + Sync>> = None;
        for pack in &self.packs {
            let Some(position) = pack.index().find(id.as_bytes()) else { continue };
            let Some(offset) = pack.index().offset(position) else { continue };
            let mut elsewhere = |base: &ObjectId| {
                // A base is read here only if its copy in the same pack is broken.
                let again = depth < DEEPEST_ALTERNATE && base != id;
                again.then(|| self.read_copy(base, pack, depth + 1)).flatten()
            };
            match pack.read(offset, reader, &mut elsewhere) {
                Ok(found) => return Ok(found),
                Err(error) => cause = Some(error.into()),
            }
        }
        match self.read_loose(id) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) => cause = Some(error.into()),
        }
        Err(match cause {
            Some(cause) => ReadError::Broken { id: *id, cause },
            None => ReadError::Missing(*id),
        })
    }

    /// Reads a copy of an object outside of the pack `besides`.
    fn read_copy(&self, id: &ObjectId, besides: &Pack, depth: usize) -> Option<(Kind, Vec<u8>)> {
        let mut reader = Reader::default();
        for pack in self.packs.iter().filter(|pack| pack.path() != besides.path()) {
            let position = pack.index().find(id.as_bytes());
            let Some(offset) = position.and_then(|at| pack.index().offset(at)) else { continue };
            let mut elsewhere =
                |base: &ObjectId| self.read_below(base, &mut Reader::default(), depth + 1).ok();
            let mut nowhere = |_: &ObjectId| None;
            let found = match depth < DEEPEST_ALTERNATE {
                true => pack.read(offset, &mut reader, &mut elsewhere),
                false => pack.read(offset, &mut reader, &mut nowhere),
            };
            if let Ok(found) = found {
                return Some(found);
            }
        }
        self.read_loose(id).ok().flatten()
    }

    fn read_loose(&self, id: &ObjectId) -> io::Result<Option<(Kind, Vec<u8>)>> {
        let Some(mut loose) = self.open_loose(id)? else { return Ok(None) };
        let mut content = Vec::new();
        loose.read_to_end(&mut content)?;
        Ok(Some((loose.kind, content)))
    }
}

/// Maximum number of times that packs are listed, if some vanish before they are opened.
const LISTED: usize = 25;

fn is_gone(error: &PackError) -> bool {
    matches!(&error.fault, Fault::Io(error) if error.kind() == io::ErrorKind::NotFound)
}

/// Returns `true` if a pack is complete. Git writes it as `tmp_…` and then renames it.
fn is_final(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
    !name.starts_with(b"tmp_") && !name.starts_with(b".")
}
