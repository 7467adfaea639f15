//! `ddpatrol hook install`: writes hooks to the folder in which git looks for them.
//!
//! Input: the hooks that the user names, and the hooks folder. Output: hook files, or a line in husky's
//! scripts. An existing hook is kept and runs first. A hook that another tool writes is not changed; the
//! lines for that tool's configuration are printed instead.

use super::folder::{
    self, Folder, LEGACY, git, hook_passes_on, is_executable, is_ours, manager_of, with_suffix,
};
use super::husky::Husky;
use super::kept_hooks::KeptHooks;
use super::manager::HookManager;
use super::script::{self, Hook, PASSED_ON, Scope, Script};
use super::uninstall::remove_from;
use crate::cli::args::HookSetArgs;
use crate::cli::exit::Exit;
use crate::cli::messages::{print_error, print_line};
use crate::cli::policy::shown;
use anyhow::{Context, bail};
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub(super) fn run(args: &HookSetArgs) -> anyhow::Result<Exit> {
    let mut hooks = args.named();
    if hooks.is_empty() {
        // The hooks for the content and the message of a commit.
        hooks = vec![Hook::PreCommit, Hook::PreMergeCommit, Hook::CommitMsg];
    }
    if args.place.global {
        if hooks.contains(&Hook::PreReceive) {
            bail!(
                "pre-receive runs only in a server's repository: install it there, without --global"
            );
        }
        return install_global(&hooks);
    }
    let repository = args.place.repository();
    refuse_unused(&hooks, repository)?;
    let folder = choose(repository, &hooks)?;
    if let Some(husky) = Husky::of(&folder.path) {
        return install_husky(&husky, &folder, &hooks);
    }
    let installed = Installation::new(&folder, &hooks)?;
    installed.write(&named(&hooks))?;
    installed.report()?;
    warn_of_neighbours(&folder, &hooks, repository);
    Ok(Exit::Clean)
}

/// Installs hooks for all repositories of the user.
fn install_global(hooks: &[Hook]) -> anyhow::Result<Exit> {
    let folder = folder::global()?;
    let installed = Installation::new(&folder, hooks)?;
    let mut all = named(hooks);
    for name in PASSED_ON.iter().filter(|name| !hooks.iter().any(|it| it.name() == **name)) {
        let path = folder.path.join(name);
        if !path.exists() || is_ours(&path) {
            all.push((name, None));
        }
    }
    installed.write(&all)?;
    let words = ["config", "--global", "core.hooksPath"].map(OsStr::new);
    git(&[&words[..], &[folder.path.as_os_str()]].concat(), None)?;
    installed.report()?;
    print_line(
        "All other hooks of a repository run as before, except push-to-checkout and \
         reference-transaction, which are not forwarded: the mere presence of the first changes git's \
         behavior, and the second would run on every reference update.",
    )?;
    print_line(
        "Repositories that set their own core.hooksPath, as husky does, are not covered: run `ddpatrol \
         hook install` in each of them.",
    )?;
    print_line(
        "`pre-commit install` fails while core.hooksPath is set: run \
         `GIT_CONFIG_GLOBAL=/dev/null pre-commit install` instead; the global hooks run its hook.",
    )?;
    folder::warn_if_hidden(&folder.path);
    Ok(Exit::Clean)
}

fn named(hooks: &[Hook]) -> Vec<(&'static str, Option<Hook>)> {
    hooks.iter().map(|hook| (hook.name(), Some(*hook))).collect()
}

/// Fails if git never runs one of the hooks in a repository.
fn refuse_unused(hooks: &[Hook], repository: Option<&Path>) -> anyhow::Result<()> {
    let is_bare = git(&["rev-parse", "--is-bare-repository"].map(OsStr::new), repository)?;
    if is_bare == "true"
        && hooks.iter().any(|hook| !matches!(hook, Hook::PreReceive | Hook::PrePush))
    {
        bail!(
            "nothing is committed in a bare repository: use --pre-receive, which scans the commits that \
             are pushed to it"
        );
    }
    Ok(())
}

