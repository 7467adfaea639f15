//! Tests of the location of a repository's parts.

use super::*;
use crate::repo::staged::with_library;
use ddpatrol_pack::HashKind;

#[test]
fn a_repository_is_opened_at_the_top_of_its_work_tree_and_at_its_git_directory() {
    let work = Repo::init(&[]);
    for path in [work.path().to_owned(), work.path().join(".git")] {
        let repository = Repository::at(&path).unwrap().unwrap();
        assert_eq!(repository.git_dir, work.path().join(".git"));
        assert_eq!(repository.common_dir, work.path().join(".git"));
        assert_eq!(repository.work_tree, Some(work.path().to_owned()));
        assert_eq!(repository.objects_dir(), work.path().join(".git/objects"));
        assert_eq!(repository.hash, HashKind::Sha1);
    }
}

#[test]
fn a_folder_below_the_top_and_a_file_are_not_repositories() {
    let work = with_commit(&[]);
    work.write("below/file", "");
    assert!(Repository::at(&work.path().join("below")).unwrap().is_none());
    assert!(Repository::at(&work.path().join("old.txt")).unwrap().is_none());
    assert!(Repository::at(&work.path().join(".git/refs")).unwrap().is_none());
}

#[test]
fn a_bare_repository_has_no_work_tree() {
    let work = Repo::init(&["--bare"]);
    let repository = work.open();
    assert_eq!((repository.git_dir.as_path(), repository.work_tree), (work.path(), None));
}

#[test]
fn a_linked_work_tree_shares_the_objects_of_the_main_one() {
    let work = with_commit(&[]);
    let linked = work.sibling("linked");
    work.git(&["worktree", "add", "--quiet", linked.to_str().unwrap()]);
    let own = work.path().join(".git/worktrees/linked");
    for path in [&linked, &own] {
        let repository = Repository::at(path).unwrap().unwrap();
        assert_eq!(repository.git_dir, own);
        assert_eq!(repository.common_dir.canonicalize().unwrap(), work.path().join(".git"));
        assert_eq!(repository.work_tree.as_ref(), Some(&linked));
        assert_eq!(repository.refs().unwrap().head, Some(work.object_id("HEAD")));
    }
}

#[test]
fn nested_submodules_are_found_even_if_they_are_not_checked_out() {
    let inner = with_commit(&[]);
    let middle = inner.at("middle");
    inner.git(&["clone", "--quiet", ".", middle.path().to_str().unwrap()]);
    middle.git(&["submodule", "--quiet", "add", inner.path().to_str().unwrap(), "deep/inner"]);
    middle.new_commit("submodule");
    let outer = inner.at("outer");
    inner.git(&["clone", "--quiet", ".", outer.path().to_str().unwrap()]);
    let middle_path = middle.path().to_str().unwrap();
    outer.git(&["submodule", "--quiet", "add", "--name", "libs/m", middle_path, "m"]);
    outer.git(&["submodule", "--quiet", "update", "--init", "--recursive"]);
    fs::remove_dir_all(outer.path().join("m/deep")).unwrap();

    let modules = outer.path().join(".git/modules");
    let nested = modules.join("libs/m/modules/deep/inner");
    assert_eq!(outer.open().submodule_git_dirs().unwrap(), [modules.join("libs/m"), nested]);
    let submodule = Repository::at(&outer.path().join("m")).unwrap().unwrap();
    assert_eq!(submodule.git_dir.canonicalize().unwrap(), modules.join("libs/m"));
    assert_eq!(submodule.work_tree.unwrap().canonicalize().unwrap(), outer.path().join("m"));
}

#[test]
fn a_broken_git_file_or_folder_is_an_error() {
    let work = with_commit(&[]);
    for (name, text) in [("gone", "gitdir: ../nowhere\n"), ("no-link", "hello\n")] {
        let folder = work.at(name);
        folder.write(".git", text);
        let error = Repository::at(folder.path()).unwrap_err();
        assert!(matches!(error, RepoError::Broken { .. }), "{error}");
        let error = Repository::discover(folder.path(), &Environment::default()).unwrap_err();
        assert!(matches!(error, RepoError::Broken { .. }), "{error}");
    }
    fs::rename(work.path().join(".git/objects"), work.path().join("objects")).unwrap();
    let error = Repository::at(work.path()).unwrap_err().to_string();
    assert!(error.contains(".git/objects is missing"), "{error}");
}

#[test]
fn the_search_continues_above_a_git_folder_that_is_not_a_repository() {
    let work = with_commit(&[]);
    fs::create_dir_all(work.path().join("a/b/.git")).unwrap();
    let environment = Environment::default();
    let repository = Repository::discover(&work.path().join("a/b"), &environment).unwrap();
    assert_eq!(repository.git_dir, work.path().join(".git"));
    let none = work.sibling("none");
    fs::create_dir(&none).unwrap();
    let error = Repository::discover(&none, &environment).unwrap_err();
    assert!(matches!(error, RepoError::NotFound { .. }), "{error}");
}

