//! `scan --state`: scanned objects are not read again, and no finding is lost.

use crate::support::encode::hex;
use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use serde_json::Value;

/// Scans with a state next to the repository and asserts that the report equals that of a scan without one.
#[track_caller]
fn scan(repo: &Repo) -> RunOutput {
    let state = repo.sibling("state");
    let state = state.to_str().expect("UTF-8");
    let ran = repo.scan(&["--history-only", "--state", state]);
    let fresh = repo.scan(&["--history-only"]);
    for key in ["findings", "diagnostics", "complete", "repositories"] {
        assert_eq!(ran.json()[key], fresh.json()[key], "{key}");
    }
    let shaped = |ran: &RunOutput| ran.json()["summary"]["shaped_candidates"].clone();
    assert_eq!(shaped(&ran), shaped(&fresh));
    assert_eq!(ran.code(), fresh.code());
    ran
}

fn objects(ran: &RunOutput) -> u64 {
    ran.json()["summary"]["objects"].as_u64().expect("a number")
}

fn notes(ran: &RunOutput) -> String {
    ran.json()["notes"].to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut out, bytes).expect("memory");
    out.finish().expect("memory")
}

#[test]
fn cached_objects_are_not_read_again_and_their_findings_are_reported() {
    let repo = Repo::new();
    repo.commit_file("a/b", format!("key = {}\n", token(1)));
    repo.commit_file("a/c", format!("x\n {} {}", token(2), token(1)));
    repo.commit_removal("a/c");
    repo.commit(format!("message {}", token(3)));
    repo.git(&["tag", "-a", "v1", "-m", &token(4)]);
    assert!(objects(&scan(&repo)) > 8);
    let again = scan(&repo);
    assert_eq!(objects(&again), 0, "nothing is new");
    assert_eq!(again.json()["findings"].as_array().map(Vec::len), Some(4));
    assert!(notes(&again).contains("nothing is new"), "{}", notes(&again));
}

#[test]
fn only_new_objects_are_read_and_cached_findings_are_attributed_again() {
    let repo = Repo::new();
    repo.commit_file("old", token(1));
    repo.git(&["repack", "-adq"]);
    scan(&repo);
    repo.commit_file("new", token(2));
    let second = scan(&repo);
    assert_eq!(objects(&second), 3, "a blob, a tree, a commit");
    assert_eq!(second.only_location(&token(1))["git"]["in_head"], true);
    repo.commit_removal("old");
    let third = scan(&repo);
    assert_eq!(third.only_location(&token(1))["git"]["in_head"], false);
    assert_eq!(objects(&third), 2, "a tree, a commit");
}

/// Returns a text of a token's shape whose checksum does not match.
fn look_alike(seed: u64) -> String {
    let mut text = token(seed);
    let last = if text.ends_with('0') { '1' } else { '0' };
    text.pop();
    text.push(last);
    text
}

#[test]
fn candidates_without_a_checksum_are_counted_as_by_a_scan_without_a_state() {
    let repo = Repo::new();
    let shaped = |ran: &RunOutput| ran.json()["summary"]["shaped_candidates"].clone();
    // In an object with a token, which every scan searches again; in two versions; in a removed file.
    repo.commit_file("mixed", format!("{}\n{}\n", token(1), look_alike(1)));
    repo.commit_file("alone", format!("one {}\n", look_alike(2)));
    repo.commit_file("gone", format!("one {}\n", look_alike(3)));
    repo.commit_removal("gone");
    for _ in 0..3 {
        assert_eq!(shaped(&scan(&repo)), 3);
    }
    repo.commit_file("alone", format!("two {}\n{}\n", look_alike(2), look_alike(4)));
    for _ in 0..2 {
        assert_eq!(shaped(&scan(&repo)), 4);
    }
    repo.commit_file("other", "nothing");
    repo.git(&["repack", "-adq"]);
    assert_eq!(shaped(&scan(&repo)), 4);
    repo.commit_file("more", look_alike(5));
    assert_eq!(shaped(&scan(&repo)), 5);
}

