//! What the blobs of a change hold: their own bytes, and those of Git LFS objects behind pointers.
//!
//! Input: ids of blobs. Output: those that hold tokens, with their bytes. It does not judge.

use super::super::lfs::{Content, Lfs, LfsError, Pointer};
use super::super::store::Store;
use crate::lock::lock;
use crate::source::{Run, Visitors, add, by_token};
use ddpatrol_pack::{Kind, ObjectId, Reader};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tokens and their offsets, in ascending order.
pub(super) type Tokens = BTreeMap<u32, Vec<u64>>;

/// Bytes that hold tokens.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) bytes: Content,
    pub(super) tokens: Tokens,
}

/// What was found in blobs.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The blobs that hold tokens.
    pub(super) texts: HashMap<ObjectId, Vec<Text>>,
    /// The pointers whose objects cannot be read.
    pub(super) lost: HashMap<ObjectId, LfsError>,
    /// What else cannot be read.
    pub(super) errors: Vec<String>,
}

impl Found {
    /// Returns `true` if a blob holds a token.
    pub(super) fn holds(&self, blob: &ObjectId, token: u32) -> bool {
        let mut texts = self.texts.get(blob).into_iter().flatten();
        texts.any(|text| text.tokens.contains_key(&token))
    }

    /// Lists the tokens that a blob holds.
    pub(super) fn tokens(&self, blob: &ObjectId) -> impl Iterator<Item = u32> {
        let texts = self.texts.get(blob).into_iter().flatten();
        texts.flat_map(|text| text.tokens.keys().copied())
    }
}

/// Searches blobs.
pub(super) struct Search<'a> {
    pub(super) store: &'a Store,
    pub(super) lfs: &'a Lfs,
    pub(super) visitors: &'a dyn Visitors,
    pub(super) run: &'a Run,
    pub(super) threads: usize,
}

impl Search<'_> {
    /// Searches blobs, each once, on all workers.
    pub(super) fn search(&self, mut ids: Vec<ObjectId>) -> Found {
        ids.sort_unstable();
        ids.dedup();
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Found::default());
        let work = || {
            let mut reader = Reader::default();
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.run.is_interrupted() {
                    return;
                }
                self.search_one(id, &mut reader, &found);
            }
        };
        let threads = self.threads.min(ids.len().div_ceil(32));
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        found.into_inner().unwrap_or_else(|poison| poison.into_inner())
    }

    fn search_one(&self, id: &ObjectId, reader: &mut Reader, found: &Mutex<Found>) {
        let bytes = match self.store.read(id, reader) {
            Ok((Kind::Blob, bytes)) => bytes,
            Ok((kind, _)) => {
                let message = format!("object {id} is a {}, not a blob", kind.name());
                return lock(found).errors.push(message);
            }
            Err(error) => return lock(found).errors.push(error.to_string()),
        };
        add(&self.run.tally.objects, 1);
        let pointer = Pointer::parse(&bytes);
        self.search_bytes(id, Content::Blob(bytes), found);
        match pointer.map(|pointer| self.lfs.open(&pointer)) {
            Some(Ok(object)) => self.search_bytes(id, Content::Lfs(object), found),
            Some(Err(error)) => drop(lock(found).lost.insert(*id, error)),
            None => {}
        }
    }

    fn search_bytes(&self, id: &ObjectId, bytes: Content, found: &Mutex<Found>) {
        add(&self.run.tally.bytes, bytes.len() as u64);
        let tokens = by_token(self.visitors.find(&bytes));
        if !tokens.is_empty() {
            lock(found).texts.entry(*id).or_default().push(Text { bytes, tokens });
        }
    }
}
