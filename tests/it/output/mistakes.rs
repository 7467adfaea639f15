//! Mistakes in the command line and in the environment: each message shows what was probably intended.

use super::assert_text;
use crate::support::repo::Repo;

/// Runs commands in a repository and compares the messages with one snapshot.
fn mistakes(snapshot: &str, commands: &[&str]) {
    let repo = Repo::with_files(&[("prod.env", "text\n"), ("src/a.txt", "text\n")]);
    repo.write("scan.json", r#"{"schema": "ddpatrol-report/1", "findings": []}"#);
    repo.write("gitleaks.json", r#"[{"RuleID": "a", "Secret": "b", "File": "c"}]"#);
    repo.write("trufflehog.json", "{\"SourceMetadata\": {}, \"DetectorName\": \"AWS\"}\n{}\n");
    repo.write("x.sarif", r#"{"version": "2.1.0", "runs": []}"#);
    repo.write("empty.json", "\n");
    repo.write("known.json", r#"{"schema": "ddpatrol-baseline/1", "tokens": []}"#);
    let mut text = String::new();
    for command in commands {
        let args: Vec<&str> = command.split_whitespace().collect();
        let ran = repo.run(&args);
        assert_eq!(ran.code(), Some(2), "{command}: {ran:?}");
        let message = ran.stderr();
        let lines = message.lines().filter(|line| !line.is_empty());
        let lines = lines.filter(|line| !line.starts_with("For more information"));
        let lines: Vec<&str> = lines.collect();
        text.push_str(&format!("$ ddpatrol {command}\n{}\n", lines.join("\n")));
    }
    assert_text(snapshot, repo.path(), &text);
}

#[test]
fn a_missing_or_misplaced_command() {
    mistakes(
        "mistakes-commands",
        &[
            "prod.env",
            ".",
            "./src",
            "- --json",
            "none.env",
            "HEAD",
            "main..HEAD",
            "origin/main...HEAD",
            "https://example.com/team/project.git",
            "--verify",
            "--json",
            "--report json=scan.json .",
            "--all staged",
            "-v",
            "version",
            "detect --source .",
            "protect --staged",
            "dir .",
            "git .",
            "filesystem .",
            "stdin",
            "github --org x",
            "docker --image x",
            "install",
            "pre-commit",
            "uninstall",
            "verify",
            "show scan.json",
            "ignore fp:0123456789ab",
            "hook pre-commit",
            "hook remove",
            "hook list",
            "hook src",
            "baseline scan.json",
            "baseline .",
            "baseline add fp:0123456789ab",
            "rules test prod.env",
            "rules prod.env",
            "scan staged",
            "git https://example.com/team/project.git",
            "github https://example.com/team/project",
            "login",
            "serve",
            "scna .",
            "completion bash",
        ],
    );
}

#[test]
fn arguments_of_other_scanners_and_other_commands() {
    mistakes(
        "mistakes-options",
        &[
            "scan --staged",
            "scan --source .",
            "scan --repo .",
            "scan --report-format json",
            "scan --report-path out.json",
            "scan -v",
            "scan --no-git",
            "scan --log-opts=--all",
            "scan --since-commit HEAD~1",
            "scan --branch main",
            "scan --only-verified",
            "scan --no-verification",
            "scan --exit-code 0",
            "scan --baseline-path x",
            "scan --include-paths x",
            "scan --exclude-paths x",
            "scan --redact",
            "scan --no-color",
            "scan -j 4",
            "scan --max-archive-depth 3",
            "scan -c x.toml",
            "scan --sarif",
            "scan --all",
            "scan --stdin",
            "scan --from scan.json",
            "scan --token x",
            "scan --trust-head",
            "scan --version",
            "init --config x",
            "baseline create --force",
            "mask --file prod.env",
            "report --input scan.json",
            "report scan.json --report html",
            "revoke scan.json",
            "clean scan.json --yes",
            "clean .",
            "mask prod.env",
            "hook install pre-push",
            "hook install src",
            "init .",
            "diff scan.json scan.json scan.json",
        ],
    );
}

#[test]
fn missing_and_invalid_values() {
    mistakes(
        "mistakes-values",
        &[
            "report",
            "revoke",
            "clean",
            "diff",
            "range",
            "commit-msg",
            "completions",
            "rules show",
            "revoke --from",
            "scan --report",
            "scan --report out.json",
            "scan --report sarif:out.sarif",
            "scan -f md",
            "scan -f jsn",
            "scan -f out.json",
            "scan -o out.json",
            "scan --json=out.json",
            "scan --quiet=true",
            "scan --threads -1",
            "scan --limit many",
            "scan --limit -1",
            "scan --max-file-size 1.5M",
            "scan --archive-depth -1",
            "baseline create --output b.json",
            "revoke --from scan.json --fingerprint fp:12",
            "scan HEAD",
            "scan HEAD~5",
            "scan main..HEAD",
            "scan prod.env:3:1",
            "scan src/*.rs",
            "scan ~/none",
            "scan --report json out.json",
            "scan file:///srv/project",
            "range prod.env",
            "diff main HEAD",
            "staged --repo prod.env",
            "scan -- --files-only",
            "scan . -- -x",
            "completions sh",
        ],
    );
}

#[test]
fn files_of_other_programs() {
    mistakes(
        "mistakes-files",
        &[
            "report --from gitleaks.json",
            "report --from trufflehog.json",
            "revoke --from x.sarif --dry-run",
            "clean --from known.json",
            "diff gitleaks.json scan.json",
            "report --from none.json",
            "report --from src",
            "scan --baseline scan.json",
            "scan --baseline gitleaks.json",
            "scan --config scan.json",
            "scan --state scan.json",
            "baseline show src",
            "scan --rules src",
            "report --from empty.json",
            "clean --from empty.json",
            "scan --state none/such/scan.state",
        ],
    );
}

/// Runs a command and returns its only line.
fn message(
    repo: &Repo,
    folder: &std::path::Path,
    args: &[&str],
    environment: &[(&str, &str)],
) -> String {
    let ran = repo.run_in(folder, args, environment);
    assert_eq!(ran.code(), Some(2), "{args:?}: {ran:?}");
    ran.stderr().trim_end().to_owned()
}

#[test]
fn a_repository_that_is_gone_bare_or_named_by_mistake_is_described() {
    let repo = Repo::with_files(&[("x", "clean")]);
    let bare = repo.clone_to("bare.git", &["--bare"]);
    let found = message(&repo, &bare, &["staged"], &[]);
    assert!(found.contains("is a bare repository, in which nothing can be staged"), "{found}");
    let linked = repo.sibling("linked");
    repo.git(&["worktree", "add", "-q", "../linked"]);
    std::fs::rename(repo.path(), repo.sibling("moved")).expect("a folder");
    let found = message(&repo, &linked, &["staged"], &[]);
    assert!(found.contains("repo/.git/worktrees/linked, which was moved or removed"), "{found}");
    let found = message(&repo, &linked, &["hook", "install"], &[]);
    assert!(found.contains("was moved or removed; `git worktree repair`"), "{found}");
    std::fs::rename(repo.sibling("moved"), repo.path()).expect("a folder");
    for args in [&["staged"][..], &["range", "HEAD"]] {
        let found = message(&repo, repo.path(), args, &[("GIT_DIR", "/none/such")]);
        assert!(found.contains("GIT_DIR is set to /none/such, which does not exist"), "{found}");
    }
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_to_nothing_is_named() {
    let repo = Repo::with_files(&[("x", "clean")]);
    std::os::unix::fs::symlink("/none/such", repo.path().join("link")).expect("a link");
    let ran = repo.run(&["scan", "link"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    let text = ran.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("link is a symbolic link to /none/such, which does not exist"), "{text}");
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_not_text_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let repo = Repo::with_files(&[("x", "clean")]);
    let mut command = repo.ddpatrol(repo.path(), &["scan", "--report"]);
    command.arg(std::ffi::OsStr::from_bytes(b"json=caf\xe9.json"));
    let output = command.output().expect("the command runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("correct `json=caf\u{fffd}.json`"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_destination_is_named() {
    let repo = Repo::with_files(&[("x", "clean")]);
    for format in ["text", "json", "sarif", "csv"] {
        let mut command = repo.ddpatrol(repo.path(), &["scan", "--report", format]);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let output = command.stdout(full).output().expect("the command runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{format}: {text}");
        assert!(text.contains("cannot write standard output: No space left"), "{format}: {text}");
        let report = format!("{format}=/dev/full");
        let mut command = repo.ddpatrol(repo.path(), &["scan", "--report", &report]);
        let output = command.output().expect("the command runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            text.contains("cannot write report to /dev/full: No space left"),
            "{format}: {text}"
        );
    }
}
