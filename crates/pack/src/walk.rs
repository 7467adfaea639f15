//! Walks the families of a pack from base to leaves, so that each entry is inflated once.
//!
//! An object that nothing is made from is not put together unless the visitor asks: it sees the
//! pieces, the fresh bytes and the base. Most versions of a file are decided by what they added.

use crate::entry::EntryKind;
use crate::inflate::LARGE;
use crate::layout::{Entry, Job, Layout, NONE, Plan};
use crate::levels::Levels;
use crate::source::Source;
use crate::{Fault, Kind, ObjectId, Pack, PackError, Piece};
use flate2::bufread::ZlibDecoder;
use rayon::ThreadPool;
use rayon::iter::{ParallelBridge, ParallelIterator};
use std::io::{self, Read};
use std::sync::Arc;

/// A set of object kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// All kinds.
    pub const ALL: Self = Self(0b11110);

    /// The set of these kinds.
    #[must_use]
    pub fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |set, &kind| set | 1 << (kind as u8 + 1)))
    }

    fn has(self, number: u8) -> bool {
        number < 8 && self.0 >> number & 1 == 1
    }
}

/// What to walk and with what means.
#[derive(Clone, Copy)]
pub struct WalkOptions<'a> {
    /// The kinds of objects to be visited; others are never inflated.
    pub kinds: Kinds,
    /// The worker threads; with `None` the calling thread is the only worker.
    pub pool: Option<&'a ThreadPool>,
    /// How many bytes the buffers of all workers may hold together. What exceeds it is made again
    /// when it is needed; a single object may exceed it.
    pub budget: usize,
    /// Objects not to be visited, by position in the index, because they were seen elsewhere.
    pub skip: Option<&'a (dyn Fn(u32) -> bool + Sync)>,
}

/// Takes the objects of one worker.
pub trait Visitor {
    /// What is remembered of an object while those made from it are visited.
    type Kept: Send;

    /// Looks at an object. `base` is what was kept of its delta base; `None` if it has none, or
    /// that was not visited by this walk: then all bytes are to be looked at.
    fn visit(
        &mut self,
        object: &mut Object<'_>,
        base: Option<&Self::Kept>,
    ) -> Result<Self::Kept, Fault>;

    /// Looks at an object that is too large to be held: `len` bytes from `content`.
    ///
    /// # Errors
    /// What reading from `content` fails with.
    fn stream(&mut self, id: ObjectId, len: u64, content: &mut dyn Read) -> io::Result<()>;

    /// Takes what cannot be read.
    fn failed(&mut self, error: PackError);

    /// Returns `true` if the walk is to stop.
    fn is_stopped(&self) -> bool;
}

/// An object in its place in a family.
pub struct Object<'a> {
    id: ObjectId,
    kind: Kind,
    position: u32,
    is_base: bool,
    levels: &'a mut Levels,
}

impl Object<'_> {
    /// Returns its id, as the index has it.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.id
    }

    /// Returns its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns its position in the index.
    #[must_use]
    pub fn position(&self) -> u32 {
        self.position
    }

    /// Returns `true` if other objects are deltas on it, so that it is put together in any case.
    #[must_use]
    pub fn is_base(&self) -> bool {
        self.is_base
    }

    /// Returns its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.levels.len()
    }

    /// Returns `true` if it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the pieces that it is made of, in order, without gaps. An object that is no delta
    /// has one fresh piece, or none if it is empty.
    #[must_use]
    #[inline]
    pub fn pieces(&self) -> &[Piece] {
        self.levels.pieces()
    }

    /// Returns all its fresh bytes, in the order of the pieces.
    #[must_use]
    #[inline]
    pub fn fresh(&self) -> &[u8] {
        self.levels.fresh()
    }

    /// Returns the bytes of the delta base; empty for an object that is no delta.
    #[must_use]
    #[inline]
    pub fn base(&self) -> &[u8] {
        self.levels.base()
    }

    /// Appends the bytes of a range to `out`, without putting the object together.
    ///
    /// # Panics
    /// If the range exceeds the object.
    pub fn read(&self, range: std::ops::Range<usize>, out: &mut Vec<u8>) {
        self.levels.read(range, out);
    }

    /// Returns all bytes. They are put together once.
    ///
    /// # Errors
    /// [`Fault`] if memory does not suffice.
    pub fn whole(&mut self) -> Result<&[u8], Fault> {
        self.levels.whole()
    }

    /// Returns all bytes, and the pieces.
    ///
    /// # Errors
    /// As [`Object::whole`].
    pub fn whole_with_pieces(&mut self) -> Result<(&[u8], &[Piece]), Fault> {
        self.levels.whole()?;
        Ok((self.levels.top(), self.levels.pieces()))
    }
}

/// The entries of a pack, ready to be walked as often as needed.
pub struct Families {
    pack: Arc<Pack>,
    layout: Layout,
}