#[test]
fn a_state_is_not_used_if_an_object_with_a_counted_candidate_is_gone() {
    let repo = Repo::new();
    repo.commit_file("a", "nothing");
    repo.commit_file("a", look_alike(1));
    assert_eq!(scan(&repo).json()["summary"]["shaped_candidates"], 1);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    drop_unreachable(&repo);
    let ran = scan(&repo);
    assert_eq!(ran.json()["summary"]["shaped_candidates"], 0);
    assert!(objects(&ran) > 0, "all objects are read again");
}

#[test]
fn a_candidate_in_two_repositories_is_counted_once_with_a_state() {
    let (one, two) = (Repo::new(), Repo::new());
    one.commit_file("a", look_alike(1));
    two.commit_file("b", look_alike(1));
    let state = one.sibling("state");
    let args = ["scan", "--history-only", "--report", "json", "--state"];
    let paths = [&state, one.path(), two.path()].map(|path| path.to_str().expect("UTF-8"));
    let args = [&args[..], &paths].concat();
    for _ in 0..2 {
        let ran = one.run_without_git(one.path(), &args);
        assert_eq!(ran.json()["summary"]["shaped_candidates"], 1);
    }
}

#[test]
fn lines_and_states_do_not_depend_on_the_number_of_threads() {
    let repo = Repo::new();
    for version in 0..12 {
        let tokens: Vec<String> = (0..8)
            .map(|seed| format!("{} {}\n", token(seed + version), look_alike(seed)))
            .collect();
        repo.commit_file(&format!("{}/a", version % 5), format!("{version}\n{}", tokens.concat()));
        repo.commit_file(&format!("{}/{}", version % 3, token(50)), tokens[0].clone());
    }
    repo.commit(format!("message {} {}", token(60), token(61)));
    repo.git(&["repack", "-adq", "--depth=1"]);
    let run = |threads: &str, round: usize| {
        let state = repo.sibling(&format!("state-{threads}-{round}"));
        let path = state.to_str().expect("UTF-8");
        let args =
            ["scan", "--history-only", "--report", "jsonl", "--threads", threads, "--state", path];
        let lines = |ran: RunOutput| -> Vec<String> {
            let text = ran.stdout();
            // Administrative files are files: several threads write their matches.
            let is_object = |line: &&str| line.contains("\"git\":{");
            text.lines().filter(is_object).map(str::to_owned).collect()
        };
        let first = lines(repo.run_without_git(repo.path(), &args));
        let state = std::fs::read(&state).expect("it was written");
        (first, lines(repo.run_without_git(repo.path(), &args)), state)
    };
    let expected = run("1", 0);
    assert!(expected.0.len() > 50);
    assert_eq!(expected.0, expected.1, "recalled");
    for round in 0..4 {
        let (first, recalled, state) = run("4", round);
        assert_eq!(first, expected.0, "round {round}");
        assert_eq!(recalled, expected.1, "round {round}");
        assert!(state == expected.2, "round {round}");
    }
}

#[test]
fn a_moved_reference_updates_the_attribution() {
    let repo = Repo::new();
    repo.commit_file("a", "nothing");
    repo.commit_file("a", token(1));
    scan(&repo);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(scan(&repo).only_location(&token(1))["git"]["reachable"], false);
    repo.git(&["branch", "back", "HEAD@{1}"]);
    assert_eq!(scan(&repo).only_location(&token(1))["git"]["refs"][0], "refs/heads/back");
    repo.git(&["branch", &token(2)]);
    assert_eq!(scan(&repo).locations(&token(2)).len(), 1);
}

#[test]
fn a_repack_loses_no_finding() {
    let repo = Repo::new();
    for version in 0..20 {
        repo.commit_file(
            "a",
            format!("{version}\n{}\n{}", "text\n".repeat(50), token(version / 5)),
        );
    }
    scan(&repo);
    repo.git(&["repack", "-adq"]);
    scan(&repo);
    repo.commit_file("b", token(100));
    repo.git(&["repack", "-dq"]);
    assert!(objects(&scan(&repo)) <= 3, "the older pack is cached");
    repo.git(&["gc", "-q", "--prune=now"]);
    scan(&repo);
    assert_eq!(objects(&scan(&repo)), 0);
}

