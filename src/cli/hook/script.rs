//! The text of a hook: the hook that was there before, then ddpatrol.
//!
//! Input: the hook's name, what it runs and where it is. Output: a script for a POSIX shell. Writes
//! nothing.

use crate::cli::args::HookSetArgs;
use crate::shell::quote;
use std::path::Path;

/// The start of the second line of every hook of ours.
const MARK: &str = "# Made by `ddpatrol hook install`";

/// The start of the line of a hook of ours that names the program.
const PROGRAM: &str = "ddpatrol=";

/// A hook that runs ddpatrol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    PreCommit,
    PreMergeCommit,
    CommitMsg,
    PrePush,
    PreReceive,
}

impl Hook {
    pub(super) const ALL: [Self; 5] =
        [Self::PreCommit, Self::PreMergeCommit, Self::CommitMsg, Self::PrePush, Self::PreReceive];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PreMergeCommit => "pre-merge-commit",
            Self::CommitMsg => "commit-msg",
            Self::PrePush => "pre-push",
            Self::PreReceive => "pre-receive",
        }
    }

    /// The command that the hook runs.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::PreCommit | Self::PreMergeCommit => "staged --quiet",
            Self::CommitMsg => "commit-msg --quiet \"$@\"",
            Self::PrePush => "pre-push --quiet \"$@\"",
            Self::PreReceive => "pre-receive --quiet",
        }
    }

    /// What gets past the hook knowingly, if the person at the keyboard may.
    const fn way_past(self) -> &'static str {
        match self {
            Self::PreCommit | Self::PreMergeCommit | Self::CommitMsg => {
                "`git commit --no-verify` goes on without it"
            }
            Self::PrePush => "`git push --no-verify` goes on without it",
            Self::PreReceive => "ask whoever runs this server",
        }
    }
}

