//! The worker threads of a scan: one pool, started when it is first needed.
//!
//! Input: the number of workers, and lists of items. Output: the state of each worker after it has
//! processed its share of the items. The order of the states is not defined; stopping early is up to
//! the callers.

use rayon::iter::{ParallelBridge, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::OnceLock;

/// The workers of a scan.
#[derive(Debug)]
pub struct Workers {
    count: usize,
    pool: OnceLock<Option<ThreadPool>>,
}

impl Workers {
    /// Prepares `count` workers. Starts no thread yet, and none at all for a single worker.
    #[must_use]
    pub const fn new(count: usize) -> Self {
        Self { count, pool: OnceLock::new() }
    }

    /// Returns the number of workers.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Returns the thread pool; `None` if the calling thread must do the work, because there is only one
    /// worker or the system refuses to start more threads.
    pub fn pool(&self) -> Option<&ThreadPool> {
        let start = || ThreadPoolBuilder::new().num_threads(self.count).build().ok();
        self.pool.get_or_init(|| (self.count > 1).then(start).flatten()).as_ref()
    }

    /// Distributes the items to the workers one by one, in order, and returns the states of the workers
    /// that received any. The calling thread processes the items itself if there are at most `few`.
    pub fn fold<T: Sync, S: Send>(
        &self,
        items: &[T],
        few: usize,
        make: impl Fn() -> S + Sync,
        take: impl Fn(&mut S, &T) + Sync,
    ) -> Vec<S> {
        let take = |state: Option<S>, item: &T| {
            let mut state = state.unwrap_or_else(&make);
            take(&mut state, item);
            Some(state)
        };
        let pool = if items.len() > few { self.pool() } else { None };
        match pool {
            // `par_bridge` instead of a split slice: the items must start in order, since neighbours
            // share pages and the first ones may decide whether the rest is needed.
            Some(pool) => pool.install(|| {
                let states = items.iter().par_bridge().fold(|| None, take);
                states.flatten_iter().collect()
            }),
            None => items.iter().fold(None, take).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Workers;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::thread::{ThreadId, current};

    fn shares(workers: &Workers, items: &[u32], few: usize) -> Vec<(ThreadId, Vec<u32>)> {
        let make = || (current().id(), Vec::new());
        workers.fold(items, few, make, |(thread, taken), &item| {
            assert_eq!(*thread, current().id());
            taken.push(item);
        })
    }

    #[test]
    fn every_item_is_taken_once_and_in_order() {
        let items: Vec<u32> = (0..10_000).collect();
        for count in [1, 2, 8] {
            let shares = shares(&Workers::new(count), &items, 10);
            assert!((1..=count).contains(&shares.len()));
            assert!(shares.iter().all(|(_, taken)| taken.is_sorted()));
            let mut all: Vec<u32> = shares.into_iter().flat_map(|it| it.1).collect();
            all.sort_unstable();
            assert_eq!(all, items);
        }
    }

    #[test]
    fn one_worker_and_few_items_start_no_thread() {
        for (workers, few) in [(Workers::new(1), 0), (Workers::new(4), 3)] {
            let shares = shares(&workers, &[1, 2, 3], few);
            assert_eq!(shares, [(current().id(), vec![1, 2, 3])]);
            assert!(workers.pool.get().is_none_or(Option::is_none));
        }
        assert!(shares(&Workers::new(4), &[], 0).is_empty());
    }

    #[test]
    fn all_workers_work_at_the_same_time() {
        let barrier = Barrier::new(3);
        let states = Workers::new(3).fold(
            &[1, 2, 3],
            0,
            || 0,
            |taken, _| {
                barrier.wait();
                *taken += 1;
            },
        );
        assert_eq!(states, [1, 1, 1]);
    }

    #[test]
    fn a_panic_of_a_worker_reaches_the_caller() {
        let items: Vec<u32> = (0..100).collect();
        let take = |(): &mut (), &item: &u32| assert_ne!(item, 50, "the fiftieth");
        let fold = || Workers::new(2).fold(&items, 0, || (), take);
        assert!(catch_unwind(AssertUnwindSafe(fold)).is_err());
    }
}
