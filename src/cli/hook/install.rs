//! `ddpatrol hook install`: writes hooks where git looks for them.
//!
//! Input: the hooks that the user names, and the folder of hooks. Output: hook files, or a line in
//! husky's scripts. A hook of somebody else is kept and runs first; a hook that another tool writes is
//! left alone, and the lines for that tool's configuration are printed.

use super::folder::{
    self, Folder, LEGACY, git, hook_passes_on, is_executable, is_ours, manager_of, with_end,
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
        // What becomes part of a commit: its content, and its message.
        hooks = vec![Hook::PreCommit, Hook::PreMergeCommit, Hook::CommitMsg];
    }
    if args.place.global {
        if hooks.contains(&Hook::PreReceive) {
            bail!(
                "pre-receive belongs to a server's repository: install it there, without --global"
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
        "All other hooks of a repository run as before, but push-to-checkout and reference-transaction: \
         git takes these from here, too, and being there the first would change what git does, the \
         second cost time with every reference.",
    )?;
    print_line(
        "A repository that sets its own core.hooksPath, as husky does, is not covered: run `ddpatrol \
         hook install` in each of them.",
    )?;
    print_line(
        "`pre-commit install` refuses to run while core.hooksPath is set: run \
         `GIT_CONFIG_GLOBAL=/dev/null pre-commit install`; its hook then runs through these.",
    )?;
    folder::warn_if_hidden(&folder.path);
    Ok(Exit::Clean)
}

fn named(hooks: &[Hook]) -> Vec<(&'static str, Option<Hook>)> {
    hooks.iter().map(|hook| (hook.name(), Some(*hook))).collect()
}

/// Refuses hooks that git never runs in a repository.
fn refuse_unused(hooks: &[Hook], repository: Option<&Path>) -> anyhow::Result<()> {
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

/// Chooses the folder of a repository's hooks: where git looks for them, or the repository's own if
/// hooks of ours for all repositories run these.
fn choose(repository: Option<&Path>, hooks: &[Hook]) -> anyhow::Result<Folder> {
    let path = folder::effective(repository)?;
    let own = folder::own(repository)?;
    let scope = Scope::Repository;
    if folder::is_same(&path, &own) || Husky::of(&path).is_some() {
        return Ok(Folder { path, scope });
    }
    if folder::passes_on(&path) {
        if !hooks.iter().all(|hook| hook_passes_on(&path.join(hook.name()))) {
            bail!(
                "the hooks for all repositories in {} do not pass on all that are wanted here: renew \
                 them with `ddpatrol hook install --global`",
                shown(&path)
            );
        }
        print_line(&format!("The hooks of all repositories in {} pass on to it.", shown(&path)))?;
        return Ok(Folder { path: own, scope });
    }
    print_line(&format!(
        "core.hooksPath is {}: hooks there run in every repository that names it.",
        shown(&path)
    ))?;
    Ok(Folder { path, scope })
}

/// Adds ddpatrol to husky's scripts.
fn install_husky(husky: &Husky, folder: &Folder, hooks: &[Hook]) -> anyhow::Result<Exit> {
    if hooks.contains(&Hook::PreReceive) {
        bail!("husky runs no pre-receive hooks: install it in the repository that is pushed to");
    }
    if husky.has_wrappers() {
        // Older versions of ddpatrol replaced husky's wrappers, which then did not find their script.
        let names: Vec<&str> = hooks.iter().map(|it| it.name()).collect();
        remove_from(&folder.path, &names)?;
    }
    let mut scripts = Vec::new();
    for hook in hooks {
        scripts.push(shown(&husky.add(*hook)?));
        let wrapper = folder.path.join(hook.name());
        if husky.has_wrappers() && !is_executable(&wrapper) {
            print_error(&format!(
                "warning: husky has no hook {}: run `npx husky`, or nothing is scanned",
                shown(&wrapper)
            ));
        }
    }
    print_line(&format!(
        "Added a line to husky's {}: commit it. The other lines run after it.",
        scripts.join(", ")
    ))?;
    if !is_on_path() {
        print_error(
            "warning: `ddpatrol` is not on PATH, where husky's scripts look for it: without it every \
             commit fails",
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

/// Where a hook is to be written.
struct HookTarget {
    path: PathBuf,
    owner: Owner,
}

/// Whose hook is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Ddpatrol,
    Other,
}

/// Hooks that are being written to a folder.
struct Installation<'a> {
    folder: &'a Folder,
    kept: KeptHooks,
    program: PathBuf,
    names: Vec<&'static str>,
}

impl<'a> Installation<'a> {
    /// Prepares to write hooks; fails if one of them is another tool's.
    fn new(folder: &'a Folder, hooks: &[Hook]) -> anyhow::Result<Self> {
        refuse_managed(&folder.path, hooks)?;
        let program = std::env::current_exe().context("the path of this program is not known")?;
        fs::create_dir_all(&folder.path)
            .with_context(|| format!("{} cannot be made", folder.path.display()))?;
        let kept = KeptHooks::of(&folder.path)?;
        let names = hooks.iter().map(|hook| hook.name()).collect();
        Ok(Self { folder, kept, program, names })
    }

    /// Writes hooks; `None` stands for a hook that only passes on.
    fn write(&self, hooks: &[(&'static str, Option<Hook>)]) -> anyhow::Result<()> {
        // A link may lead to a hook that becomes ours, so all are checked before one is written.
        let look = |(name, hook): &(&'static str, Option<Hook>)| {
            self.look(name).map(|place| (*name, *hook, place))
        };
        let mut places = hooks.iter().map(look).collect::<anyhow::Result<Vec<_>>>()?;
        places.sort_by_key(|(_, _, place)| place.path.is_symlink());
        places.iter().try_for_each(|(name, hook, place)| self.put(name, *hook, place))
    }

    /// Finds the place of a hook, and whose hook is there.
    fn look(&self, name: &str) -> anyhow::Result<HookTarget> {
        let path = self.folder.path.join(name);
        let is_moved = manager_of(&path).is_some();
        let path = if is_moved { with_end(&path, LEGACY) } else { path };
        let owner = match fs::symlink_metadata(&path) {
            Ok(_) if is_ours(&path) => Owner::Ddpatrol,
            Ok(_) => {
                self.kept.check_free(name)?;
                Owner::Other
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Owner::Nobody,
            Err(error) => {
                let failed = format!("the hook {} cannot be read", path.display());
                return Err(error).context(failed);
            }
        };
        Ok(HookTarget { path, owner })
    }

    /// Says what was written.
    fn report(&self) -> anyhow::Result<()> {
        let names = self.names.join(", ");
        Ok(print_line(&format!("Installed in {}: {names}.", shown(&self.folder.path)))?)
    }

    /// Writes a hook; a hook of somebody else is kept and runs before it.
    fn put(&self, name: &str, hook: Option<Hook>, place: &HookTarget) -> anyhow::Result<()> {
        let path = &place.path;
        let failed = || format!("the hook {} cannot be written", path.display());
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
                    format!("Kept {from} as {to}: it is not executable, so it does not run.")
                })?;
            }
        }
        let kept = self.kept.folder_name();
        let (scope, program) = (self.folder.scope, &*self.program);
        let text = script::text(&Script { name, hook, scope, program, kept: &kept });
        // Whole or not at all: git may start the hook at any moment.
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

/// Refuses to write hooks that another tool writes, and prints the lines for its configuration.
fn refuse_managed(folder: &Path, hooks: &[Hook]) -> anyhow::Result<()> {
    let managed = |hook: &Hook| {
        let path = folder.join(hook.name());
        let manager = manager_of(&path)?;
        // Moved there by `pre-commit install`: renewed in that place.
        let runs_ours = manager == HookManager::PreCommit && is_ours(&with_end(&path, LEGACY));
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
            manager.renew(&theirs)
        ))?;
        manager.lines(&theirs).iter().try_for_each(|line| print_line(line))?;
    }
    bail!(
        "the hook {} belongs to {}, which writes it anew: nothing was installed; add the lines above \
         to its configuration, {}",
        shown(path),
        first.name(),
        first.place()
    );
}

/// Warns of tools in the same repository that will remove or hide the hooks.
fn warn_of_neighbours(folder: &Folder, hooks: &[Hook], repository: Option<&Path>) {
    let names = hooks.iter().map(|hook| hook.name()).collect::<Vec<_>>().join(", ");
    let is_simple =
        |name: &&str| manager_of(&folder.path.join(name)) == Some(HookManager::SimpleGitHooks);
    if PASSED_ON.iter().any(is_simple) {
        print_error(&format!(
            "warning: simple-git-hooks removes hooks that its configuration does not name: set \
             `preserveUnused`, or name {names} there"
        ));
    }
    let husky = folder::work_tree(repository).map(|top| top.join(".husky"));
    if let Some(husky) = husky.filter(|husky| husky.is_dir() && !folder.path.starts_with(husky)) {
        print_error(&format!(
            "warning: {} is there but husky is not active: once `npm install` or `npx husky` has run, \
             git does not run these hooks any more; then run `ddpatrol hook install` again",
            shown(&husky)
        ));
    }
}
