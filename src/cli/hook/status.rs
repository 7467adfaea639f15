//! `ddpatrol hook status`: lists the steps that git runs as each hook, in order, with their files.
//!
//! Input: the hooks folder of a repository, or of all repositories. Output: lines of text. Follows the
//! hooks that ddpatrol, husky and pre-commit run in turn. Other scripts are not followed; it is only
//! reported whether they mention ddpatrol. Writes no files.

use super::folder::{self, LEGACY, is_executable, is_ours, manager_of, read_script, with_suffix};
use super::husky::{self, Husky};
use super::kept_hooks::KeptHooks;
use super::manager::HookManager;
use super::script::{self, Hook, PASSED_ON, Scope};
use crate::cli::args::HookPlaceArgs;
use crate::cli::exit::Exit;
use crate::cli::messages::{print_error, print_line};
use std::path::{Path, PathBuf};

/// The hooks that a hooks folder for all repositories does not forward.
const NOT_PASSED_ON: [&str; 2] = ["push-to-checkout", "reference-transaction"];

/// The maximum length of a chain of hooks.
const MAX_DEPTH: usize = 8;

/// A step of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HookStep {
    path: PathBuf,
    runs: StepAction,
}

/// The action of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
enum StepAction {
    /// ddpatrol, from our hook or our line.
    Ddpatrol(Hook),
    /// Another script.
    Script(Mention),
    /// The jobs in the configuration of a hook manager.
    Jobs(HookManager, Mention),
    /// Nothing, with the reason.
    Nothing(&'static str),
    /// Each repository's own hook.
    EachOwn,
}

/// Whether a text mentions ddpatrol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mention {
    Ddpatrol,
    None,
}

impl Mention {
    fn in_text(text: &[u8]) -> Self {
        let is_command = |line: &[u8]| {
            !line.trim_ascii().starts_with(b"#")
                && memchr::memmem::find(line, b"ddpatrol").is_some()
        };
        if text.split(|&byte| byte == b'\n').any(is_command) { Self::Ddpatrol } else { Self::None }
    }
}

impl HookStep {
    /// Returns the step as a line of text.
    fn text(&self) -> String {
        let path = self.path.display();
        let mention = |mention| match mention {
            Mention::Ddpatrol => ", which mentions ddpatrol",
            Mention::None => "",
        };
        match &self.runs {
            StepAction::Ddpatrol(hook) => {
                let command = hook.command().split(' ').next().unwrap_or_default();
                format!("ddpatrol {command}, from {path}")
            }
            StepAction::Script(it) => format!("{path}{}", mention(*it)),
            StepAction::Jobs(manager, it) => {
                format!("the hooks of {}, from {path}{}", manager.name(), mention(*it))
            }
            StepAction::Nothing(why) => format!("nothing, from {path}: {why}"),
            StepAction::EachOwn => "the repository's own hook".to_owned(),
        }
    }
}

pub(super) fn run(args: &HookPlaceArgs) -> anyhow::Result<Exit> {
    if args.global {
        return show_global();
    }
    let repository = args.repository();
    let hooks = Hooks::of(repository)?;
    print_line(&format!("Hooks of this repository are in {}.", hooks.folder.display()))?;
    if !folder::is_same(&hooks.folder, &hooks.own) {
        print_line("This folder is set by core.hooksPath.")?;
    }
    let global = folder::global_setting().filter(|path| folder::passes_on(path));
    if let Some(global) = global.filter(|path| !folder::is_same(path, &hooks.folder)) {
        print_line(&format!(
            "The hooks for all repositories in {} do not run in this repository.",
            global.display()
        ))?;
    }
    hooks.show()?;
    let hidden = hooks.hidden();
    if !hidden.is_empty() {
        print_line("Not run, because git looks for hooks in another folder:")?;
        hidden.iter().try_for_each(|path| print_line(&format!("  {}", path.display())))?;
    }
    Ok(Exit::Clean)
}

fn show_global() -> anyhow::Result<Exit> {
    let Some(folder) = folder::global_setting() else {
        print_line("There are no hooks for all repositories: core.hooksPath is not set.")?;
        return Ok(Exit::Clean);
    };
    print_line(&format!("Hooks for all repositories are in {}.", folder.display()))?;
    let scope = Scope::AllRepositories;
    Hooks { own: folder.clone(), folder, top: None, scope, is_bare: false }.show()?;
    if let Some(folder) = folder::global_setting() {
        folder::warn_if_hidden(&folder);
    }
    Ok(Exit::Clean)
}

