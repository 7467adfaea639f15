//! Tests of staged changes, with `git` and with libgit2.

use super::*;
use crate::repo::staged::{with_library, with_program};

/// Lists staged changes with `git`, and with libgit2 where it can.
#[track_caller]
fn staged(repository: &Repository) -> Vec<StagedChange> {
    let changes = with_program(repository).unwrap();
    match with_library(repository) {
        Ok(same) => assert_eq!(changes, same),
        Err(error) => panic!("{error}"),
    }
    assert_eq!(changes, repository.staged().unwrap());
    changes
}

/// Formats changes as `status path`.
fn brief(changes: &[StagedChange]) -> Vec<String> {
    let one = |change: &StagedChange| {
        let path = String::from_utf8_lossy(&change.path);
        let old = change.old_path.as_ref().map(|old| String::from_utf8_lossy(old).into_owned());
        let from = old.map(|old| format!(" from {old}")).unwrap_or_default();
        format!("{:?} {path}{from}", change.status)
    };
    changes.iter().map(one).collect()
}

#[test]
fn the_index_is_compared_with_head_and_the_work_tree_is_not_read() {
    let work = with_commit(&[]);
    work.write("gone.txt", "gone\n");
    work.write("same.txt", "same\n");
    work.git(&["add", "."]);
    work.new_commit("second");
    work.write("new.txt", "staged\n");
    work.write("old.txt", "changed\n");
    work.git(&["add", "."]);
    work.git(&["rm", "--quiet", "gone.txt"]);
    work.write("new.txt", "not staged\n");
    work.write("same.txt", "not staged\n");
    let changes = staged(&work.open());
    assert_eq!(brief(&changes), ["Deleted gone.txt", "Added new.txt", "Modified old.txt"]);
    let gone = Entry { id: work.object_id("HEAD:gone.txt"), mode: Mode::File };
    assert_eq!((changes[0].old, changes[0].new), (Some(gone), None));
    let new = Entry { id: work.object_id(":new.txt"), mode: Mode::File };
    assert_eq!((changes[1].old, changes[1].new), (None, Some(new)));
    let old = [work.object_id("HEAD:old.txt"), work.object_id(":old.txt")];
    assert_eq!([changes[2].old.unwrap().id, changes[2].new.unwrap().id], old);
}

#[test]
fn before_the_first_commit_every_entry_of_the_index_is_staged() {
    let variants: [&[&str]; 3] = [&[], &["--object-format=sha256"], &["--ref-format=reftable"]];
    for options in variants {
        let work = Repo::init(options);
        assert_eq!(work.open().staged().unwrap(), []);
        work.write("a/new.txt", "new\n");
        work.git(&["add", "."]);
        let changes = work.open().staged().unwrap();
        assert_eq!(brief(&changes), ["Added a/new.txt"], "{options:?}");
        assert_eq!(changes[0].new.unwrap().id, work.object_id(":a/new.txt"));
        if options.is_empty() {
            staged(&work.open());
        }
    }
}

#[test]
fn changes_are_found_in_repositories_that_libgit2_cannot_open() {
    for options in [&["--object-format=sha256"], &["--ref-format=reftable"]] {
        let work = with_commit(options);
        work.write("new.txt", "new\n");
        work.git(&["add", "."]);
        assert!(with_library(&work.open()).is_err());
        assert_eq!(brief(&work.open().staged().unwrap()), ["Added new.txt"]);
    }
}

#[test]
fn a_moved_file_is_renamed_even_if_part_of_it_changed() {
    let work = with_commit(&[]);
    work.git(&["mv", "old.txt", "moved.txt"]);
    work.write("moved.txt", ten_lines("old") + "one more\n");
    work.git(&["add", "."]);
    let changes = staged(&work.open());
    assert_eq!(brief(&changes), ["Renamed moved.txt from old.txt"]);
    assert_ne!(changes[0].old.unwrap().id, changes[0].new.unwrap().id);

    work.write("moved.txt", "nothing of what it was\n");
    work.git(&["add", "."]);
    assert_eq!(brief(&staged(&work.open())), ["Added moved.txt", "Deleted old.txt"]);
}

#[test]
fn a_linked_work_tree_has_its_own_index_and_head() {
    let work = with_commit(&[]);
    let linked = work.at("linked");
    work.git(&["worktree", "add", "--quiet", linked.path().to_str().unwrap()]);
    linked.write("new.txt", "new\n");
    linked.git(&["add", "."]);
    linked.new_commit("second");
    linked.write("newer.txt", "newer\n");
    linked.git(&["add", "."]);
    assert_eq!(brief(&staged(&linked.open())), ["Added newer.txt"]);
    assert_eq!(staged(&work.open()), []);
}

