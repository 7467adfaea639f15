//! `ddpatrol hook uninstall`: removes our hooks and restores the previous ones.
//!
//! Input: the hooks that the user names, or all. Output: the hooks folder as it was before. Hooks that run
//! ddpatrol but were not written by `hook install` are reported, not changed.

use super::folder::{self, LEGACY, git, is_ours, read_script, with_suffix};
use super::husky::Husky;
use super::kept_hooks::KeptHooks;
use super::script::{Hook, PASSED_ON};
use super::status;
use crate::cli::args::HookSetArgs;
use crate::cli::exit::Exit;
use crate::cli::messages::{print_error, print_line};
use crate::cli::policy::shown;
use anyhow::Context;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

pub(super) fn run(args: &HookSetArgs) -> anyhow::Result<Exit> {
    let mut hooks = args.named();
    let is_all = hooks.is_empty();
    if is_all {
        hooks = Hook::ALL.to_vec();
    }
    let mut names: Vec<&str> = hooks.iter().map(|hook| hook.name()).collect();
    if args.place.global {
        if is_all {
            names.extend(PASSED_ON);
            names.sort_unstable();
            names.dedup();
        }
        return uninstall_global(&names);
    }
    let repository = args.place.repository();
    let effective = folder::effective(repository)?;
    let own = folder::own(repository)?;
    let mut folders = vec![effective.clone()];
    // Hooks for all repositories are removed with --global. The repository's own hooks, which
    // core.hooksPath disables, are removed as well, because they would run again without it.
    if effective != own {
        folders.push(own);
        folders.retain(|folder| !folder::passes_on(folder));
    }
    let mut has_removed = false;
    for folder in &folders {
        let removed = remove_from(folder, &names)?;
        if !removed.is_empty() {
            has_removed = true;
            print_line(&format!("Removed from {}: {}.", shown(folder), removed.join(", ")))?;
        }
    }
    // Husky's scripts are committed, so our line is also removed if husky is not active yet.
    let husky =
        Husky::of(&effective).or_else(|| Husky::in_work_tree(&folder::work_tree(repository)?));
    if let Some(husky) = husky {
        for name in &names {
            if husky.remove(name)? {
                has_removed = true;
                let script = shown(&husky.script(name));
                print_line(&format!("Removed the line from husky's {script}: commit the change."))?;
            }
        }
    }
    if !has_removed {
        let folder = folders.first().unwrap_or(&effective);
        print_line(&format!("No ddpatrol hooks found in {}.", shown(folder)))?;
    }
    status::warn_of_rest(repository, &names)?;
    Ok(Exit::Clean)
}

/// Removes the hooks for all repositories.
fn uninstall_global(names: &[&str]) -> anyhow::Result<Exit> {
    let folder = folder::global()?;
    let removed = remove_from(&folder.path, names)?;
    if fs::remove_dir(&folder.path).is_ok() {
        // The folder is ours and was empty, so core.hooksPath is not needed any more.
        let is_ours = folder::default_global().is_ok_and(|path| path == folder.path);
        if is_ours && folder::global_setting().is_some_and(|path| path == folder.path) {
            git(&["config", "--global", "--unset", "core.hooksPath"].map(OsStr::new), None)?;
        }
    }
    if removed.is_empty() {
        print_line(&format!("No ddpatrol hooks found in {}.", shown(&folder.path)))?;
    } else {
        print_line(&format!("Removed from {}: {}.", shown(&folder.path), removed.join(", ")))?;
    }
    Ok(Exit::Clean)
}

/// Removes our hooks from a folder, also if other tools renamed them, and restores the kept hooks;
/// returns the names of the removed hooks.
pub(super) fn remove_from(folder: &Path, names: &[&str]) -> anyhow::Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let kept = KeptHooks::of(folder)?;
    let mut removed = Vec::new();
    for name in names {
        let path = folder.join(name);
        // `lefthook install` moves a hook to `NAME.old`, and `lefthook uninstall` restores it.
        for place in [path.clone(), with_suffix(&path, LEGACY), with_suffix(&path, ".old")] {
            if !is_ours(&place) {
                continue;
            }
            let failed = || format!("cannot remove hook {}", place.display());
            if !kept.restore(name, &place)? {
                fs::remove_file(&place).with_context(failed)?;
            }
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            removed.push(name);
        }
        if let Some(left) = kept.find(name) {
            if path.symlink_metadata().is_err() {
                kept.restore(name, &path)?;
                print_line(&format!("Restored {}.", shown(&path)))?;
            } else if read_script(&path) == read_script(&left) {
                // Another tool has already written the same hook.
                fs::remove_file(&left)
                    .with_context(|| format!("cannot remove {}", left.display()))?;
            } else {
                print_error(&format!(
                    "warning: the kept hook {} does not run, because {} replaced it: remove one of them",
                    left.display(),
                    path.display()
                ));
            }
        }
    }
    kept.tidy();
    Ok(removed)
}