#[test]
fn tokens_in_names_are_reported_again_and_not_stored_in_the_state() {
    let repo = Repo::new();
    repo.commit_file(&format!("{}/x", token(1)), token(2));
    scan(&repo);
    scan(&repo);
    let state = std::fs::read_to_string(repo.sibling("state")).expect("it was written");
    for seed in 1..3 {
        let secret = &token(seed)[29..];
        assert!(!state.contains(secret) && !state.contains(&hex(secret.as_bytes())), "{state}");
    }
}

#[test]
fn changed_rules_or_a_damaged_state_cause_a_full_scan_with_a_note() {
    let repo = Repo::new();
    repo.commit_file("a", token(1));
    let all = objects(&scan(&repo));
    let path = repo.sibling("state");
    let state = path.to_str().expect("UTF-8");
    let other = repo.scan(&["--history-only", "--state", state, "--rule", "npm-token"]);
    assert_eq!(objects(&other), all);
    assert!(notes(&other).contains("written with other rules"), "{}", notes(&other));
    let text = std::fs::read_to_string(&path).expect("it was written");
    for damaged in ["", &text[..text.len() / 2], &text.replace("\"loose\":[\"", "\"loose\":[\"a")] {
        std::fs::write(&path, damaged).expect("a writable file");
        let ran = scan(&repo);
        assert_eq!(objects(&ran), all, "{damaged}");
        assert!(notes(&ran).contains("is corrupt"), "{}", notes(&ran));
    }
}

#[test]
fn an_unreadable_repository_is_not_cached() {
    let repo = Repo::new();
    repo.commit_file("a", "some text");
    let blob = repo.id("HEAD:a");
    let file = repo.loose(&blob);
    let content = std::fs::read(&file).expect("it is loose");
    std::fs::remove_file(&file).expect("a writable file");
    assert_eq!(scan(&repo).code(), Some(2));
    assert_eq!(scan(&repo).code(), Some(2), "the object is still missing");
    std::fs::write(&file, content).expect("a writable file");
    let healed = scan(&repo);
    assert_eq!(healed.code(), Some(0));
    assert!(objects(&healed) > 0);
}

#[test]
fn objects_missing_from_a_clone_are_reported_by_every_scan() {
    let origin = Repo::new();
    origin.commit_file("a", "one");
    origin.commit_file("a", "two");
    let clone = origin.sibling("clone");
    let url = format!("file://{}", origin.path().display());
    let path = clone.to_str().expect("UTF-8");
    origin.git(&["clone", "-q", "--depth=1", &url, path]);
    let state = origin.sibling("state");
    let args = ["scan", "--history-only", "--report", "json", "--state"];
    let args = [&args[..], &[state.to_str().expect("UTF-8")]].concat();
    for _ in 0..2 {
        let ran = origin.run_without_git(&clone, &args);
        assert!(ran.issue_messages("opaque")[0].contains("shallow clone"), "{}", ran.stdout());
    }
}

#[test]
fn several_repositories_share_one_state() {
    let (one, two) = (Repo::new(), Repo::new());
    one.commit_file("a", token(1));
    two.commit_file("b", token(1));
    let state = one.sibling("state");
    let args = ["scan", "--history-only", "--report", "json", "--state"];
    let paths = [&state, one.path(), two.path()].map(|path| path.to_str().expect("UTF-8"));
    let args = [&args[..], &paths].concat();
    let first = one.run_without_git(one.path(), &args);
    let second = one.run_without_git(one.path(), &args);
    assert!(objects(&first) > 0);
    assert_eq!(objects(&second), 0);
    let places = |ran: &RunOutput| -> Vec<Value> { ran.locations(&token(1)) };
    assert_eq!(places(&first).len(), 2);
    assert_eq!(places(&first), places(&second));
}