#[test]
fn renames_in_a_partial_clone_do_not_need_missing_blobs() {
    let work = with_commit(&[]);
    work.write("same.txt", "same\n");
    work.git(&["add", "."]);
    work.new_commit("second");
    work.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", work.path().display());
    let partial = work.at("partial");
    let path = partial.path().to_str().unwrap();
    work.git(&["clone", "--quiet", "--filter=blob:none", "--no-checkout", &url, path]);
    partial.git(&["read-tree", "HEAD"]);
    partial.git(&["rm", "--quiet", "--cached", "old.txt", "same.txt"]);
    let same = work.object_id("HEAD:same.txt");
    let moved = format!("100644,{same},moved.txt");
    partial.git(&["update-index", "--add", "--cacheinfo", &moved]);
    partial.write("new.txt", ten_lines("old") + "one more\n");
    partial.git(&["add", "new.txt"]);
    let changes = staged(&partial.open());
    let expected = ["Renamed moved.txt from same.txt", "Added new.txt", "Deleted old.txt"];
    assert_eq!(brief(&changes), expected);
    let mut command = partial.command(partial.path(), &["cat-file", "-e", &same.to_string()]);
    let fetched = command.env("GIT_NO_LAZY_FETCH", "1").output().unwrap().status.success();
    assert!(!fetched);
}

#[cfg(unix)]
#[test]
fn modes_and_kinds_are_distinguished() {
    let work = with_commit(&[]);
    work.write("kind.txt", "x");
    work.git(&["add", "."]);
    work.new_commit("second");
    work.git(&["update-index", "--chmod=+x", "old.txt"]);
    fs::remove_file(work.path().join("kind.txt")).unwrap();
    std::os::unix::fs::symlink("target", work.path().join("kind.txt")).unwrap();
    work.git(&["add", "kind.txt"]);
    let changes = staged(&work.open());
    assert_eq!(brief(&changes), ["TypeChanged kind.txt", "Modified old.txt"]);
    assert_eq!(changes[0].new.unwrap().mode, Mode::Symlink);
    assert!(changes[0].new.unwrap().is_blob());
    let [old, new] = [changes[1].old.unwrap(), changes[1].new.unwrap()];
    assert_eq!((old.id, old.mode, new.mode), (new.id, Mode::File, Mode::Executable));
}

#[test]
fn the_entry_of_a_submodule_is_not_a_blob() {
    let work = with_commit(&[]);
    let head = work.object_id("HEAD").to_string();
    work.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    work.git(&["config", "diff.ignoreSubmodules", "all"]);
    let changes = staged(&work.open());
    assert_eq!(brief(&changes), ["Added sub"]);
    assert_eq!(changes[0].new.unwrap().mode, Mode::Submodule);
    assert!(!changes[0].new.unwrap().is_blob());
}

#[test]
fn intent_to_add_entries_are_not_staged() {
    let work = with_commit(&[]);
    work.git(&["rm", "--quiet", "--cached", "old.txt"]);
    work.write("later.txt", "later\n");
    work.write("empty.txt", "");
    work.git(&["add", "--intent-to-add", "later.txt", "old.txt"]);
    work.git(&["add", "empty.txt"]);
    assert_eq!(brief(&staged(&work.open())), ["Added empty.txt", "Deleted old.txt"]);
}

#[test]
fn every_version_in_a_conflict_is_listed() {
    let work = with_commit(&[]);
    work.git(&["checkout", "--quiet", "-b", "side"]);
    work.write("old.txt", "theirs\n");
    work.git(&["commit", "--quiet", "-a", "-m", "theirs"]);
    work.git(&["checkout", "--quiet", "main"]);
    work.write("old.txt", "ours\n");
    work.git(&["commit", "--quiet", "-a", "-m", "ours"]);
    assert!(
        !work
            .command(work.path(), &["merge", "--quiet", "side"])
            .output()
            .unwrap()
            .status
            .success()
    );
    work.write("other.txt", "other\n");
    work.git(&["add", "other.txt"]);
    let check = || {
        let changes = staged(&work.open());
        let stages = [1, 2, 3].map(|stage| format!("Conflicted({stage}) old.txt"));
        let [base, ours, theirs] = stages;
        assert_eq!(brief(&changes), [base, ours, theirs, "Added other.txt".to_owned()]);
        let ids = [1, 2, 3].map(|stage| work.object_id(&format!(":{stage}:old.txt")));
        assert_eq!([0, 1, 2].map(|at| changes[at].new.unwrap().id), ids);
    };
    check();
    // The git directory is inside the work tree, where git would list one folder only.
    work.git(&["config", "core.worktree", work.path().to_str().unwrap()]);
    check();
}

