//! GitHub: github.com, GHE.com and GitHub Enterprise Server.

use super::base_url::parse_base;
use super::choices::{Hosts, Protocol};
use super::credential;
use super::http::{Access, Api, Fetched, RequestSettings, Scheme};
use super::pages::Page;
use super::walk::{ListedEntry, UnusableEntry, clone_url, next_link, read_pages};
use crate::repository::Repository;
use serde::Deserialize;
use url::Url;

/// The variables with a token for github.com, in the order of the GitHub CLI.
const PUBLIC_VARIABLES: &[&str] = &["GH_TOKEN", "GITHUB_TOKEN"];
/// The variables with a token for other servers.
const SERVER_VARIABLES: &[&str] =
    &["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"];

/// A repository as the API describes it.
#[derive(Debug, Deserialize)]
pub(super) struct GitHubRepository {
    node_id: Option<String>,
    full_name: String,
    html_url: String,
    /// Optional in lists, by the description of the API.
    clone_url: Option<String>,
    ssh_url: Option<String>,
    default_branch: Option<String>,
    size: Option<u64>,
    pushed_at: Option<String>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    fork: bool,
    #[serde(default)]
    topics: Option<Vec<String>>,
    owner: Option<GitHubAccount>,
}

#[derive(Debug, Deserialize)]
struct GitHubAccount {
    login: String,
}

impl ListedEntry for GitHubRepository {
    fn repository(self, protocol: Protocol) -> Result<Repository, UnusableEntry> {
        let url = match (protocol, self.ssh_url) {
            (Protocol::Ssh, Some(url)) => url,
            _ => self.clone_url.unwrap_or_else(|| format!("{}.git", self.html_url)),
        };
        Ok(Repository {
            url: clone_url(&url, &self.full_name)?,
            id: self.node_id,
            default_branch: self.default_branch,
            size: self.size,
            pushed_at: self.pushed_at,
            archived: self.archived,
            fork: self.fork,
            topics: self.topics.unwrap_or_default(),
            owner: self.owner.map(|it| it.login),
        })
    }
}

pub(super) async fn organization(
    name: &str,
    hosts: &Hosts,
    protocol: Protocol,
    settings: &RequestSettings<'_>,
) -> anyhow::Result<Page> {
    let mut api = open(hosts, settings).await?;
    let url = api.url(&["orgs", name, "repos"], &[("type", "all")]);
    repositories(&mut api, url, protocol).await
}

/// Lists the repositories of a user: also private ones if the credential belongs to that user.
pub(super) async fn user(
    name: &str,
    hosts: &Hosts,
    protocol: Protocol,
    settings: &RequestSettings<'_>,
) -> anyhow::Result<Page> {
    let mut api = open(hosts, settings).await?;
    let is_self = api.has_credential() && {
        let url = api.url(&["user"], &[]);
        // Tokens of installations belong to no user.
        let account = api.get::<GitHubAccount>(&url).await;
        account.is_ok_and(|it| it.login.eq_ignore_ascii_case(name))
    };
    let url = if is_self {
        api.url(&["user", "repos"], &[("affiliation", "owner")])
    } else {
        api.note(&format!("only public repositories of the user `{name}` are listed"));
        api.url(&["users", name, "repos"], &[("type", "owner")])
    };
    repositories(&mut api, url, protocol).await
}

async fn repositories(api: &mut Api<'_>, mut url: Url, protocol: Protocol) -> anyhow::Result<Page> {
    // New repositories are added at the end, so that pages do not shift.
    let order = [("sort", "created"), ("direction", "asc"), ("per_page", "100")];
    url.query_pairs_mut().extend_pairs(order);
    let partial = std::cell::Cell::new(false);
    let mut page =
        read_pages(api, url, protocol, |api, url, fetched: &Fetched<Vec<GitHubRepository>>| {
            let sso = fetched.headers.get("x-github-sso").and_then(|it| it.to_str().ok());
            if sso.is_some_and(|it| it.starts_with("partial-results")) {
                partial.set(true);
            }
            next_link(api, url, fetched)
        })
        .await?;
    if partial.get() {
        let gap = "GitHub left out repositories: the token is not authorized for the single sign-on of an organization";
        page.gaps.push(gap.to_owned());
    }
    Ok(page)
}

async fn open<'a>(hosts: &Hosts, settings: &'a RequestSettings<'a>) -> anyhow::Result<Api<'a>> {
    let Addresses { web, api } = addresses(&hosts.github)?;
    let is_public = api.host_str() == Some("api.github.com");
    let names = if is_public { PUBLIC_VARIABLES } else { SERVER_VARIABLES };
    let credential = credential::find(names, &web).await?;
    let hint = "set GITHUB_TOKEN, or store a credential for git".to_owned();
    let api = Api::new(Access { base: api, credential, scheme: Scheme::Bearer, hint }, settings)?;
    if !api.has_credential() {
        api.note("no credential for GitHub: only public repositories are listed; set GITHUB_TOKEN, or store a credential for git");
    }
    Ok(api)
}

/// The addresses of a server.
#[derive(Debug, PartialEq, Eq)]
struct Addresses {
    web: Url,
    api: Url,
}

/// Returns the addresses for the URL of the web pages or of the API.
fn addresses(text: &str) -> anyhow::Result<Addresses> {
    let base = parse_base(text)?;
    let host = base.host_str().unwrap_or_default().to_owned();
    let name = host.strip_prefix("api.").unwrap_or(&host);
    let (mut web, mut api) = (base.clone(), base);
    web.set_path("");
    if name == "github.com" || name.ends_with(".ghe.com") {
        web.set_host(Some(name))?;
        api.set_host(Some(&format!("api.{name}")))?;
        api.set_path("");
    } else if !api.path().ends_with("/api/v3") {
        let path = format!("{}/api/v3", api.path().trim_end_matches('/'));
        api.set_path(&path);
    }
    Ok(Addresses { web, api })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_api_is_derived_from_that_of_the_host() {
        for (given, web, api) in [
            ("https://github.com", "https://github.com/", "https://api.github.com/"),
            ("https://api.github.com/", "https://github.com/", "https://api.github.com/"),
            ("https://corp.ghe.com", "https://corp.ghe.com/", "https://api.corp.ghe.com/"),
            ("https://git.corp/", "https://git.corp/", "https://git.corp/api/v3"),
            ("https://git.corp/api/v3", "https://git.corp/", "https://git.corp/api/v3"),
        ] {
            let found = addresses(given).unwrap();
            assert_eq!((found.web.as_str(), found.api.as_str()), (web, api), "{given}");
        }
        let error = addresses("https://u:s3cret@git.corp").unwrap_err().to_string();
        assert!(error.contains("credentials") && !error.contains("s3cret"), "{error}");
    }
}
