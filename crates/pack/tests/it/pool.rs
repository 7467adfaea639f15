//! Thread pools for walks.

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Starts a pool of `threads` threads; returns `None` for one thread, as the scanner does.
pub(crate) fn pool(threads: usize) -> Option<ThreadPool> {
    let start = || ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
    (threads > 1).then(start)
}
