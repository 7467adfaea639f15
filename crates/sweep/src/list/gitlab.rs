//! GitLab: groups with their subgroups.

use super::base_url::parse_base;
use super::choices::{Hosts, Protocol};
use super::credential;
use super::error::HostError;
use super::http::{Access, Api, Fetched, RequestSettings, Scheme};
use super::pages::Page;
use super::walk::{ListedEntry, UnusableEntry, clone_url, next_link, read_pages, with_page};
use crate::repository::Repository;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

/// A project as the API describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Project {
    id: u64,
    path_with_namespace: String,
    http_url_to_repo: String,
    ssh_url_to_repo: Option<String>,
    default_branch: Option<String>,
    last_activity_at: Option<String>,
    #[serde(default)]
    archived: bool,
    forked_from_project: Option<IgnoredAny>,
    #[serde(default)]
    topics: Option<Vec<String>>,
    namespace: Option<Namespace>,
    statistics: Option<Statistics>,
}

#[derive(Debug, Deserialize)]
struct Namespace {
    full_path: String,
}

#[derive(Debug, Deserialize)]
struct Statistics {
    /// In bytes.
    repository_size: Option<u64>,
}

impl ListedEntry for Project {
    fn repository(self, protocol: Protocol) -> Result<Repository, UnusableEntry> {
        let url = match (protocol, self.ssh_url_to_repo) {
            (Protocol::Ssh, Some(url)) => url,
            _ => self.http_url_to_repo,
        };
        let size = self.statistics.and_then(|it| it.repository_size);
        Ok(Repository {
            url: clone_url(&url, &self.path_with_namespace)?,
            id: Some(self.id.to_string()),
            default_branch: self.default_branch,
            size: size.map(|bytes| bytes / 1024),
            pushed_at: self.last_activity_at,
            archived: self.archived,
            fork: self.forked_from_project.is_some(),
            topics: self.topics.unwrap_or_default(),
            owner: self.namespace.map(|it| it.full_path),
        })
    }
}

/// Lists the projects of a group and of its subgroups, without those that other groups share with it.
pub(super) async fn group(
    name: &str,
    hosts: &Hosts,
    protocol: Protocol,
    settings: &RequestSettings<'_>,
) -> anyhow::Result<Page> {
    let web = parse_base(&hosts.gitlab)?;
    let credential = credential::find(&["GITLAB_TOKEN"], &web).await?;
    let mut base = web;
    if !base.path().ends_with("/api/v4") {
        let path = format!("{}/api/v4", base.path().trim_end_matches('/'));
        base.set_path(&path);
    }
    let hint = "set GITLAB_TOKEN (scope read_api), or store a credential for git".to_owned();
    let access = Access { base, credential, scheme: Scheme::Bearer, hint };
    let mut api = Api::new(access, settings)?;
    let mut query = vec![
        ("include_subgroups", "true"),
        ("with_shared", "false"),
        ("order_by", "id"),
        ("sort", "asc"),
        ("per_page", "100"),
    ];
    if api.has_credential() {
        query.push(("statistics", "true"));
    } else {
        api.note("no credential for GitLab: only public projects are listed; set GITLAB_TOKEN, or store a credential for git");
    }
    let url = api.url(&["groups", name.trim_matches('/'), "projects"], &query);
    read_pages(&mut api, url, protocol, next_page).await
}

/// Returns the URL of the next page: by `X-Next-Page`, else by the `Link` header, which has a wrong address on
/// servers behind some proxies.
fn next_page(
    api: &Api<'_>,
    url: &Url,
    fetched: &Fetched<Vec<Project>>,
) -> anyhow::Result<Option<Url>> {
    let Some(page) = fetched.headers.get("x-next-page") else {
        return next_link(api, url, fetched);
    };
    let page = page.to_str().unwrap_or("-").trim();
    if page.is_empty() {
        return Ok(None);
    }
    if page.parse::<u32>().is_err() {
        return Err(HostError::content(url, "invalid number of the next page").into());
    }
    Ok(Some(with_page(url, page)))
}
