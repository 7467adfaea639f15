//! Tips for unknown options, and for arguments that a command does not have.
//!
//! Input: the argument and its command line. Output: the option or command that does what was probably
//! intended. Options of other secret scanners are known by name.

use super::line::{GivenLine, quote_word};
use crate::cli::args::ReportFormat;
use crate::report::shell::quote;
use clap::Command;
use std::path::Path;

/// Options of other scanners, or plausible ones, with their equivalent.
const OTHERS: [(&[&str], &str); 27] = [
    (
        &["--staged", "--cached", "--pre-commit", "--index"],
        "`ddpatrol staged` scans the staged changes",
    ),
    (
        &[
            "--source",
            "-s",
            "--directory",
            "--dir",
            "--path",
            "--paths",
            "--file",
            "--target",
            "--input",
            "-i",
            "-d",
            "-p",
            "--folder",
        ],
        "paths are given without an option: `ddpatrol scan PATH`",
    ),
    (
        &["--repo", "--repository", "-C", "--git-dir", "--repo-path"],
        "a repository is given without an option: `ddpatrol scan FOLDER`",
    ),
    (
        &["--report-format", "--output-format", "-F", "--formats"],
        "the format is given by `-f FORMAT`, or with a file by `--report FORMAT=FILE`",
    ),
    (
        &["--report-path", "-r", "--report-file", "--out", "--output-file", "--outfile"],
        "a report is written to a file with `--report FORMAT=FILE`, such as `--report json=scan.json`",
    ),
    (
        &["--verbose", "-v", "-vv", "--debug", "--log-level", "-l", "--trace"],
        "there are no levels of messages; `--explain` shows everything about each finding",
    ),
    (&["--silent", "--no-banner", "--no-progress"], "`--quiet` prints only findings and errors"),
    (
        &["--no-git", "--no-history", "--skip-history", "--working-tree", "--git-history"],
        "`--files-only` scans the files without the history",
    ),
    (
        &["--history", "--git", "--full-history", "--all-history", "--all-branches"],
        "the whole history is scanned by default; `--history-only` leaves out the files",
    ),
    (
        &[
            "--log-opts",
            "--since",
            "--since-commit",
            "--commit",
            "--commits",
            "--from-commit",
            "--to-commit",
            "--commit-from",
            "--commit-to",
            "--branch",
            "--depth",
            "--max-depth",
            "--range",
            "--until",
            "--to",
        ],
        "to scan some of the commits, use `ddpatrol range BASE..HEAD`",
    ),
    (
        &["--only-verified", "--only-valid", "--verified", "--results", "--only-live"],
        "the checksum proves each listed token; `--verify --fail-on live` fails on live ones only",
    ),
    (
        &["--no-verification", "--no-verify", "--no-validate", "--offline"],
        "no issuer is asked unless `--verify` is given: leave the option out",
    ),
    (&["--validate", "--check", "--live"], "`--verify` asks the issuers which tokens are live"),
    (
        &["--exit-code", "--exit-zero", "--no-fail", "--soft-fail", "--fail", "--no-error"],
        "`--fail-on LEVEL` sets which findings make the exit code 1; `--fail-on never` none",
    ),
    (
        &["--baseline-path", "-b", "--baseline-file"],
        "a baseline is given by `--baseline FILE`; .ddpatrol-baseline.json is used by default",
    ),
    (
        &["--include-paths", "--include", "--only", "--include-path"],
        "name the paths to scan: `ddpatrol scan PATH...`; `--exclude GLOB` skips others",
    ),
    (
        &[
            "--exclude-paths",
            "--exclude-path",
            "--exclude-globs",
            "--exclude-dir",
            "--ignore",
            "--ignore-path",
            "--ignore-paths",
            "--skip",
            "--skip-dirs",
            "--skip-files",
            "-x",
            "-e",
            "--gitleaks-ignore-path",
        ],
        "`--exclude GLOB` skips paths, as in .gitignore",
    ),
    (&["--redact", "--mask"], "tokens are always redacted, unless `--show-secrets` is given"),
    (
        &["--show-secret", "--unredacted", "--no-redact"],
        "`--show-secrets` writes the tokens to the reports",
    ),
    (&["--no-color", "--no-colour", "--nocolor", "--colour"], "use `--color never`"),
    (
        &["--jobs", "-j", "--concurrency", "--workers", "--num-threads", "-t", "-n"],
        "use `--threads N`",
    ),
    (
        &["--max-target-megabytes", "--max-size", "--max-filesize", "--max-file-size-mb"],
        "use `--max-file-size SIZE`, such as `--max-file-size 10M`",
    ),
    (
        &["--max-archive-depth", "--archive-max-depth", "--extraction-depth"],
        "use `--archive-depth N`",
    ),
    (
        &["--enable-rule", "--include-detectors", "--detectors", "--confidence"],
        "use `--rule ID` to use only this rule; `ddpatrol rules list` lists the ids",
    ),
    (
        &["--exclude-detectors", "--disable-rule", "--exclude-rule"],
        "rules are disabled by `[rules] leave_out` in .ddpatrol.toml",
    ),
    (&["-c", "--configuration", "--config-path"], "use `--config FILE`"),
    (
        &["--no-gitignore", "--no-ignore-vcs", "--hidden", "--ignore-gitignore"],
        "hidden files are scanned; `--no-ignore` also scans ignored files",
    ),
];