#[test]
fn split_and_sparse_indexes_are_read() {
    let work = with_commit(&[]);
    work.write("in/a.txt", "a\n");
    work.write("out/b.txt", "b\n");
    work.write("out/deep/c.txt", "c\n");
    work.git(&["add", "."]);
    work.new_commit("second");
    work.git(&["update-index", "--split-index"]);
    work.write("in/a.txt", "changed\n");
    work.git(&["add", "."]);
    assert!(with_library(&work.open()).is_err());
    assert_eq!(brief(&work.open().staged().unwrap()), ["Modified in/a.txt"]);

    work.git(&["update-index", "--no-split-index"]);
    work.git(&["sparse-checkout", "init", "--cone", "--sparse-index"]);
    work.git(&["sparse-checkout", "set", "in"]);
    let sparse = work.git(&["ls-files", "--sparse"]);
    assert!(sparse.contains("out/\n") || sparse.ends_with("out/"), "{sparse}");
    assert!(with_library(&work.open()).is_err());
    assert_eq!(brief(&work.open().staged().unwrap()), ["Modified in/a.txt"]);
}

#[test]
fn the_index_that_the_environment_names_is_read() {
    let work = with_commit(&[]);
    work.write("new.txt", "new\n");
    fs::copy(work.path().join(".git/index"), work.path().join("other-index")).unwrap();
    let mut command = work.command(work.path(), &["add", "new.txt"]);
    assert!(command.env("GIT_INDEX_FILE", "other-index").status().unwrap().success());
    fs::create_dir(work.path().join("below")).unwrap();
    let environment =
        Environment { index_file: Some("other-index".into()), ..Environment::default() };
    for start in [work.path().to_owned(), work.path().join("below")] {
        let repository = Repository::discover(&start, &environment).unwrap();
        assert_eq!(brief(&staged(&repository)), ["Added new.txt"]);
    }
    assert_eq!(work.open().staged().unwrap(), []);
}

#[cfg(unix)]
#[test]
fn a_hook_reads_the_index_of_a_partial_commit() {
    use std::os::unix::fs::PermissionsExt as _;
    let work = with_commit(&[]);
    work.write("staged.txt", "staged\n");
    work.git(&["add", "staged.txt"]);
    work.write("old.txt", "changed\n");
    // The index of a partial commit is deleted when the hook returns, so a copy is kept.
    let script = "#!/bin/sh\npwd >seen\nenv >>seen\ncp \"$GIT_INDEX_FILE\" kept\nexit 1\n";
    work.write(".git/hooks/pre-commit", script);
    let hook = work.path().join(".git/hooks/pre-commit");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        !work
            .command(work.path(), &["commit", "-m", "x", "--", "old.txt"])
            .status()
            .unwrap()
            .success()
    );
    let seen = fs::read_to_string(work.path().join("seen")).unwrap();
    let start = PathBuf::from(seen.lines().next().unwrap());
    let variable = |name: &str| {
        let line = seen.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.map(std::ffi::OsString::from)
    };
    let mut environment = Environment::read(variable);
    let named = environment.index_file.replace(work.path().join("kept")).unwrap();
    assert!(named.to_str().unwrap().contains("next-index"), "{named:?}");
    let repository = Repository::discover(&start, &environment).unwrap();
    assert_eq!(brief(&staged(&repository)), ["Modified old.txt"]);
}

#[cfg(unix)]
#[test]
fn paths_are_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let work = with_commit(&[]);
    let name = b"na\nme\t\"\xff.txt";
    fs::write(work.path().join(OsStr::from_bytes(name)), "x\n").unwrap();
    work.git(&["add", "."]);
    let changes = staged(&work.open());
    assert_eq!((changes.len(), changes[0].path.as_slice()), (1, name.as_slice()));
}

#[cfg(unix)]
#[test]
fn programs_that_the_configuration_names_are_not_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let work = with_commit(&[]);
    work.write("old.txt", "changed\n");
    work.git(&["add", "."]);
    let trap = work.sibling("trap");
    let sprung = work.sibling("sprung");
    fs::write(&trap, format!("#!/bin/sh\ntouch '{}'\n", sprung.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let trap = trap.to_str().unwrap();
    for key in ["core.fsmonitor", "diff.external", "core.pager", "core.sshCommand"] {
        work.git(&["config", key, trap]);
    }
    let repository = work.open();
    assert_eq!(staged(&repository).len(), 1);
    repository.refs().unwrap();
    assert!(!sprung.exists());
}
