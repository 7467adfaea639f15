//! Reports of changes: no secret in any format, the same for any number of workers, valid SARIF.

use super::token;
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use serde_json::Value;

/// Creates a repository with committed tokens in contents, names and messages, and some staged ones.
fn full() -> Repo {
    let repo = Repo::with_files(&[("old", &token(1)), ("from", &token(2))]);
    for seed in 10..30 {
        let folder = format!("folder{}", seed % 3);
        let name = format!("{folder}/{}.txt", token(seed + 100));
        let moved = [("from", ""), ("to", &token(2)), ("old", &format!("{}\n{seed}", token(1)))];
        repo.stage(if seed == 20 { &moved } else { &[] });
        repo.commit_files(&[(&name, &token(seed)), ("edited", &token(seed))], &token(seed + 200));
    }
    repo.git(&["tag", "-a", "-m", &token(300), "a-tag"]);
    repo.stage(&[("staged", &token(301)), (&token(302), ""), ("edited", &token(303))]);
    repo
}

const COMMANDS: [&[&str]; 3] = [&["staged"], &["range", "HEAD~20..a-tag"], &["range", "HEAD"]];

#[track_caller]
fn assert_masked(ran: &RunOutput) {
    let printed = ran.stdout() + &ran.stderr();
    for seed in (1..3).chain(10..30).chain(110..130).chain(210..230).chain(300..304) {
        let secret = &token(seed)[29..];
        for at in 0..secret.len() - 8 {
            assert!(
                !printed.contains(&secret[at..at + 8]),
                "token {seed} shows at {at}: {printed}"
            );
        }
    }
}

/// Returns the output without durations.
fn timeless(ran: &RunOutput) -> String {
    let text = ran.stdout() + &ran.stderr();
    let lines = text.lines().filter(|line| !line.starts_with("Scanned "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn no_format_shows_a_secret_and_workers_change_nothing() {
    let repo = full();
    for command in COMMANDS {
        for format in [
            "text", "json", "jsonl", "sarif", "html", "markdown", "github", "csv", "junit",
            "gitlab",
        ] {
            let run = |threads| {
                let further = ["--all", "--report", format, "--threads", threads];
                repo.run(&[command, &further].concat())
            };
            let one = run("1");
            assert_eq!(one.code(), Some(1));
            assert_masked(&one);
            assert!(!one.stdout().is_empty());
            // Streamed lines have no order.
            if format != "jsonl" {
                assert_eq!(timeless(&one), timeless(&run("5")));
            }
        }
    }
    let secret = token(400);
    for arguments in [&["range", &*secret][..], &["range", &*format!("HEAD..{secret}")]] {
        let ran = repo.run(arguments);
        assert_eq!(ran.code(), Some(2));
        assert!(!ran.stderr().contains(&secret[29..]), "{ran:?}");
    }
}

#[test]
fn each_line_of_a_stream_has_the_status_of_the_token() {
    let repo = Repo::with_files(&[("a", &token(1)), ("from", &token(2))]);
    let edited = format!("{}\n{}", token(1), token(3));
    repo.stage(&[("a", &edited), ("from", ""), ("to", &token(2))]);
    let standings = |arguments: &[&str]| {
        let text = repo.run(&[&["staged", "--report", "jsonl"], arguments].concat()).stdout();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let matches = lines.filter(|line| line["type"] == "match");
        let mut standings: Vec<String> =
            matches.map(|line| line["locations"][0]["standing"].to_string()).collect();
        standings.sort();
        standings
    };
    assert_eq!(standings(&[]), ["\"moved\"", "\"new\""]);
    assert_eq!(standings(&["--all"]), ["\"already-there\"", "\"moved\"", "\"new\""]);
}

#[test]
fn quiet_prints_findings_and_errors_only() {
    let repo = Repo::with_files(&[("a", &token(1))]);
    for arguments in [&["staged", "-q"][..], &["range", "-q", "HEAD..HEAD"]] {
        let ran = repo.run(arguments);
        assert_eq!((ran.code(), ran.stdout(), ran.stderr()), (Some(0), "".into(), "".into()));
    }
    let ran = repo.run(&["range", "-q", "HEAD"]);
    assert!(ran.stdout().contains("  a:1:1  datadog-pat"), "{ran:?}");
    assert!(!ran.stdout().contains("Scanned"), "{ran:?}");
    let ran = repo.run(&["range", "-q", "nothing"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("nothing"), "{ran:?}");
}

#[test]
fn a_range_report_is_valid_sarif_and_every_result_has_a_file() {
    let repo = full();
    for command in COMMANDS {
        let report = repo.run(&[command, &["--report", "sarif"]].concat()).json();
        crate::support::sarif::assert_valid(&report);
        let results = report["runs"][0]["results"].as_array().expect("a list");
        assert!(results.len() >= 3, "{command:?}");
        let mut in_commits = 0;
        for result in results {
            let place = &result["locations"][0]["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
            assert!(!uri.is_empty() && !uri.starts_with('/'), "{result}");
            assert!(place["region"]["startLine"].as_u64() >= Some(1), "{result}");
            in_commits += usize::from(uri.starts_with("git/commit/"));
        }
        let expected = if command[0] == "staged" { 0 } else { 1.max(results.len() / 5) };
        assert!(in_commits >= expected, "{command:?}: {in_commits} of {}", results.len());
    }
}