/// Warns about hooks that still run ddpatrol after its hooks were removed.
pub(super) fn warn_of_rest(repository: Option<&Path>, names: &[&str]) -> anyhow::Result<()> {
    let hooks = Hooks::of(repository)?;
    for name in names {
        for step in hooks.steps(name) {
            let how = match &step.runs {
                StepAction::Ddpatrol(_) if folder::passes_on(&hooks.folder) => {
                    "`ddpatrol hook uninstall --global` removes it"
                }
                StepAction::Ddpatrol(_) => "remove it from that file",
                StepAction::Script(Mention::Ddpatrol) | StepAction::Jobs(_, Mention::Ddpatrol) => {
                    "it was not written by `ddpatrol hook install`: remove the line from that file"
                }
                _ => continue,
            };
            let path = step.path.display();
            print_error(&format!("warning: ddpatrol still runs as {name}, from {path}; {how}"));
        }
    }
    Ok(())
}

/// Returns `true` if a hook of a repository that scans changes runs ddpatrol, or mentions it.
pub(in crate::cli) fn runs_ddpatrol(repository: &Path) -> bool {
    let Ok(hooks) = Hooks::of(Some(repository)) else { return false };
    let name = if hooks.is_bare { Hook::PreReceive.name() } else { Hook::PreCommit.name() };
    hooks.steps(name).iter().any(|step| {
        matches!(
            step.runs,
            StepAction::Ddpatrol(_)
                | StepAction::Script(Mention::Ddpatrol)
                | StepAction::Jobs(_, Mention::Ddpatrol)
        )
    })
}

/// The hooks of a repository, or of all.
#[derive(Debug)]
struct Hooks {
    /// The folder in which git looks for them.
    folder: PathBuf,
    /// The repository's own folder.
    own: PathBuf,
    /// The top of the work tree.
    top: Option<PathBuf>,
    scope: Scope,
    is_bare: bool,
}

impl Hooks {
    fn of(repository: Option<&Path>) -> anyhow::Result<Self> {
        let top = folder::work_tree(repository);
        Ok(Self {
            folder: folder::effective(repository)?,
            own: folder::own(repository)?,
            is_bare: top.is_none(),
            top,
            scope: Scope::Repository,
        })
    }

    /// Prints the steps of every hook.
    fn show(&self) -> anyhow::Result<()> {
        // The hooks that ddpatrol can install are always listed.
        let expected: Vec<&str> = if self.is_bare {
            vec![Hook::PreReceive.name()]
        } else {
            Hook::ALL[..4].iter().map(|hook| hook.name()).collect()
        };
        let mut others: Vec<&str> = PASSED_ON.iter().chain(&NOT_PASSED_ON).copied().collect();
        others.retain(|name| !expected.contains(name));
        others.sort_unstable();
        for name in expected.iter().chain(&others) {
            let steps = self.steps(name);
            let is_expected = expected.contains(name);
            if steps.is_empty() {
                if is_expected {
                    print_line(&format!("{name}: nothing runs"))?;
                }
                continue;
            }
            // The hooks for all repositories forward every hook.
            if !is_expected && steps.iter().all(|step| step.runs == StepAction::EachOwn) {
                continue;
            }
            print_line(&format!("{name}:"))?;
            for (at, step) in steps.iter().enumerate() {
                print_line(&format!("  {}. {}", at + 1, step.text()))?;
            }
        }
        Ok(())
    }

    /// Lists the repository's own hooks that git does not run.
    fn hidden(&self) -> Vec<PathBuf> {
        if folder::is_same(&self.folder, &self.own) || folder::passes_on(&self.folder) {
            return Vec::new();
        }
        let names = PASSED_ON.iter().chain(&NOT_PASSED_ON);
        names.map(|name| self.own.join(name)).filter(|path| is_executable(path)).collect()
    }

