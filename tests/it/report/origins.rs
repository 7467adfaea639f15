//! Start and end time, owners, and links to forges.

use super::FORMATS;
use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;

fn locations(ran: &RunOutput) -> Vec<Value> {
    let report = ran.json();
    let findings = report["findings"].as_array().expect("a list").iter();
    findings.flat_map(|it| it["locations"].as_array().expect("a list").clone()).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("a vector takes it");
    encoder.finish().expect("a vector takes it")
}

fn owned() -> Repo {
    let repo = Repo::new();
    repo.write(".github/CODEOWNERS", "* @org/all\n/deploy/ @org/ops ops@example.com\n");
    repo.write("CODEOWNERS", "* @ignored\n");
    repo.write("deploy/a.env", format!("# x\nA={}\n", token(1)));
    repo.write("b.env", token(2));
    repo.commit("add them");
    repo
}

#[test]
fn locations_have_the_owners_of_the_committed_code_owners_file() {
    let repo = owned();
    // Neither the index nor the work tree decides.
    repo.write(".github/CODEOWNERS", "* @mallory\n");
    repo.git(&["add", "-A"]);
    let bare = repo.clone_to("bare.git", &["--bare"]);
    for args in [
        &["scan", "--files-only", "."][..],
        &["scan", "--history-only", "."],
        &["scan", &bare.to_string_lossy()],
    ] {
        let ran = repo.run_in(repo.path(), &[args, &["--report", "json"]].concat(), &[]);
        for place in locations(&ran) {
            let is_deploy = place["repository_path"] == "deploy/a.env";
            let ops = json!(["@org/ops", "ops@example.com"]);
            assert_eq!(place["owners"], if is_deploy { ops } else { json!(["@org/all"]) });
        }
    }
    repo.stage(&[("deploy/new.env", &token(3))]);
    let ran = repo.run_in(repo.path(), &["staged", "--report", "json"], &[]);
    assert_eq!(locations(&ran)[0]["owners"][0], "@org/ops");
}

#[test]
fn locations_and_commits_are_linked_to_the_forge_of_the_remote() {
    let repo = owned();
    let head = repo.git(&["rev-parse", "HEAD"]);
    let file = format!("https://gitlab.example.com/g/r/-/blob/{head}/deploy/a.env#L2");
    let commit = format!("https://gitlab.example.com/g/r/-/commit/{head}");
    let scan = ["scan", "--report", "json"];
    for place in locations(&repo.run_in(repo.path(), &scan, &[])) {
        assert!(place.get("url").is_none(), "there is no remote: {place}");
    }
    for url in [
        "https://gitlab.example.com/g/r.git",
        "https://user:hunter2-hunter2@gitlab.example.com/g/r.git",
        "ssh://git@gitlab.example.com:2222/g/r.git",
        "git@gitlab.example.com:g/r.git",
    ] {
        repo.git(&["config", "remote.origin.url", url]);
        let ran = repo.run_in(repo.path(), &scan, &[]);
        assert!(!ran.stdout().contains("hunter2"), "{url}");
        let places = locations(&ran);
        let deployed = places.iter().filter(|it| it["path"] == "deploy/a.env");
        let urls: Vec<&Value> = deployed.clone().map(|it| &it["url"]).collect();
        // In the history and, at the same line, in the work tree.
        assert_eq!(urls, [&json!(file), &json!(file)], "{url}");
        let introduced = deployed.filter_map(|it| it["git"]["introduced"].get("url"));
        assert_eq!(introduced.collect::<Vec<_>>(), [&json!(commit)], "{url}");
        assert_eq!(ran.json()["repositories"][0]["url"], "https://gitlab.example.com/g/r");
    }
}

#[test]
fn each_location_in_a_file_is_linked_to_its_own_line() {
    let repo = Repo::with_files(&[("a.env", &format!("{}\n", token(1)).repeat(300))]);
    repo.git(&["remote", "add", "origin", "git@github.com:o/r.git"]);
    let ran = repo.run_in(repo.path(), &["scan", "--history-only", "--report", "json"], &[]);
    let places = locations(&ran);
    assert_eq!(places.len(), 300);
    for place in places {
        let url = place["url"].as_str().expect("a link");
        assert!(url.ends_with(&format!("/a.env#L{}", place["line"])), "{place}");
    }
}