#[test]
fn a_file_that_is_not_a_state_is_not_overwritten() {
    let repo = Repo::new();
    repo.commit_file("x", token(1));
    let path = repo.sibling("notes.txt");
    let args = ["--history-only", "--state", path.to_str().expect("UTF-8")];
    for text in ["my notes", "{}", "\u{feff}"] {
        std::fs::write(&path, text).expect("a file");
        let ran = repo.scan(&args);
        assert_eq!(ran.code(), Some(2), "{ran:?}");
        assert!(
            ran.stderr().contains("notes.txt")
                && ran.stderr().contains("not a state file of ddpatrol"),
            "{ran:?}"
        );
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), text);
    }
    std::fs::write(&path, "").expect("a file");
    assert_eq!(repo.scan(&args).code(), Some(1));
    assert!(std::fs::read_to_string(&path).expect("a file").contains("ddpatrol-state/"));
}

/// Removes unreachable objects.
fn drop_unreachable(repo: &Repo) {
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    repo.git(&["gc", "-q", "--prune=now"]);
}

#[test]
fn an_issue_is_reported_by_every_scan_until_it_is_resolved() {
    let repo = Repo::new();
    repo.commit_file("a", "a");
    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend([0xff; 300]);
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit_file("damaged.zip", zip);
    let state = repo.sibling("state");
    let strict = ["--history-only", "--strict", "--state", state.to_str().expect("UTF-8")];
    let first = repo.scan(&strict);
    assert_eq!(first.code(), Some(2), "{first:?}");
    assert_eq!(repo.scan(&strict).code(), Some(2), "nothing is new");
    repo.commit_file("b", "b");
    let third = repo.scan(&strict);
    assert_eq!(third.code(), Some(2), "only new objects are read");
    assert_eq!(third.json()["diagnostics"], first.json()["diagnostics"]);
    repo.git(&["repack", "-adq"]);
    assert_eq!(repo.scan(&strict).code(), Some(2), "everything is read again");
    scan(&repo);
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "-q", "-D", "side"]);
    drop_unreachable(&repo);
    assert_eq!(repo.scan(&strict).code(), Some(0), "the object is gone");
}

#[test]
fn an_archive_that_exceeds_a_limit_is_not_read_again_and_reported_by_every_scan() {
    let repo = Repo::new();
    repo.commit_file("large.gz", gzip(&[b'a'; 5_000]));
    let state = repo.sibling("state");
    let state = ["--history-only", "--state", state.to_str().expect("UTF-8")];
    let args = [&state[..], &["--max-unpacked", "1000"]].concat();
    let first = repo.scan(&args);
    assert_eq!(first.json()["diagnostics"][0]["code"], "limit.unpacked-size");
    assert_eq!(first.json()["diagnostics"][0]["kind"], "unread");
    for added in [0, 1, 2] {
        let again = repo.scan(&args);
        assert_eq!(again.json()["diagnostics"], first.json()["diagnostics"]);
        assert_eq!(again.code(), Some(2));
        assert_eq!(objects(&again), 3 * added.min(1), "only new objects are read");
        if added < 2 {
            repo.commit_file(&format!("b{added}"), format!("content {added}"));
        }
    }
}

#[test]
fn changed_archive_options_cause_a_full_scan() {
    let repo = Repo::new();
    repo.commit_file("a", "a");
    let state = repo.sibling("state");
    let args = ["--history-only", "--state", state.to_str().expect("UTF-8")];
    repo.scan(&[&args[..], &["--no-archives"]].concat());
    let ran = repo.scan(&args);
    assert!(notes(&ran).contains("written with other rules or options"), "{ran:?}");
    assert_eq!(objects(&ran), 3);
}

