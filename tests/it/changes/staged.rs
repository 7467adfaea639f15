//! `ddpatrol staged`: the index compared with HEAD; the work tree is not scanned.

use super::{assert_fails_with, token, verdict};
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;

fn staged(repo: &Repo) -> RunOutput {
    repo.run(&["staged", "--report", "json"])
}

#[track_caller]
fn assert_staged(repo: &Repo, expected: &str) {
    let ran = staged(repo);
    assert_eq!(verdict(&ran), expected, "{ran:?}");
}

/// Returns lines of text with `middle` in the middle, enough for git to detect a rename after an edit.
fn page(middle: &str) -> String {
    let lines: String = (0..20).map(|line| format!("line {line} of the page\n")).collect();
    format!("{lines}{middle}\n{lines}")
}

#[test]
fn staged_content_is_scanned_not_the_work_tree() {
    let repo = Repo::with_files(&[("a", "clean\n")]);
    repo.write("a", token(1));
    repo.write("untracked", token(2));
    assert_staged(&repo, "0");
    assert!(repo.run(&["staged"]).stdout().contains("Note: nothing is staged."));
    repo.git(&["add", "a"]);
    repo.write("a", "clean again\n");
    assert_staged(&repo, "1; new a");
    repo.git(&["add", "a"]);
    assert_staged(&repo, "0");
}

#[test]
fn a_token_staged_before_the_first_commit_is_new() {
    for arguments in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let repo = Repo::init(arguments);
        assert_staged(&repo, "0");
        repo.stage(&[("a", &token(1)), ("b", "clean")]);
        assert_staged(&repo, "1; new a");
    }
}

#[test]
fn repositories_of_every_format_are_compared_with_their_head() {
    for arguments in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        let repo = Repo::init(arguments);
        repo.commit_files(&[("old", &token(1)), ("a", "clean")], "base");
        repo.stage(&[("old", &format!("{}\nedited", token(1))), ("a", "edited")]);
        assert_staged(&repo, "0; 1 already there");
        repo.stage(&[("a", &token(2))]);
        assert_staged(&repo, "1; new a; 1 already there");
    }
}

#[test]
fn a_file_added_with_intent_to_add_is_not_staged() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.write("new", token(1));
    repo.git(&["add", "--intent-to-add", "new"]);
    assert_staged(&repo, "0");
    repo.git(&["add", "new"]);
    assert_staged(&repo, "1; new new");
}

#[test]
fn a_token_in_a_renamed_file_is_not_new_and_an_added_one_is() {
    let repo = Repo::with_files(&[("old", &page(&token(1)))]);
    repo.git(&["mv", "old", "new"]);
    assert_staged(&repo, "0; 1 already there");
    repo.stage(&[("new", &page(&format!("{}\n{}", token(1), token(2))))]);
    assert_staged(&repo, "1; new new; 1 already there");
}

#[test]
fn mode_changes_type_changes_and_deletions_add_no_token() {
    let repo = Repo::with_files(&[("a", &token(1)), ("b", &token(2)), ("c", "a")]);
    repo.git(&["update-index", "--chmod=+x", "a"]);
    assert_staged(&repo, "0; 1 already there");
    repo.git(&["rm", "-q", "--cached", "b"]);
    assert_staged(&repo, "0; 1 already there");
    std::fs::remove_file(repo.path().join("c")).expect("the file exists");
    std::os::unix::fs::symlink("a", repo.path().join("c")).expect("a link");
    repo.git(&["add", "c"]);
    assert_staged(&repo, "0; 1 already there");
}

#[test]
fn the_target_of_a_symbolic_link_is_scanned() {
    let repo = Repo::with_files(&[("a", "clean")]);
    std::os::unix::fs::symlink(token(1), repo.path().join("link")).expect("a link");
    repo.git(&["add", "link"]);
    assert_staged(&repo, "1; new link");
    std::fs::remove_file(repo.path().join("link")).expect("the file exists");
    repo.write("outside", token(2));
    std::os::unix::fs::symlink("outside", repo.path().join("link")).expect("a link");
    repo.git(&["add", "link"]);
    assert_staged(&repo, "0");
}

#[test]
fn a_staged_submodule_is_reported_and_not_scanned() {
    let other = Repo::with_files(&[("secret", &token(1))]);
    let repo = Repo::with_files(&[("a", "clean")]);
    let path = other.path().to_string_lossy();
    repo.git(&["submodule", "--quiet", "add", &path, "sub"]);
    assert_staged(&repo, "0");
    let name = format!("sub-{}", token(2));
    repo.git(&["submodule", "--quiet", "add", "--name", "other", &path, &name]);
    let found = staged(&repo);
    // The path also occurs in .gitmodules.
    assert!(verdict(&found).starts_with("1; new .gitmodules; new name of sub-ddpat_"), "{found:?}");
}