#[test]
fn members_are_linked_to_their_archive_and_unreachable_objects_are_not_linked() {
    let repo = Repo::new();
    let packed = gzip(&token(1));
    repo.write("a.gz", packed);
    repo.commit("pack");
    repo.git(&["remote", "add", "origin", "git@github.com:o/r.git"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    let scan = ["scan", "--history-only", "--report", "json"];
    let places = locations(&repo.run_in(repo.path(), &scan, &[]));
    assert_eq!(places[0]["url"], format!("https://github.com/o/r/blob/{head}/a.gz"));
    repo.git(&["commit", "-q", "--amend", "-m", &token(2)]);
    repo.git(&["commit", "-q", "--amend", "-m", "no token"]);
    let places = locations(&repo.run_in(repo.path(), &scan, &[]));
    let gone = places.iter().find(|it| it["part"] == "commit").expect("the old message");
    assert!(gone.get("url").is_none() && gone["git"]["introduced"].get("url").is_none());
}

#[test]
fn a_link_that_would_contain_a_secret_is_left_out() {
    let repo = Repo::with_files(&[(&format!("{}.env", token(1)), &token(2))]);
    repo.git(&["config", "remote.origin.url", "https://github.com/o/r"]);
    let scan = ["scan", "--report", "json"];
    assert!(
        locations(&repo.run_in(repo.path(), &scan, &[])).iter().all(|it| it.get("url").is_none())
    );
    let url = format!("https://github.com/o/{}", token(3));
    repo.git(&["config", "remote.origin.url", &url]);
    let ran = repo.run_in(repo.path(), &scan, &[]);
    assert!(!ran.stdout().contains(&token(3)[30..]));
    assert!(locations(&ran).iter().all(|it| it.get("url").is_none()));
    assert!(ran.json()["repositories"][0].get("url").is_none());
}

#[test]
fn reports_have_start_and_end_times_and_the_author_with_an_email_address() {
    let repo = owned();
    repo.git(&["rm", "-q", "b.env", "deploy/a.env"]);
    repo.commit("remove them");
    for format in FORMATS {
        let ran = repo.run_in(repo.path(), &["scan", "--report", format], &[]);
        let text = String::from_utf8(ran.0.stdout).expect("UTF-8");
        // Angle brackets are escaped in some formats.
        assert!(text.contains("ann@example.com") || format == "jsonl", "{format}: {text}");
        match format {
            "json" | "jsonl" => assert!(text.contains("\"start_time\":"), "{text}"),
            "sarif" => assert!(text.contains("\"startTimeUtc\":"), "{text}"),
            _ => {}
        }
    }
    let ran = repo.run_in(repo.path(), &["scan", "--report", "json"], &[]);
    let report: Value = serde_json::from_slice(&ran.0.stdout).expect("JSON");
    let time = |field: &str| {
        let text = report[field].as_str().expect("a time");
        text.parse::<jiff::Timestamp>().expect("RFC 3339")
    };
    let now = jiff::Timestamp::now();
    assert!(time("start_time") <= time("end_time") && time("end_time") <= now);
    assert!(now.duration_since(time("start_time")).as_secs() < 600);
}

#[test]
fn reports_without_the_new_fields_are_still_read() {
    let repo = owned();
    repo.git(&["remote", "add", "origin", "git@github.com:o/r.git"]);
    let ran = repo.run_in(repo.path(), &["scan", "--report", "json"], &[]);
    let mut report = ran.json();
    remove_new_fields(&mut report);
    let text = report.to_string();
    assert!(!text.contains("@org/") && !text.contains("github.com"), "{text}");
    std::fs::write(repo.sibling("old.json"), text).expect("a file");
    for format in FORMATS {
        let args = ["report", "--from", "../old.json", "--report", format];
        let ran = repo.run_in(repo.path(), &args, &[]);
        assert_eq!(ran.code(), Some(0), "{format}: {}", ran.stderr());
    }
}

fn remove_new_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in [
                "start_time",
                "end_time",
                "owners",
                "url",
                "acknowledged",
                "repository_url",
                "live",
                "dead",
                "unknown",
            ] {
                fields.remove(name);
            }
            fields.values_mut().for_each(remove_new_fields);
        }
        Value::Array(list) => list.iter_mut().for_each(remove_new_fields),
        _ => {}
    }
}
