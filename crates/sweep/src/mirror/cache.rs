//! The cache of mirrors: locks, sizes and eviction.

use crate::repository::RepositoryKey;
use anyhow::Context;
use rustix::fs::FlockOperation;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::time::Instant;

/// A folder of mirrors.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    /// Maximum size in bytes of all mirrors that are not in use.
    limit: Option<u64>,
    /// Removed at the end, if there is no lasting cache.
    temporary: Option<TempDir>,
}

/// The lock on the mirror of one repository. It is released when the lock and all child processes that hold it
/// have ended.
#[derive(Debug)]
pub struct Lock {
    file: File,
    mirror: PathBuf,
}

impl Lock {
    /// Returns the lock file, which child processes inherit.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns the path of the mirror, which may not exist yet.
    pub fn mirror(&self) -> &Path {
        &self.mirror
    }

    /// Returns the folder to clone into before it is renamed to the mirror.
    pub fn partial(&self) -> PathBuf {
        self.mirror.with_extension("partial")
    }

    /// Removes what a job that was killed left behind.
    ///
    /// # Errors
    /// Returns the error of removing it.
    pub fn remove_partial(&self) -> io::Result<()> {
        remove(&self.partial())
    }

    /// Removes the mirror.
    ///
    /// # Errors
    /// Returns the error of removing it.
    pub fn remove_mirror(&self) -> io::Result<()> {
        remove(&self.mirror)
    }
}

impl Cache {
    /// Opens the cache in `folder`, which is created if it does not exist. Without a folder, mirrors live in a
    /// temporary folder and are removed after each scan.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be created.
    pub fn open(folder: Option<&Path>, limit: Option<u64>) -> anyhow::Result<Self> {
        let Some(folder) = folder else {
            let temporary = TempDir::with_prefix("ddpatrol-sweep-")
                .context("cannot create a temporary folder for mirrors")?;
            let folder = temporary.path().to_owned();
            return Ok(Self { folder, limit: Some(0), temporary: Some(temporary) });
        };
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the cache `{}`", folder.display()))?;
        let folder = fs::canonicalize(folder)
            .with_context(|| format!("cannot open the cache `{}`", folder.display()))?;
        Ok(Self { folder, limit, temporary: None })
    }

    /// Returns `true` if mirrors are removed after each scan.
    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Locks the mirror of a repository. Waits until `deadline` for the job that holds the lock; returns `None`
    /// if that is in vain.
    ///
    /// # Errors
    /// Returns an error if the lock file cannot be created.
    pub async fn lock(
        &self,
        key: &RepositoryKey,
        deadline: Instant,
    ) -> anyhow::Result<Option<Lock>> {
        let folder = self.folder.join(&key.as_str()[..2]);
        let path = folder.join(format!("{key}.lock"));
        let file = fs::create_dir_all(&folder)
            .and_then(|()| {
                OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)
            })
            .with_context(|| format!("cannot create `{}`", path.display()))?;
        let mut pause = Duration::from_millis(20);
        while rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            if Instant::now() + pause >= deadline {
                return Ok(None);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
        // The time of the last use, for eviction.
        let _ = file.set_modified(SystemTime::now());
        Ok(Some(Lock { file, mirror: folder.join(format!("{key}.git")) }))
    }

    /// Removes the mirrors that were not used for the longest time until the rest fits the limit. Mirrors in use
    /// are kept.
    ///
    /// # Errors
    /// Returns an error if the cache cannot be read or a mirror cannot be removed.
    pub fn evict(&self) -> anyhow::Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        let what = || format!("cannot read the cache `{}`", self.folder.display());
        let mut mirrors = Vec::new();
        for folder in fs::read_dir(&self.folder).with_context(what)? {
            let Ok(entries) = fs::read_dir(folder.with_context(what)?.path()) else { continue };
            for entry in entries {
                let path = entry.with_context(what)?.path();
                if path.extension().is_some_and(|it| it == "git") {
                    let lock = path.with_extension("lock");
                    let used = fs::metadata(&lock).and_then(|it| it.modified());
                    mirrors.push((used.unwrap_or(SystemTime::UNIX_EPOCH), size(&path), path));
                }
            }
        }
        let mut total: u64 = mirrors.iter().map(|(_, size, _)| size).sum();
        mirrors.sort();
        for (_, size, path) in mirrors {
            if total <= limit {
                break;
            }
            let Ok(file) = File::open(path.with_extension("lock")) else { continue };
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                remove(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
                total -= size;
            }
        }
        Ok(())
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns the size of the files in a folder. Files that vanish meanwhile do not count.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(it) if it.is_dir() => size(&entry.path()),
            Ok(it) => it.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::CloneUrl;

    fn key(name: &str) -> RepositoryKey {
        CloneUrl::parse(&format!("https://host/{name}")).unwrap().key()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(100)
    }

    #[tokio::test]
    async fn the_mirrors_used_longest_ago_are_evicted_first_and_those_in_use_stay() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(folder.path()), Some(250)).unwrap();
        let mut locks = Vec::new();
        for (name, age) in [("a", 300), ("b", 200), ("c", 100), ("d", 0)] {
            let lock = cache.lock(&key(name), soon()).await.unwrap().unwrap();
            fs::create_dir_all(lock.mirror().join("objects")).unwrap();
            fs::write(lock.mirror().join("objects/pack"), [0; 100]).unwrap();
            lock.file().set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
            locks.push(lock);
        }
        let mirrors: Vec<_> = locks.iter().map(|lock| lock.mirror().to_owned()).collect();
        locks.truncate(1);
        cache.evict().unwrap();
        let left: Vec<bool> = mirrors.iter().map(|it| it.exists()).collect();
        assert_eq!(left, [true, false, false, true], "the first one is in use");
    }

    #[tokio::test]
    async fn a_locked_mirror_is_waited_for_until_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(folder.path()), None).unwrap();
        let lock = cache.lock(&key("a"), soon()).await.unwrap().unwrap();
        assert!(cache.lock(&key("a"), soon()).await.unwrap().is_none());
        assert!(cache.lock(&key("b"), soon()).await.unwrap().is_some());
        drop(lock);
        assert!(cache.lock(&key("a"), soon()).await.unwrap().is_some());
    }
}