#[test]
fn binary_files_are_scanned() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.write("binary", [b"\0\xff\xfe\0", token(1).as_bytes(), b"\0\0"].concat());
    repo.git(&["add", "-A"]);
    assert_staged(&repo, "1; new binary");
}

#[test]
fn the_name_of_a_new_file_or_folder_is_scanned() {
    let (file, folder) = (token(1), token(2));
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.stage(&[(&format!("{file}.txt"), ""), (&format!("{folder}/x"), "")]);
    let ran = staged(&repo);
    assert_eq!(ran.code(), Some(1));
    let places = ran.json()["findings"].to_string();
    assert_eq!(places.matches("\"part\":\"name\"").count(), 2, "{places}");
    repo.git(&["commit", "-q", "-m", "names"]);
    repo.stage(&[(&format!("{file}.txt"), "edited"), (&format!("{folder}/x"), "edited")]);
    assert_staged(&repo, "0");
    repo.stage(&[(&format!("{folder}/y"), "one more in that folder")]);
    let ran = staged(&repo);
    assert_eq!(ran.code(), Some(0), "the folder was there: {ran:?}");
}

#[test]
fn every_version_of_a_conflicted_path_is_scanned() {
    let repo = Repo::with_files(&[("a", "base\n")]);
    repo.git(&["checkout", "-q", "-b", "theirs"]);
    repo.commit_files(&[("a", &token(1))], "theirs");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_files(&[("a", &token(2))], "ours");
    let merged = repo.try_git(repo.path(), &["merge", "-q", "theirs"], "");
    assert!(!merged.status.success(), "the merge must conflict");
    // Our version is HEAD's, their version is that of the merged commit.
    assert_staged(&repo, "0; 1 already there");
    let text = repo.run(&["staged"]).stdout();
    assert!(text.contains("a is in conflict"), "{text}");
    assert!(!text.to_lowercase().contains("not scanned"), "{text}");
    std::fs::remove_file(repo.path().join(".git/MERGE_HEAD")).expect("a merge");
    assert_staged(&repo, "1; new a; 1 already there");
}

#[test]
fn an_edit_next_to_an_existing_token_passes_and_is_counted() {
    let repo = Repo::with_files(&[("a", &token(1)), ("b", "clean")]);
    repo.stage(&[("a", &format!("{}\na line beside it\n", token(1)))]);
    assert_staged(&repo, "0; 1 already there");
    let text = repo.run(&["staged"]).stdout();
    assert!(text.contains("1 token existed before the change"), "{text}");
    let ran = repo.run(&["staged", "--report", "json", "--all"]);
    assert!(verdict(&ran).starts_with("1; already-there a"), "{ran:?}");
    let text = repo.run(&["staged", "--all"]).stdout();
    assert!(text.contains("existed before the change"), "{text}");
}

#[test]
fn a_moved_token_is_reported_and_passes() {
    let repo = Repo::with_files(&[("from", &token(1)), ("b", "clean")]);
    repo.stage(&[("from", "gone"), ("b", &format!("clean\n{}", token(1)))]);
    let ran = staged(&repo);
    assert_eq!(verdict(&ran), "0; moved b from from");
    let place = &ran.json()["findings"][0]["locations"][0];
    assert_eq!((&place["standing"], &place["moved_from"]), (&"moved".into(), &"from".into()));
    assert_eq!((&place["line"], &place["column"]), (&2.into(), &1.into()));
    let text = repo.run(&["staged"]).stdout();
    assert!(text.contains("moved here from from"), "{text}");
}

#[test]
fn a_token_copied_to_a_second_file_is_new() {
    let repo = Repo::with_files(&[("first", &token(1)), ("second", "clean")]);
    repo.stage(&[("second", &token(1))]);
    assert_staged(&repo, "1; new second");
    repo.git(&["reset", "-q", "--hard"]);
    repo.stage(&[("third", &token(1))]);
    assert_staged(&repo, "1; new third");
}

#[test]
fn a_split_index_is_read() {
    let repo = Repo::with_files(&[("a", "clean"), ("b", "clean")]);
    repo.git(&["config", "splitIndex.maxPercentChange", "100"]);
    repo.git(&["update-index", "--split-index"]);
    assert_staged(&repo, "0");
    repo.stage(&[("a", &token(1))]);
    let mut files = std::fs::read_dir(repo.path().join(".git")).expect("a folder");
    let is_shared = |file: std::io::Result<std::fs::DirEntry>| {
        file.expect("an entry").file_name().to_string_lossy().starts_with("sharedindex")
    };
    assert!(files.any(is_shared), "the index is split");
    assert_staged(&repo, "1; new a");
}

