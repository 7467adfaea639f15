//! Revocations: preview, confirmation, requests and outcomes.

use super::stub_issuer::Issuer;
use super::{LIVE, datadog, github, only, scan, tree_with};
use crate::support::encode::hex;
use crate::support::mint::{self, Random};
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const ADMIN: &str = "an-administrators-token";
const ACCOUNT: &str = "11111111-2222-4333-8444-555555555555";

/// Starts an issuer that accepts leak reports and answers each entry with the same status.
fn reporting(status: &'static str) -> Issuer {
    Issuer::start(move |asked, _| {
        let entries = asked.body["reports"].as_array().map_or(0, Vec::len);
        (200, "", json!({"results": vec![json!({"status": status}); entries]}).to_string())
    })
}

/// Runs ddpatrol with an administrator's token in the environment.
fn run_as_admin(tree: &Tree, args: &[&str]) -> RunOutput {
    let mut command = tree.command(args);
    command.env("DDPATROL_DATADOG_TOKEN", ADMIN);
    RunOutput(command.output().expect("the program runs"))
}

#[test]
fn ddpatrold_revokes_by_a_leak_report_with_the_location() {
    let issuer = reporting("revoked");
    let token = datadog(1);
    let ran = scan(&tree_with(&token), &["--revoke", "--yes", "--issuer", &issuer.url]);
    assert_eq!(only(&ran, "revocation")["outcome"], "revoked", "{ran:?}");
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    let asked = issuer.asked();
    assert_eq!((&*asked[0].method, &*asked[0].path), ("POST", "/leaks/v1/reports"));
    let report = &asked[0].body["reports"][0];
    assert_eq!(report["token"], token);
    assert_eq!(report["location"], "x:1");
    assert!(!format!("{ran:?}").contains(&token));
}

#[test]
fn outcomes_of_a_leak_report_are_shown() {
    for (status, outcome, code) in [
        ("revoked", "revoked", 0),
        ("already_revoked", "already_dead", 0),
        ("expired", "already_dead", 0),
        ("flagged", "failed", 2),
        ("unknown", "failed", 2),
        ("invalid", "failed", 2),
    ] {
        let issuer = reporting(status);
        let args = ["--revoke", "--yes", "--fail-on", "never", "--issuer", &issuer.url];
        let ran = scan(&tree_with(&datadog(2)), &args);
        assert_eq!(only(&ran, "revocation")["outcome"], outcome, "{status}");
        assert_eq!(ran.code(), Some(code), "{status}: a failed revocation is an error");
    }
}

