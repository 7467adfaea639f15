//! The cache of mirrors: locks, sizes and eviction.

use crate::repository::RepositoryKey;
use anyhow::Context;
use ddpatrol_scan::lock::lock;
use rustix::fs::FlockOperation;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::time::Instant;

/// Time after which all sizes are measured again: other processes may use the same cache.
const MEASURED: Duration = Duration::from_secs(600);

/// A folder of mirrors.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    /// Maximum size in bytes of all mirrors that are not in use.
    limit: Option<u64>,
    /// The sizes of the mirrors, once they were measured; only if there is a limit.
    usage: Mutex<Option<Usage>>,
    /// Removed at the end, if there is no lasting cache.
    temporary: Option<TempDir>,
}

/// The sizes of the mirrors. Measuring all of them reads many folders, and is done rarely.
#[derive(Debug)]
struct Usage {
    sizes: HashMap<PathBuf, u64>,
    total: u64,
    measured_at: std::time::Instant,
}

impl Usage {
    fn set(&mut self, mirror: PathBuf, size: u64) {
        let before = self.sizes.insert(mirror, size).unwrap_or_default();
        self.total = self.total.saturating_sub(before).saturating_add(size);
    }
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
            return Ok(Self::new(folder, Some(0), Some(temporary)));
        };
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the cache `{}`", folder.display()))?;
        let folder = fs::canonicalize(folder)
            .with_context(|| format!("cannot open the cache `{}`", folder.display()))?;
        Ok(Self::new(folder, limit, None))
    }

    fn new(folder: PathBuf, limit: Option<u64>, temporary: Option<TempDir>) -> Self {
        Self { folder, limit, usage: Mutex::new(None), temporary }
    }

    fn mirror(&self, key: &RepositoryKey) -> PathBuf {
        self.folder.join(&key.as_str()[..2]).join(format!("{key}.git"))
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
        let mirror = self.mirror(key);
        let path = mirror.with_extension("lock");
        let file = fs::create_dir_all(mirror.parent().unwrap_or(&self.folder))
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
        Ok(Some(Lock { file, mirror }))
    }

    /// Removes the mirrors that were not used for the longest time, if the limit is exceeded, until a twentieth of
    /// it is free. Mirrors in use are kept. `used` is the mirror that may have changed.
    ///
    /// # Errors
    /// Returns an error if the cache cannot be read or a mirror cannot be removed.
    pub fn evict(&self, used: &RepositoryKey) -> anyhow::Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        let mut usage = lock(&self.usage);
        if let Some(usage) = usage.as_mut().filter(|it| it.measured_at.elapsed() < MEASURED) {
            let mirror = self.mirror(used);
            let size = size(&mirror);
            usage.set(mirror, size);
            if usage.total <= limit {
                return Ok(());
            }
        }
        let mut mirrors = self.measure()?;
        let mut total: u64 = mirrors.iter().map(|(_, size, _)| size).sum();
        if total > limit {
            mirrors.sort();
            let wanted = limit - limit / 20;
            for (_, size, path) in &mut mirrors {
                if total <= wanted {
                    break;
                }
                let Ok(file) = File::open(path.with_extension("lock")) else { continue };
                if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                    remove(path).with_context(|| format!("cannot remove `{}`", path.display()))?;
                    total -= std::mem::take(size);
                }
            }
        }
        let sizes = mirrors.into_iter().map(|(_, size, path)| (path, size)).collect();
        *usage = Some(Usage { sizes, total, measured_at: std::time::Instant::now() });
        Ok(())
    }

    /// Returns the last use, the size and the path of each mirror.
    fn measure(&self) -> anyhow::Result<Vec<(SystemTime, u64, PathBuf)>> {
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
        Ok(mirrors)
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
        cache.evict(&key("a")).unwrap();
        let left: Vec<bool> = mirrors.iter().map(|it| it.exists()).collect();
        assert_eq!(left, [true, false, false, true], "the first one is in use");
    }

    #[tokio::test]
    async fn a_mirror_that_grows_beyond_the_limit_evicts_others() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(folder.path()), Some(1000)).unwrap();
        let mut mirrors = Vec::new();
        for (name, size) in [("a", 400), ("b", 400), ("c", 400), ("c", 100), ("d", 450)] {
            let lock = cache.lock(&key(name), soon()).await.unwrap().unwrap();
            fs::create_dir_all(lock.mirror()).unwrap();
            fs::write(lock.mirror().join("pack"), vec![0; size]).unwrap();
            let age = Duration::from_secs(100 - mirrors.len() as u64);
            lock.file().set_modified(SystemTime::now() - age).unwrap();
            mirrors.push(lock.mirror().to_owned());
            drop(lock);
            cache.evict(&key(name)).unwrap();
        }
        let left: Vec<bool> = mirrors.iter().map(|it| it.exists()).collect();
        assert_eq!(left, [false, true, true, true, true], "400, 100 and 450 bytes");
        assert_eq!(cache.usage.lock().unwrap().as_ref().unwrap().total, 950);
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
