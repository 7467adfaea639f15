//! Reads the pages of a list one after another.
//!
//! Ends at the last page, or with an error if pages repeat, so that no server makes it endless.

use super::choices::Protocol;
use super::error::{HostError, place};
use super::http::{Api, Fetched};
use super::pages::Page;
use crate::repository::{CloneUrl, CloneUrlError, Repository};
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use url::Url;

/// Maximum number of pages of one list.
const MAX_PAGES: usize = 10_000;

/// An entry of a list has no URL to clone it from.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is left out: {source}")]
pub(super) struct UnusableEntry {
    name: String,
    source: CloneUrlError,
}

/// Converts an entry of a host.
pub(super) trait ListedEntry: DeserializeOwned {
    fn repository(self, protocol: Protocol) -> Result<Repository, UnusableEntry>;
}

/// Reads all pages from `first` on. `next` returns the URL of the page after one.
pub(super) async fn read_pages<E: ListedEntry>(
    api: &mut Api<'_>,
    first: Url,
    protocol: Protocol,
    next: impl Fn(&Api<'_>, &Url, &Fetched<Vec<E>>) -> anyhow::Result<Option<Url>>,
) -> anyhow::Result<Page> {
    let mut all = Page::default();
    let mut seen = HashSet::new();
    let mut visited = HashSet::new();
    let mut url = first;
    loop {
        let repeats = || HostError::Loop { place: place(&url) };
        if !visited.insert(url.to_string()) || visited.len() > MAX_PAGES {
            return Err(repeats().into());
        }
        let page = api
            .page(&url, protocol, |api, fetched: Fetched<Vec<E>>| {
                let next = next(api, &url, &fetched)?.map(String::from);
                let mut page = Page { next, ..Page::default() };
                for entry in fetched.content {
                    match entry.repository(protocol) {
                        Ok(repository) => page.repositories.push(repository),
                        Err(error) => page.gaps.push(error.to_string()),
                    }
                }
                Ok(page)
            })
            .await?;
        let is_empty = page.repositories.is_empty();
        let before = all.repositories.len();
        all.gaps.extend(page.gaps);
        let new = page.repositories.into_iter().filter(|it| seen.insert(it.key()));
        all.repositories.extend(new);
        if !is_empty && all.repositories.len() == before {
            return Err(repeats().into());
        }
        let Some(next) = page.next else { return Ok(all) };
        url = Url::parse(&next)
            .map_err(|_| HostError::content(&url, "invalid URL of the next page"))?;
    }
}

/// Parses the URL to clone an entry from.
pub(super) fn clone_url(url: &str, name: &str) -> Result<CloneUrl, UnusableEntry> {
    CloneUrl::parse(url).map_err(|source| UnusableEntry { name: name.to_owned(), source })
}

/// Returns the URL of the relation `next` in a `Link` header (RFC 8288).
///
/// # Errors
/// Returns an error if it is not a URL of the same host.
pub(super) fn next_link<T>(
    api: &Api<'_>,
    url: &Url,
    fetched: &Fetched<T>,
) -> anyhow::Result<Option<Url>> {
    let links = fetched.headers.get_all("link").iter().filter_map(|it| it.to_str().ok());
    let next = links.flat_map(|it| it.split(',')).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|it| {
            let it = it.trim().to_ascii_lowercase();
            it == "rel=\"next\"" || it == "rel=next"
        });
        is_next.then(|| target.to_owned())
    });
    let Some(next) = next else { return Ok(None) };
    match url.join(&next) {
        Ok(next) if api.has(&next) => Ok(Some(next)),
        _ => {
            Err(HostError::content(url, "the next page is at another address, and is not read")
                .into())
        }
    }
}

/// Returns a URL with another page number.
pub(super) fn with_page(url: &Url, page: &str) -> Url {
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "page")
        .map(|it| (it.0.into(), it.1.into()))
        .collect();
    let mut next = url.clone();
    next.query_pairs_mut().clear().extend_pairs(others).append_pair("page", page);
    next
}
