//! `ddpatrol hook install` and `uninstall`: writes hooks where git looks for them, takes them back.

use super::script::{self, BEFORE, Hook, PASSED_ON, Scope};
use crate::cli::args::{HookArgs, HookCommand, HookSetArgs};
use crate::cli::decide::shown;
use crate::cli::{Exit, say};
use anyhow::{Context, bail};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(in crate::cli) fn run(args: &HookArgs) -> anyhow::Result<Exit> {
    match &args.command {
        HookCommand::Install(set) => install(set),
        HookCommand::Uninstall(set) => uninstall(set),
    }
}

/// Where hooks are put.
struct Folder {
    path: PathBuf,
    scope: Scope,
}

impl HookSetArgs {
    /// Lists the hooks that were named.
    fn named(&self) -> Vec<Hook> {
        let flags = [
            (self.pre_commit, Hook::PreCommit),
            (self.pre_merge_commit, Hook::PreMergeCommit),
            (self.commit_msg, Hook::CommitMsg),
            (self.pre_push, Hook::PrePush),
            (self.pre_receive, Hook::PreReceive),
        ];
        flags.into_iter().filter(|(is_named, _)| *is_named).map(|(_, hook)| hook).collect()
    }
}

fn install(args: &HookSetArgs) -> anyhow::Result<Exit> {
    let mut hooks = args.named();
    if hooks.is_empty() {
        // What becomes part of a commit: its content, and its message.
        hooks = vec![Hook::PreCommit, Hook::PreMergeCommit, Hook::CommitMsg];
    }
    if args.global && hooks.contains(&Hook::PreReceive) {
        bail!("pre-receive belongs to a server's repository: install it there, without --global");
    }
    if !args.global {
        fits(&hooks, args.repo.as_deref())?;
    }
    let folder = folder(args, &hooks)?;
    let program = std::env::current_exe().context("the path of this program is not known")?;
    fs::create_dir_all(&folder.path)
        .with_context(|| format!("{} cannot be made", folder.path.display()))?;
    for hook in &hooks {
        let text = script::text(hook.name(), Some(*hook), folder.scope, &program);
        put(&folder.path, hook.name(), &text)?;
    }
    if folder.scope == Scope::AllRepositories {
        for name in PASSED_ON.iter().filter(|name| !hooks.iter().any(|it| it.name() == **name)) {
            let path = folder.path.join(name);
            if !path.exists() || is_ours(&path) {
                put(&folder.path, name, &script::text(name, None, folder.scope, &program))?;
            }
        }
        git(
            &[
                OsStr::new("config"),
                "--global".as_ref(),
                "core.hooksPath".as_ref(),
                folder.path.as_os_str(),
            ],
            None,
        )?;
    }
    let names: Vec<&str> = hooks.iter().map(|hook| hook.name()).collect();
    say(&format!("Installed in {}: {}.", shown(&folder.path), names.join(", ")))?;
    if folder.scope == Scope::AllRepositories {
        say(
            "All other hooks of a repository run as before, but push-to-checkout and reference-transaction: \
             git takes these from here, too, and being there the first would change what git does, the \
             second cost time with every reference.",
        )?;
    }
    Ok(Exit::Good)
}

/// Refuses hooks that git never runs in a repository.
fn fits(hooks: &[Hook], repository: Option<&Path>) -> anyhow::Result<()> {
    let is_bare = git(&["rev-parse", "--is-bare-repository"].map(OsStr::new), repository)?;
    if is_bare == "true"
        && hooks.iter().any(|hook| !matches!(hook, Hook::PreReceive | Hook::PrePush))
    {
        bail!(
            "this is a bare repository, in which nothing is committed: install --pre-receive, which \
             judges what is pushed to it"
        );
    }
    Ok(())
}

