//! The store of a sweep: a folder, or a bucket of S3, GCS or Azure.
//!
//! Objects of sweeps are immutable: they are created if they do not exist, and never replaced. Verdicts are
//! replaced by later ones.

use crate::repository::{Repository, RepositoryKey};
use crate::result::{Compressed, RepositoryResult};
use anyhow::{Context, bail};
use futures_util::TryStreamExt;
use object_store::ObjectStoreScheme::{AmazonS3, GoogleCloudStorage, MicrosoftAzure};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode, PutOptions, PutPayload,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// The object with the repositories of a sweep, as JSON lines in the order of their keys.
pub const LIST: &str = "repositories.jsonl.zst";

/// The object that marks the end of a sweep.
pub const FINISHED: &str = "finished.json.zst";

/// A store of results.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
    name: String,
}

/// Whether an object was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was.
    Created,
    /// It exists already: somebody else created it.
    Exists,
}

/// The name of a sweep: 1 to 64 ASCII letters, digits, `-`, `_` and `.`. Names sort by age if they
/// begin with a date.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SweepName(String);

impl SweepName {
    /// Parses a name.
    ///
    /// # Errors
    /// Returns an error that describes valid names.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let is_valid = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        if text.is_empty()
            || text.len() > 64
            || !text.chars().all(is_valid)
            || text.starts_with('.')
        {
            bail!(
                "invalid name of a sweep `{}`: expected 1 to 64 letters, digits, `-`, `_` or `.`, not `.` at first",
                text.escape_debug()
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the name of a sweep that starts now: the UTC time, such as `2026-11-27T093000Z`.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().strftime("%Y-%m-%dT%H%M%SZ").to_string())
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SweepName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Store {
    /// Opens the store at a URL (`s3://BUCKET/PREFIX`, `gs://…`, `az://…`, `file:///…`) or in a folder, which
    /// is created if it does not exist. Credentials of buckets come from the environment variables of their
    /// providers, such as `AWS_ACCESS_KEY_ID`.
    ///
    /// # Errors
    /// Returns an error if the URL is not valid or the folder cannot be created.
    pub fn open(location: &str) -> anyhow::Result<Self> {
        let is_url = location.contains("://");
        let folder = match location.strip_prefix("file://") {
            Some(path) => Some(path),
            None => (!is_url).then_some(location),
        };
        if let Some(folder) = folder {
            let folder = Path::new(folder);
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create the store `{location}`"))?;
            let objects = LocalFileSystem::new_with_prefix(folder)
                .with_context(|| format!("cannot open the store `{location}`"))?
                .with_fsync(true);
            return Ok(Self {
                objects: Arc::new(objects),
                prefix: ObjectPath::default(),
                name: location.to_owned(),
            });
        }
        let url = Url::parse(location).with_context(|| format!("invalid --store `{location}`"))?;
        // The other stores of the library lose the results at the end, or cannot be listed.
        let is_bucket = |scheme| matches!(scheme, AmazonS3 | GoogleCloudStorage | MicrosoftAzure);
        if !ObjectStoreScheme::parse(&url).is_ok_and(|(scheme, _)| is_bucket(scheme)) {
            bail!(
                "invalid --store: unsupported scheme `{}://`; use a folder, or s3://, gs:// or az://",
                url.scheme()
            );
        }
        if !url.username().is_empty() || url.password().is_some() {
            bail!("invalid --store: the URL contains credentials; use environment variables");
        }
        let variables =
            std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value)).filter(
                |(name, _)| ["aws_", "google_", "azure_"].iter().any(|it| name.starts_with(it)),
            );
        let (objects, prefix) = object_store::parse_url_opts(&url, variables)
            .with_context(|| format!("cannot open the store `{location}`"))?;
        Ok(Self { objects: Arc::from(objects), prefix, name: location.to_owned() })
    }

