//! Locks a mutex whether or not a thread that held it has panicked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`. Data is only added to it or taken out whole, so it is valid after a panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
