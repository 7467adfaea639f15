//! The URL of a host, as the user gives it.
//!
//! Input: text. Output: the base URL of its API or pages. Nothing is requested here.

use super::error::HostError;
use url::Url;

/// Parses the URL of a host: http or https, without user, query and fragment.
///
/// # Errors
/// Returns an error that does not repeat the URL.
pub(super) fn parse_base(text: &str) -> Result<Url, HostError> {
    let mut url = Url::parse(text).map_err(|_| HostError::Base("expected https://HOST"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(HostError::Base("expected https://HOST"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        let problem = "it contains credentials: remove them, and use the environment";
        return Err(HostError::Base(problem));
    }
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}
