//! Locks a mutex whether or not a thread that held it has panicked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`. The data behind it is only ever added to or taken whole, so it is usable after a
/// panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