/// Returns a tip for an argument that a command does not have.
pub(super) fn tip(argument: &str, line: &GivenLine) -> Option<String> {
    if !argument.starts_with('-') || argument == "-" {
        return word(argument, line);
    }
    special(argument, line)
        .or_else(|| of_format(argument, line))
        .or_else(|| of_program(argument, line))
        .or_else(|| of_other_scanner(argument, line))
        .or_else(|| of_other_command(argument, line))
}

/// Returns a tip for an option whose meaning depends on the command.
fn special(argument: &str, line: &GivenLine) -> Option<String> {
    let tip = match (line.name(), argument) {
        ("", "-v" | "-version") => "`ddpatrol --version` prints the version",
        ("baseline", "--force" | "-f") => "`ddpatrol baseline update` changes an existing baseline",
        ("baseline", "--from") => "a baseline is made by a scan, `ddpatrol baseline create PATH`",
        ("check", _) => return None,
        (_, "--token" | "--secret") => {
            "tokens are not accepted as arguments; `ddpatrol check` reads one from standard input"
        }
        ("scan", "--from") => {
            "saved reports are read by `ddpatrol report`, `diff`, `revoke` and `clean`"
        }
        ("scan", "--stdin") => "`ddpatrol scan -` scans standard input",
        ("scan", "--all" | "--full") => {
            "everything is scanned and reported by default: leave the option out"
        }
        ("scan", "--repo") | ("", "--repo") => {
            "a repository is given without an option: `ddpatrol scan FOLDER`"
        }
        ("mask", "--file" | "-i" | "--input") => {
            "`ddpatrol mask < FILE` masks the tokens of a file"
        }
        (name, "--version" | "-V") if !name.is_empty() => "`ddpatrol --version` prints the version",
        ("report" | "revoke" | "clean", "--input" | "-i" | "--file" | "--report-path") => {
            "the saved report is given by `--from REPORT`"
        }
        _ => return None,
    };
    Some(tip.to_owned())
}

/// Returns a tip for a format as an option, such as `--html`.
fn of_format(argument: &str, line: &GivenLine) -> Option<String> {
    let name = argument.trim_start_matches('-');
    name.parse::<ReportFormat>().ok()?;
    let command = if line.command.is_empty() { "scan" } else { line.name() };
    let has_format = line.program.find_subcommand(command)?.get_arguments();
    let has_format = has_format.into_iter().any(|it| it.get_long() == Some("format"));
    let is_scan = line.command.is_empty();
    has_format.then(|| match is_scan {
        true => format!("options follow the command: `ddpatrol scan -f {name}`"),
        false => format!("use `-f {name}`, or `--report {name}=FILE` to write a file"),
    })
}

