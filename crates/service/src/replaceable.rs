//! A value that all requests read and that can be replaced while the service runs.

use crate::lock::{read, write};
use std::sync::{Arc, RwLock};

/// A shared value. A reader keeps the value that it got, even after a replacement.
#[derive(Debug)]
pub struct Replaceable<T>(RwLock<Arc<T>>);

impl<T> Replaceable<T> {
    /// Creates a holder of a value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// Returns the current value.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&read(&self.0))
    }

    /// Replaces the current value.
    pub fn replace(&self, value: T) {
        *write(&self.0) = Arc::new(value);
    }
}
