//! Inputs of a scan: sources, histories and changes.

use crate::source::Source;
use crate::source::git::changes::Change;
use crate::source::repositories::Repositories;

/// An input of a scan.
pub enum Input {
    /// Files, standard input or a text.
    Source(Box<dyn Source>),
    /// The histories of repositories.
    Repositories(Box<Repositories>),
    /// Staged content, a range of commits or a push.
    Change(Box<dyn Change>),
}

impl Input {
    /// Wraps a source.
    pub fn source(source: impl Source + 'static) -> Self {
        Self::Source(Box::new(source))
    }

    /// Wraps a change.
    pub fn change(change: impl Change + 'static) -> Self {
        Self::Change(Box::new(change))
    }
}