/// Returns a tip for an option before the command.
fn of_program(argument: &str, line: &GivenLine) -> Option<String> {
    if !line.command.is_empty() {
        return None;
    }
    let is_command = |word: &&String| line.program.find_subcommand(word).is_some();
    let named = line.rest.iter().find(is_command).map(String::as_str);
    let of = |name: &str| has_option(line.program.find_subcommand(name)?, argument).then_some(());
    let command = match named {
        Some(name) if of(name).is_some() => name,
        Some(_) => return None,
        None => "scan",
    };
    of(command)?;
    let words = line.rest.iter().filter(|word| *word != command);
    let words: Vec<String> = words.map(|word| quote_word(word)).collect();
    Some(format!("options follow the command: `ddpatrol {command} {}`", words.join(" ")))
}

fn of_other_scanner(argument: &str, line: &GivenLine) -> Option<String> {
    let scans = matches!(line.name(), "" | "scan" | "staged" | "range" | "baseline");
    let name = argument.split('=').next().unwrap_or(argument);
    let (_, tip) = OTHERS.iter().find(|(names, _)| names.contains(&name)).filter(|_| scans)?;
    Some((*tip).to_owned())
}

/// Returns a tip for an option of another command.
fn of_other_command(argument: &str, line: &GivenLine) -> Option<String> {
    let commands = line.program.get_subcommands().filter(|it| !it.is_hide_set());
    let owners: Vec<String> = commands
        .filter(|it| has_option(it, argument))
        .map(|it| format!("`ddpatrol {}`", it.get_name()))
        .collect();
    match &owners[..] {
        [] => None,
        [one] => Some(format!("{argument} is an option of {one}")),
        [first, rest @ ..] => {
            let others = if rest.len() == 1 { rest[0].as_str() } else { "other commands" };
            Some(format!("{argument} is an option of {first} and {others}"))
        }
    }
}

/// Returns `true` if a command itself has an option.
fn has_option(command: &Command, argument: &str) -> bool {
    command.get_arguments().filter(|it| !it.is_hide_set()).any(|it| {
        it.get_long().is_some_and(|long| argument.strip_prefix("--") == Some(long))
            || it
                .get_short()
                .is_some_and(|short| argument.strip_prefix('-') == Some(&*short.to_string()))
    })
}

/// Returns a tip for a word that a command does not take.
fn word(word: &str, line: &GivenLine) -> Option<String> {
    let (name, shown) = (line.name(), quote(word));
    Some(match name {
        "clean" if Path::new(word).is_dir() => {
            format!(
                "the repository is given by `--repo {shown}`, the saved report by `--from REPORT`"
            )
        }
        "report" | "revoke" | "clean" => {
            let command: Vec<String> = line.rest.iter().filter(|it| *it != word).cloned().collect();
            let rest: Vec<String> = command.iter().map(|it| quote_word(it)).collect();
            let rest = if rest.is_empty() { String::new() } else { format!(" {}", rest.join(" ")) };
            format!("the saved report is given by --from: `ddpatrol {name} --from {shown}{rest}`")
        }
        "mask" => format!("`ddpatrol mask` copies standard input: `ddpatrol mask < {shown}`"),
        "hook" => return hook_word(word, line),
        "init" => {
            "run `ddpatrol init` in the folder or repository that it should configure".to_owned()
        }
        "diff" => "`ddpatrol diff OLD NEW` compares two saved reports".to_owned(),
        "rules" if Path::new(word).exists() => {
            format!(
                "rule files are given by `--rules {shown}`, or checked by `ddpatrol rules check`"
            )
        }
        "baseline" => "`ddpatrol baseline show FILE` lists one baseline".to_owned(),
        "pre-receive" | "pre-push" | "commit-msg" => {
            "git runs this command as a hook; `ddpatrol range BASE..HEAD` scans commits".to_owned()
        }
        _ => return None,
    })
}

fn hook_word(word: &str, line: &GivenLine) -> Option<String> {
    let command = line.command.join(" ");
    let hooks = ["pre-commit", "commit-msg", "pre-merge-commit", "pre-push", "pre-receive"];
    if hooks.contains(&word) && command != "hook status" {
        return Some(format!("hooks are given as options: `ddpatrol {command} --{word}`"));
    }
    let is_folder = Path::new(word).is_dir();
    is_folder.then(|| {
        format!("the repository is given by --repo: `ddpatrol {command} --repo {}`", quote(word))
    })
}
