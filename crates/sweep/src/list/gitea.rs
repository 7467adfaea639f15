//! Gitea and Forgejo: organizations.

use super::base_url::parse_base;
use super::choices::{Hosts, Protocol};
use super::credential;
use super::error::HostError;
use super::http::{Access, Api, Fetched, RequestSettings, Scheme};
use super::pages::Page;
use super::walk::{ListedEntry, UnusableEntry, clone_url, read_pages, with_page};
use crate::repository::Repository;
use serde::Deserialize;
use url::Url;

/// A repository as the API describes it.
#[derive(Debug, Deserialize)]
pub(super) struct GiteaRepository {
    id: u64,
    full_name: String,
    clone_url: String,
    ssh_url: Option<String>,
    default_branch: Option<String>,
    size: Option<u64>,
    updated_at: Option<String>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    fork: bool,
    #[serde(default)]
    topics: Option<Vec<String>>,
    owner: Option<GiteaAccount>,
}

#[derive(Debug, Deserialize)]
struct GiteaAccount {
    login: String,
}

impl ListedEntry for GiteaRepository {
    fn repository(self, protocol: Protocol) -> Result<Repository, UnusableEntry> {
        let url = match (protocol, self.ssh_url) {
            (Protocol::Ssh, Some(url)) => url,
            _ => self.clone_url,
        };
        Ok(Repository {
            url: clone_url(&url, &self.full_name)?,
            id: Some(self.id.to_string()),
            default_branch: self.default_branch,
            size: self.size,
            pushed_at: self.updated_at,
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
    let base = hosts.gitea.as_deref().ok_or(HostError::Base("--gitea-url is missing"))?;
    let web = parse_base(base)?;
    let credential = credential::find(&["GITEA_TOKEN"], &web).await?;
    let mut base = web;
    if !base.path().ends_with("/api/v1") {
        let path = format!("{}/api/v1", base.path().trim_end_matches('/'));
        base.set_path(&path);
    }
    let hint = "set GITEA_TOKEN, or store a credential for git".to_owned();
    let mut api = Api::new(Access { base, credential, scheme: Scheme::Token, hint }, settings)?;
    if !api.has_credential() {
        api.note("no credential for Gitea: only public repositories are listed; set GITEA_TOKEN, or store a credential for git");
    }
    let url = api.url(&["orgs", name, "repos"], &[("limit", "50"), ("page", "1")]);
    read_pages(&mut api, url, protocol, next_page).await
}

/// Returns the URL of the next page. Links have the address of the server's configuration, which may differ from
/// the one that is used, so only their presence counts. Without links, an empty page is the last.
fn next_page(
    _: &Api<'_>,
    url: &Url,
    fetched: &Fetched<Vec<GiteaRepository>>,
) -> anyhow::Result<Option<Url>> {
    let mut links = fetched.headers.get_all("link").iter().filter_map(|it| it.to_str().ok());
    let has_links = fetched.headers.contains_key("link");
    let has_next = links.any(|it| it.contains("rel=\"next\""));
    if fetched.content.is_empty() || (has_links && !has_next) {
        return Ok(None);
    }
    let page = url.query_pairs().find(|(name, _)| name == "page");
    let page: u32 = page.and_then(|(_, value)| value.parse().ok()).unwrap_or(1);
    Ok(Some(with_page(url, &(page + 1).to_string())))
}
