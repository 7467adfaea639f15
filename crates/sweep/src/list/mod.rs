//! Lists the repositories of GitHub, GitLab and Gitea or Forgejo.
//!
//! Input: the organizations, users and groups to list. Output: all their repositories, or an error: a list that
//! ends early would silently leave repositories out of a sweep. Gaps that a host reports, and entries that cannot
//! be used, are notes of the list.

mod base_url;
mod choices;
mod credential;
mod error;
mod gitea;
mod github;
mod gitlab;
mod http;
mod limits;
mod pages;
mod response;
mod walk;

pub use choices::{Choices, Hosts, Protocol, Selection};
pub use error::HostError;
pub use http::RequestSettings;

use crate::repository::Repository;
use ddpatrol::redact::Redactor;
use ddpatrol_scan::quantity::count;
use std::collections::HashSet;

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
    fn add(&mut self, repository: Repository, choices: Choices, redactor: &Redactor) {
        let url = redactor.clean(repository.url.as_str().as_bytes());
        let Some(repository) = repository.masked(redactor) else {
            self.gaps.push(format!("the URL of {} contains a token: it is left out", url.text()));
            return;
        };
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
            self.repositories.push(repository);
        }
    }

    /// Describes the repositories that were left out by choice; `None` if there are none.
    pub fn left_out(&self) -> Option<String> {
        let counts = [
            (self.archived_left_out, format!("{} archived", self.archived_left_out)),
            (self.forks_left_out, count(self.forks_left_out, "fork")),
            (self.others_left_out, count(self.others_left_out, "other")),
        ];
        let counts = counts.into_iter().filter(|(number, _)| *number > 0);
        let counts: Vec<String> = counts.map(|(_, text)| text).collect();
        (!counts.is_empty()).then(|| counts.join(", "))
    }
}
