//! Hooks that existed before ours: kept in a folder of their own, and restored.
//!
//! Input: the hooks folder and a hook's name. A hook is moved from `hooks/NAME` to
//! `hooks.before-ddpatrol/NAME`: next to the hooks folder and not below it, so that the hook's own name
//! (`$0`), relative links and paths such as `$(dirname "$0")/../..` stay valid. Other files in `hooks` are
//! linked into that folder, for hooks that read files next to them. Older versions kept a hook as
//! `hooks/NAME.before-ddpatrol`; such a hook is also found, moved and restored.

use super::folder::is_ours;
use super::script::PASSED_ON;
use anyhow::{Context, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The suffix of the folder, and of hooks that an older version kept.
const SUFFIX: &str = ".before-ddpatrol";

/// The kept hooks of a hooks folder.
#[derive(Debug)]
pub(super) struct KeptHooks {
    /// The hooks folder, with links resolved.
    hooks: PathBuf,
    /// The name of the hooks folder.
    name: String,
}

impl KeptHooks {
    /// Returns the kept hooks of a hooks folder, which must exist.
    pub(super) fn of(hooks: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot read folder {}", hooks.display());
        let hooks = hooks.canonicalize().with_context(failed)?;
        let name = hooks.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| {
            format!(
                "cannot keep existing hooks: the name of the folder {} is not UTF-8",
                hooks.display()
            )
        })?;
        Ok(Self { name: name.to_owned(), hooks })
    }

    /// Returns the name of the folder that contains them.
    pub(super) fn folder_name(&self) -> String {
        format!("{}{SUFFIX}", self.name)
    }

    /// Returns the folder that contains them.
    pub(super) fn folder(&self) -> PathBuf {
        self.hooks.with_file_name(self.folder_name())
    }

    /// Returns the path of a kept hook, which may not exist.
    fn place(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Returns the path where older versions kept a hook, which may not exist.
    fn old_place(&self, name: &str) -> PathBuf {
        self.hooks.join(format!("{name}{SUFFIX}"))
    }

    /// Finds a kept hook.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let places = [self.place(name), self.old_place(name)];
        places.into_iter().find(|path| exists(path))
    }

    /// Fails if a hook of this name is already kept.
    pub(super) fn check_free(&self, name: &str) -> anyhow::Result<()> {
        let Some(path) = self.find(name) else { return Ok(()) };
        bail!(
            "cannot keep hook {1}: {0} exists, and both are older than ddpatrol's hook; remove one of them",
            path.display(),
            self.hooks.join(name).display()
        );
    }

    /// Moves an existing hook to the folder of kept hooks; returns its new path.
    pub(super) fn keep(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.check_free(name)?;
        let hook = self.hooks.join(name);
        if hook.is_dir() {
            bail!("{} is a folder, but git expects a hook: remove it", hook.display());
        }
        self.shift(&self.hooks.join(name), name)
    }

    /// Moves a hook that an older version kept to its current path.
    pub(super) fn migrate(&self, name: &str) -> anyhow::Result<()> {
        if exists(&self.old_place(name)) && !exists(&self.place(name)) {
            self.shift(&self.old_place(name), name)?;
        }
        Ok(())
    }

    fn shift(&self, from: &Path, name: &str) -> anyhow::Result<PathBuf> {
        let to = self.place(name);
        let failed = || format!("cannot move hook {} to {}", from.display(), to.display());
        fs::create_dir_all(self.folder()).with_context(failed)?;
        match self.moved_link(from) {
            Some(target) => {
                symlink(&target, &to).with_context(failed)?;
                fs::remove_file(from).with_context(failed)?;
            }
            None => fs::rename(from, &to).with_context(failed)?,
        }
        self.link_neighbours();
        Ok(to)
    }

    /// Restores a kept hook to `to`, a path in the hooks folder; returns `false` if there is none.
    pub(super) fn restore(&self, name: &str, to: &Path) -> anyhow::Result<bool> {
        let Some(from) = self.find(name) else { return Ok(false) };
        let failed = || format!("cannot restore hook {} to {}", from.display(), to.display());
        let target = fs::read_link(&from).ok().filter(|_| from == self.place(name));
        let prefix = PathBuf::from("..").join(&self.name);
        match target.and_then(|target| Some(target.strip_prefix(&prefix).ok()?.to_owned())) {
            Some(target) => {
                if exists(to) {
                    fs::remove_file(to).with_context(failed)?;
                }
                symlink(&target, to).with_context(failed)?;
                fs::remove_file(&from).with_context(failed)?;
            }
            None => fs::rename(&from, to).with_context(failed)?,
        }
        Ok(true)
    }

    /// Removes the folder if no hook is left in it.
    pub(super) fn tidy(&self) {
        let folder = self.folder();
        let Ok(entries) = fs::read_dir(&folder) else { return };
        let paths: Vec<PathBuf> = entries.filter_map(|it| Some(it.ok()?.path())).collect();
        let is_neighbour = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            let target = PathBuf::from("..").join(&self.name).join(name);
            !is_hook_name(name) && fs::read_link(path).is_ok_and(|it| it == target)
        };
        if paths.iter().all(is_neighbour) {
            // The folder stays if a file cannot be removed.
            paths.iter().for_each(|path| drop(fs::remove_file(path)));
            let _ = fs::remove_dir(&folder);
        }
    }

    /// Returns the target of a relative link, relative to the folder of kept hooks.
    fn moved_link(&self, from: &Path) -> Option<PathBuf> {
        let target = fs::read_link(from).ok().filter(|target| target.is_relative())?;
        // A link to another hook must lead to the kept hook, not to ours.
        let is_kept = target.components().count() == 1
            && is_ours(&self.hooks.join(&target))
            && exists(&self.folder().join(&target));
        Some(if is_kept { target } else { PathBuf::from("..").join(&self.name).join(target) })
    }

    /// Links the other files of the hooks folder into the folder of kept hooks. Hooks rarely need them, so
    /// failures are ignored.
    fn link_neighbours(&self) {
        for entry in fs::read_dir(&self.hooks).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let text = name.to_string_lossy();
            let is_sample = text.ends_with(".sample") || text.ends_with(SUFFIX);
            let link = self.folder().join(&name);
            if !is_sample && !is_hook_name(&name) && !exists(&link) {
                let _ = symlink(&PathBuf::from("..").join(&self.name).join(&name), &link);
            }
        }
    }
}

fn is_hook_name(name: &std::ffi::OsStr) -> bool {
    let others = ["push-to-checkout", "reference-transaction"];
    let mut names = PASSED_ON.iter().chain(&others).map(OsString::from);
    names.any(|hook| hook == name)
}

/// Returns `true` if a path exists, even as a dangling link.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}
