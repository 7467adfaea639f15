//! Content that a checkout refers to and does not have: Git LFS objects, submodules.

use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use std::path::Path;

fn issues(ran: &RunOutput) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let list = ran.json()["diagnostics"].as_array().expect("a list").clone();
    list.iter().map(|it| (text(&it["path"]), text(&it["message"]))).collect()
}

fn scan(repo: &Repo, folder: &Path, args: &[&str]) -> RunOutput {
    repo.run_without_git(folder, &[&["scan", "--report", "json"], args].concat())
}

#[test]
fn a_submodule_is_reported_until_it_is_checked_out() {
    let (library, repo) = (Repo::new(), Repo::new());
    library.commit_file("l", token(1));
    let path = library.path().to_str().expect("UTF-8");
    repo.git(&["submodule", "--quiet", "add", path, "deps/lib"]);
    repo.commit("with a submodule");
    let clone = repo.sibling("clone");
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
fn lfs_pointers_without_their_objects_are_reported() {
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
        let of_file = issues.iter().find(|it| it.0 == "sub/prod.env").expect("an issue");
        assert!(of_file.1.contains("LFS") && of_file.1.contains(digest), "{issues:?}");
    }
    assert_eq!(scan(&repo, repo.path(), &["--strict"]).code(), Some(2));
    repo.write(format!(".git/lfs/objects/4d/7a/{digest}"), &content);
    let ran = scan(&repo, repo.path(), &["--strict"]);
    assert_eq!((ran.code(), issues(&ran)), (Some(1), Vec::new()), "the object is scanned");
    let ran = scan(&repo, repo.path(), &["--files-only"]);
    assert!(issues(&ran)[0].1.contains("git lfs checkout"), "{ran:?}");
}

#[test]
fn missing_lfs_objects_of_a_history_are_reported_by_every_scan() {
    let repo = Repo::new();
    for number in 0..3 {
        let digest = format!("{number:064x}");
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 12345\n"
        );
        repo.commit_file("a.bin", pointer);
    }
    repo.commit_removal("a.bin");
    let mirror = repo.sibling("mirror.git");
    let (from, to) = (repo.path().to_str().expect("UTF-8"), mirror.to_str().expect("UTF-8"));
    repo.git(&["clone", "-q", "--mirror", from, to]);
    let state = repo.sibling("state");
    let args = ["--state", state.to_str().expect("UTF-8")];
    for step in ["loose", "the same", "packed", "the same"] {
        if step == "packed" {
            repo.git_at(&mirror, &["repack", "-adq"]);
        }
        let ran = scan(&repo, &mirror, &args);
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        let issues = issues(&ran);
        assert_eq!(issues.len(), 3, "{issues:?}");
        let has_path = |it: &(String, String)| it.0 == "a.bin" && it.1.contains("Git LFS object");
        assert!(issues.iter().all(has_path), "{issues:?}");
        assert_eq!(scan(&repo, &mirror, &[&args[..], &["--strict"]].concat()).code(), Some(2));
    }
    for number in 0..3 {
        let digest = format!("{number:064x}");
        let path = mirror.join(format!("lfs/objects/{}/{}", &digest[..2], &digest[2..4]));
        std::fs::create_dir_all(&path).expect("a folder");
        std::fs::write(path.join(digest), vec![b'.'; 12345]).expect("a file");
    }
    assert_eq!(issues(&scan(&repo, &mirror, &args)), []);
}

#[test]
fn a_submodule_is_scanned_even_if_ignored() {
    let (library, repo) = (Repo::new(), Repo::new());
    library.commit_file("f", "f");
    let path = library.path().to_str().expect("UTF-8");
    repo.git(&["submodule", "--quiet", "add", path, "third_party/lib"]);
    repo.write(".gitignore", "third_party/lib\n*.log\n");
    repo.commit("with a submodule");
    repo.write("third_party/lib/f", format!("k={}", token(1)));
    repo.write("third_party/lib/a.log", format!("k={}", token(2)));
    repo.write("third_party/other.log", token(3));
    let ran = scan(&repo, repo.path(), &["--files-only"]);
    assert_eq!(ran.places().len(), 2, "{ran:?}");
    assert_eq!(ran.json()["summary"]["left_out"]["ignored_files"], 1, "{ran:?}");
}
