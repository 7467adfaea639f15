//! Git LFS objects of a history, which are pushed under the ids of their pointers.
//!
//! Input: the local store of Git LFS, and the objects of the repository. Output: the Git LFS objects,
//! pushed to the sinks with the ids of their pointers, so that attribution finds their paths and commits.
//! Objects without a pointer in the repository are not read here; the scan of files reads them.

use super::lfs::{Content, Lfs, Pointer};
use super::repo::Repository;
use super::store::{ReadError, Store};
use ddpatrol_pack::{ObjectId, Reader};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::issue::GitIssue;
use ddpatrol_scan::sighting::Holder;
use ddpatrol_scan::workers::Workers;
use ddpatrol_scan::{Run, Sinks, add};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The local Git LFS objects whose pointers a repository has.
#[derive(Debug, Default)]
pub(super) struct LfsObjects {
    lfs: Option<Lfs>,
    /// The objects by the ids of their pointers' blobs.
    pointers: HashMap<ObjectId, Pointer>,
}

impl LfsObjects {
    /// Finds the objects.
    pub(super) fn find(repository: &Repository, store: &Store) -> Self {
        let storage = repository.lfs_storage().join("objects");
        // A store outside of the repository is not scanned.
        if !storage.starts_with(&repository.common_dir) || !storage.is_dir() {
            return Self::default();
        }
        let mut pointers = HashMap::new();
        for pointer in list(&storage) {
            let id = pointer.blob_id(repository.hash);
            if let Some(id) = id.filter(|id| store.has(id)) {
                pointers.insert(id, pointer);
            }
        }
        Self { lfs: Some(Lfs::new(repository)), pointers }
    }

    /// Pushes the objects to sinks.
    pub(super) fn push(&self, sinks: &dyn Sinks, run: &Run, workers: &Workers) {
        let Some(lfs) = &self.lfs else { return };
        let mut ids: Vec<ObjectId> = self.pointers.keys().copied().collect();
        ids.sort_unstable();
        workers.fold(
            &ids,
            1,
            || sinks.sink(),
            |sink, id| {
                if run.is_interrupted() {
                    return;
                }
                let object = match lfs.open(&self.pointers[id]) {
                    Ok(object) => object,
                    Err(error) => {
                        let path = lfs.path(&self.pointers[id]);
                        let (oid, source) = (error.oid().to_owned(), error.into());
                        return run.report(GitIssue::LfsUnreadable { oid, source }, path);
                    }
                };
                add(&run.tally.git_files, 1);
                add(&run.tally.bytes, object.len() as u64);
                sink.blob(&Blob::whole(Origin::Lfs(*id), &object));
            },
        );
    }

    /// Returns the file names of the objects.
    pub(super) fn names(&self) -> HashSet<String> {
        self.pointers.values().map(|it| it.oid().to_owned()).collect()
    }

    /// Reads a git object or a Git LFS object; `None` for other holders.
    pub(super) fn read(
        &self,
        holder: Holder,
        store: &Store,
        reader: &mut Reader,
    ) -> Option<Result<Content, ReadError>> {
        let (id, pointer) = match holder {
            Holder::Object(id, _) => (id, None),
            Holder::Lfs(id) => (id, self.pointers.get(&id)),
            Holder::Text(_) => return None,
        };
        let Some((lfs, pointer)) = self.lfs.as_ref().zip(pointer) else {
            return Some(store.read(&id, reader).map(|(_, bytes)| Content::Blob(bytes)));
        };
        // A failure means that the object has vanished or was damaged during the scan.
        let broken = |cause| ReadError::Broken { id, cause };
        Some(lfs.open(pointer).map(Content::Lfs).map_err(|error| broken(error.into())))
    }
}

/// Lists the objects of a store: regular files at `ab/cd/abcd…`.
fn list(storage: &Path) -> Vec<Pointer> {
    let mut pointers = Vec::new();
    for folder in entries(storage).iter().flat_map(|folder| entries(folder)) {
        for path in entries(&folder) {
            let Ok(metadata) = path.metadata() else { continue };
            let name = path.file_name().and_then(|name| name.to_str());
            let pointer = name.and_then(|name| Pointer::new(name, metadata.len()));
            let is_there = |it: &Pointer| metadata.is_file() && it.path_in(storage) == path;
            pointers.extend(pointer.filter(is_there));
        }
    }
    pointers
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let is_folder = folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let entries = is_folder.then(|| std::fs::read_dir(folder).ok()).flatten();
    entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
