//! The folders in which git looks for hooks.
//!
//! Input: the repository, or none for all repositories of the user. Output: folders, which may not exist,
//! and the hook files in them; a warning if the hooks for all repositories do not run. Writes no files.

use super::manager::HookManager;
use super::script::{self, PASSED_ON, Scope};
use crate::cli::args::HookPlaceArgs;
use crate::cli::messages::print_error;
use crate::cli::urls;
use anyhow::{Context, anyhow, bail};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The maximum size of a hook, script or configuration that is read, in bytes.
const MAX_SCRIPT: u64 = 1 << 20;

/// The suffix under which `pre-commit install` keeps and runs an existing hook.
pub(super) const LEGACY: &str = ".legacy";

/// Advice for an invalid core.hooksPath.
const FIND_SETTING: &str = "`git config --show-origin core.hooksPath` names the file that sets it";

/// A folder of hooks.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) scope: Scope,
}

/// Returns the hooks folder for all repositories of the user: core.hooksPath, or its future value.
pub(super) fn global() -> anyhow::Result<Folder> {
    let path = match global_setting() {
        Some(path) if path.is_relative() => bail!(
            "core.hooksPath is the relative path {}, which git resolves in each repository, so there is \
             no hooks folder for all repositories; set an absolute path, or unset it with \
             `git config --global --unset core.hooksPath`",
            path.display()
        ),
        Some(path) => path,
        None => default_global()?,
    };
    require_folder(&path)?;
    Ok(Folder { path, scope: Scope::AllRepositories })
}

/// Returns the hooks folder for all repositories if core.hooksPath is not set.
pub(super) fn default_global() -> anyhow::Result<PathBuf> {
    Ok(settings()?.join("ddpatrol").join("hooks"))
}

/// Returns core.hooksPath in the user's own configuration.
pub(super) fn global_setting() -> Option<PathBuf> {
    let ask = ["config", "--global", "--type=path", "core.hooksPath"].map(OsStr::new);
    git(&ask, None).ok().filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Returns the folder from which git runs the hooks of a repository.
pub(super) fn effective(repository: Option<&Path>) -> anyhow::Result<PathBuf> {
    let ask = ["rev-parse", "--path-format=absolute", "--git-path", "hooks"].map(OsStr::new);
    let path = git(&ask, repository).map_err(|error| match error.to_string().as_str() {
        "The empty string is not a valid path" => {
            anyhow!("core.hooksPath is empty, so git runs no hooks; {FIND_SETTING}")
        }
        _ => error,
    })?;
    Ok(PathBuf::from(path))
}

/// Fails if git cannot run hooks from a path because it is not a folder.
pub(super) fn require_folder(path: &Path) -> anyhow::Result<()> {
    if path.exists() && !path.is_dir() {
        bail!(
            "core.hooksPath is {}, which is not a folder, so git runs no hooks; {FIND_SETTING}",
            path.display()
        );
    }
    Ok(())
}

/// Returns `true` if two paths lead to the same folder.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// Returns the repository's own `hooks` folder.
pub(super) fn own(repository: Option<&Path>) -> anyhow::Result<PathBuf> {
    let ask = ["rev-parse", "--path-format=absolute", "--git-common-dir"].map(OsStr::new);
    Ok(PathBuf::from(git(&ask, repository)?).join("hooks"))
}

/// Returns the top of a repository's work tree, if it has one.
pub(super) fn work_tree(repository: Option<&Path>) -> Option<PathBuf> {
    git(&["rev-parse", "--show-toplevel"].map(OsStr::new), repository).ok().map(PathBuf::from)
}

/// Warns if the hooks for all repositories do not run in the repository of the current folder.
pub(super) fn warn_if_hidden(global: &Path) {
    let Ok(effective) = effective(None) else { return };
    if is_same(&effective, global) {
        return;
    }
    let Ok(hooks) = own(None) else { return };
    let root = work_tree(None).or_else(|| Some(hooks.parent()?.to_owned())).unwrap_or(hooks);
    print_error(&format!(
        "warning: the repository {} sets its own core.hooksPath, {}, so git does not run the global hooks \
         in it and nothing is scanned: run `ddpatrol hook install` in that repository",
        root.display(),
        effective.display()
    ));
}

/// Returns `true` if a folder contains our hooks for all repositories.
pub(super) fn passes_on(folder: &Path) -> bool {
    PASSED_ON.iter().any(|name| hook_passes_on(&folder.join(name)))
}

/// Returns `true` if a hook is ours and runs each repository's own hook.
pub(super) fn hook_passes_on(path: &Path) -> bool {
    read_script(path).is_some_and(|text| script::passes_on(&text))
}

/// Returns `true` if a file, or the target of a link, is one of our hooks.
pub(super) fn is_ours(path: &Path) -> bool {
    read_script(path).is_some_and(|text| script::is_ours(&text))
}

/// Returns the tool that wrote a hook.
pub(super) fn manager_of(path: &Path) -> Option<HookManager> {
    HookManager::of(&read_script(path)?)
}

/// Reads a regular file, or the target of a link, up to [`MAX_SCRIPT`].
pub(super) fn read_script(path: &Path) -> Option<Vec<u8>> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = Vec::new();
    File::open(path).ok()?.take(MAX_SCRIPT).read_to_end(&mut text).ok()?;
    Some(text)
}

/// Returns `true` if git runs a file as a hook.
pub(super) fn is_executable(path: &Path) -> bool {
    let Ok(metadata) = fs::metadata(path) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    metadata.is_file()
}

/// Returns a path with a suffix appended to its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

impl HookPlaceArgs {
    /// Returns the repository that the user named.
    pub(super) fn repository(&self) -> Option<&Path> {
        self.repo.as_deref()
    }
}

/// Returns the folder of the user's settings.
fn settings() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("XDG_CONFIG_HOME").filter(|it| !it.is_empty());
    let home = || {
        let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"))?;
        Some(PathBuf::from(home).join(".config"))
    };
    named.map(PathBuf::from).or_else(home).context("neither XDG_CONFIG_HOME nor HOME is set")
}

/// Runs git with the user's own settings; returns its output line.
pub(super) fn git(arguments: &[&OsStr], folder: Option<&Path>) -> anyhow::Result<OsString> {
    let mut command = Command::new("git");
    if let Some(folder) = folder {
        urls::refuse(folder)?;
        if !folder.is_dir() {
            bail!("repository {} does not exist", folder.display());
        }
        command.arg("-C").arg(folder);
    }
    let output = command.args(arguments).output().context("cannot run git: install it")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = words.lines().next().unwrap_or("git failed without a message");
        let words = words.strip_prefix("fatal: ").unwrap_or(words);
        if let Some(foreign) = words.strip_prefix("detected dubious ownership in repository at ") {
            bail!(
                "the repository {foreign} belongs to another user; if you trust it, run \
                 `git config --global --add safe.directory {foreign}`"
            );
        }
        if words.starts_with("not a git repository: ") {
            bail!(
                "{words}, which `.git` names, was moved or removed; `git worktree repair` repairs a linked work tree"
            );
        }
        if words.starts_with("not a git repository") {
            bail!("{words}; run `git init` first, or name a repository with --repo");
        }
        bail!("{words}");
    }
    let line = output.stdout.trim_ascii_end();
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(OsStr::from_bytes(line).to_owned())
    }
    #[cfg(not(unix))]
    Ok(OsString::from(String::from_utf8_lossy(line).into_owned()))
}
