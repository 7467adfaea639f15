//! Pushes the blobs of a change to sinks, and the Git LFS objects behind pointers among them.
//!
//! Input: ids of blobs. Output: their bytes, pushed to the sinks, and the blobs that cannot be read.

use super::super::lfs::{Lfs, LfsError, Pointer};
use super::super::store::{ReadError, Store};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use ddpatrol_scan::blob::{Blob, Origin};
use ddpatrol_scan::issue::Cause;
use ddpatrol_scan::workers::Workers;
use ddpatrol_scan::{Run, Sink, Sinks, add};
use std::collections::HashMap;
use std::sync::Arc;

/// Blobs and Git LFS objects that cannot be read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    /// The pointers whose objects cannot be read.
    pub(super) lfs: HashMap<ObjectId, Arc<LfsError>>,
    /// The blobs that the store does not have.
    pub(super) missing: Vec<ObjectId>,
    /// The errors of other blobs.
    pub(super) errors: Vec<UnreadBlob>,
}

/// A blob that cannot be read.
#[derive(Debug)]
pub(super) struct UnreadBlob {
    pub(super) id: ObjectId,
    pub(super) source: Cause,
}

/// A worker that pushes blobs.
struct BlobWorker<'a> {
    reader: Reader,
    sink: Box<dyn Sink + 'a>,
    unread: Unread,
}

/// Up to this number of blobs, one thread is faster than starting several.
const FEW: usize = 32;

/// Reads blobs and pushes them.
pub(super) struct BlobReader<'a> {
    pub(super) store: &'a Store,
    pub(super) lfs: &'a Lfs,
    pub(super) run: &'a Run,
    pub(super) workers: &'a Workers,
}

impl BlobReader<'_> {
    /// Pushes blobs, each once, on all workers.
    pub(super) fn push(&self, mut ids: Vec<ObjectId>, sinks: &dyn Sinks) -> Unread {
        ids.sort_unstable();
        ids.dedup();
        let make = || BlobWorker {
            reader: Reader::default(),
            sink: sinks.sink(),
            unread: Unread::default(),
        };
        let workers = self.workers.fold(&ids, FEW, make, |worker, id| {
            if !self.run.is_interrupted() {
                self.push_one(*id, worker);
            }
        });
        let mut unread = Unread::default();
        for mut worker in workers {
            unread.lfs.extend(worker.unread.lfs);
            unread.missing.append(&mut worker.unread.missing);
            unread.errors.append(&mut worker.unread.errors);
        }
        unread.missing.sort_unstable();
        unread
    }

    fn push_one(&self, id: ObjectId, worker: &mut BlobWorker<'_>) {
        let BlobWorker { reader, sink, unread } = worker;
        let bytes = match self.store.read(&id, reader) {
            Ok((Kind::Blob, bytes)) => bytes,
            Ok((kind, _)) => {
                let message = format!("object {id} is a {}, not a blob", kind.name());
                return unread.errors.push(UnreadBlob { id, source: message.into() });
            }
            Err(ReadError::Missing(id)) => return unread.missing.push(id),
            Err(error) => return unread.errors.push(UnreadBlob { id, source: error.into() }),
        };
        let tally = &self.run.tally;
        add(&tally.objects, 1);
        add(&tally.bytes, bytes.len() as u64);
        sink.blob(&Blob::whole(Origin::Object(id, Kind::Blob), &bytes));
        match Pointer::parse(&bytes).map(|pointer| self.lfs.open(&pointer)) {
            Some(Ok(object)) => {
                add(&tally.bytes, object.len() as u64);
                sink.blob(&Blob::whole(Origin::Lfs(id), &object));
            }
            Some(Err(error)) => drop(unread.lfs.insert(id, Arc::new(error))),
            None => {}
        }
    }
}
