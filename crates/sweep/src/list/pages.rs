//! Pages of a list, and their cache for conditional requests.
//!
//! The cache has only what a list prints: hosts send further fields, some of them secret, such as the tokens of
//! runners and of temporary clones.

use crate::digest::PartsDigest;
use crate::repository::Repository;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A page of a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Page {
    /// Its repositories.
    pub(super) repositories: Vec<Repository>,
    /// The URL of the next page.
    pub(super) next: Option<String>,
    /// Why the list is not complete.
    pub(super) gaps: Vec<String>,
}

/// A page with the tag of its version.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CachedPage {
    version: String,
    key: String,
    pub(super) etag: String,
    pub(super) page: Page,
}

/// A folder of pages.
#[derive(Debug)]
pub(super) struct PageCache(PathBuf);

impl PageCache {
    /// Opens the cache in `folder`, which is created if it does not exist.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the cache `{}`", folder.display()))?;
        Ok(Self(folder.to_owned()))
    }

    fn path(&self, key: &str) -> PathBuf {
        let mut digest = PartsDigest::default();
        digest.add(key.as_bytes());
        self.0.join(format!("{}.json", &digest.finish()[..32]))
    }

    /// Returns the page of a key; `None` if the cache does not have it, or it is damaged.
    pub(super) fn read(&self, key: &str) -> Option<CachedPage> {
        let text = std::fs::read(self.path(key)).ok()?;
        let page: CachedPage = serde_json::from_slice(&text).ok()?;
        (page.key == key && page.version == env!("CARGO_PKG_VERSION")).then_some(page)
    }

    /// Replaces the page of a key.
    pub(super) fn write(&self, key: &str, etag: &str, page: &Page) -> anyhow::Result<()> {
        let cached = CachedPage {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            key: key.to_owned(),
            etag: etag.to_owned(),
            page: page.clone(),
        };
        let path = self.path(key);
        let context = || format!("cannot write `{}`", path.display());
        // A temporary file is readable by its owner only.
        let mut file = tempfile::NamedTempFile::new_in(&self.0).with_context(context)?;
        file.write_all(&serde_json::to_vec(&cached)?).with_context(context)?;
        file.persist(&path).with_context(context)?;
        Ok(())
    }
}
