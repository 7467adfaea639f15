//! Pushes the blobs of a change to visitors, and the Git LFS objects behind pointers among them.
//!
//! Input: ids of blobs. Output: their bytes, to the visitors, and what cannot be read.

use super::super::lfs::{Lfs, LfsError, Pointer};
use super::super::store::Store;
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::lock::lock;
use ddpatrol_scan::{ObjectVisitor, Run, Visitors, add};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What cannot be read of blobs.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// The pointers whose objects cannot be read.
    pub(super) lfs: HashMap<ObjectId, LfsError>,
    /// Why blobs cannot be read.
    pub(super) errors: Vec<String>,
}

/// Reads blobs and pushes them.
pub(super) struct BlobReader<'a> {
    pub(super) store: &'a Store,
    pub(super) lfs: &'a Lfs,
    pub(super) run: &'a Run,
    pub(super) threads: usize,
}

impl BlobReader<'_> {
    /// Pushes blobs, each once, on all workers.
    pub(super) fn push(&self, mut ids: Vec<ObjectId>, visitors: &dyn Visitors) -> Unread {
        ids.sort_unstable();
        ids.dedup();
        let next = AtomicUsize::new(0);
        let unread = Mutex::new(Unread::default());
        let work = || {
            let mut reader = Reader::default();
            let mut visitor = visitors.make();
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.run.is_interrupted() {
                    return;
                }
                self.push_one(*id, &mut reader, &mut *visitor, &unread);
            }
        };
        let threads = self.threads.min(ids.len().div_ceil(32));
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        unread.into_inner().unwrap_or_else(|poison| poison.into_inner())
    }

    fn push_one(
        &self,
        id: ObjectId,
        reader: &mut Reader,
        visitor: &mut dyn ObjectVisitor,
        unread: &Mutex<Unread>,
    ) {
        let bytes = match self.store.read(&id, reader) {
            Ok((Kind::Blob, bytes)) => bytes,
            Ok((kind, _)) => {
                let message = format!("object {id} is a {}, not a blob", kind.name());
                return lock(unread).errors.push(message);
            }
            Err(error) => return lock(unread).errors.push(error.to_string()),
        };
        let tally = &self.run.tally;
        add(&tally.objects, 1);
        add(&tally.bytes, bytes.len() as u64);
        visitor.visit(&Blob::whole(Origin::Object(id, Kind::Blob), &bytes));
        match Pointer::parse(&bytes).map(|pointer| self.lfs.open(&pointer)) {
            Some(Ok(object)) => {
                add(&tally.bytes, object.len() as u64);
                visitor.visit(&Blob::whole(Origin::Lfs(id), &object));
            }
            Some(Err(error)) => drop(lock(unread).lfs.insert(id, error)),
            None => {}
        }
    }
}
