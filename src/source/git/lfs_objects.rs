//! Git LFS objects of a history: each is searched as what its pointer's blob stands for.
//!
//! Input: the local store of Git LFS, and the objects of the repository. Output: which pointers stand
//! for objects that hold tokens, so that the history can say at which paths and in which commits.
//! An object whose pointer is not here is left to whoever reads the store as files.

use super::lfs::{Content, Lfs, Pointer};
use super::repo::Repository;
use super::store::{ReadError, Store};
use crate::finding::{HeldObject, Span};
use crate::lock::lock;
use crate::source::{Code, Gap, Held, Run, Visitors, add, by_token};
use ddpatrol_pack::{HashKind, Kind, ObjectId, Reader};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The local Git LFS objects whose pointers a repository has.
#[derive(Debug, Default)]
pub(super) struct LfsObjects {
    lfs: Option<Lfs>,
    /// The objects by the ids of their pointers' blobs.
    pointers: HashMap<ObjectId, Pointer>,
    /// The tokens that they hold, each as if the pointer's blob held it.
    pub(super) held: Vec<Held>,
}

impl LfsObjects {
    /// Finds the objects and searches them on all workers.
    pub(super) fn search(
        (repository, store): (&Repository, &Store),
        visitors: &dyn Visitors,
        run: &Run,
        threads: usize,
    ) -> Self {
        let storage = repository.lfs_storage().join("objects");
        // A store elsewhere is not part of the repository that is scanned.
        if !storage.starts_with(&repository.common_dir) || !storage.is_dir() {
            return Self::default();
        }
        let lfs = Lfs::new(repository);
        let mut pointers = HashMap::new();
        for pointer in list(&storage) {
            let id = blob_id(&pointer.to_blob(), repository.hash);
            if let Some(id) = id.filter(|id| store.has(id)) {
                pointers.insert(id, pointer);
            }
        }
        let mut ids: Vec<ObjectId> = pointers.keys().copied().collect();
        ids.sort_unstable();
        let next = AtomicUsize::new(0);
        let held = Mutex::new(Vec::new());
        let work = || {
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                if run.is_interrupted() {
                    return;
                }
                let object = match lfs.open(&pointers[id]) {
                    Ok(object) => object,
                    Err(error) => {
                        let path = lfs.path(&pointers[id]);
                        run.report(Gap::Unread, Code::LfsUnreadable, path, error.to_string());
                        continue;
                    }
                };
                add(&run.tally.git_files, 1);
                add(&run.tally.bytes, object.len() as u64);
                let found = by_token(visitors.find(&object));
                let found = found.into_iter().map(|(token, offsets)| {
                    let spans = offsets.into_iter().map(|offset| Span { offset, len: 0 }).collect();
                    Held { token, object: HeldObject { id: *id, kind: Kind::Blob, spans } }
                });
                lock(&held).extend(found);
            }
        };
        std::thread::scope(|scope| {
            (1..threads.min(ids.len())).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let mut held = held.into_inner().unwrap_or_else(|poison| poison.into_inner());
        held.sort_unstable();
        Self { lfs: Some(lfs), pointers, held }
    }

    /// Returns `true` if a blob is the pointer of an object.
    pub(super) fn has(&self, blob: &ObjectId) -> bool {
        self.pointers.contains_key(blob)
    }

    /// Lists the names of the objects' files.
    pub(super) fn names(&self) -> HashSet<String> {
        self.pointers.values().map(|it| it.oid().to_owned()).collect()
    }

    /// Reads what a blob stands for.
    pub(super) fn read(
        &self,
        blob: &ObjectId,
        store: &Store,
        reader: &mut Reader,
    ) -> Result<Content, ReadError> {
        let object = self.lfs.as_ref().zip(self.pointers.get(blob));
        match object.map(|(lfs, pointer)| lfs.open(pointer)) {
            Some(Ok(object)) => Ok(Content::Lfs(object)),
            // It was here a moment ago.
            Some(Err(error)) => Err(ReadError::Broken { id: *blob, cause: error.into() }),
            None => store.read(blob, reader).map(|(_, bytes)| Content::Blob(bytes)),
        }
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

/// Returns the id that git gives to a blob.
fn blob_id(blob: &[u8], hash: HashKind) -> Option<ObjectId> {
    let header = format!("blob {}\0", blob.len());
    let raw = match hash {
        HashKind::Sha1 => Sha1::new().chain_update(header).chain_update(blob).finalize().to_vec(),
        HashKind::Sha256 => {
            Sha256::new().chain_update(header).chain_update(blob).finalize().to_vec()
        }
    };
    ObjectId::from_bytes(&raw).ok()
}
