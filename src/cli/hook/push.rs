//! `ddpatrol pre-push` and `ddpatrol pre-receive`: scan the commits of a push that the receiving
//! repository does not have.

use super::ref_lines::RefLine;
use crate::cli::args::{ChangeArgs, PushArgs, ReceiveArgs};
use crate::cli::changes::{ChangeScan, Trust, discover, top};
use crate::cli::exit::Exit;
use crate::cli::messages::print_error;
use crate::cli::next_steps::{CommandLine, StepsInput};
use crate::cli::scan_run;
use crate::cli::signals;
use crate::report::next_steps::{HookKind, Surface};
use crate::source::git::changes::{KnownRefs, NamedRef, Push, Range, RangeOptions, Update};
use crate::source::git::repo::{RepoError, Repository, Tracking};
use anyhow::{Context, bail};
use ddpatrol_pack::ObjectId;
use ddpatrol_scan::finding::ChangeStatus;
use std::ffi::OsStr;
use std::io::{IsTerminal, Read};

/// Runs as git's `pre-push` hook, or as a hook of the pre-commit framework, which consumes git's input
/// and passes one reference in variables.
pub(in crate::cli) fn pre_push(args: &PushArgs) -> anyhow::Result<Exit> {
    signals::begin()?;
    let repository = discover(None)?;
    let url = args.url.as_ref().map(|url| url.to_string_lossy().into_owned());
    let git = Remote { name: args.remote.clone(), url };
    let framework = FrameworkPush::read(|name| std::env::var(name).ok());
    let remote = framework
        .as_ref()
        .map_or(&git, |it| if it.remote.name.is_some() { &it.remote } else { &git });
    let tracking = remote.tracking(&repository);
    let updates = match &framework {
        Some(framework) => vec![framework.update(&repository, remote)?],
        None => updates(&read()?, RefLine::of_push)?,
    };
    if updates.is_empty() {
        return Ok(Exit::Clean);
    }
    let options = RangeOptions { workers: scan_run::workers(&args.shared.run) };
    let push = Push { updates, known_refs: KnownRefs::Tracked(tracking.clone()) };
    let also = match framework {
        Some(_) if remote.name.is_some() => {
            let pushed: Vec<ObjectId> = push.updates.iter().map(|it| it.new).collect();
            Range::also_unpushed(repository.clone(), &tracking, &pushed, options.clone())?
        }
        _ => None,
    };
    let steps = StepsInput {
        surface: Surface::Hook(HookKind::PrePush),
        operation: None,
        command: CommandLine::scan(&top(&repository)),
    };
    let range = Range::of_push(repository, &push, options)?;
    let change = ChangeArgs { repo: None, all: args.all };
    ChangeScan { shared: &args.shared, change: &change, trust: Trust::Head, steps }
        .scan(range, also)
}

/// A remote, as git passes it to the hook.
#[derive(Clone, Debug, Default)]
struct Remote {
    name: Option<String>,
    url: Option<String>,
}

impl Remote {
    fn tracking(&self, repository: &Repository) -> Tracking {
        let name = self.name.as_deref();
        name.map(|name| repository.tracking(name, self.url.as_deref())).unwrap_or_default()
    }
}

/// The reference of a push that the pre-commit framework passes.
#[derive(Clone, Debug)]
struct FrameworkPush {
    from: Option<String>,
    to: String,
    local: Option<String>,
    branch: Option<String>,
    remote: Remote,
}