#[test]
fn a_sparse_index_is_read() {
    let repo =
        Repo::with_files(&[("in/a", "clean"), ("out/b", &token(1)), ("out/deep/c", "clean")]);
    repo.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "in"]);
    let listed = repo.git(&["ls-files", "--sparse", "--stage"]);
    assert!(listed.contains("040000") && !repo.path().join("out").exists(), "{listed}");
    assert_staged(&repo, "0");
    repo.write("in/a", token(2));
    repo.git(&["add", "in/a"]);
    assert_staged(&repo, "1; new in/a");
    repo.write("in/a", "clean");
    repo.git(&["add", "in/a"]);
    let blob = repo.git(&["hash-object", "-w", "in/a"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},out/deep/c")]);
    assert_staged(&repo, "0");
}

#[test]
fn the_index_file_of_the_environment_is_read() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.stage(&[("a", &token(1))]);
    std::fs::copy(repo.path().join(".git/index"), repo.parent().join("other")).expect("a copy");
    repo.git(&["reset", "-q", "--hard"]);
    std::fs::create_dir(repo.path().join("folder")).expect("a folder");
    let arguments = ["staged", "--report", "json"];
    for (folder, index, expected) in
        [(".", "../other", "1; new a"), ("folder", "../other", "1; new a"), (".", "", "0")]
    {
        let folder = repo.path().join(folder);
        let ran = repo.run_in(&folder, &arguments, &[("GIT_INDEX_FILE", index)]);
        assert_eq!(verdict(&ran), expected, "{index}: {ran:?}");
    }
}

#[test]
fn a_plain_repository_is_read_without_the_git_program() {
    let repo = Repo::with_files(&[("a", "clean"), ("old", &page(&token(1)))]);
    repo.git(&["mv", "old", "renamed"]);
    repo.stage(&[("b", &token(2))]);
    let ran = repo.run_in(repo.path(), &["staged", "--report", "json"], &[("PATH", "/nowhere")]);
    assert_eq!(verdict(&ran), "1; new b; 1 already there");
    let repo = Repo::init(&["--object-format=sha256"]);
    repo.stage(&[("a", "clean")]);
    let ran = repo.run_in(repo.path(), &["staged"], &[("PATH", "/nowhere")]);
    assert_fails_with(&ran, &["SHA-256", "install git"]);
}

#[test]
fn staged_fails_outside_a_repository() {
    let repo = Repo::new();
    for command in [&["staged"][..], &["range", "HEAD"], &["range", "HEAD~1..HEAD"]] {
        let ran = repo.run_in(repo.parent(), command, &[]);
        assert_fails_with(&ran, &["no git repository at"]);
        assert_eq!(ran.stdout(), "");
    }
    let ran = repo.run(&["staged", "--repo", "../nowhere"]);
    assert_fails_with(&ran, &["nowhere"]);
}

#[test]
fn a_corrupt_index_never_passes() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.stage(&[("a", "edited"), ("b", &token(1))]);
    let index = repo.path().join(".git/index");
    let whole = std::fs::read(&index).expect("an index");
    // Git itself reads zeros after the end as entries.
    for len in [1, 11, 12, 40, 100] {
        std::fs::write(&index, &whole[..len]).expect("a file");
        assert_fails_with(&repo.run(&["staged"]), &["cannot compare the index with HEAD"]);
    }
    for len in (102..whole.len()).step_by(3) {
        std::fs::write(&index, &whole[..len]).expect("a file");
        let code = repo.run(&["staged"]).code();
        assert!(code == Some(1) || code == Some(2), "{len} of {} bytes", whole.len());
    }
    for (at, byte) in [(0, b'X'), (7, 9), (11, 200)] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        std::fs::write(&index, &bytes).expect("a file");
        assert_fails_with(&repo.run(&["staged"]), &["cannot compare the index with HEAD"]);
    }
    std::fs::write(&index, &whole).expect("a file");
    assert_staged(&repo, "1; new b");
}

#[test]
fn an_unreadable_head_never_passes() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.stage(&[("a", &token(1))]);
    repo.corrupt_object("HEAD^{tree}");
    assert_fails_with(&repo.run(&["staged"]), &["cannot compare the index with HEAD"]);
}

#[test]
fn a_missing_or_corrupt_staged_blob_never_passes() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.stage(&[("b", "something"), ("c", &token(1))]);
    let id = repo.id(":b");
    repo.corrupt_object(":b");
    assert_fails_with(&repo.run(&["staged", "--fail-on", "never"]), &["Incomplete", &id]);
    repo.delete_object(":b");
    assert_fails_with(&repo.run(&["staged", "--fail-on", "never"]), &["Incomplete", &id]);
    assert_staged(&repo, "1; new c");
    repo.git(&["rm", "-q", "--cached", "c"]);
    assert_staged(&repo, "2");
}