/// Chooses the hooks folder of a repository: the one in which git looks for hooks, or the repository's
/// own if our hooks for all repositories run the hooks in it.
fn choose(repository: Option<&Path>, hooks: &[Hook]) -> anyhow::Result<Folder> {
    let path = folder::effective(repository)?;
    folder::require_folder(&path)?;
    let own = folder::own(repository)?;
    let scope = Scope::Repository;
    if folder::is_same(&path, &own) || Husky::of(&path).is_some() {
        return Ok(Folder { path, scope });
    }
    if folder::passes_on(&path) {
        if !hooks.iter().all(|hook| hook_passes_on(&path.join(hook.name()))) {
            bail!(
                "the hooks for all repositories in {} do not run all of the requested hooks: update \
                 them with `ddpatrol hook install --global`",
                shown(&path)
            );
        }
        print_line(&format!("The hooks for all repositories in {} run it.", shown(&path)))?;
        return Ok(Folder { path: own, scope });
    }
    print_line(&format!(
        "core.hooksPath is {}: hooks in this folder run in every repository that uses it.",
        shown(&path)
    ))?;
    Ok(Folder { path, scope })
}

/// Adds ddpatrol to husky's scripts.
fn install_husky(husky: &Husky, folder: &Folder, hooks: &[Hook]) -> anyhow::Result<Exit> {
    if hooks.contains(&Hook::PreReceive) {
        bail!("husky does not run pre-receive hooks: install it in the repository on the server");
    }
    if husky.has_wrappers() {
        // Older versions of ddpatrol replaced husky's wrappers, so that husky's scripts did not run.
        let names: Vec<&str> = hooks.iter().map(|it| it.name()).collect();
        remove_from(&folder.path, &names)?;
    }
    let mut scripts = Vec::new();
    for hook in hooks {
        scripts.push(shown(&husky.add(*hook)?));
        let wrapper = folder.path.join(hook.name());
        if husky.has_wrappers() && !is_executable(&wrapper) {
            print_error(&format!(
                "warning: husky's hook {} is missing, so nothing is scanned: run `npx husky`",
                shown(&wrapper)
            ));
        }
    }
    print_line(&format!(
        "Added a line to husky's {}: commit the change. The other lines run after it.",
        scripts.join(", ")
    ))?;
    if !is_on_path() {
        print_error(
            "warning: `ddpatrol` is not on PATH, where husky's scripts look for it: every commit will \
             fail until it is",
        );
    }
    Ok(Exit::Clean)
}

/// Returns `true` if a shell finds `ddpatrol`.
fn is_on_path() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("ddpatrol{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(&name)))
}

/// The place of a hook to write, and the owner of an existing hook.
struct HookTarget {
    path: PathBuf,
    owner: Owner,
}

/// The owner of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Ddpatrol,
    Other,
}

/// An installation of hooks in a folder.
struct Installation<'a> {
    folder: &'a Folder,
    kept: KeptHooks,
    program: PathBuf,
    names: Vec<&'static str>,
}

impl<'a> Installation<'a> {
    /// Prepares the installation; fails if another tool manages one of the hooks.
    fn new(folder: &'a Folder, hooks: &[Hook]) -> anyhow::Result<Self> {
        refuse_managed(&folder.path, hooks)?;
        let program =
            std::env::current_exe().context("cannot determine the path of this program")?;
        fs::create_dir_all(&folder.path)
            .with_context(|| format!("cannot create folder {}", folder.path.display()))?;
        let kept = KeptHooks::of(&folder.path)?;
        let names = hooks.iter().map(|hook| hook.name()).collect();
        Ok(Self { folder, kept, program, names })
    }