#[test]
fn the_environment_overrides_the_parts() {
    let work = with_commit(&[]);
    let elsewhere = work.sibling("elsewhere");
    fs::create_dir_all(elsewhere.join("quarantine")).unwrap();
    let head = work.object_id("HEAD");
    // As in `pre-receive`: only the quarantine has the commit.
    let mut command =
        work.command(work.path(), &["commit-tree", "-p", "HEAD", "-m", "pushed", "HEAD^{tree}"]);
    command.env("GIT_OBJECT_DIRECTORY", elsewhere.join("quarantine"));
    command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", work.path().join(".git/objects"));
    let pushed = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let pushed: ObjectId = pushed.trim_end().parse().unwrap();
    let environment = Environment {
        git_dir: Some(PathBuf::from("../repo/.git")),
        work_tree: Some(PathBuf::from("../repo")),
        object_directory: Some(PathBuf::from("quarantine")),
        alternates: vec![work.path().join(".git/objects")],
        ..Environment::default()
    };
    let repository = Repository::discover(&elsewhere, &environment).unwrap();
    assert_eq!(repository.work_tree, Some(elsewhere.join("../repo")));
    assert_eq!(repository.objects_dir(), elsewhere.join("quarantine"));
    assert_eq!(repository.alternates(), [work.path().join(".git/objects")]);
    assert_eq!(repository.refs().unwrap().head, Some(head));
    assert_eq!(repository.resolve(pushed.to_string().as_ref()).unwrap(), pushed);
    assert_eq!(repository.commits(&[pushed], &[]).unwrap(), [pushed, head]);
    assert!(work.open().commits(&[pushed], &[]).is_err());

    let environment =
        Environment { git_dir: Some(PathBuf::from("nowhere")), ..Environment::default() };
    let error = Repository::discover(&elsewhere, &environment).unwrap_err();
    assert!(matches!(error, RepoError::Broken { .. }), "{error}");
}

#[test]
fn a_shallow_clone_lists_its_boundary() {
    let work = with_commit(&[]);
    assert!(work.open().shallow_commits().unwrap().is_empty());
    let second = work.new_commit("second");
    let url = format!("file://{}", work.path().display());
    let shallow = work.at("shallow");
    work.git(&["clone", "--quiet", "--depth=1", &url, shallow.path().to_str().unwrap()]);
    assert_eq!(shallow.open().shallow_commits().unwrap(), [second]);
    assert_eq!(shallow.open().commits(&[second], &[]).unwrap(), [second]);

    let linked = work.at("linked");
    shallow.git(&["worktree", "add", "--quiet", "-b", "x", linked.path().to_str().unwrap()]);
    assert_eq!(linked.open().commits(&[second], &[]).unwrap(), [second]);

    // The boundary applies even if the parents have been fetched.
    let linked = work.at("linked-too");
    work.git(&["worktree", "add", "--quiet", "-b", "x", linked.path().to_str().unwrap()]);
    work.write(".git/shallow", format!("{second}\n"));
    for folder in [&work, &linked] {
        assert_eq!(folder.open().commits(&[second], &[]).unwrap(), [second]);
    }
}

#[test]
fn a_partial_clone_is_detected_by_its_remote_or_its_packs() {
    let work = with_commit(&[]);
    work.git(&["config", "uploadpack.allowFilter", "true"]);
    assert!(!work.open().is_partial().unwrap());
    let url = format!("file://{}", work.path().display());
    let partial = work.at("partial");
    let path = partial.path().to_str().unwrap();
    work.git(&["clone", "--quiet", "--filter=blob:none", "--no-checkout", &url, path]);
    partial.git(&["config", "core.repositoryFormatVersion", "1"]);
    partial.git(&["config", "extensions.partialClone", "origin"]);

    let repository = partial.open();
    assert!(repository.is_partial().unwrap());
    assert_eq!(repository.refs().unwrap().head, Some(work.object_id("HEAD")));
    assert_eq!(repository.refs().unwrap().broken, []);
    assert!(libgit2::open(&repository).is_ok());
    // Nothing is checked out: the missing index lacks the files of HEAD.
    let staged = repository.staged().unwrap();
    assert_eq!((staged.len(), staged[0].status), (1, Status::Deleted));
    assert_eq!(staged, with_library(&repository).unwrap());

    partial.git(&["config", "--remove-section", "remote.origin"]);
    partial.git(&["config", "--remove-section", "extensions"]);
    assert!(partial.open().is_partial().unwrap());
}

#[cfg(unix)]
#[test]
fn another_users_repository_is_read() {
    let work = with_commit(&[]);
    // Only root can give files away.
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    work.write("new.txt", "new\n");
    work.git(&["add", "new.txt"]);
    let head = work.object_id("HEAD");
    let chown = Command::new("chown").args(["-R", "65534"]).arg(work.path()).status().unwrap();
    assert!(chown.success());
    assert!(!work.command(work.path(), &["rev-parse", "HEAD"]).output().unwrap().status.success());
    let repository = work.open();
    assert!(libgit2::open(&repository).is_ok());
    assert_eq!(repository.refs().unwrap().head, Some(head));
    assert_eq!(repository.staged().unwrap().len(), 1);
}

#[test]
fn an_unknown_object_format_is_an_error() {
    let work = with_commit(&[]);
    work.git(&["config", "extensions.objectFormat", "md5"]);
    let error = Repository::at(work.path()).unwrap_err().to_string();
    assert!(error.contains("md5"), "{error}");
}

#[test]
fn an_unknown_extension_is_an_error_and_not_an_empty_result() {
    let work = with_commit(&[]);
    let head = work.object_id("HEAD");
    work.git(&["config", "core.repositoryFormatVersion", "1"]);
    work.git(&["config", "extensions.fromTheFuture", "true"]);
    let repository = work.open();
    for error in [
        repository.staged().unwrap_err(),
        repository.refs().unwrap_err(),
        repository.commits(&[head], &[]).unwrap_err(),
    ] {
        let words = error.to_string();
        assert!(matches!(error, RepoError::Neither { .. } | RepoError::Program { .. }), "{words}");
        assert!(words.contains("fromthefuture"), "{words}");
    }
    assert!(repository.resolve("HEAD".as_ref()).is_err());
}
