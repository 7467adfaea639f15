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