    /// Writes hooks; `None` means a hook that only runs the repository's own hook.
    fn write(&self, hooks: &[(&'static str, Option<Hook>)]) -> anyhow::Result<()> {
        // A link may lead to a hook that is about to be replaced, so all are checked before any is written.
        let find = |(name, hook): &(&'static str, Option<Hook>)| {
            self.find(name).map(|place| (*name, *hook, place))
        };
        let mut places = hooks.iter().map(find).collect::<anyhow::Result<Vec<_>>>()?;
        places.sort_by_key(|(_, _, place)| place.path.is_symlink());
        places.iter().try_for_each(|(name, hook, place)| self.put(name, *hook, place))
    }

    /// Finds the place of a hook and its owner.
    fn find(&self, name: &str) -> anyhow::Result<HookTarget> {
        let path = self.folder.path.join(name);
        let is_moved = manager_of(&path).is_some();
        let path = if is_moved { with_suffix(&path, LEGACY) } else { path };
        let owner = match fs::symlink_metadata(&path) {
            Ok(_) if is_ours(&path) => Owner::Ddpatrol,
            Ok(_) => {
                self.kept.check_free(name)?;
                Owner::Other
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Owner::Nobody,
            Err(error) => {
                let failed = format!("cannot read hook {}", path.display());
                return Err(error).context(failed);
            }
        };
        Ok(HookTarget { path, owner })
    }

    /// Prints the installed hooks.
    fn report(&self) -> anyhow::Result<()> {
        let names = self.names.join(", ");
        Ok(print_line(&format!("Installed in {}: {names}.", shown(&self.folder.path)))?)
    }

    /// Writes a hook; an existing hook of another owner is kept and runs first.
    fn put(&self, name: &str, hook: Option<Hook>, place: &HookTarget) -> anyhow::Result<()> {
        let path = &place.path;
        let failed = || format!("cannot write hook {}", path.display());
        match place.owner {
            Owner::Nobody => {}
            Owner::Ddpatrol => self.kept.migrate(name)?,
            Owner::Other => {
                let runs = is_executable(path);
                let kept = self.kept.keep(name)?;
                let (from, to) = (shown(path), shown(&kept));
                print_line(&if runs {
                    format!("Kept {from}: it runs first, as {to}.")
                } else {
                    format!("Kept {from} as {to}: it does not run, because it is not executable.")
                })?;
            }
        }
        let kept = self.kept.folder_name();
        let (scope, program) = (self.folder.scope, &*self.program);
        let text = script::text(&Script { name, hook, scope, program, kept: &kept });
        // Written atomically, because git may run the hook at any moment.
        let mut builder = tempfile::Builder::new();
        builder.prefix(".ddpatrol-hook-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        let file = builder.tempfile_in(&self.folder.path).with_context(failed)?;
        fs::write(file.path(), text).with_context(failed)?;
        file.persist(path).map_err(|error| error.error).with_context(failed)?;
        Ok(())
    }
}

/// Fails if another tool manages one of the hooks, and prints the lines for its configuration.
fn refuse_managed(folder: &Path, hooks: &[Hook]) -> anyhow::Result<()> {
    let managed = |hook: &Hook| {
        let path = folder.join(hook.name());
        let manager = manager_of(&path)?;
        // `pre-commit install` moved our hook there, so it is updated there.
        let runs_ours = manager == HookManager::PreCommit && is_ours(&with_suffix(&path, LEGACY));
        (!runs_ours).then_some((manager, path))
    };
    let found: Vec<(Hook, HookManager, PathBuf)> =
        hooks.iter().filter_map(|hook| managed(hook).map(|it| (*hook, it.0, it.1))).collect();
    let Some((_, first, path)) = found.first() else { return Ok(()) };
    let is_found = |manager: &HookManager| found.iter().any(|it| it.1 == *manager);
    for manager in HookManager::ALL.iter().filter(|it| is_found(it)) {
        let owner = |hook: &Hook| found.iter().find(|it| it.0 == *hook).map_or(*first, |it| it.1);
        let theirs: Vec<Hook> = hooks.iter().copied().filter(|it| owner(it) == *manager).collect();
        print_line(&format!(
            "Add to {}, then run `{}`:",
            manager.configurations()[0],
            manager.regenerate(&theirs)
        ))?;
        manager.lines(&theirs).iter().try_for_each(|line| print_line(line))?;
    }
    bail!(
        "the hook {} is managed by {}, which would overwrite changes: nothing was installed; add the \
         lines above to its configuration, {}",
        shown(path),
        first.name(),
        first.place()
    );
}

/// Warns about tools in the same repository that will remove or disable the hooks.
fn warn_of_neighbours(folder: &Folder, hooks: &[Hook], repository: Option<&Path>) {
    let names = hooks.iter().map(|hook| hook.name()).collect::<Vec<_>>().join(", ");
    let is_simple =
        |name: &&str| manager_of(&folder.path.join(name)) == Some(HookManager::SimpleGitHooks);
    if PASSED_ON.iter().any(is_simple) {
        print_error(&format!(
            "warning: simple-git-hooks removes hooks that are not in its configuration: set \
             `preserveUnused`, or add {names} to its configuration"
        ));
    }
    let husky = folder::work_tree(repository).map(|top| top.join(".husky"));
    if let Some(husky) = husky.filter(|husky| husky.is_dir() && !folder.path.starts_with(husky)) {
        print_error(&format!(
            "warning: {} exists, but husky is not active: after `npm install` or `npx husky`, git no \
             longer runs these hooks; run `ddpatrol hook install` again then",
            shown(&husky)
        ));
    }
}