impl FrameworkPush {
    /// Reads the framework's variables; `None` if the framework does not run this hook.
    fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let local = variable("PRE_COMMIT_LOCAL_BRANCH");
        Some(Self {
            from: variable("PRE_COMMIT_FROM_REF"),
            // The framework passes no range if a root commit is pushed.
            to: variable("PRE_COMMIT_TO_REF").or_else(|| local.clone())?,
            local,
            branch: variable("PRE_COMMIT_REMOTE_BRANCH"),
            remote: Remote {
                name: variable("PRE_COMMIT_REMOTE_NAME"),
                url: variable("PRE_COMMIT_REMOTE_URL"),
            },
        })
    }

    fn update(&self, repository: &Repository, remote: &Remote) -> Result<Update, RepoError> {
        let resolve = |name: &str| match name.parse::<ObjectId>() {
            Ok(id) => Ok(id),
            Err(_) => repository.object(OsStr::new(name)),
        };
        let mut names = Vec::new();
        if let Some(branch) = &self.branch {
            let short = branch.strip_prefix("refs/heads/").unwrap_or(branch);
            let tracked = format!("refs/remotes/{}/{short}", remote.name.as_deref().unwrap_or(""));
            let targets = repository.targets()?.list;
            let is_there = targets.iter().any(|(name, _)| name == tracked.as_bytes());
            let change_status =
                if is_there { ChangeStatus::Preexisting } else { ChangeStatus::New };
            names.push(NamedRef { name: branch.clone().into_bytes(), change_status });
        }
        if let Some(local) = self.local.clone().filter(|it| self.branch.as_ref() != Some(it)) {
            names.push(NamedRef { name: local.into_bytes(), change_status: ChangeStatus::New });
        }
        let old = self.from.as_ref().and_then(|from| resolve(from).ok());
        Ok(Update { new: resolve(&self.to)?, old, names })
    }
}

/// Runs as git's `pre-receive` hook: the pushed objects are available, but no reference points to them
/// yet.
pub(in crate::cli) fn pre_receive(args: &ReceiveArgs) -> anyhow::Result<Exit> {
    signals::begin()?;
    let repository = discover(None)?;
    let updates = updates(&read()?, RefLine::of_receive)?;
    if updates.is_empty() {
        return Ok(Exit::Clean);
    }
    let options = RangeOptions { workers: scan_run::workers(&args.shared.run) };
    let range = Range::of_push(repository, &Push { updates, known_refs: KnownRefs::All }, options)?;
    let change = ChangeArgs { repo: None, all: args.all };
    let surface = Surface::Hook(HookKind::PreReceive);
    let steps = StepsInput { surface, ..StepsInput::default() };
    let change_scan =
        ChangeScan { shared: &args.shared, change: &change, trust: Trust::Base, steps };
    let exit = change_scan.scan(range, None)?;
    match exit {
        Exit::Findings => print_error(
            "push rejected: remove the tokens from the commits listed above (a later commit that \
             removes them is not enough) and push again. Revoke the tokens in any case: they may \
             already have been copied or logged.",
        ),
        Exit::Failed => print_error(
            "push rejected: the scan is incomplete, so tokens may have been missed; ask the \
             administrator of this server",
        ),
        Exit::Clean | Exit::Interrupted => {}
    }
    Ok(exit)
}

/// Reads standard input, in which names of references may not be UTF-8.
fn read() -> anyhow::Result<Vec<u8>> {
    if std::io::stdin().is_terminal() {
        bail!(
            "git runs this command as a hook and passes the pushed references on standard input: \
             `ddpatrol hook install` installs it, `ddpatrol range @{{upstream}}..HEAD` scans what \
             would be pushed"
        );
    }
    let mut text = Vec::new();
    std::io::stdin()
        .read_to_end(&mut text)
        .context("cannot read the pushed references from standard input")?;
    Ok(text)
}

/// Parses git's lines; skips those of deleted references.
fn updates<'a>(
    text: &'a [u8],
    parse: impl Fn(&'a [u8]) -> Option<RefLine<'a>>,
) -> anyhow::Result<Vec<Update>> {
    let mut updates = Vec::new();
    let lines = text.split(|&byte| byte == b'\n');
    for line in lines.map(<[u8]>::trim_ascii_end).filter(|line| !line.is_empty()) {
        let Some(parsed) = parse(line) else {
            bail!(
                "invalid line on standard input: {:?}; this command is run by git as a hook, see \
                 `ddpatrol hook install`",
                String::from_utf8_lossy(line)
            );
        };
        updates.extend(parsed.update());
    }
    Ok(updates)
}
