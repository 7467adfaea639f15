//! The log on standard error, as text or JSON. Does not write the messages for the operator; see
//! [`super::output`].

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;

/// The log filter unless `RUST_LOG` is set.
const LOG_FILTER: &str = "info,sqlx=warn";

/// The format of the log and of messages on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Returns the format in use.
pub(super) fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or_default()
}

/// Starts the log; called once.
pub(super) fn start(format: LogFormat) {
    let _ = FORMAT.set(format);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}