impl Families {
    /// Reads the headers of all entries, on the threads of `pool` or else on the calling thread, and
    /// passes each entry that is broken to `failed`.
    pub fn new(
        pack: Arc<Pack>,
        pool: Option<&ThreadPool>,
        mut failed: impl FnMut(PackError),
    ) -> Self {
        let layout = Layout::new(&pack, pool, &mut failed);
        Self { pack, layout }
    }

    /// Returns the pack.
    #[must_use]
    pub fn pack(&self) -> &Arc<Pack> {
        &self.pack
    }

    /// Lists the deltas among the objects of a kind: the positions of each and of its base. Bases
    /// mostly come before what is made from them; where deltas name their bases by id they need
    /// not.
    pub fn deltas(&self, kind: Kind) -> impl Iterator<Item = (u32, u32)> {
        let entries = &self.layout.entries;
        let wanted = kind as u8 + 1;
        entries.iter().filter(move |it| it.kind == wanted && it.base != NONE).filter_map(|entry| {
            let base = entries[entry.base as usize].position;
            (base != NONE && entry.position != NONE).then_some((entry.position, base))
        })
    }

    /// Walks the wanted objects. `make` creates a visitor for each worker that gets work; the visitors
    /// are returned at the end, in no particular order.
    ///
    /// Every object that can be read is visited once; [`Visitor::failed`] receives the others. A panic of
    /// a visitor is passed on to the caller.
    pub fn walk<V: Visitor + Send>(
        &self,
        options: &WalkOptions<'_>,
        make: &(dyn Fn() -> V + Sync),
    ) -> Vec<V> {
        let threads = options.pool.map_or(1, ThreadPool::current_num_threads);
        let is_wanted = |entry: &Entry| {
            entry.position != NONE
                && options.kinds.has(entry.kind)
                && !options.skip.is_some_and(|skip| skip(entry.position))
        };
        let plan = Plan::new(&self.layout, threads, &is_wanted);
        let batches = batches(&plan.jobs, threads);
        let begin = || Worker {
            source: Source { pack: &self.pack, layout: &self.layout },
            plan: &plan,
            levels: Levels::new(options.budget / threads),
            open: Vec::new(),
            visitor: make(),
        };
        let take = |worker: Option<_>, batch: std::ops::Range<usize>| {
            let mut worker: Worker<'_, _> = worker.unwrap_or_else(begin);
            for job in &plan.jobs[batch] {
                if worker.visitor.is_stopped() {
                    break;
                }
                worker.job(job);
            }
            Some(worker)
        };
        let batches = batches.into_iter();
        match options.pool {
            // `par_bridge` instead of splitting the list: all workers should read close together, where
            // the pack is mapped and its pages are in memory.
            Some(pool) => pool.install(|| {
                let workers = batches.par_bridge().fold(|| None, take);
                workers.flatten_iter().map(|worker| worker.visitor).collect()
            }),
            None => batches.fold(None, take).map(|worker| worker.visitor).into_iter().collect(),
        }
    }
}

/// Joins small jobs that follow each other in the pack.
fn batches(jobs: &[Job], threads: usize) -> Vec<std::ops::Range<usize>> {
    let most = jobs.iter().map(|job| job.weight).sum::<u64>() / (threads as u64 * 48) + 1;
    let (mut batches, mut start, mut sum) = (Vec::new(), 0, 0);
    for (at, job) in jobs.iter().enumerate() {
        sum += job.weight;
        if sum >= most {
            batches.push(start..at + 1);
            (start, sum) = (at + 1, 0);
        }
    }
    batches.push(start..jobs.len());
    batches
}

struct Worker<'a, V: Visitor> {
    source: Source<'a>,
    plan: &'a Plan<'a>,
    levels: Levels,
    open: Vec<Open<V::Kept>>,
    visitor: V,
}

/// What was kept of the object of a level, and its children that are still to come.
struct Open<K> {
    kept: Option<K>,
    children: (u32, u32),
}

