//! Lists the repositories of GitHub, GitLab and Gitea or Forgejo.
//!
//! Input: the organizations, users and groups to list. Output: all their repositories, or an error: a list that
//! ends early would silently leave repositories out of a sweep. Gaps that a host reports, and entries that cannot
//! be used, are notes of the list.

mod credential;
mod gitea;
mod github;
mod gitlab;
mod http;
mod limits;
mod pages;

pub use http::{HostError, RequestSettings};

use crate::repository::{CloneUrl, Repository};
use clap::ValueEnum;
use ddpatrol::redact::Redactor;
use http::{Api, Fetched, content_error, place};
use pages::Page;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use url::Url;

/// Maximum number of pages of one list.
const MAX_PAGES: usize = 10_000;

/// Something that owns repositories at a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryOwner {
    /// An organization of GitHub.
    GitHubOrg(String),
    /// A user of GitHub.
    GitHubUser(String),
    /// A group of GitLab, with its subgroups.
    GitLabGroup(String),
    /// An organization of Gitea or Forgejo.
    GiteaOrg(String),
}

/// The URLs of the hosts.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// GitHub.
    pub github: String,
    /// GitLab.
    pub gitlab: String,
    /// Gitea or Forgejo.
    pub gitea: Option<String>,
}

/// Which repositories of a kind are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Selection {
    /// All.
    Include,
    /// All but those of the kind.
    Exclude,
    /// Those of the kind.
    Only,
}

/// The protocol of the listed URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// HTTPS, with git's credential helpers.
    Https,
    /// SSH, with its keys.
    Ssh,
}

/// The choices of a list.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// Archived repositories.
    pub archived: Selection,
    /// Forks.
    pub forks: Selection,
    /// The protocol of the URLs.
    pub protocol: Protocol,
}

/// A list of repositories.
#[derive(Debug, Default)]
pub struct Listing {
    /// The repositories.
    pub repositories: Vec<Repository>,
    /// Number of archived repositories that were left out by choice.
    pub archived_left_out: usize,
    /// Number of forks that were left out by choice.
    pub forks_left_out: usize,
    /// Number of other repositories that were left out by choice.
    pub others_left_out: usize,
    /// Why the list is not complete.
    pub gaps: Vec<String>,
}

/// Lists the repositories of `owners`, each once.
///
/// # Errors
/// Returns an error if a list cannot be read to its end.
pub async fn list(
    owners: &[RepositoryOwner],
    hosts: &Hosts,
    choices: Choices,
    settings: &RequestSettings<'_>,
    redactor: &Redactor,
) -> anyhow::Result<Listing> {
    let mut listing = Listing::default();
    let mut seen = HashSet::new();
    for owner in owners {
        let page = match owner {
            RepositoryOwner::GitHubOrg(name) => {
                github::organization(name, hosts, choices.protocol, settings).await?
            }
            RepositoryOwner::GitHubUser(name) => {
                github::user(name, hosts, choices.protocol, settings).await?
            }
            RepositoryOwner::GitLabGroup(name) => {
                gitlab::group(name, hosts, choices.protocol, settings).await?
            }
            RepositoryOwner::GiteaOrg(name) => {
                gitea::organization(name, hosts, choices.protocol, settings).await?
            }
        };
        listing.gaps.extend(page.gaps);
        for repository in page.repositories {
            if seen.insert(repository.key()) {
                listing.add(repository, choices, redactor);
            }
        }
    }
    Ok(listing)
}

impl Listing {
    fn add(&mut self, mut repository: Repository, choices: Choices, redactor: &Redactor) {
        let clean = |text: &str| redactor.clean(text.as_bytes()).text().into_owned();
        let url = repository.url.as_str();
        if clean(url) != url {
            self.gaps.push(format!("the URL of {} contains a token: it is left out", clean(url)));
            return;
        }
        let is_excluded = |is_so: bool, selection| is_so && selection == Selection::Exclude;
        let is_other = |is_so: bool, selection| !is_so && selection == Selection::Only;
        if is_excluded(repository.archived, choices.archived) {
            self.archived_left_out += 1;
        } else if is_excluded(repository.fork, choices.forks) {
            self.forks_left_out += 1;
        } else if is_other(repository.archived, choices.archived)
            || is_other(repository.fork, choices.forks)
        {
            self.others_left_out += 1;
        } else {
            for text in [
                &mut repository.id,
                &mut repository.default_branch,
                &mut repository.pushed_at,
                &mut repository.owner,
            ]
            .into_iter()
            .flatten()
            .chain(&mut repository.topics)
            {
                *text = clean(text);
            }
            self.repositories.push(repository);
        }
    }

    /// Describes the repositories that were left out by choice; `None` if there are none.
    pub fn left_out(&self) -> Option<String> {
        let counts = [
            (self.archived_left_out, "archived"),
            (self.forks_left_out, "forks"),
            (self.others_left_out, "others"),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        (!counts.is_empty()).then(|| counts.join(", "))
    }
}

/// Converts an entry of a host; the error describes an entry that cannot be used.
trait Entry: DeserializeOwned {
    fn repository(self, protocol: Protocol) -> Result<Repository, String>;
}

/// Reads all pages from `first` on. `next` returns the URL of the page after one.
async fn read_pages<E: Entry>(
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
                        Err(gap) => page.gaps.push(gap),
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
        url = Url::parse(&next).map_err(|_| content_error(&url, "invalid URL of the next page"))?;
    }
}

/// Parses the URL to clone an entry from.
fn clone_url(url: &str, name: &str) -> Result<CloneUrl, String> {
    CloneUrl::parse(url).map_err(|error| format!("`{name}` is left out: {error}"))
}

/// Returns the URL of the relation `next` in a `Link` header (RFC 8288).
///
/// # Errors
/// Returns an error if it is not a URL of the same host.
fn next_link<T>(api: &Api<'_>, url: &Url, fetched: &Fetched<T>) -> anyhow::Result<Option<Url>> {
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
        _ => Err(content_error(url, "the next page is at another address, and is not read").into()),
    }
}