#[test]
fn an_unexpected_response_is_a_failure() {
    for (status, body) in [(200, "{}"), (200, r#"{"results":[]}"#), (404, "no"), (413, "{}")] {
        let issuer = Issuer::always(status, "", body);
        let ran = scan(&tree_with(&datadog(3)), &["--revoke", "--yes", "--issuer", &issuer.url]);
        assert_eq!(only(&ran, "revocation")["outcome"], "failed", "{status} {body}");
    }
}

#[test]
fn nothing_is_revoked_without_consent() {
    let issuer = reporting("revoked");
    let tree = tree_with(&datadog(4));
    let ran = scan(&tree, &["--revoke", "--issuer", &issuer.url]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("--yes"), "{ran:?}");
    let ran = scan(&tree, &["--revoke", "--dry-run", "--issuer", &issuer.url]);
    assert_eq!(only(&ran, "revocation")["outcome"], "planned");
    let detail = only(&ran, "revocation")["detail"].to_string();
    assert!(detail.contains("by leak report to 127.0.0.1:"), "{ran:?}");
    let ran = scan(&tree, &["--yes"]);
    assert_eq!(ran.code(), Some(2), "--yes to what?");
    assert!(issuer.asked().is_empty());
}

#[test]
fn datadog_tokens_are_deleted_by_the_id_in_the_alias() {
    let (other, right) =
        (Issuer::always(404, "", r#"{"errors":["Not Found"]}"#), Issuer::always(204, "", ""));
    let tree = tree_with(&datadog(5));
    let sites = ["--datadog-site", &other.url, "--datadog-site", &right.url];
    let ran = run_as_admin(
        &tree,
        &[&["scan", "--report", "json", "--revoke", "--yes"][..], &sites].concat(),
    );
    assert_eq!(only(&ran, "revocation")["outcome"], "revoked", "{ran:?}");
    let id = only(&ran, "token")["uuid"].as_str().expect("an id").to_owned();
    let asked = right.asked();
    assert_eq!(
        (&*asked[0].method, &*asked[0].path),
        ("DELETE", &*format!("/api/v2/personal_access_tokens/{id}"))
    );
    assert_eq!(asked[0].bearer.as_deref(), Some(ADMIN), "the found token is not sent");
    assert!(!format!("{ran:?}").contains(ADMIN));
    let ran = scan(&tree, &[&["--revoke", "--yes"][..], &sites].concat());
    let printed = only(&ran, "revocation");
    assert_eq!(printed["outcome"], "cannot_revoke");
    let expected = "set DDPATROL_DATADOG_TOKEN to an administrator's token of your Datadog site";
    assert_eq!(printed["detail"], expected);
    let sites = ["--datadog-site", &right.url];
    let ran = scan(&tree, &[&["--revoke", "--yes"][..], &sites].concat());
    let detail = only(&ran, "revocation")["detail"].to_string();
    assert!(detail.contains("an administrator's token of 127.0.0.1:"), "{detail}");
}

#[test]
fn a_site_that_rejects_the_administrator_is_a_failure() {
    let issuer = Issuer::always(403, "", r#"{"errors":["Forbidden"]}"#);
    let args = ["scan", "--report", "json", "--revoke", "--yes", "--datadog-site", &issuer.url];
    let ran = run_as_admin(&tree_with(&datadog(6)), &args);
    let printed = only(&ran, "revocation");
    assert_eq!(printed["outcome"], "failed");
    assert!(printed["detail"].as_str().is_some_and(|it| it.contains("administrator")), "{printed}");
}

#[test]
fn a_service_account_token_needs_the_account_id() {
    let issuer = Issuer::always(204, "", "");
    let tree = tree_with(&mint::datadog(&mut Random(7), "ddsat_", 43, 0));
    let args = ["scan", "--report", "json", "--revoke", "--yes", "--datadog-site", &issuer.url];
    let ran = run_as_admin(&tree, &args);
    assert_eq!(only(&ran, "revocation")["outcome"], "cannot_revoke", "{ran:?}");
    assert!(issuer.asked().is_empty());
    let ran = run_as_admin(&tree, &[&args[..], &["--service-account", ACCOUNT]].concat());
    assert_eq!(only(&ran, "revocation")["outcome"], "revoked", "{ran:?}");
    let path = format!("/api/v2/service_accounts/{ACCOUNT}/access_tokens/");
    assert!(issuer.asked()[0].path.starts_with(&path));
}

#[test]
fn github_accepts_a_thousand_tokens_per_request_without_authentication() {
    let api = Issuer::always(202, "", "{}");
    let tokens: Vec<String> = (0..1_001).map(github).collect();
    let tree = tree_with(&tokens.join("\n"));
    let ran = run_as_admin(
        &tree,
        &["scan", "--report", "json", "--revoke", "--yes", "--github-api", &api.url],
    );
    let findings = ran.json()["findings"].as_array().expect("a list").clone();
    assert_eq!(findings.len(), 1_001);
    assert!(findings.iter().all(|it| it["revocation"]["outcome"] == "revoked"));
    let asked = api.asked();
    let sizes: Vec<usize> =
        asked.iter().map(|it| it.body["credentials"].as_array().map_or(0, Vec::len)).collect();
    assert_eq!(sizes, [1_000, 1]);
    assert!(asked.iter().all(|it| it.path == "/credentials/revoke" && it.bearer.is_none()));
}

#[test]
fn a_dead_token_is_not_revoked() {
    let issuer = Issuer::always(401, super::REVOKED, super::REFUSED);
    let args = ["--verify", "--verify-pause", "2", "--revoke", "--yes", "--issuer", &issuer.url];
    let ran = scan(&tree_with(&datadog(8)), &args);
    assert_eq!(only(&ran, "revocation")["outcome"], "already_dead", "{ran:?}");
    assert!(issuer.asked().iter().all(|it| it.method == "GET"));
}

#[test]
fn a_saved_report_is_enough_if_only_the_id_is_needed() {
    let (site, api) = (Issuer::always(204, "", ""), Issuer::always(202, "", "{}"));
    let tree = tree_with(&format!("{} {}", datadog(9), github(9)));
    tree.write("r.json", scan(&tree, &[]).stdout());
    let args = [
        "revoke",
        "--from",
        "r.json",
        "--yes",
        "--datadog-site",
        &site.url,
        "--github-api",
        &api.url,
    ];
    let ran = run_as_admin(&tree, &args);
    assert_eq!(ran.code(), Some(2), "GitHub's token is still live: {ran:?}");
    assert!(ran.stdout().contains("_***: revoked: by DELETE at 127.0.0.1:"), "{ran:?}");
    assert!(
        ran.stdout().contains("ghp_***: cannot revoke: GitHub needs the whole token"),
        "{ran:?}"
    );
    assert!(api.asked().is_empty());
    let ran = run_as_admin(&tree, &[&args[..], &["--report", "json"]].concat());
    let outcomes: Vec<_> = ran.json()["revocations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["outcome"].clone())
        .collect();
    assert!(outcomes.contains(&json!("revoked")) && outcomes.contains(&json!("cannot_revoke")));
    for (name, content) in [
        ("no.json", "{}"),
        ("text", "x"),
        ("v9.json", r#"{"schema":"ddpatrol-report/9","findings":[]}"#),
    ] {
        tree.write(name, content);
        let ran = run_as_admin(&tree, &["revoke", "--from", name, "--yes"]);
        assert!(ran.code() == Some(2) && ran.stderr().contains(name), "{ran:?}");
    }
}

#[test]
fn a_missing_report_is_found_before_consent_is_required() {
    let tree = tree_with(&datadog(9));
    let ran = tree.run(&["revoke", "--from", "nofile"]);
    assert!(ran.stderr().contains("nofile") && !ran.stderr().contains("--yes"), "{ran:?}");
    tree.write("r.json", scan(&tree, &[]).stdout());
    let ran = tree.run(&["revoke", "--from", "r.json"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("`ddpatrol revoke` requires confirmation"), "{ran:?}");
}

#[test]
fn tokens_of_staged_changes_and_ranges_are_revoked() {
    let issuer = reporting("revoked");
    let repo = Repo::new();
    repo.commit_file("a", "nothing");
    repo.commit_file("b", datadog(10));
    repo.write("c", datadog(11));
    repo.git(&["add", "c"]);
    for args in [&["staged"][..], &["range", "HEAD"]] {
        let more = ["--report", "json", "--revoke", "--yes", "--issuer", &issuer.url];
        let ran = repo.run_without_git(repo.path(), &[args, &more].concat());
        assert_eq!(only(&ran, "revocation")["outcome"], "revoked", "{args:?} {ran:?}");
    }
    let tokens: Vec<_> =
        issuer.asked().iter().map(|it| it.body["reports"][0]["token"].clone()).collect();
    assert_eq!(tokens, [json!(datadog(11)), json!(datadog(10))]);
}

#[test]
fn scanned_content_does_not_control_where_tokens_are_sent() {
    let (thief, issuer) = (Issuer::always(200, "", LIVE), reporting("revoked"));
    let tree = tree_with(&datadog(12));
    for name in ["ddpatrol.toml", ".env"] {
        tree.write(name, format!("issuer = \"{0}\"\nDDPATROL_ISSUER={0}\n", thief.url));
    }
    // A configuration with an issuer URL is rejected before any request.
    tree.write(".ddpatrol.toml", format!("issuer = \"{}\"\n", thief.url));
    let ran = scan(&tree, &["--revoke", "--yes", "--issuer", &issuer.url]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains(".ddpatrol.toml:1:1: unknown field `issuer`"), "{ran:?}");
    assert!(thief.asked().is_empty() && issuer.asked().is_empty());
    std::fs::remove_file(tree.path().join(".ddpatrol.toml")).expect("the file exists");
    let ran = scan(&tree, &["--revoke", "--yes", "--issuer", &issuer.url]);
    assert_eq!(only(&ran, "revocation")["outcome"], "revoked", "{ran:?}");
    assert!(thief.asked().is_empty());
}

#[test]
fn a_modified_report_revokes_nothing() {
    let site = Issuer::always(204, "", "");
    let other = datadog(14);
    let tree = tree_with(&datadog(13));
    let saved = scan(&tree, &["--show-secrets"]).json();
    let id = scan(&tree_with(&other), &[]);
    let id = only(&id, "token")["uuid"].clone();
    let changes: [&dyn Fn(&mut Value); 4] = [
        &|it| it["token"]["uuid"] = id.clone(),
        &|it| it["token"]["alias"] = Value::Null,
        &|it| it["token"]["redacted"] = json!("ddpat_***"),
        &|it| it["secret"] = json!(other),
    ];
    for change in changes {
        let mut report = saved.clone();
        change(&mut report["findings"][0]);
        tree.write("r.json", report.to_string());
        let args = ["revoke", "--from", "r.json", "--yes", "--datadog-site", &site.url];
        let ran = run_as_admin(&tree, &args);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(ran.stderr().contains("proven finding 1 is inconsistent"), "{ran:?}");
    }
    assert!(site.asked().is_empty());
}

/// The character by which a terminal interrupts its program.
const CTRL_C: &str = "\u{3}";

/// Runs the program on a terminal, by util-linux's `script`. Waits for each prompt before its answer.
/// Returns the exit code and the output.
fn on_terminal(folder: &Path, args: &str, answers: &[(&str, &str)]) -> (Option<i32>, String) {
    let line = format!("{} {args}", env!("CARGO_BIN_EXE_ddpatrol"));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("script runs");
    let mut output = child.stdout.take().expect("a pipe");
    let mut input = child.stdin.take().expect("a pipe");
    let (mut shown, mut byte) = (Vec::new(), [0]);
    for (prompt, answer) in answers {
        while !shown.ends_with(prompt.as_bytes()) {
            assert_eq!(
                output.read(&mut byte).expect("it asks"),
                1,
                "the program prompts: {}",
                String::from_utf8_lossy(&shown)
            );
            shown.push(byte[0]);
        }
        let end = if *answer == CTRL_C { "" } else { "\n" };
        input.write_all(format!("{answer}{end}").as_bytes()).expect("it reads");
    }
    output.read_to_end(&mut shown).expect("the program ends");
    let code = child.wait().expect("the program ends").code();
    (code, String::from_utf8_lossy(&shown).into_owned())
}

/// Starts an issuer that accepts `live` as live and rejects other tokens as foreign, and revokes all.
fn verifying(live: &str) -> Issuer {
    let live = live.to_owned();
    Issuer::start(move |asked, _| match (asked.method.as_str(), &asked.bearer) {
        ("GET", Some(token)) if *token == live => (200, "", LIVE.to_owned()),
        ("GET", _) => (401, "", super::REFUSED.to_owned()),
        _ => {
            let entries = asked.body["reports"].as_array().map_or(0, Vec::len);
            (200, "", json!({"results": vec![json!({"status": "revoked"}); entries]}).to_string())
        }
    })
}

fn revoked_tokens(issuer: &Issuer) -> Vec<String> {
    let asked = issuer.asked();
    let reports = asked.iter().filter_map(|it| it.body["reports"].as_array());
    reports.flatten().map(|it| it["token"].as_str().expect("a token").to_owned()).collect()
}

#[test]
fn the_findings_are_printed_before_the_question_and_each_line_once() {
    let (live, foreign) = (datadog(15), datadog(16));
    let all = "Revoke 2 tokens? [a]ll, [l]ive only (1), [c]hoose, [N]one: ";
    let tree = tree_with(&live);
    tree.write("y", &foreign);
    for (answers, expected) in [
        (&[(all, "a")][..], &[&live, &foreign][..]),
        (&[(all, "l")], &[&live]),
        (&[(all, "n")], &[]),
        (
            &[
                (all, "c"),
                ("(x:1:1, live)? [y/N/q] ", "n"),
                ("(y:1:1, unknown if live)? [y/N/q] ", "y"),
            ],
            &[&foreign],
        ),
    ] {
        let issuer = verifying(&live);
        let args = format!("scan --verify --revoke --issuer {}", issuer.url);
        let (code, shown) = on_terminal(tree.path(), &args, answers);
        assert_eq!(code, Some(1), "{shown}");
        assert_eq!(revoked_tokens(&issuer), expected.iter().map(|it| &***it).collect::<Vec<_>>());
        let (before, after) = shown.split_once(all).expect("the question");
        assert!(
            before.contains("verified live") && before.contains("does not accept it"),
            "{shown}"
        );
        assert!(before.contains("x:1:1: ddpat_") && before.contains(", live, by leak"), "{shown}");
        assert_eq!(after.matches(": revoked: by leak").count(), expected.len(), "{shown}");
        assert_eq!(after.matches("not revoked: you declined").count(), 2 - expected.len());
        assert_eq!(shown.matches("Revocation: ").count(), 1, "{shown}");
        assert!(!shown.contains(&live) && !shown.contains(&foreign));
        let mut lines: Vec<&str> = before.lines().filter(|it| it.contains("ddpat_")).collect();
        let len = lines.len();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), len, "{before}");
    }
}

#[test]
fn the_question_names_git_objects_like_the_report_and_omits_irrevocable_tokens() {
    let repo = Repo::with_files(&[("a", "one")]);
    let live = datadog(18);
    repo.commit_file("b", mint::classic(&mut Random(23), "npm_", 30));
    repo.commit(format!("add {live}"));
    let commit = repo.git(&["rev-parse", "--short=12", "HEAD"]);
    let issuer = verifying(&live);
    let all = "Revoke 1 token? [a]ll, [l]ive only (1), [c]hoose, [N]one: ";
    let args = format!(
        "scan --history-only --verify --revoke --fail-on never --issuer {} --report json=r.json",
        issuer.url
    );
    let (code, shown) = on_terminal(repo.path(), &args, &[(all, "x"), (all, "a")]);
    assert_eq!(code, Some(0), "every token that can be revoked is: {shown}");
    assert!(shown.contains(&format!("commit {commit}: message line 1: ddpat_")), "{shown}");
    assert!(!shown.contains("stdin"), "{shown}");
    assert!(shown.contains("cannot revoke npm_***: revocation is not supported"), "{shown}");
    assert!(shown.contains("answer a (all), l (live only), c (choose) or n (none)"), "{shown}");
    assert_eq!(shown.matches(": revoked: by leak report to").count(), 1, "{shown}");
    assert_eq!(shown.matches("Revocation: 1 revoked, 1 not revoked.").count(), 1, "{shown}");
    assert_eq!(revoked_tokens(&issuer), [live]);
}

#[test]
fn outcomes_are_printed_to_standard_error_if_reports_go_to_files() {
    let issuer = reporting("flagged");
    let tree = tree_with(&datadog(19));
    let args = ["scan", "--revoke", "--yes", "--issuer", &issuer.url, "--report", "json=r.json"];
    let ran = tree.run(&args);
    let text = ran.stderr();
    assert!(text.contains("x:1:1: ddpat_") && text.contains(": NOT REVOKED: flagged"), "{text}");
    assert_eq!(text.matches("Revocation: 1 not revoked.").count(), 1, "{text}");
    let args = ["scan", "--revoke", "--yes", "--issuer", &issuer.url];
    let ran = tree.run(&args);
    assert!(!ran.stderr().contains("Revocation:"), "{ran:?}");
    assert_eq!(ran.stdout().matches("Revocation: 1 not revoked.").count(), 1, "{ran:?}");
    tree.write("r.json", tree.run(&["scan", "--report", "json", "--show-secrets"]).stdout());
    let args = ["revoke", "--from", "r.json", "--yes", "--issuer", &issuer.url, "--report"];
    let ran = tree.run(&[&args[..], &["json=out.json"]].concat());
    assert!(ran.stderr().contains(": NOT REVOKED: flagged"), "{ran:?}");
    assert!(ran.stderr().contains("Revocation: 1 not revoked."), "{ran:?}");
}

#[test]
fn ctrl_c_at_the_question_revokes_nothing_and_reports_are_written() {
    let issuer = verifying("none");
    let tree = tree_with(&[datadog(17), datadog(18)].join("\n"));
    let args = format!("scan --revoke --issuer {} --report json=r.json", issuer.url);
    let all = "Revoke 2 tokens? [a]ll, [c]hoose, [N]one: ";
    for answers in
        [&[(all, CTRL_C)][..], &[(all, "c"), ("? [y/N/q] ", "y"), ("? [y/N/q] ", CTRL_C)]]
    {
        let (code, shown) = on_terminal(tree.path(), &args, answers);
        assert_eq!(code, Some(130), "{shown}");
        assert_eq!(shown.matches("interrupted: no token was revoked").count(), 1, "{shown}");
        let saved = std::fs::read_to_string(tree.path().join("r.json")).expect("the report");
        let saved: Value = serde_json::from_str(&saved).expect("JSON");
        assert_eq!(saved["findings"].as_array().map(Vec::len), Some(2));
        std::fs::remove_file(tree.path().join("r.json")).expect("it is there");
    }
    assert!(revoked_tokens(&issuer).is_empty());
}

#[test]
fn a_declined_revocation_is_no_failure() {
    let issuer = verifying("none");
    let tree = tree_with(&datadog(17));
    let question = "Revoke 1 token? [a]ll, [c]hoose, [N]one: ";
    let args =
        format!("scan --revoke --fail-on never --issuer {} --report json=r.json", issuer.url);
    let (code, shown) = on_terminal(tree.path(), &args, &[(question, "")]);
    assert_eq!(code, Some(0), "{shown}");
    let saved = std::fs::read_to_string(tree.path().join("r.json")).expect("the report");
    let saved: Value = serde_json::from_str(&saved).expect("JSON");
    assert_eq!(saved["findings"][0]["revocation"]["outcome"], "declined");
    tree.write("r.json", scan(&tree, &["--show-secrets"]).stdout());
    let args = format!("revoke --from r.json --issuer {}", issuer.url);
    let (code, shown) = on_terminal(tree.path(), &args, &[(question, "n")]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("x:1:1: ddpat_") && shown.contains(", not verified, by leak"),
        "{shown}"
    );
    assert!(revoked_tokens(&issuer).is_empty());
    let (code, shown) = on_terminal(tree.path(), &args, &[(question, "a")]);
    assert_eq!((code, revoked_tokens(&issuer).len()), (Some(0), 1), "{shown}");
}

#[test]
fn a_custom_service_revokes_service_account_tokens_by_report_and_by_id() {
    let token = mint::datadog(&mut Random(21), "ddsat_", 43, 0);
    let results = r#"{"results":[{"status":"revoked"}]}"#;
    let issuer = Issuer::always(200, "", results);
    let args = ["scan", "--report", "json", "--revoke", "--yes", "--issuer", &issuer.url];
    let ran = RunOutput(tree_with(&token).command(&args).output().expect("the program runs"));
    assert_eq!(only(&ran, "revocation")["outcome"], "revoked", "{ran:?}");
    assert_eq!(issuer.asked()[0].path, "/leaks/v1/reports");

    let issuer = Issuer::always(204, "", "");
    let tree = tree_with(&token);
    let args = ["scan", "--report", "json", "--revoke", "--yes", "--issuer", &issuer.url];
    let mut command = tree.command(&[&args[..], &["--service-account", ACCOUNT]].concat());
    let output = command.env("DDPATROL_ISSUER_TOKEN", ADMIN).output().expect("the program runs");
    let printed = only(&RunOutput(output), "revocation");
    assert_eq!(printed["outcome"], "revoked", "{printed}");
    let path = format!("/api/v2/service_accounts/{ACCOUNT}/access_tokens/");
    assert!(issuer.asked().iter().any(|it| it.path.starts_with(&path)));
}

#[test]
fn a_shaped_candidate_of_a_saved_report_is_not_sent() {
    use sha2::Digest;
    let api = Issuer::always(202, "", "{}");
    let tree = tree_with(&github(22));
    let mut report = scan(&tree, &["--show-secrets"]).json();
    let password = "hunter2-and-no-token-at-all";
    let digest = sha2::Sha256::new()
        .chain_update(b"ddpatrol fingerprint 1\0")
        .chain_update(password)
        .finalize();
    let fingerprint = hex(&digest[..16]);
    let args = ["revoke", "--from", "r.json", "--yes", "--github-api", &api.url];
    tree.write("r.json", report.to_string());
    assert_eq!(tree.run(&args).code(), Some(0));
    assert_eq!(api.asked().len(), 1);
    report["findings"][0]["secret"] = json!(password);
    report["findings"][0]["fingerprint"] = json!(fingerprint);
    tree.write("r.json", report.to_string());
    let ran = tree.run(&args);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("is inconsistent"), "{ran:?}");
    assert_eq!(api.asked().len(), 1);
}

#[test]
fn a_dry_run_does_not_fail_if_a_token_cannot_be_revoked() {
    let tree = tree_with(&mint::classic(&mut Random(23), "npm_", 30));
    let run = |how| scan(&tree, &["--fail-on", "never", "--revoke", how]);
    let dry = run("--dry-run");
    assert_eq!((dry.code(), run("--yes").code()), (Some(0), Some(2)));
    assert_eq!(only(&dry, "revocation")["outcome"], "cannot_revoke");
    tree.write("r.json", dry.stdout());
    let revoke = |how| tree.run(&["revoke", "--from", "r.json", how]).code();
    assert_eq!((revoke("--dry-run"), revoke("--yes")), (Some(0), Some(2)));
}

#[test]
fn an_interrupted_revocation_is_completed_and_reported() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    // Longer than the grace period of a scan.
    let site = Issuer::start(|_, _| {
        std::thread::sleep(std::time::Duration::from_millis(2_500));
        (204, "", String::new())
    });
    let tree = tree_with(&datadog(40));
    tree.write("r.json", tree.run(&["scan", "--report", "json"]).stdout());
    let args =
        ["revoke", "--from", "r.json", "--yes", "--report", "json", "--datadog-site", &site.url];
    let mut command = tree.command(&args);
    command.env("DDPATROL_DATADOG_TOKEN", ADMIN).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program runs");
    while site.asked().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("the program runs");
    let ran = RunOutput(child.wait_with_output().expect("the program ends"));
    assert_eq!(ran.code(), Some(130), "{ran:?}");
    assert_eq!(ran.json()["revocations"].as_array().map(Vec::len), Some(1), "{ran:?}");
}