impl<V: Visitor> Worker<'_, V> {
    fn job(&mut self, job: &Job) {
        self.levels.clear();
        self.open.clear();
        if job.own {
            if !self.enter(job.entry, job.children) {
                return;
            }
        } else if !self.descend(job) {
            return;
        }
        while let Some(Open { children: (next, end), .. }) = self.open.last_mut() {
            if next == end {
                self.open.pop();
                self.levels.pop();
                continue;
            }
            let child = self.plan.child(*next);
            *next += 1;
            if !self.plan.has_wanted(child) {
                continue;
            }
            if self.visitor.is_stopped() {
                return;
            }
            let children = self.plan.children(child);
            self.look_ahead(children);
            self.enter(child, children);
        }
    }

    /// Fetches what is entered after an entry with these children.
    #[inline]
    fn look_ahead(&self, children: (u32, u32)) {
        let open = self.open.iter().rev().map(|open| open.children);
        let Some((next, _)) = std::iter::once(children).chain(open).find(|it| it.0 < it.1) else {
            return;
        };
        let entry = &self.source.layout.entries[self.plan.child(next) as usize];
        self.source.pack.prefetch(entry.offset);
        self.source.pack.index().prefetch(entry.position);
    }

    /// Goes down to an entry that another worker visits.
    fn descend(&mut self, job: &Job) -> bool {
        let mut chain = vec![job.entry];
        while let Some(&last) = chain.last()
            && self.source.layout.entries[last as usize].base != NONE
        {
            chain.push(self.source.layout.entries[last as usize].base);
        }
        while let Some(entry) = chain.pop() {
            let is_top = self.open.is_empty();
            let pushed = self.levels.push(self.source, entry);
            if pushed.and_then(|()| self.levels.settle(!is_top)).is_err() {
                // The worker that visits that entry reports the fault; here its descendants are lost.
                self.lose_children(job.children);
                return false;
            }
            let children = if entry == job.entry { job.children } else { (0, 0) };
            self.open.push(Open { kept: None, children });
        }
        true
    }

    /// Visits an entry, one level below the last; `false` if it cannot be read.
    fn enter(&mut self, at: u32, children: (u32, u32)) -> bool {
        let entry = self.source.layout.entries[at as usize];
        let is_wanted = self.plan.is_wanted(at);
        if is_wanted && entry.base == NONE && children.0 == children.1 {
            match self.stream(&entry) {
                None => {}
                Some(result) => {
                    if let Err(fault) = result {
                        self.fail(&entry, fault);
                    }
                    return false;
                }
            }
        }
        if let Err(fault) = self.levels.push(self.source, at) {
            if is_wanted {
                self.fail(&entry, fault);
            }
            self.lose_children(children);
            return false;
        }
        let mut kept = None;
        let id = self.source.pack.index().id(entry.position);
        if let (true, Some(id), Some(kind)) = (is_wanted, id, Kind::from_number(entry.kind)) {
            let levels = &mut self.levels;
            let base = self.open.last().and_then(|open| open.kept.as_ref());
            let is_base = children.0 < children.1;
            let mut object = Object { id, kind, position: entry.position, is_base, levels };
            match self.visitor.visit(&mut object, base) {
                Ok(value) => kept = Some(value),
                Err(fault) => self.fail(&entry, fault),
            }
        }
        if children.0 == children.1 {
            self.levels.pop();
            return true;
        }
        let is_last = self.open.last().is_some_and(|open| open.children.0 == open.children.1);
        if let Err(fault) = self.levels.settle(is_last) {
            self.levels.pop();
            self.fail(&entry, fault);
            self.lose_children(children);
            return false;
        }
        self.open.push(Open { kept, children });
        true
    }

    /// Hands a large blob on without holding it; `None` if it is not large.
    fn stream(&mut self, entry: &Entry) -> Option<Result<(), Fault>> {
        let pack = self.source.pack;
        let header = pack.header(entry.offset).ok().filter(|it| it.size > LARGE)?;
        let is_blob = matches!(header.kind, EntryKind::Whole(3));
        let id = pack.index().id(entry.position).filter(|_| is_blob)?;
        let data = pack.entries().get(header.data..)?;
        let mut reader = Counted { inner: ZlibDecoder::new(data), left: header.size, fault: None };
        let read = self.visitor.stream(id, header.size, &mut reader);
        if self.visitor.is_stopped() {
            return Some(Ok(()));
        }
        Some(match read {
            Ok(()) => reader.finish(),
            Err(_) => Err(reader.fault.unwrap_or(Fault::Deflate)),
        })
    }

    fn fail(&mut self, entry: &Entry, fault: Fault) {
        let id = self.source.pack.index().id(entry.position);
        let error = self.source.pack.error(Some(entry.offset), id, fault);
        self.visitor.failed(error);
    }

    /// Reports every wanted entry below one that cannot be read.
    fn lose_children(&mut self, children: (u32, u32)) {
        let mut open = vec![children];
        while let Some((start, end)) = open.pop() {
            for at in (start..end).map(|child| self.plan.child(child)) {
                if self.plan.is_wanted(at) {
                    let entry = self.source.layout.entries[at as usize];
                    self.fail(&entry, Fault::BaseBroken);
                }
                open.push(self.plan.children(at));
            }
        }
    }
}

/// Counts what is read, and refuses more than was announced.
struct Counted<R> {
    inner: R,
    left: u64,
    fault: Option<Fault>,
}

impl<R: Read> Counted<R> {
    /// Checks that the announced length was read and that the data end there. A visitor that reads no
    /// more than that has checked neither their end nor their checksum.
    fn finish(mut self) -> Result<(), Fault> {
        let is_whole = self.left == 0 && self.fault.is_none();
        let is_end = is_whole && matches!(self.read(&mut [0]), Ok(0));
        if is_end { Ok(()) } else { Err(self.fault.unwrap_or(Fault::Length)) }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).inspect_err(|_| self.fault = Some(Fault::Deflate))?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => {
                self.fault = Some(Fault::Length);
                return Err(io::Error::other(Fault::Length.to_string()));
            }
        }
        Ok(read)
    }
}
