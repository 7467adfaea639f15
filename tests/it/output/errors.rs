//! Error messages: each names the failure, the place and the fix.

use super::fixture::gzip;
use super::{assert_ran, assert_text};
use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::Tree;

/// Runs commands in a folder with these files and compares each output with a snapshot.
fn fail(files: &[(&str, &str)], cases: &[(&str, &[&str])]) {
    let tree = Tree::new();
    for (name, content) in files {
        tree.write(name, content);
    }
    let mut passed = Vec::new();
    for (name, args) in cases {
        let ran = tree.run(args);
        if ran.code() == Some(0) {
            passed.push((name, ran));
        } else {
            assert_ran(&format!("error-{name}"), tree.path(), &ran);
        }
    }
    assert!(passed.is_empty(), "these commands do not fail: {passed:#?}");
}

#[test]
fn arguments() {
    fail(
        &[
            ("a.txt", "text"),
            ("report.json", "{}"),
            ("newer.json", r#"{"schema": "ddpatrol-report/9", "findings": []}"#),
            ("list", "x\n"),
        ],
        &[
            ("no-command", &[]),
            ("unknown-command", &["scna"]),
            ("unknown-option", &["scan", "--hep"]),
            ("missing-value", &["scan", "--report"]),
            ("unknown-format", &["scan", "--report", "xml"]),
            ("format-without-path", &["scan", "--report", "json="]),
            ("two-reports-on-stdout", &["scan", "--report", "json", "--report", "sarif"]),
            ("report-folder-missing", &["scan", "--report", "json=no/such/folder.json"]),
            ("fail-on", &["scan", "--fail-on", "high"]),
            ("threads-zero", &["scan", "--threads", "0"]),
            ("threads-text", &["scan", "--threads", "many"]),
            ("max-file-size", &["scan", "--max-file-size", "10X"]),
            ("max-unpacked", &["scan", "--max-unpacked", "-1"]),
            ("archive-depth", &["scan", "--archive-depth", "x"]),
            ("exclude-glob", &["scan", "--exclude", "[a"]),
            ("color", &["scan", "--color", "blue"]),
            ("missing-path", &["scan", "no/such/path"]),
            ("empty-path", &["scan", ""]),
            ("files-and-history", &["scan", "--files-only", "--history-only"]),
            ("history-without-repository", &["scan", "--history-only", "."]),
            ("config-missing", &["scan", "--config", "none.toml"]),
            ("config-and-none", &["scan", "--config", "a.txt", "--no-config"]),
            ("baseline-missing", &["scan", "--baseline", "none.json"]),
            ("state-folder", &["scan", "--state", "."]),
            ("path-base-missing", &["scan", "--path-base", "none", "--report", "sarif"]),
            ("yes-alone", &["scan", "--yes"]),
            ("dry-run-alone", &["scan", "--dry-run"]),
            ("revoke-without-terminal", &["scan", "--revoke"]),
            ("issuer-http", &["scan", "--verify", "--issuer", "http://example.com"]),
            ("issuer-no-url", &["scan", "--verify", "--issuer", "example"]),
            ("datadog-site", &["scan", "--verify", "--datadog-site", "not a site"]),
            ("datadog-site-misspelt", &["scan", "--verify", "--datadog-site", "datadoghq.co"]),
            ("url-as-path", &["scan", "https://me:secret@example.com/team/project.git"]),
            ("ssh-url-as-path", &["scan", "git@example.com:team/project.git"]),
            ("url-as-repository", &["staged", "--repo", "https://example.com/team/project"]),
            ("option-before-command", &["--report", "json", "scan"]),
            ("option-of-another-command", &["staged", "--files-only"]),
            ("report-from-folder", &["report", "--from", "."]),
            ("config-folder", &["scan", "--config", "."]),
            ("baseline-folder", &["scan", "--baseline", "."]),
            ("state-other", &["scan", "--state", "a.txt"]),
            ("mask-rule-unknown", &["mask", "--rule", "nope"]),
            ("service-account", &["scan", "--verify", "--service-account", "x"]),
            ("verify-pause", &["scan", "--verify", "--verify-pause", "soon"]),
            ("revoke-no-report", &["revoke"]),
            ("revoke-format", &["revoke", "--from", "a.txt", "--yes", "--report", "sarif"]),
            ("revoke-from-missing", &["revoke", "--from", "none.json", "--yes"]),
            ("revoke-from-newer", &["revoke", "--from", "newer.json", "--yes"]),
            ("revoke-from-other", &["revoke", "--from", "report.json", "--yes"]),
            ("revoke-from-text", &["revoke", "--from", "a.txt", "--yes"]),
            ("report-from-missing", &["report", "--from", "none.json"]),
            ("report-from-other", &["report", "--from", "report.json"]),
            ("report-from-text", &["report", "--from", "a.txt"]),
            ("diff-one", &["diff", "report.json"]),
            ("diff-format", &["diff", "report.json", "report.json", "--report", "sarif"]),
            ("completions-shell", &["completions", "tcsh"]),
            ("man-unknown", &["man", "nope"]),
            ("commit-msg-missing", &["commit-msg", "none"]),
        ],
    );
}

/// Runs commands in a repository and compares the messages with one snapshot.
fn mistakes(snapshot: &str, commands: &[&str]) {
    let repo = Repo::with_files(&[("prod.env", "text\n"), ("src/a.txt", "text\n")]);
    repo.write("scan.json", r#"{"schema": "ddpatrol-report/1", "findings": []}"#);
    repo.write("gitleaks.json", r#"[{"RuleID": "a", "Secret": "b", "File": "c"}]"#);
    repo.write("trufflehog.json", "{\"SourceMetadata\": {}, \"DetectorName\": \"AWS\"}\n{}\n");
    repo.write("x.sarif", r#"{"version": "2.1.0", "runs": []}"#);
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
        ],
    );
}

#[test]
fn rules() {
    let head = "issuer = \"Us\"\n[[token]]\n";
    let good = format!("{head}id = \"mine\"\nname = \"Mine\"\nformat = \"my_<BODY><SUM>\"\n");
    let body = "[token.segments.BODY]\nalphabet = \"base62\"\nlength = 30\n";
    fail(
        &[
            ("syntax.toml", "[[token]\nid = "),
            ("unknown-key.toml", &format!("{head}id = \"x\"\nnmae = \"X\"\n")),
            ("missing-key.toml", &format!("{head}id = \"x\"\n")),
            ("wrong-type.toml", &format!("{head}id = 3\n")),
            ("bad-id.toml", &good.replace("mine", "my rule")),
            ("no-segment.toml", &format!("{good}{body}")),
            ("bad-alphabet.toml", &format!("{good}{}", body.replace("base62", "base99"))),
            ("twice.toml", &good.replace("mine", "datadog-pat")),
            ("empty/readme.txt", "no rules"),
        ],
        &[
            ("rules-missing", &["scan", "--rules", "none.toml"]),
            ("rules-empty-folder", &["scan", "--rules", "empty"]),
            ("rules-syntax", &["scan", "--rules", "syntax.toml"]),
            ("rules-unknown-key", &["rules", "check", "unknown-key.toml"]),
            ("rules-missing-key", &["rules", "check", "missing-key.toml"]),
            ("rules-wrong-type", &["rules", "check", "wrong-type.toml"]),
            ("rules-bad-id", &["rules", "check", "bad-id.toml"]),
            ("rules-no-segment", &["rules", "check", "no-segment.toml"]),
            ("rules-bad-alphabet", &["rules", "check", "bad-alphabet.toml"]),
            ("rules-twice", &["scan", "--rules", "twice.toml"]),
            ("rule-unknown", &["scan", "--rule", "datadog-pta"]),
            ("rules-show-unknown", &["rules", "show", "nope"]),
        ],
    );
}

#[test]
fn configuration_and_baselines() {
    fail(
        &[
            ("syntax/.ddpatrol.toml", "exclude = [\n"),
            ("key/.ddpatrol.toml", "exclud = []\n"),
            ("type/.ddpatrol.toml", "exclude = \"x\"\n"),
            ("glob/.ddpatrol.toml", "exclude = [\"[a\"]\n"),
            ("json/b.json", "{"),
            ("json/schema.json", "{\"schema\": \"ddpatrol-baseline/9\", \"tokens\": []}"),
            ("json/list.json", "[]"),
        ],
        &[
            ("config-syntax", &["scan", "syntax"]),
            ("config-unknown-key", &["scan", "key"]),
            ("config-wrong-type", &["scan", "type"]),
            ("config-glob", &["scan", "glob"]),
            ("baseline-syntax", &["scan", "json", "--baseline", "json/b.json"]),
            ("baseline-schema", &["scan", "json", "--baseline", "json/schema.json"]),
            ("baseline-list", &["scan", "json", "--baseline", "json/list.json"]),
            ("baseline-show-missing", &["baseline", "show"]),
            ("baseline-update-missing", &["baseline", "update", "--baseline", "none.json"]),
        ],
    );
}

#[test]
fn damaged_archives() {
    let tree = Tree::new();
    let text = token(1).repeat(50);
    let packed = gzip(text.as_bytes());
    tree.write("cut.gz", &packed[..packed.len() - 9]);
    let mut flipped = packed.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    tree.write("checksum.gz", flipped);
    tree.write("head.zip", b"PK\x03\x04 and nothing more");
    tree.write("cut.xz", b"\xfd7zXZ\0\0\x04");
    tree.write("cut.zst", b"\x28\xb5\x2f\xfd\x04");
    tree.write("cut.bz2", b"BZh91AY&SY");
    tree.write("cut.7z", b"7z\xbc\xaf\x27\x1c\0\x04");
    tree.write("cut.lz4", b"\x04\x22\x4d\x18\x64");
    tree.write(
        "cut.deb",
        b"!<arch>\ndebian-binary   0           0     0     100644  400       `\n2.0\n",
    );
    for name in [
        "cut.gz",
        "checksum.gz",
        "head.zip",
        "cut.xz",
        "cut.zst",
        "cut.bz2",
        "cut.7z",
        "cut.lz4",
        "cut.deb",
    ] {
        let ran = tree.run(&["scan", name]);
        assert_ran(&format!("error-archive-{}", name.replace('.', "-")), tree.path(), &ran);
    }
}

#[test]
fn revisions_and_repositories() {
    let tree = Tree::new();
    let outside = tree.path();
    for (name, args) in [
        ("no-repository-staged", &["staged"][..]),
        ("no-repository-range", &["range", "HEAD"]),
        ("no-repository-hook", &["hook", "install"]),
        ("repo-missing", &["staged", "--repo", "none"]),
        ("hook-repo-missing", &["hook", "install", "--repo", "none"]),
    ] {
        assert_ran(&format!("error-{name}"), outside, &tree.run(args));
    }
    let repo = Repo::new();
    let ran = repo.run(&["range", "HEAD"]);
    assert_ran("error-range-no-commits", repo.path(), &ran);
    repo.commit_file("a", "text");
    for (name, args) in [
        ("range-nothing", &["range"][..]),
        ("range-only-base", &["range", "^HEAD"]),
        ("range-unknown", &["range", "main..nope"]),
        ("range-option", &["range", "--", "--output=x"]),
        ("hook-global-and-repo", &["hook", "install", "--global", "--repo", "."]),
    ] {
        assert_ran(&format!("error-{name}"), repo.path(), &repo.run_without_git(repo.path(), args));
    }
}

#[test]
fn broken_repositories() {
    for (name, file, content) in [
        ("head", ".git/HEAD", "nonsense"),
        ("config", ".git/config", "[core\n"),
        ("ref", ".git/refs/heads/main", "zzzz\n"),
        ("missing-object", ".git/refs/heads/main", "1234567890123456789012345678901234567890\n"),
        ("index", ".git/index", "DIRX"),
        ("pack", ".git/objects/pack/pack-1.pack", "PACK"),
        ("alternates", ".git/objects/info/alternates", "/no/such/folder\n"),
    ] {
        let repo = Repo::new();
        repo.commit_file("a", "text");
        repo.write(file, content);
        let ran = repo.run_without_git(repo.path(), &["scan"]);
        assert_ran(&format!("error-broken-{name}-scan"), repo.path(), &ran);
        let ran = repo.run_without_git(repo.path(), &["staged"]);
        assert_ran(&format!("error-broken-{name}-staged"), repo.path(), &ran);
    }
}
