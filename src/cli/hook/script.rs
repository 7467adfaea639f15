//! The text of a hook, which runs the previous hook and then ddpatrol.
//!
//! Input: the hook's name, its command and its place. Output: a script for a POSIX shell. Writes no
//! files.

use crate::cli::args::HookSetArgs;
use crate::report::shell::quote;
use std::path::Path;

/// The start of the second line of each of our hooks.
const MARK: &str = "# Made by `ddpatrol hook install`";

/// The start of the line of our hooks that sets the program.
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

    /// Returns the ddpatrol command that the hook runs.
    pub(super) const fn command(self) -> &'static str {
        match self {
            Self::PreCommit | Self::PreMergeCommit => "staged --quiet",
            Self::CommitMsg => "commit-msg --quiet \"$@\"",
            Self::PrePush => "pre-push --quiet \"$@\"",
            Self::PreReceive => "pre-receive --quiet",
        }
    }

    /// Describes how to bypass the hook, if the user may.
    const fn bypass(self) -> &'static str {
        match self {
            Self::PreCommit | Self::PreMergeCommit | Self::CommitMsg => {
                "`git commit --no-verify` skips it"
            }
            Self::PrePush => "`git push --no-verify` skips it",
            Self::PreReceive => "ask the administrator of this server",
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

/// The hooks that a hooks folder for all repositories must forward to each repository's own: all of git's
/// hooks except push-to-checkout, whose mere presence changes git's behavior, and reference-transaction,
/// which git runs so often that a fetch of a thousand tags would take seconds instead of a fraction of one.
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

/// The forwarded hooks that read standard input, which every hook of that name needs.
const READING: [&str; 4] = ["post-receive", "post-rewrite", "pre-push", "pre-receive"];
/// The hook that exchanges messages with git, so that only one can run; git treats its absence as a
/// failure.
const TALKING: &str = "proc-receive";

/// Finds the repository's own hooks, in a hook for all repositories. Starts no further program, because
/// some hooks run often.
const OWN: &str = "\
dir=${GIT_DIR:-$(git rev-parse --git-dir 2> /dev/null)}
if [ -f \"$dir/commondir\" ]; then
  read -r common < \"$dir/commondir\"
  case $common in /*) dir=$common ;; *) dir=$dir/$common ;; esac
fi
own=$dir/hooks";

/// Returns `true` if a hook is ours and runs each repository's own hook.
pub(super) fn passes_on(text: &[u8]) -> bool {
    is_ours(text) && text.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"own="))
}

/// Returns `true` if a hook is one of ours.
pub(super) fn is_ours(text: &[u8]) -> bool {
    let second = text.split(|&byte| byte == b'\n').nth(1);
    second.is_some_and(|line| line.starts_with(MARK.as_bytes()))
}

/// Returns `true` if a hook is ours and runs ddpatrol, not only the repository's own hook.
pub(super) fn runs_ddpatrol(text: &[u8]) -> bool {
    is_ours(text)
        && text.split(|&byte| byte == b'\n').any(|line| line.starts_with(PROGRAM.as_bytes()))
}

/// The repositories for which a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// One repository. The hook that ours replaced runs first.
    Repository,
    /// All repositories of the user. The hook that ours replaced and the repository's own run first.
    AllRepositories,
}

/// A hook to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script<'a> {
    /// The name of the hook.
    pub(super) name: &'a str,
    /// The hook that runs ddpatrol; `None` if the script only runs the repository's own hook.
    pub(super) hook: Option<Hook>,
    pub(super) scope: Scope,
    /// The path of the program.
    pub(super) program: &'a Path,
    /// The name of the folder, next to the hooks folder, that contains the previous hook.
    pub(super) kept: &'a str,
}

/// Returns the text of a hook.
pub(super) fn text(script: &Script<'_>) -> String {
    let Script { name, hook, scope, .. } = *script;
    // Relative to the script, which other tools rename within its folder (`pre-commit.legacy`).
    let kept = format!("../{}/{name}", script.kept);
    let mut text = format!(
        "#!/bin/sh\n{MARK}; `ddpatrol hook uninstall` removes it.\n# The previous hook runs first: \
         {}\n",
        kept.replace(['\n', '\r'], " ")
    );
    text.push_str(&format!("before=${{0%/*}}/{}\n", quote(&kept)));
    if scope == Scope::AllRepositories {
        // The repository's hooks folder may be a link to this one.
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
         echo \"ddpatrol not found, so nothing was scanned: install it, or remove the {name} \
         hook; {}\" >&2\n  \
         exit 2\n\
         fi\n",
        quote(&script.program.to_string_lossy()),
        hook.bypass().replace('`', "\\`"),
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
    fn only_our_hooks_are_recognized() {
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
