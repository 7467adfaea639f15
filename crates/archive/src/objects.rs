//! Yields git objects as members, for archives that are git objects themselves: their repositories are not
//! read with their histories.
//!
//! Input: a pack with its index, or one loose object. Output: the objects as members, named by kind and
//! id: `a.bundle!/blob/<id>`. Commits are not attributed.

use super::fault::Fault;
use super::format::loose_header;
use super::member_path::MemberPlace;
use super::walker::Walker;
use ddpatrol_pack::{
    DeltaForest, Fault as PackFault, HashKind, Kind, Kinds, Object, ObjectId, Pack, PackError,
    Visitor, WalkOptions,
};
use ddpatrol_scan::issue::Damage;
use ddpatrol_scan::{Filled, read_full};
use flate2::read::ZlibDecoder;
use sha1::{Digest, Sha1};
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Maximum size of the buffers of the pack reader, in bytes.
const BUDGET: usize = 96 << 20;
/// Bytes of a large object sent at a time.
const PART: usize = 1 << 20;
/// Maximum length of the header of a loose object, in bytes.
const HEADER: usize = 32;
/// Bytes of objects sent at a time, since each message wakes a thread.
const MAX_BATCH: usize = 1 << 20;

/// A message from the pack reader.
enum Message {
    Objects(Vec<LoadedObject>),
    /// An object that is too large to hold; its parts follow.
    Large(ObjectId),
    Part(Vec<u8>),
    /// The end of a large object, or the error that ended it.
    End(io::Result<()>),
    Failed(PackError),
}

/// An object in memory.
struct LoadedObject {
    kind: Kind,
    id: ObjectId,
    bytes: Vec<u8>,
}

/// The source of object ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// The index of the pack.
    Indexed,
    /// Hashes of the objects.
    Computed,
}

/// Yields the objects of a pack whose index is in the same folder.
pub(super) fn read_pack(
    walker: &Walker<'_>,
    place: &MemberPlace,
    path: &Path,
    ids: Ids,
) -> Result<(), Fault> {
    let pack = Arc::new(Pack::open(path, HashKind::Sha1).map_err(Damage::Pack)?);
    let (sender, items) = sync_channel(1);
    let stopped = AtomicBool::new(false);
    // The walker counts in cells, so it stays on this thread; another thread reads the pack.
    std::thread::scope(|scope| {
        let stopped = &stopped;
        std::thread::Builder::new().spawn_scoped(scope, move || {
            let failed = |error| drop(sender.send(Message::Failed(error)));
            let forest = DeltaForest::new(pack, None, failed);
            let options = WalkOptions { kinds: Kinds::ALL, pool: None, budget: BUDGET, skip: None };
            let make =
                || ObjectSender { sender: sender.clone(), stopped, ids, held: Vec::new(), len: 0 };
            forest.walk(&options, &make).iter_mut().for_each(ObjectSender::flush);
        })?;
        let outcome = take(walker, place, &items);
        // The sender stops at this flag, or when the channel is closed.
        stopped.store(true, Ordering::Relaxed);
        drop(items);
        outcome
    })
}

fn take(walker: &Walker<'_>, place: &MemberPlace, items: &Receiver<Message>) -> Result<(), Fault> {
    while let Ok(item) = items.recv() {
        match item {
            Message::Objects(objects) => {
                for LoadedObject { kind, id, bytes } in objects {
                    walker.member(place, &name(kind, id), &mut Cursor::new(bytes))?;
                }
            }
            Message::Large(id) => {
                let mut parts = PartReader { items, part: Cursor::default(), has_ended: false };
                walker.member(place, &name(Kind::Blob, id), &mut parts)?;
            }
            Message::Failed(error) => walker.account().report(place, Damage::Pack(error)),
            // The rest of a large object that was not read to its end.
            Message::Part(_) | Message::End(_) => {}
        }
    }
    Ok(())
}

fn name(kind: Kind, id: ObjectId) -> Vec<u8> {
    format!("{}/{id}", kind.name()).into_bytes()
}

/// Computes the id of an object, as git does.
fn object_id(kind: Kind, bytes: &[u8]) -> Option<ObjectId> {
    let header = format!("{} {}\0", kind.name(), bytes.len());
    let hash = Sha1::new().chain_update(header).chain_update(bytes).finalize();
    ObjectId::from_bytes(&hash).ok()
}

/// Sends objects to the thread of the walker.
struct ObjectSender<'a> {
    sender: SyncSender<Message>,
    stopped: &'a AtomicBool,
    ids: Ids,
    held: Vec<LoadedObject>,
    len: usize,
}

impl ObjectSender<'_> {
    fn flush(&mut self) {
        self.len = 0;
        let held = std::mem::take(&mut self.held);
        self.send(Message::Objects(held));
    }

    fn send(&self, item: Message) {
        if self.sender.send(item).is_err() {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }
}

impl Visitor for ObjectSender<'_> {
    type BaseData = ();

    fn visit(&mut self, object: &mut Object<'_>, _: Option<&()>) -> Result<(), PackFault> {
        let (kind, id) = (object.kind(), object.id());
        let bytes = object.assemble()?.to_vec();
        let id = if self.ids == Ids::Computed { object_id(kind, &bytes).unwrap_or(id) } else { id };
        self.len += bytes.len();
        self.held.push(LoadedObject { kind, id, bytes });
        if self.len >= MAX_BATCH {
            self.flush();
        }
        Ok(())
    }

    fn stream(&mut self, id: ObjectId, _: u64, content: &mut dyn Read) -> io::Result<()> {
        self.flush();
        self.send(Message::Large(id));
        loop {
            let mut part = Vec::with_capacity(PART);
            let read = (&mut *content).take(PART as u64).read_to_end(&mut part);
            let is_end = part.is_empty() || read.is_err() || self.is_stopped();
            self.send(Message::Part(part));
            if is_end {
                let copy = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
                self.send(Message::End(read.as_ref().map(|_| ()).map_err(copy)));
                return read.map(|_| ());
            }
        }
    }

    fn failed(&mut self, error: PackError) {
        self.send(Message::Failed(error));
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Reads the content of a large object from its parts.
struct PartReader<'a> {
    items: &'a Receiver<Message>,
    part: Cursor<Vec<u8>>,
    has_ended: bool,
}

impl Read for PartReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let len = self.part.read(buffer)?;
            if len > 0 || buffer.is_empty() || self.has_ended {
                return Ok(len);
            }
            match self.items.recv() {
                Ok(Message::Part(part)) => self.part = Cursor::new(part),
                Ok(Message::End(Err(error))) => {
                    self.has_ended = true;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
                _ => self.has_ended = true,
            }
        }
    }
}

/// Yields the content of a loose object as a member named by its kind.
pub(super) fn read_loose(
    walker: &Walker<'_>,
    place: &MemberPlace,
    reader: &mut dyn Read,
) -> Result<(), Fault> {
    let mut decoder = ZlibDecoder::new(reader);
    let mut head = [0; HEADER];
    let Filled { len, error } = read_full(&mut decoder, &mut head);
    let Some((kind, start)) = loose_header(&head[..len]) else {
        return Err(error.map_or_else(|| Damage::LooseHeaderMissing.into(), Fault::from));
    };
    let mut content = Cursor::new(&head[start..len]).chain(decoder);
    walker.member(place, kind.name().as_bytes(), &mut content)
}
