//! Tips for unknown commands, and for commands without their arguments.
//!
//! Input: the word in place of a command. Output: the command that does what was probably intended. Commands
//! of other secret scanners are known by name.

use super::line::GivenLine;
use super::paths;
use crate::cli::urls;
use std::path::Path;

/// Commands of other scanners, or plausible ones, with the command of ddpatrol.
const OTHERS: [(&[&str], &str); 19] = [
    (
        &["detect", "git", "repo", "repository", "history", "run", "find", "search", "audit"],
        "`ddpatrol scan PATH` scans a folder, and the whole history of a repository",
    ),
    (
        &["dir", "directory", "folder", "file", "files", "filesystem", "fs", "path", "no-git"],
        "`ddpatrol scan PATH` scans files and folders; --files-only leaves out the git history",
    ),
    (&["protect", "commit", "index", "diff-staged"], "`ddpatrol staged` scans the staged changes"),
    (&["stdin", "pipe"], "`ddpatrol scan -` scans standard input"),
    (
        &["commits", "log", "pr", "branch", "compare"],
        "`ddpatrol range BASE..HEAD` scans the commits of a range",
    ),
    (
        &["github", "gitlab", "bitbucket", "gitea", "azure", "org", "remote"],
        "clone the repositories first: `git clone URL && ddpatrol scan FOLDER`",
    ),
    (
        &["docker", "image", "container", "podman"],
        "save the image first: `docker save -o image.tar IMAGE && ddpatrol scan image.tar`",
    ),
    (
        &["install", "install-hooks", "hooks", "pre-commit", "add-hook", "setup"],
        "`ddpatrol hook install` installs the git hooks",
    ),
    (&["uninstall", "remove-hooks"], "`ddpatrol hook uninstall` removes the git hooks"),
    (
        &["verify", "validate", "live", "access-map"],
        "`ddpatrol scan --verify` asks the issuers which tokens are live",
    ),
    (
        &["rotate", "delete", "disable", "invalidate"],
        "`ddpatrol scan --revoke` revokes tokens; `ddpatrol revoke --from REPORT` those of a report",
    ),
    (
        &["show", "view", "convert", "print", "export", "html"],
        "`ddpatrol report --from scan.json --report html=scan.html` converts a saved report",
    ),
    (
        &["ignore", "allow", "allowlist", "suppress", "exclude", "accept"],
        "add the fingerprint under `[[allow]]` in .ddpatrol.toml; `ddpatrol init` writes an example",
    ),
    (
        &["purge", "rewrite", "filter-repo", "bfg", "scrub", "remove"],
        "`ddpatrol clean --from scan.json` removes tokens from a history",
    ),
    (&["list", "detectors", "formats", "rule"], "`ddpatrol rules list` lists the rules"),
    (&["redact", "filter"], "`COMMAND | ddpatrol mask` masks tokens in its input"),
    (
        &["login", "logout", "auth", "authenticate"],
        "no login is needed: `ddpatrol scan --verify` asks the issuers with the tokens themselves",
    ),
    (
        &["serve", "server", "daemon", "service"],
        "`ddpatrold serve` runs the service that issues tokens; ddpatrol only scans",
    ),
    (&["config", "configure", "generate-config"], "`ddpatrol init` writes a configuration"),
];

/// Returns a tip for an unknown command.
pub(super) fn tip(word: &str, line: &GivenLine) -> Option<String> {
    match line.name() {
        "" => top_level(word, line),
        "hook" => hook(word),
        "baseline" => baseline(word, line),
        "rules" => rules(word, line),
        _ => None,
    }
}

fn top_level(word: &str, line: &GivenLine) -> Option<String> {
    if word == "version" {
        return Some("`ddpatrol --version` prints the version".to_owned());
    }
    if matches!(word, "update" | "upgrade" | "self-update") {
        return Some("update ddpatrol with the tool that installed it".to_owned());
    }
    // The word of a command is more likely than a file of this name, unless it looks like a path.
    let looks_like_path = word.contains(['/', '\\', '.']) || word == "-";
    let other = OTHERS.iter().find(|(words, _)| words.contains(&word));
    let exists = Path::new(word).symlink_metadata().is_ok();
    if (exists || word == "-") && (other.is_none() || looks_like_path) {
        return Some(format!("to scan it, run `ddpatrol scan {}`", line.quoted_rest()));
    }
    if let Some(advice) = urls::advice(Path::new(word)) {
        return Some(advice);
    }
    if let Some((_, tip)) = other {
        let arguments = line.rest.iter().skip(1);
        if let Some(advice) = arguments.map(Path::new).find_map(urls::advice) {
            return Some(advice);
        }
        return Some((*tip).to_owned());
    }
    if paths::is_revision(word) || paths::is_range(word) {
        return Some(format!("to scan commits, run `ddpatrol range {}`", line.quoted_rest()));
    }
    looks_like_path.then(|| {
        "files and folders follow the command, `ddpatrol scan PATH`, and this path does not exist"
            .to_owned()
    })
}

