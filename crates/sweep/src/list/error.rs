//! The errors of a host, with its address but without queries and credentials.

use reqwest::StatusCode;
use url::Url;

/// A list of repositories cannot be read from a host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The base URL cannot be used.
    #[error("invalid URL of a host: {0}")]
    Base(&'static str),
    /// The host does not answer.
    #[error("{place}: {cause}")]
    Transport {
        /// Host and path.
        place: String,
        /// The cause.
        cause: String,
    },
    /// The host refuses the credential, or requires one.
    #[error("{place}: access denied (status {status}){message}; {hint}")]
    Denied {
        /// Host and path.
        place: String,
        /// The status.
        status: u16,
        /// The host's message, after `: `.
        message: String,
        /// How credentials are found.
        hint: String,
    },
    /// The organization, user or group does not exist, or the credential may not see it.
    #[error("{place}: not found, or not visible with this credential; {hint}")]
    NotFound {
        /// Host and path.
        place: String,
        /// How credentials are found.
        hint: String,
    },
    /// Another status.
    #[error("{place}: status {status}{message}")]
    Status {
        /// Host and path.
        place: String,
        /// The status.
        status: u16,
        /// The host's message, after `: `.
        message: String,
    },
    /// The rate limit lasts longer than the user wants to wait.
    #[error(
        "{place}: rate limit: the host asks to wait {seconds} s, more than is left of --max-wait"
    )]
    RateLimit {
        /// Host and path.
        place: String,
        /// The time to wait.
        seconds: u64,
    },
    /// The response is not a page of the API.
    #[error("{place}: {cause}")]
    Content {
        /// Host and path.
        place: String,
        /// The cause.
        cause: String,
    },
    /// Pages lead in a circle.
    #[error("{place}: the pages of the list repeat")]
    Loop {
        /// Host and path.
        place: String,
    },
}

impl HostError {
    /// Returns the error for a response that is not a page of the API.
    pub(super) fn content(url: &Url, cause: &str) -> Self {
        Self::Content { place: place(url), cause: cause.to_owned() }
    }

    /// Returns the error for a request that was not sent, or got no response.
    pub(super) fn transport(url: &Url, error: reqwest::Error) -> Self {
        Self::Transport { place: place(url), cause: describe(&error.without_url()) }
    }

    /// Returns the error for a status; `message` is the host's.
    pub(super) fn refusal(url: &Url, status: StatusCode, message: &str, hint: &str) -> Self {
        let place = place(url);
        let message = if message.is_empty() { String::new() } else { format!(": {message}") };
        let (status, hint) = (status.as_u16(), hint.to_owned());
        match status {
            401 | 403 => Self::Denied { place, status, message, hint },
            404 => Self::NotFound { place, hint },
            _ => Self::Status { place, status, message },
        }
    }
}

/// Returns the innermost cause of a transport error.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_timeout() { "the request timed out".to_owned() } else { cause.to_string() }
}

/// Returns host and path of a URL, without the query.
pub(super) fn place(url: &Url) -> String {
    format!("{}{}", host(url), url.path())
}

/// Returns the host of a URL, with its port.
pub(super) fn host(url: &Url) -> String {
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}
