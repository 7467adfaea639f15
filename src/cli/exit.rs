//! The exit code of a command, and errors that do not affect it.

use std::io;

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Exit {
    /// Complete, without findings at the fail level.
    Clean,
    /// Findings at the fail level, or an invalid token.
    Findings,
    /// An error, or content that was not scanned.
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

/// Returns `true` if an error was caused by a closed output pipe.
pub(in crate::cli) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(|it| it.io_error_kind());
        io.or(json) == Some(io::ErrorKind::BrokenPipe)
    })
}