fn hook(word: &str) -> Option<String> {
    let tip = match word {
        "pre-commit" | "commit-msg" | "pre-merge-commit" | "pre-push" | "pre-receive" => {
            return Some(format!("`ddpatrol hook install --{word}` installs this hook"));
        }
        "add" | "enable" | "create" | "setup" | "init" => "run `ddpatrol hook install`",
        "remove" | "rm" | "delete" | "disable" => "run `ddpatrol hook uninstall`",
        "list" | "ls" | "show" | "check" => "run `ddpatrol hook status`",
        "run" | "test" => "to scan the staged changes as the hook does, run `ddpatrol staged`",
        _ if Path::new(word).is_dir() => {
            return Some(format!(
                "to install hooks in it, run `ddpatrol hook install --repo {}`",
                crate::report::shell::quote(word)
            ));
        }
        _ => return None,
    };
    Some(tip.to_owned())
}

fn baseline(word: &str, line: &GivenLine) -> Option<String> {
    let tip = match word {
        "add" | "edit" | "accept" | "allow" | "refresh" | "merge" | "write" => {
            "`ddpatrol baseline update` scans again and adds the new tokens; a single token is allowed \
             by its fingerprint under `[[allow]]` in .ddpatrol.toml"
        }
        "remove" | "rm" | "delete" | "prune" | "audit" => {
            "`ddpatrol baseline update` drops the tokens that are gone; to forget a known token, remove \
             its entry from the file"
        }
        "list" | "ls" | "print" | "view" => "run `ddpatrol baseline show`",
        "new" | "init" | "generate" | "scan" => "run `ddpatrol baseline create`",
        _ if Path::new(word).is_dir() => {
            return Some(format!(
                "to make a baseline of it, run `ddpatrol baseline create {}`",
                line.quoted_rest()
            ));
        }
        _ if Path::new(word).is_file() => {
            return Some(format!(
                "to list a baseline, run `ddpatrol baseline show {}`; to make one, run \
                 `ddpatrol baseline create`",
                line.quoted_rest()
            ));
        }
        _ => return None,
    };
    Some(tip.to_owned())
}

fn rules(word: &str, line: &GivenLine) -> Option<String> {
    let tip = match word {
        "ls" | "all" | "print" => "run `ddpatrol rules list`",
        "test" | "validate" | "lint" | "verify" => "run `ddpatrol rules check PATH`",
        "info" | "get" | "describe" | "explain" => "run `ddpatrol rules show ID`",
        "create" | "init" | "write" | "generate" => "run `ddpatrol rules new`",
        "add" | "install" | "import" => {
            "rules are added with `--rules PATH`, or by `[rules] add` in .ddpatrol.toml"
        }
        "remove" | "disable" | "enable" => {
            "rules are disabled by `[rules] leave_out` in .ddpatrol.toml"
        }
        _ if Path::new(word).exists() => {
            return Some(format!(
                "to check rule files, run `ddpatrol rules check {}`",
                line.quoted_rest()
            ));
        }
        _ => return None,
    };
    Some(tip.to_owned())
}

/// Returns a tip for a command without a required argument.
pub(super) fn missing(line: &GivenLine) -> Option<String> {
    let name = line.name();
    Some(match name {
        "report" | "revoke" | "clean" => format!(
            "write a report with `ddpatrol scan --report json=scan.json`, then run \
             `ddpatrol {name} --from scan.json`"
        ),
        "diff" => "`ddpatrol diff OLD NEW` compares two reports of `ddpatrol scan --report \
                   json=FILE`; `ddpatrol range A..B` scans commits"
            .to_owned(),
        "range" => {
            "`ddpatrol range BASE..HEAD` scans the commits of HEAD that BASE does not have, \
                    such as main..HEAD"
                .to_owned()
        }
        "commit-msg" => {
            "git runs this command as a hook; `ddpatrol hook install` installs it".to_owned()
        }
        "completions" => "name your shell: bash, elvish, fish, powershell or zsh".to_owned(),
        "rules" => "`ddpatrol rules list` lists the ids".to_owned(),
        "sweep" => "`ddpatrol sweep run --help` shows how to scan many repositories".to_owned(),
        _ => return None,
    })
}