#[test]
fn a_killed_scan_resumes_after_the_completed_repositories() {
    let repos: Vec<Repo> = (0..2).map(|_| Repo::new()).collect();
    for (seed, repo) in (1..).zip(&repos) {
        repo.commit_file("a", token(seed));
    }
    // The second repository has many objects, so that the scan can be killed while it reads them.
    let large = Repo::new();
    for number in 0..40 {
        large.write(format!("{number}"), vec![number; 8 << 20]);
    }
    large.commit("large");
    let state = repos[0].sibling("state");
    let mut args = vec!["scan", "--report", "json", "--history-only", "--threads", "1", "--state"];
    args.push(state.to_str().expect("UTF-8"));
    args.extend(repos.iter().chain([&large]).map(|repo| repo.path().to_str().expect("UTF-8")));
    let mut command = repos[0].ddpatrol(repos[0].path(), &args);
    let mut child =
        command.stdout(std::process::Stdio::null()).spawn().expect("the program starts");
    let second = "\"packs\"";
    while std::fs::read_to_string(&state).map_or(0, |text| text.matches(second).count()) < 2 {
        assert_eq!(
            child.try_wait().expect("it can be asked"),
            None,
            "the scan ended before the signal"
        );
    }
    child.kill().expect("the program runs");
    child.wait().expect("the program ends");
    let ran = repos[0].run_without_git(repos[0].path(), &args);
    assert_eq!(objects(&ran), 42, "only the third repository is read");
    assert_eq!(
        ran.json()["findings"].as_array().map(Vec::len),
        Some(2),
        "all findings are reported"
    );
    let ran = repos[0].run_without_git(repos[0].path(), &args);
    assert_eq!(objects(&ran), 0, "nothing is new");
}

#[test]
fn one_unreadable_path_is_one_error_and_the_others_are_scanned() {
    let repo = Repo::new();
    repo.commit_file("a", token(1));
    let other = Repo::new();
    std::fs::write(other.path().join(".git/config"), "[core").expect("a writable file");
    let headless = Repo::new();
    std::fs::remove_file(headless.path().join(".git/HEAD")).expect("the file exists");
    let plain = repo.sibling("plain");
    std::fs::create_dir(&plain).expect("a folder");
    let missing = repo.sibling("missing");
    let paths = [repo.path(), other.path(), headless.path(), &plain, &missing];
    let paths: Vec<&str> = paths.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    for args in [&["--history-only"][..], &[]] {
        let args = [&["scan", "--report", "json"], args, &paths].concat();
        let ran = repo.run_without_git(repo.path(), &args);
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        assert_eq!(ran.json()["findings"].as_array().map(Vec::len), Some(1));
        let errors = ran.json()["diagnostics"].as_array().expect("a list").clone();
        let expected = if args.contains(&"--history-only") { 4 } else { 3 };
        assert_eq!(errors.len(), expected, "{errors:?}");
    }
    let ran =
        repo.run_without_git(repo.path(), &[&["scan", "--history-only"], &paths[1..]].concat());
    assert_eq!(ran.code(), Some(2), "{ran:?}");
}

#[test]
fn tokens_in_members_of_one_archive_are_not_confused_when_nothing_is_new() {
    let repo = Repo::new();
    repo.commit_file("a.env.gz", gzip(format!("{}\n{}\n", token(1), token(2)).as_bytes()));
    repo.commit_file("b.env.gz", gzip(token(2).as_bytes()));
    scan(&repo);
    let again = scan(&repo);
    assert_eq!(objects(&again), 0, "nothing is new");
    assert_eq!(again.only_location(&token(1))["path"], "a.env.gz!/a.env");
}

#[test]
fn an_object_that_vanishes_is_missing_although_a_state_knows_it() {
    let repo = Repo::new();
    repo.commit_file("a", "nothing");
    repo.commit_file("b", "nothing else");
    scan(&repo);
    let id = repo.git(&["rev-parse", "HEAD:b"]);
    let (folder, file) = id.trim().split_at(2);
    let objects = repo.path().join(".git/objects");
    std::fs::remove_file(objects.join(folder).join(file)).expect("a loose object");
    assert_eq!(scan(&repo).code(), Some(2));
}

#[test]
fn an_lfs_object_that_vanishes_is_missing_although_a_state_knows_its_pointer() {
    let repo = Repo::new();
    let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let stored = repo.path().join(".git/lfs/objects/4d/7a").join(oid);
    std::fs::create_dir_all(stored.parent().expect("a folder")).expect("a folder");
    std::fs::write(&stored, "x".repeat(12_345)).expect("a file");
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
    repo.commit_file("large", pointer);
    scan(&repo);
    std::fs::remove_file(&stored).expect("the object");
    let ran = scan(&repo);
    assert!(ran.json()["diagnostics"].to_string().contains("git.lfs-missing"), "{ran:?}");
    repo.commit_file("other", "nothing");
    scan(&repo);
}
