//! How a command ends: its exit code, and errors that are none.

use std::io;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Exit {
    /// Complete, and nothing found that counts.
    Clean,
    /// Findings at the fail level, or a token that is none.
    Findings,
    /// Something failed, or was not scanned.
    Failed,
    /// Interrupted by the user.
    Interrupted,
}

impl Exit {
    pub(in crate::cli) const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Failed => 2,
            Self::Interrupted => 130,
        }
    }
}

/// Returns `true` if an error only means that nobody reads the output any more.
pub(in crate::cli) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(|it| it.io_error_kind());
        io.or(json) == Some(io::ErrorKind::BrokenPipe)
    })
}
