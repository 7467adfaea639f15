//! Git LFS: a token in an object is attributed by the pointer to the object.

use super::token;
use crate::support::encode::hex;
use crate::support::repo::Repo;
use sha2::{Digest, Sha256};

/// Writes an object into the store and commits its pointer.
fn commit(repo: &Repo, name: &str, content: &str) -> String {
    let oid = hex(&Sha256::digest(content.as_bytes()));
    repo.write(format!(".git/lfs/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]), content);
    let size = content.len();
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n");
    repo.commit_file(name, pointer)
}

#[test]
fn a_token_in_an_lfs_object_has_the_path_and_commit_of_its_pointer() {
    for options in [&[][..], &["--object-format=sha256"]] {
        let repo = Repo::init(options);
        repo.commit_file("a", "clean");
        let brought = commit(&repo, "folder/prod.env", &format!("line\nKEY={}\n", token(1)));
        commit(&repo, "clean.bin", "clean");
        let removed = repo.commit_removal("folder/prod.env");
        // An object without a pointer is reported as a file.
        repo.write(format!(".git/lfs/objects/ab/cd/{}", "abcd".repeat(16)), token(2));
        for args in [&[][..], &["--history-only"]] {
            let ran = repo.scan_with_git(args);
            assert_eq!(ran.code(), Some(1), "{ran:?}");
            let place = ran.only_location(&token(1));
            assert_eq!(place["path"], "folder/prod.env", "{place}");
            assert_eq!((&place["line"], &place["column"]), (&2.into(), &5.into()), "{place}");
            assert_eq!(place["git"]["introduced"]["commit"], brought, "{place}");
            assert_eq!(place["git"]["removed"][0]["commit"], removed, "{place}");
            let lone = ran.only_location(&token(2))["path"].to_string();
            assert!(lone.contains(".git/lfs/objects/ab/cd/abcd"), "{lone}");
            assert_eq!(ran.json()["complete"], true, "{ran:?}");
        }
    }
}

#[test]
fn a_state_does_not_change_lfs_findings() {
    let repo = Repo::new();
    repo.commit_file("plain.env", token(3));
    commit(&repo, "prod.env", &token(1));
    let state = repo.sibling("state").to_string_lossy().into_owned();
    let scan = || repo.scan(&["--history-only", "--state", &state]);
    let first = scan();
    assert_eq!(first.only_location(&token(1))["path"], "prod.env", "{first:?}");
    let text = std::fs::read_to_string(&state).expect("a state");
    assert!(!text.contains(&token(1)[30..]), "{text}");
    for _ in 0..2 {
        let again = scan();
        assert_eq!(first.json()["findings"], again.json()["findings"], "{again:?}");
    }
    repo.commit_file("b", "clean");
    let more = commit(&repo, "other.env", &token(2));
    let again = scan();
    assert_eq!(again.only_location(&token(2))["git"]["introduced"]["commit"], more, "{again:?}");
    assert_eq!(again.only_location(&token(1))["path"], "prod.env");
    assert_eq!(again.only_location(&token(3))["path"], "plain.env");
}

#[test]
fn a_missing_object_has_the_path_and_commit_of_its_pointer() {
    let oid = "ab".repeat(32);
    let pointer = |version: &str, end: &str| {
        format!("version https://{version}/spec/v1{end}oid sha256:{oid}{end}size 9{end}")
    };
    let git_lfs = "git-lfs.github.com";
    for (at, text) in [
        pointer(git_lfs, "\n"),
        pointer(git_lfs, "\r\n"),
        pointer("hawser.github.com", "\n"),
        pointer(git_lfs, "\n").trim_end().to_owned(),
        pointer(git_lfs, "\n").replace("oid", "ext-0-x sha256:ab\noid"),
    ]
    .iter()
    .enumerate()
    {
        for is_packed in [false, true] {
            let repo = Repo::with_files(&[("a", "clean")]);
            let commit = repo.commit_file("data/large.bin", text);
            repo.commit_file("data/copy.bin", text);
            let removed = repo.commit_removal("data/large.bin");
            if is_packed {
                repo.git(&["gc", "-q"]);
            }
            let report = repo.scan(&["--history-only"]).json();
            let issues = report["diagnostics"].as_array().expect("a list");
            let [issue] = &issues[..] else { panic!("{at}: {report}") };
            assert_eq!(
                (&issue["code"], &issue["kind"]),
                (&"git.lfs-missing".into(), &"opaque".into())
            );
            assert_eq!(
                (&issue["path"], &issue["commit"]),
                (&"data/large.bin".into(), &(*commit).into())
            );
            assert_eq!(issue["other_paths"], serde_json::json!(["data/copy.bin"]), "{issue}");
            assert_eq!(issue["git"]["removed"][0]["commit"], *removed, "{issue}");
            assert!(issue["message"].as_str().expect("a text").contains(&oid), "{issue}");
            assert!(
                issue["repository"].is_string() || issue["repository_path"].is_string(),
                "{issue}"
            );
        }
    }
}