impl HookSetArgs {
    /// Returns the hooks that the user named.
    pub(super) fn named(&self) -> Vec<Hook> {
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

/// The hooks that a folder of hooks for all repositories must pass on: all that git has but
/// push-to-checkout, which changes what git does by being there, and reference-transaction, which git runs
/// so often that a fetch of a thousand tags would take seconds instead of a fraction of one.
pub(super) const PASSED_ON: [&str; 26] = [
    "applypatch-msg",
    "commit-msg",
    "fsmonitor-watchman",
    "p4-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "p4-prepare-changelist",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-applypatch",
    "pre-auto-gc",
    "pre-commit",
    "pre-merge-commit",
    "pre-push",
    "pre-rebase",
    "pre-receive",
    "prepare-commit-msg",
    "proc-receive",
    "sendemail-validate",
    "update",
];

/// Those of them that git gives something to read, which all hooks of that name need.
const READING: [&str; 4] = ["post-receive", "post-rewrite", "pre-push", "pre-receive"];
/// The one that talks with git, so that only one hook can be it; git takes its absence for a failure.
const TALKING: &str = "proc-receive";

/// Finds the hooks of a repository itself, in a hook for all repositories: without a further program,
/// since some hooks run often.
const OWN: &str = "\
dir=${GIT_DIR:-$(git rev-parse --git-dir 2> /dev/null)}
if [ -f \"$dir/commondir\" ]; then
  read -r common < \"$dir/commondir\"
  case $common in /*) dir=$common ;; *) dir=$dir/$common ;; esac
fi
own=$dir/hooks";

/// Returns `true` if a hook of ours runs each repository's own hook.
pub(super) fn passes_on(text: &[u8]) -> bool {
    is_ours(text) && text.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"own="))
}

/// Returns `true` if a hook is one of ours.
pub(super) fn is_ours(text: &[u8]) -> bool {
    let second = text.split(|&byte| byte == b'\n').nth(1);
    second.is_some_and(|line| line.starts_with(MARK.as_bytes()))
}

/// Returns `true` if a hook of ours runs ddpatrol, and not only the hooks that it passes on to.
pub(super) fn runs_ddpatrol(text: &[u8]) -> bool {
    is_ours(text)
        && text.split(|&byte| byte == b'\n').any(|line| line.starts_with(PROGRAM.as_bytes()))
}

/// Which hooks run before ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The one that this one has replaced.
    Repository,
    /// The one that this one has replaced, and the repository's own.
    AllRepositories,
}

/// A hook to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script<'a> {
    /// The name under which git runs it.
    pub(super) name: &'a str,
    /// What it runs of ddpatrol; `None` if it only passes on.
    pub(super) hook: Option<Hook>,
    pub(super) scope: Scope,
    /// The program, by its path.
    pub(super) program: &'a Path,
    /// The folder beside that of the hooks where the hook that was there before is kept.
    pub(super) kept: &'a str,
}

/// Writes the text of a hook.
pub(super) fn text(script: &Script<'_>) -> String {
    let Script { name, hook, scope, .. } = *script;
    // Relative to this script, which other tools move within its folder (`pre-commit.legacy`).
    let kept = format!("../{}/{name}", script.kept);
    let mut text = format!(
        "#!/bin/sh\n{MARK}; `ddpatrol hook uninstall` removes it.\n# A hook that was here before runs \
         first: {}\n",
        kept.replace(['\n', '\r'], " ")
    );
    text.push_str(&format!("before=${{0%/*}}/{}\n", quote(&kept)));
    if scope == Scope::AllRepositories {
        // A folder of hooks may be a link to this one.
        text.push_str(&format!("{OWN}/{name}\nif [ \"$own\" -ef \"$0\" ]; then own=; fi\n"));
    }
    if name == TALKING {
        text.push_str(
            "for hook in \"$before\" \"$own\"; do\n  \
             if [ -x \"$hook\" ]; then exec \"$hook\" \"$@\"; fi\n\
             done\n\
             exit 1\n",
        );
        return text;
    }
    let reads = READING.contains(&name);
    if hook.is_none() {
        text.push_str("if ! [ -x \"$before\" ] && ! [ -x \"$own\" ]; then exit 0; fi\n");
    }
    if reads {
        text.push_str(
            "input=$(cat)\nfeed() { test -z \"$input\" || printf '%s\\n' \"$input\"; }\n",
        );
    }
    let feed = if reads { "feed | " } else { "" };
    let run = |path: &str| format!("if [ -x {path} ]; then {feed}{path} \"$@\" || exit; fi\n");
    text.push_str(&run("\"$before\""));
    if scope == Scope::AllRepositories {
        text.push_str(&run("\"$own\""));
    }
    let Some(hook) = hook else { return text };
    text.push_str(&format!(
        "{PROGRAM}{}\n\
         command -v \"$ddpatrol\" > /dev/null 2>&1 || ddpatrol=ddpatrol\n\
         if ! command -v \"$ddpatrol\" > /dev/null 2>&1; then\n  \
         echo \"ddpatrol is not installed, so nothing was scanned: install it, or remove {name} \
         from the hooks; {}\" >&2\n  \
         exit 2\n\
         fi\n",
        quote(&script.program.to_string_lossy()),
        hook.way_past().replace('`', "\\`"),
    ));
    let exec = if reads { feed } else { "exec " };
    text.push_str(&format!("{exec}\"$ddpatrol\" {}\n", hook.command()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(hook: Hook, program: &str) -> String {
        let (name, scope) = (hook.name(), Scope::Repository);
        let program = Path::new(program);
        text(&Script { name, hook: Some(hook), scope, program, kept: "hooks.before-ddpatrol" })
    }

    #[test]
    fn our_hooks_are_recognized_and_others_are_not() {
        for hook in Hook::ALL {
            let text = written(hook, "/x");
            assert!(is_ours(text.as_bytes()) && runs_ddpatrol(text.as_bytes()));
        }
        assert!(!is_ours(b"#!/bin/sh\nddpatrol staged\n") && !is_ours(b""));
    }

    #[test]
    fn a_path_is_quoted_for_the_shell() {
        let text = written(Hook::PreCommit, "/it's $x");
        assert!(text.contains(r"ddpatrol='/it'\''s $x'"), "{text}");
    }
}
