//! Error messages: each names the failure, the place and the fix.

use super::assert_ran;
use super::fixture::gzip;
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

/// A token of a format that no built-in rule knows.
const OWN_TOKEN: &str = "exk_01234567890123456789abcdefghijABCDEFGHIJ";

#[test]
fn no_message_about_a_file_shows_a_token_in_it() {
    let head = "issuer = \"Us\"\n[[token]]\nid = \"mine\"\nname = \"Mine\"\n";
    let body = "[token.segments.BODY]\nalphabet = \"base62\"\nlength = 34\n";
    let sum = "[token.segments.SUM]\nalgorithm = \"crc32\"\nencoding = \"base62\"\nlength = 6\n\
               over = [\"<BODY>\"]\n";
    let good = format!("{head}format = \"exk_<BODY><SUM>\"\n{body}{sum}");
    let vector = |keys: &str| format!("{good}[[token.vectors]]\nsource = \"me\"\n{keys}\n");
    let quoted = format!("\"{OWN_TOKEN}\"");
    let secret = &OWN_TOKEN[4..];
    let rules = [
        vector(&format!("token = {quoted}")),
        vector(&format!("token = [{quoted}]")),
        vector(&format!("checksum_of = \"{secret}\"\nchecksum = \"000000\"")),
        vector(&format!("uuid = {quoted}\nalias = {quoted}")),
        vector(&format!("valid = {quoted}")),
        vector(&format!("{OWN_TOKEN} = 1")),
        format!("{head}format = \"<{OWN_TOKEN}>\"\n"),
        format!("{head}format = \"exk_<BODY>\"\nevidence = {quoted}\n{body}"),
        good.replace("\"mine\"", &quoted),
        good.replace("\"crc32\"", &quoted),
        good.replacen("\"base62\"", &quoted, 1),
        good.replace("encoding = \"base62\"", &format!("encoding = {quoted}")),
        good.replace("length = 6", &format!("length = {quoted}")),
        good.replace("<BODY>\"]", &format!("<{OWN_TOKEN}>\"]")),
        format!("{good}[token.segments.{OWN_TOKEN}]\nalphabet = \"hex\"\nlength = 1\n"),
        quoted.clone(),
        format!("{good}{quoted}"),
        format!("{good}{OWN_TOKEN}"),
    ];
    let configurations = [
        format!("exclude = {quoted}\n"),
        format!("{OWN_TOKEN} = 1\n"),
        format!("fail_on = {quoted}\n"),
        format!("[rules]\nleave_out = [{quoted}]\n"),
        format!("[rules]\ngroups = [{quoted}]\n"),
        format!("[[allow]]\nfingerprint = {quoted}\nreason = \"an example\"\n"),
        format!(
            "[[allow]]\nfingerprint = \"0123456789abcdef\"\nreason = \"words\"\nexpires = {quoted}\n"
        ),
        format!("[[acknowledge]]\ncode = {quoted}\nreason = \"words\"\nexpires = 2027-01-01\n"),
        format!(
            "[[acknowledge]]\ncode = \"archive.encrypted\"\nobject = {quoted}\nreason = \"words\"\n\
             expires = 2027-01-01\n"
        ),
        format!("exclude = [{quoted}\n"),
    ];
    let baselines = [
        quoted.clone(),
        format!("{{\"schema\": {quoted}, \"tokens\": []}}"),
        format!("{{\"schema\": \"ddpatrol-baseline/1\", \"tokens\": {quoted}}}"),
        format!("{{\"schema\": \"ddpatrol-baseline/1\", {quoted}: 1}}"),
        format!(
            "{{\"schema\": \"ddpatrol-baseline/1\", \"tokens\": [{{\"fingerprint\": {quoted}}}]}}"
        ),
    ];
    let reports = [
        quoted.clone(),
        format!("{{\"schema\": {quoted}}}"),
        format!("{{\"schema\": \"ddpatrol-report/1\", \"findings\": {quoted}}}"),
    ];
    let commands: [(&[String], &str, &[&str]); 5] = [
        (&rules, "file.toml", &["rules", "check", "file.toml"]),
        (&configurations, ".ddpatrol.toml", &["scan", "."]),
        (&baselines, "file.json", &["scan", "--baseline", "file.json", "."]),
        (&reports, "file.json", &["report", "--from", "file.json"]),
        (&baselines, "file.json", &["scan", "--verify", "--known-verdicts", "file.json", "."]),
    ];
    for (contents, name, args) in commands {
        for content in contents {
            let tree = Tree::new();
            tree.write(name, content);
            let ran = tree.run(args);
            assert_eq!(ran.code(), Some(2), "{args:?} accepts {content}");
            let shown = ran.stdout() + &ran.stderr();
            assert!(!shown.contains(secret), "{shown}");
            assert!(!shown.is_empty(), "{content}");
        }
    }
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
