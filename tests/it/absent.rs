//! What a checkout names and does not have: objects of Git LFS, submodules.

use crate::mint::{self, Random};
use crate::repo::Repo;
use crate::tree::Ran;
use std::path::Path;

fn token(seed: u64) -> String {
    mint::datadog(&mut Random(seed), "ddpat_", 43, 0)
}

fn issues(ran: &Ran) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let list = ran.json()["diagnostics"].as_array().expect("a list").clone();
    list.iter().map(|it| (text(&it["path"]), text(&it["message"]))).collect()
}

fn scan(repo: &Repo, folder: &Path, args: &[&str]) -> Ran {
    repo.run_at(folder, &[&["scan", "--report", "json"], args].concat())
}

#[test]
fn a_submodule_that_is_not_checked_out_is_reported_until_it_is() {
    let (library, repo) = (Repo::new(), Repo::new());
    library.commit_file("l", token(1));
    let path = library.path().to_str().expect("UTF-8");
    repo.git(&["submodule", "--quiet", "add", path, "deps/lib"]);
    repo.commit("with a submodule");
    let clone = repo.beside("clone");
    repo.git(&[
        "clone",
        "-q",
        repo.path().to_str().expect("UTF-8"),
        clone.to_str().expect("UTF-8"),
    ]);
    for args in [&[][..], &["--files-only"], &["--no-ignore"]] {
        let ran = scan(&repo, &clone, args);
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        let issues = issues(&ran);
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert_eq!(issues[0].0, "deps/lib");
        assert!(issues[0].1.contains("not checked out"), "{issues:?}");
    }
    assert_eq!(scan(&repo, &clone, &["--strict"]).code(), Some(2));
    assert_eq!(issues(&scan(&repo, &clone, &["--exclude", "deps"])), []);
    repo.git_at(&clone, &["submodule", "--quiet", "update", "--init"]);
    let ran = scan(&repo, &clone, &["--strict"]);
    assert_eq!((ran.code(), issues(&ran)), (Some(1), Vec::new()));
}

#[test]
fn content_of_which_only_the_pointer_of_git_lfs_is_here_is_reported() {
    let repo = Repo::new();
    let content = format!("k={}\n", token(1));
    let digest = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {}\n",
        content.len()
    );
    repo.commit_file("sub/prod.env", &pointer);
    for args in [&[][..], &["--files-only"]] {
        let ran = scan(&repo, repo.path(), args);
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        let issues = issues(&ran);
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert_eq!(issues[0].0, "sub/prod.env");
        assert!(issues[0].1.contains("LFS") && issues[0].1.contains(digest), "{issues:?}");
    }
    assert_eq!(scan(&repo, repo.path(), &["--strict"]).code(), Some(2));
    repo.write(format!(".git/lfs/objects/4d/7a/{digest}"), &content);
    let ran = scan(&repo, repo.path(), &["--strict"]);
    assert_eq!((ran.code(), issues(&ran)), (Some(1), Vec::new()), "the object is scanned");
    let ran = scan(&repo, repo.path(), &["--files-only"]);
    assert!(issues(&ran)[0].1.contains("git lfs checkout"), "{ran:?}");
}