/// Writes a hook; one of somebody else is kept beside it and runs before it.
fn put(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    let failed = || format!("the hook {} cannot be written", path.display());
    match fs::symlink_metadata(&path) {
        Ok(_) if is_ours(&path) => {}
        Ok(_) => {
            let before = folder.join(format!("{name}{BEFORE}"));
            if fs::symlink_metadata(&before).is_ok() {
                bail!(
                    "{} is in the way of the hook that is there now: remove one of the two",
                    before.display()
                );
            }
            fs::rename(&path, &before).with_context(failed)?;
            say(&format!("Kept {}: it runs first, as {}.", shown(&path), shown(&before)))?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(failed),
    }
    // Whole or not at all: git may start the hook at any moment.
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ddpatrol-hook-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    let file = builder.tempfile_in(folder).with_context(failed)?;
    fs::write(file.path(), text).with_context(failed)?;
    file.persist(&path).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}

fn uninstall(args: &HookSetArgs) -> anyhow::Result<Exit> {
    let mut hooks = args.named();
    if hooks.is_empty() {
        hooks = Hook::ALL.to_vec();
    }
    let folder = folder(args, &[])?;
    let mut names: Vec<&str> = hooks.iter().map(|hook| hook.name()).collect();
    if folder.scope == Scope::AllRepositories && args.named().is_empty() {
        names.extend(PASSED_ON);
        names.sort_unstable();
        names.dedup();
    }
    let mut removed = Vec::new();
    for name in names {
        let path = folder.path.join(name);
        if !is_ours(&path) {
            continue;
        }
        let failed = || format!("the hook {} cannot be removed", path.display());
        let before = folder.path.join(format!("{name}{BEFORE}"));
        if fs::symlink_metadata(&before).is_ok() {
            fs::rename(&before, &path).with_context(failed)?;
        } else {
            fs::remove_file(&path).with_context(failed)?;
        }
        removed.push(name);
    }
    if folder.scope == Scope::AllRepositories && fs::remove_dir(&folder.path).is_ok() {
        // The folder was ours and is empty: git need not look there any more.
        let set = git(&["config", "--global", "core.hooksPath"].map(OsStr::new), None);
        if set.is_ok_and(|path| Path::new(&path) == folder.path) {
            git(&["config", "--global", "--unset", "core.hooksPath"].map(OsStr::new), None)?;
        }
    }
    if removed.is_empty() {
        say(&format!("No hook of ddpatrol's is in {}.", shown(&folder.path)))?;
    } else {
        say(&format!("Removed from {}: {}.", shown(&folder.path), removed.join(", ")))?;
    }
    Ok(Exit::Good)
}

fn is_ours(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file && fs::read(path).is_ok_and(|text| script::is_ours(&text))
}

fn passes_on(path: &Path) -> bool {
    fs::read(path).is_ok_and(|text| script::passes_on(&text))
}

/// Finds the folder where git looks for hooks, and where these can be put.
fn folder(args: &HookSetArgs, hooks: &[Hook]) -> anyhow::Result<Folder> {
    if args.global {
        let set =
            git(&["config", "--global", "--type=path", "core.hooksPath"].map(OsStr::new), None);
        let path = match set {
            Ok(path) => PathBuf::from(path),
            Err(_) => settings()?.join("ddpatrol").join("hooks"),
        };
        return Ok(Folder { path, scope: Scope::AllRepositories });
    }
    let ask = ["rev-parse", "--path-format=absolute", "--git-path", "hooks"].map(OsStr::new);
    let path = PathBuf::from(git(&ask, args.repo.as_deref())?);
    let own = ["rev-parse", "--path-format=absolute", "--git-common-dir"].map(OsStr::new);
    let own = PathBuf::from(git(&own, args.repo.as_deref())?).join("hooks");
    if path != own && PASSED_ON.iter().any(|name| passes_on(&path.join(name))) {
        if !hooks.iter().all(|hook| passes_on(&path.join(hook.name()))) {
            bail!(
                "the hooks for all repositories in {} do not pass on all that are wanted here: renew \
                 them with `ddpatrol hook install --global`",
                shown(&path)
            );
        }
        say(&format!("The hooks of all repositories in {} pass on to it.", shown(&path)))?;
        return Ok(Folder { path: own, scope: Scope::Repository });
    }
    if path != own {
        say(&format!(
            "core.hooksPath is {}: hooks there run in every repository that names it.",
            shown(&path)
        ))?;
    }
    Ok(Folder { path, scope: Scope::Repository })
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

/// Runs git with the user's own settings, and returns the line that it prints.
fn git(arguments: &[&OsStr], folder: Option<&Path>) -> anyhow::Result<OsString> {
    let mut command = Command::new("git");
    if let Some(folder) = folder {
        command.arg("-C").arg(folder);
    }
    let output = command.args(arguments).output().context("git cannot be started: install it")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(output.stderr.trim_ascii()).into_owned();
        bail!("{}", if words.is_empty() { "git could not answer".to_owned() } else { words });
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