    /// Lists the steps of a hook.
    fn steps(&self, name: &str) -> Vec<HookStep> {
        let mut steps = Vec::new();
        match Husky::of(&self.folder) {
            Some(husky) => self.husky_steps(&husky, name, &mut steps),
            None => self.follow(&self.folder.join(name), name, 0, &mut steps),
        }
        steps
    }

    fn follow(&self, path: &Path, name: &str, depth: usize, steps: &mut Vec<HookStep>) {
        if path.symlink_metadata().is_err() || depth > MAX_DEPTH {
            return;
        }
        let mut add = |runs| steps.push(HookStep { path: path.to_owned(), runs });
        if !is_executable(path) {
            add(StepAction::Nothing("not executable"));
            return;
        }
        let Some(text) = read_script(path) else {
            add(StepAction::Script(Mention::None));
            return;
        };
        if is_ours(path) {
            if let Some(kept) =
                path.parent().and_then(|folder| KeptHooks::of(folder).ok()?.find(name))
            {
                self.follow(&kept, name, depth + 1, steps);
            }
            if script::passes_on(&text) {
                self.follow_own(name, depth, steps);
            }
            let hook = Hook::ALL.into_iter().find(|hook| hook.name() == name);
            if let Some(hook) = hook.filter(|_| script::runs_ddpatrol(&text)) {
                steps.push(HookStep { path: path.to_owned(), runs: StepAction::Ddpatrol(hook) });
            }
        } else if let Some(manager) = manager_of(path) {
            if manager == HookManager::PreCommit {
                self.follow(&with_suffix(path, LEGACY), name, depth + 1, steps);
            }
            steps.push(self.jobs(path, manager));
        } else {
            add(StepAction::Script(Mention::in_text(&text)));
        }
    }

    /// Adds the steps of the repository's own hook.
    fn follow_own(&self, name: &str, depth: usize, steps: &mut Vec<HookStep>) {
        let path = self.own.join(name);
        match self.scope {
            Scope::AllRepositories => steps.push(HookStep { path, runs: StepAction::EachOwn }),
            Scope::Repository => self.follow(&path, name, depth + 1, steps),
        }
    }

    /// Returns the step for the jobs of a hook manager, from its configuration or its hook.
    fn jobs(&self, path: &Path, manager: HookManager) -> HookStep {
        let mut files: Vec<PathBuf> = Vec::new();
        if let Some(top) = &self.top {
            files.extend(manager.configurations_in(top));
        }
        if manager == HookManager::SimpleGitHooks {
            // Its hook contains the command itself.
            files.clear();
        }
        files.push(path.to_owned());
        let mention = |path: &PathBuf| read_script(path).map(|text| Mention::in_text(&text));
        let named = files.iter().find(|path| mention(path) == Some(Mention::Ddpatrol));
        let found = if named.is_some() { Mention::Ddpatrol } else { Mention::None };
        let path = named.or(files.first()).cloned().unwrap_or_else(|| path.to_owned());
        HookStep { path, runs: StepAction::Jobs(manager, found) }
    }

    /// Adds the steps of husky's script, before, at and after our line.
    fn husky_steps(&self, husky: &Husky, name: &str, steps: &mut Vec<HookStep>) {
        let (path, wrapper) = (husky.script(name), self.folder.join(name));
        if husky.has_wrappers() && !husky::is_wrapper(&wrapper) && is_executable(&wrapper) {
            // Another hook replaced husky's wrapper.
            self.follow(&wrapper, name, 0, steps);
            return;
        }
        let Some(text) = read_script(&path) else { return };
        if !is_executable(&wrapper) {
            let runs =
                StepAction::Nothing("husky's hook is missing or not executable; run `npx husky`");
            steps.push(HookStep { path, runs });
            return;
        }
        let parts = husky::parts(&text);
        let mut add = |runs| steps.push(HookStep { path: path.clone(), runs });
        let add_script = |lines: &[&[u8]], add: &mut dyn FnMut(StepAction)| {
            if !lines.is_empty() {
                add(StepAction::Script(Mention::in_text(&lines.join(&b'\n'))));
            }
        };
        add_script(&parts.before, &mut add);
        let hook = Hook::ALL.into_iter().find(|hook| hook.name() == name);
        if let Some(hook) = hook.filter(|_| parts.has_ours) {
            add(StepAction::Ddpatrol(hook));
        }
        add_script(&parts.after, &mut add);
    }
}
