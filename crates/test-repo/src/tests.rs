//! Tests of the builder itself.

use super::*;

#[test]
fn the_same_commands_create_the_same_ids() {
    let ids = [(); 2].map(|()| Repo::with_files(&[("a", "1\n"), ("d/b", "2\n")]).id("HEAD"));
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn git_reads_only_the_repository_s_configuration() {
    let repo = Repo::new();
    let scopes = repo.git(&["config", "--list", "--show-scope"]);
    let is_ours = |line: &str| line.starts_with("local") || line.starts_with("command");
    assert!(scopes.lines().all(is_ours), "{scopes}");
    assert_eq!(
        repo.git(&["var", "GIT_AUTHOR_IDENT"]),
        "Ann AUTHOR <ann@example.com> 1700000120 +0100"
    );
}

#[test]
fn objects_are_found_in_work_trees_and_bare_repositories_of_both_formats() {
    for format in ["--object-format=sha1", "--object-format=sha256"] {
        for options in [&[format][..], &[format, "--bare"]] {
            let repo = Repo::init(options);
            let id = repo.hash_object("tree", "not a tree");
            assert!(repo.loose(&id).is_file(), "{options:?}");
            repo.git_bytes(&["pack-objects", "-q", &pack_prefix(&repo)], format!("{id}\n"));
            assert_eq!(repo.packs(".pack").len(), 1, "{options:?}");
            repo.corrupt_object(&id);
            repo.delete_object(&id);
            assert!(!repo.loose(&id).exists(), "{options:?}");
        }
    }
}

fn pack_prefix(repo: &Repo) -> String {
    let folder = repo.git(&["rev-parse", "--git-path", "objects/pack"]);
    format!("{folder}/pack")
}

#[test]
fn a_failure_names_the_command_the_folder_and_the_messages() {
    let failure = std::panic::catch_unwind(|| Repo::new().git(&["checkout", "nowhere"]));
    let failure = failure.expect_err("no such branch");
    let text = failure.downcast_ref::<String>().expect("a message");
    for part in ["\"checkout\", \"nowhere\"", "repo: exit status: 1", "did not match any file"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn input_of_any_length_is_passed_to_programs_that_do_not_read_it() {
    let repo = Repo::new();
    let large = "x".repeat(1 << 20);
    assert!(repo.try_git(repo.path(), &["rev-parse", "HEAD"], &large).stderr.len() > 10);
    assert_eq!(repo.hash_object("blob", &large).len(), 40);
    assert_eq!(repo.git_bytes(&["cat-file", "-s", &repo.hash_object("blob", "123")], ""), b"3\n");
}
