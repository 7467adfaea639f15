//! Walks the delta trees of a pack from roots to leaves, so that each entry is inflated once.
//!
//! Input: a pack and the kinds of objects wanted. Output: calls of visitors. An object without deltas on it
//! is assembled only on request: for most versions of a file the pieces, the fresh bytes and the base
//! suffice.

use crate::layout::{Entry, Layout};
use crate::plan::{Job, Plan};
use crate::source::Source;
use crate::visitor::Visitor;
use crate::worker::Worker;
use crate::{Kind, Pack, PackError};
use rayon::ThreadPool;
use rayon::iter::{ParallelBridge, ParallelIterator};
use std::ops::Range;
use std::sync::Arc;

/// A set of object kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// All kinds.
    pub const ALL: Self = Self(0b1111);

    /// Returns the set of these kinds.
    #[must_use]
    pub fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |set, &kind| set | 1 << kind as u8))
    }

    fn has(self, kind: Kind) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }
}

/// The objects that a walk visits, its threads and its memory.
#[derive(Clone, Copy)]
pub struct WalkOptions<'a> {
    /// The kinds of objects to visit; others are never inflated.
    pub kinds: Kinds,
    /// The worker threads; with `None` the calling thread is the only worker.
    pub pool: Option<&'a ThreadPool>,
    /// Maximum size of the buffers of all workers together, in bytes. Objects beyond it are rebuilt when
    /// needed; a single object may exceed it.
    pub budget: usize,
    /// Returns `true` for objects to skip, by position in the index.
    pub skip: Option<&'a (dyn Fn(u32) -> bool + Sync)>,
}

/// The entries of a pack as delta trees, which can be walked several times.
pub struct DeltaForest {
    pack: Arc<Pack>,
    layout: Layout,
}

impl DeltaForest {
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

    /// Walks the wanted objects. `make` creates a visitor for each worker that gets work; the visitors
    /// are returned at the end, in no particular order.
    ///
    /// Every readable object is visited once; [`Visitor::failed`] receives the errors of the others. A panic
    /// of a visitor propagates to the caller.
    pub fn walk<V: Visitor + Send>(
        &self,
        options: &WalkOptions<'_>,
        make: &(dyn Fn() -> V + Sync),
    ) -> Vec<V> {
        let threads = options.pool.map_or(1, ThreadPool::current_num_threads);
        let is_wanted = |entry: &Entry| {
            entry.position().is_some_and(|position| {
                entry.kind().is_some_and(|kind| options.kinds.has(kind))
                    && !options.skip.is_some_and(|skip| skip(position))
            })
        };
        let plan = Plan::new(&self.layout, threads, &is_wanted);
        let batches = batches(&plan.jobs, threads);
        let source = Source { pack: &self.pack, layout: &self.layout };
        let begin = || Worker::new(source, &plan, options.budget / threads, make());
        let take = |worker: Option<_>, batch: Range<usize>| {
            let mut worker: Worker<'_, _> = worker.unwrap_or_else(begin);
            for job in &plan.jobs[batch] {
                if worker.visitor.is_stopped() {
                    break;
                }
                worker.run(job);
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

/// Joins small adjacent jobs.
fn batches(jobs: &[Job], threads: usize) -> Vec<Range<usize>> {
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
