//! The log on standard error, as text or JSON. Does not write the messages for the operator; see
//! [`super::output`].

use crate::request_span;
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

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
        LogFormat::Text => {
            log.with_ansi(io::stderr().is_terminal()).map_event_format(InRequest).init();
        }
        LogFormat::Json => {
            let log = log.json().flatten_event(true).with_span_list(false);
            log.map_event_format(InRequest).init();
        }
    }
}

/// The format of a line, in the span of the request that it is about.
struct InRequest<F>(F);

impl<S, N, F> FormatEvent<S, N> for InRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = || self.0.format_event(context, writer, event);
        match request_span::current() {
            Some(span) => span.in_scope(line),
            None => line(),
        }
    }
}