    /// Opens a store to read it: a folder must exist.
    ///
    /// # Errors
    /// Returns an error if the URL is not valid or the folder does not exist.
    pub fn open_existing(location: &str) -> anyhow::Result<Self> {
        let folder = location.strip_prefix("file://").unwrap_or(location);
        if !folder.contains("://") && !Path::new(folder).is_dir() {
            bail!("the store `{location}` does not exist");
        }
        Self::open(location)
    }

    /// Returns the location that the store was opened with.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn path(&self, parts: &[&str]) -> ObjectPath {
        parts.iter().fold(self.prefix.clone(), |path, part| path.join(*part))
    }

    fn result_path(&self, sweep: &SweepName, key: &RepositoryKey) -> ObjectPath {
        self.path(&["sweeps", sweep.as_str(), "repositories", &format!("{key}.json.zst")])
    }

    /// Commits the result of a repository. The first result wins; a second one is dropped.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub async fn commit(
        &self,
        sweep: &SweepName,
        result: &RepositoryResult,
    ) -> anyhow::Result<Created> {
        self.create(self.result_path(sweep, &result.key), result.encode()?.0).await
    }

    /// Returns the result of a repository in a sweep.
    ///
    /// # Errors
    /// Returns an error if it cannot be read, or is damaged.
    pub async fn result(
        &self,
        sweep: &SweepName,
        key: &RepositoryKey,
    ) -> anyhow::Result<Option<RepositoryResult>> {
        let path = self.result_path(sweep, key);
        let Some(bytes) = self.get(&path).await? else { return Ok(None) };
        let decoded = RepositoryResult::decode(&Compressed(bytes));
        decoded.map(Some).with_context(|| format!("cannot read `{path}` in {}", self.name))
    }

    /// Returns `true` if a sweep has a result of the repository.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn has_result(&self, sweep: &SweepName, key: &RepositoryKey) -> anyhow::Result<bool> {
        match self.objects.head(&self.result_path(sweep, key)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failure("read", error)),
        }
    }

    /// Returns the keys of the repositories that have a result in a sweep.
    ///
    /// # Errors
    /// Returns an error if the store cannot be listed.
    pub async fn keys(&self, sweep: &SweepName) -> anyhow::Result<BTreeSet<RepositoryKey>> {
        let folder = self.path(&["sweeps", sweep.as_str(), "repositories"]);
        let mut keys = BTreeSet::new();
        let mut objects = self.objects.list(Some(&folder));
        while let Some(object) =
            objects.try_next().await.map_err(|error| self.failure("list", error))?
        {
            let name = object.location.filename().unwrap_or_default();
            keys.extend(name.strip_suffix(".json.zst").and_then(RepositoryKey::parse));
        }
        Ok(keys)
    }

    /// Returns the names of all sweeps, in the order of their names.
    ///
    /// # Errors
    /// Returns an error if the store cannot be listed.
    pub async fn sweeps(&self) -> anyhow::Result<Vec<SweepName>> {
        let folder = self.path(&["sweeps"]);
        let listed = self.objects.list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|error| self.failure("list", error))?;
        let names = listed.common_prefixes.iter().filter_map(|it| it.filename());
        let mut names: Vec<_> = names.filter_map(|it| SweepName::parse(it).ok()).collect();
        names.sort();
        Ok(names)
    }

    /// Returns the sweep with a name, or the latest one; `sweeps` are those of the store.
    ///
    /// # Errors
    /// Returns an error if there is no such sweep.
    pub fn choose(
        &self,
        sweeps: &[SweepName],
        name: Option<SweepName>,
    ) -> anyhow::Result<SweepName> {
        match name {
            Some(name) if sweeps.contains(&name) => Ok(name),
            Some(name) => bail!("the store `{}` has no sweep `{name}`", self.name),
            None => {
                let latest = sweeps.last().cloned();
                latest.with_context(|| format!("the store `{}` has no sweep", self.name))
            }
        }
    }

    /// Returns the latest result of a repository that has findings and a state, and the sweep that has it.
    /// `sweeps` are searched in their order; results that repeat an earlier one lead to that one.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read, or a result is damaged.
    pub async fn latest_scan<'a>(
        &self,
        sweeps: impl IntoIterator<Item = &'a SweepName>,
        key: &RepositoryKey,
    ) -> anyhow::Result<Option<(SweepName, RepositoryResult)>> {
        for sweep in sweeps {
            let Some(result) = self.result(sweep, key).await? else { continue };
            let original = match &result.unchanged_since {
                Some(sweep) => {
                    let sweep = SweepName::parse(sweep)?;
                    self.result(&sweep, key).await?.map(|result| (sweep, result))
                }
                None => Some((sweep.clone(), result)),
            };
            if let Some((sweep, result)) = original.filter(|(_, it)| it.status.is_scanned()) {
                return Ok(Some((sweep, result)));
            }
        }
        Ok(None)
    }

    /// Returns the result of a repository, with the findings of the one that it repeats.
    ///
    /// # Errors
    /// Returns an error if a result cannot be read.
    pub async fn result_with_findings(
        &self,
        sweep: &SweepName,
        key: &RepositoryKey,
    ) -> anyhow::Result<Option<RepositoryResult>> {
        let Some(mut result) = self.result(sweep, key).await? else { return Ok(None) };
        if result.unchanged_since.is_some()
            && let Some((_, original)) = self.latest_scan([sweep], key).await?
        {
            result.findings = original.findings;
        }
        Ok(Some(result))
    }

    /// Returns the repositories of a sweep, if the store has their list.
    ///
    /// # Errors
    /// Returns an error if the list cannot be read, or is damaged.
    pub async fn list(&self, sweep: &SweepName) -> anyhow::Result<Option<Vec<Repository>>> {
        let Some(list) = self.file(sweep, LIST).await? else { return Ok(None) };
        let lines = list.split(|&it| it == b'\n').filter(|line| !line.is_empty());
        let repositories: Result<_, _> = lines.map(serde_json::from_slice).collect();
        repositories.map(Some).with_context(|| format!("damaged list of the sweep `{sweep}`"))
    }

    /// Creates an object of a sweep other than a result, such as `repositories.jsonl.zst`.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written.
    pub async fn create_file(
        &self,
        sweep: &SweepName,
        name: &str,
        content: &[u8],
    ) -> anyhow::Result<Created> {
        let path = self.path(&["sweeps", sweep.as_str(), name]);
        self.create(path, Compressed::compress(content).0).await
    }

    /// Returns the content of such an object.
    ///
    /// # Errors
    /// Returns an error if it cannot be read, or is damaged.
    pub async fn file(&self, sweep: &SweepName, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.path(&["sweeps", sweep.as_str(), name]);
        let Some(bytes) = self.get(&path).await? else { return Ok(None) };
        let content = Compressed(bytes).decompress();
        content.map(Some).with_context(|| format!("cannot read `{path}` in {}", self.name))
    }

    pub(crate) async fn create(
        &self,
        path: ObjectPath,
        content: Vec<u8>,
    ) -> anyhow::Result<Created> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.objects.put_opts(&path, PutPayload::from(content), options).await {
            Ok(_) => Ok(Created::Created),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Exists),
            Err(error) => Err(self.failure("write to", error)),
        }
    }

    /// Creates or replaces an object.
    pub(crate) async fn replace(&self, path: ObjectPath, content: Vec<u8>) -> anyhow::Result<()> {
        let written = self.objects.put(&path, PutPayload::from(content)).await;
        written.map(drop).map_err(|error| self.failure("write to", error))
    }

    /// Returns the names of the objects in a folder.
    pub(crate) async fn names(&self, folder: &[&str]) -> anyhow::Result<Vec<String>> {
        let objects = self.objects.list(Some(&self.path(folder)));
        let names = objects.map_ok(|it| it.location.filename().unwrap_or_default().to_owned());
        names.try_collect().await.map_err(|error| self.failure("list", error))
    }

    pub(crate) async fn get(&self, path: &ObjectPath) -> anyhow::Result<Option<Vec<u8>>> {
        let read = async { self.objects.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failure("read", error)),
        }
    }

    fn failure(&self, verb: &str, error: object_store::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("cannot {verb} the store `{}`", self.name))
    }
}
