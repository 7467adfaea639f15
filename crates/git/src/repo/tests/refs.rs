//! Tests of refs in every storage, and of broken refs.

use super::*;

#[track_caller]
fn find<'a>(refs: &'a Refs, name: &str) -> &'a Ref {
    let found = refs.list.iter().find(|one| one.name == name.as_bytes());
    found.unwrap_or_else(|| panic!("{name} is not in {refs:?}"))
}

#[track_caller]
fn problem<'a>(refs: &'a Refs, name: &str) -> &'a Problem {
    let found = refs.broken.iter().find(|one| one.name == name.as_bytes());
    &found.unwrap_or_else(|| panic!("{name} is not in {refs:?}")).problem
}

#[test]
fn all_kinds_of_refs_are_listed_in_every_storage() {
    let variants: [&[&str]; 4] = [
        &[],
        &["--object-format=sha256"],
        &["--ref-format=reftable"],
        &["--ref-format=reftable", "--object-format=sha256"],
    ];
    for options in variants {
        for packed in [false, true] {
            let work = with_commit(options);
            let head = work.object_id("HEAD");
            work.git(&["tag", "light"]);
            work.git(&["tag", "-a", "-m", "note", "annotated"]);
            work.git(&["tag", "-a", "-m", "note", "twice", "annotated"]);
            work.git(&["tag", "blob", "HEAD:old.txt"]);
            work.git(&["tag", "-a", "-m", "note", "tree", "HEAD^{tree}"]);
            work.git(&["notes", "add", "-m", "note"]);
            work.write("old.txt", "stashed\n");
            work.git(&["stash", "push", "--quiet"]);
            work.git(&["update-ref", "refs/pull/1/head", "HEAD"]);
            work.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
            work.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
            if packed {
                work.git(&["pack-refs", "--all"]);
            }
            let repository = work.open();
            let refs = repository.refs().unwrap();
            assert_eq!(refs.head, Some(head), "{options:?}");
            assert_eq!(refs.broken, [], "{options:?}");
            let names: Vec<String> =
                refs.list.iter().map(|one| String::from_utf8(one.name.clone()).unwrap()).collect();
            let listed = work.git(&["for-each-ref", "--format=%(refname)"]);
            assert_eq!(names, listed.lines().collect::<Vec<_>>(), "{options:?}");
            assert_eq!(names.len(), 11);
            for one in &refs.list {
                let name = String::from_utf8(one.name.clone()).unwrap();
                assert_eq!(one.target, work.object_id(&name), "{name}");
            }
            for name in ["heads/main", "tags/light", "tags/annotated", "tags/twice", "pull/1/head"]
            {
                assert_eq!(find(&refs, &format!("refs/{name}")).commit, Some(head), "{name}");
            }
            assert_ne!(find(&refs, "refs/tags/twice").target, head);
            assert_eq!(find(&refs, "refs/tags/blob").commit, None);
            assert_eq!(find(&refs, "refs/tags/tree").commit, None);
            assert_eq!(find(&refs, "refs/stash").commit, Some(work.object_id("refs/stash")));
        }
    }
}

#[test]
fn before_the_first_commit_there_is_no_head() {
    for options in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let refs = Repo::init(options).open().refs().unwrap();
        assert_eq!((refs.head, refs.list, refs.broken), (None, vec![], vec![]));
    }
}

#[test]
fn a_file_overrides_a_packed_ref() {
    let work = with_commit(&[]);
    work.git(&["pack-refs", "--all"]);
    let second = work.new_commit("second");
    let refs = work.open().refs().unwrap();
    assert_eq!(find(&refs, "refs/heads/main").target, second);
    assert_eq!(refs.list.len(), 1);
}

#[test]
fn heads_and_own_refs_of_linked_work_trees_are_listed() {
    for options in [&[][..], &["--ref-format=reftable"]] {
        let work = with_commit(options);
        let first = work.object_id("HEAD");
        let linked = work.at("linked");
        work.git(&["worktree", "add", "--quiet", "--detach", linked.path().to_str().unwrap()]);
        let detached = linked.new_commit("detached");
        linked.git(&["update-ref", "refs/worktree/mine", &first.to_string()]);

        let refs = work.open().refs().unwrap();
        assert_eq!((refs.head, &refs.broken), (Some(first), &vec![]), "{options:?}");
        assert_eq!(find(&refs, "worktrees/linked/HEAD").commit, Some(detached));
        assert_eq!(find(&refs, "worktrees/linked/refs/worktree/mine").commit, Some(first));

        let refs = linked.open().refs().unwrap();
        assert_eq!((refs.head, &refs.broken), (Some(detached), &vec![]), "{options:?}");
        assert_eq!(find(&refs, "main-worktree/HEAD").commit, Some(first));
        assert_eq!(find(&refs, "refs/heads/main").commit, Some(first));
        assert_eq!(linked.open().resolve("HEAD".as_ref()).unwrap(), detached);
        assert_eq!(work.open().resolve("HEAD".as_ref()).unwrap(), first);

        linked.git(&["symbolic-ref", "HEAD", "refs/worktree/mine"]);
        let refs = work.open().refs().unwrap();
        assert_eq!(find(&refs, "worktrees/linked/HEAD").commit, Some(first), "{options:?}");
    }
}

#[test]
fn broken_refs_are_named_and_do_not_hide_the_others() {
    for options in [&[][..], &["--object-format=sha256"]] {
        let work = with_commit(options);
        let head = work.object_id("HEAD");
        let length = work.open().hash.len() * 2;
        let lost = "ab".repeat(length / 2);
        work.write(".git/refs/heads/empty", "");
        work.write(".git/refs/heads/garbage", "hello\n");
        work.write(".git/refs/heads/lost", format!("{lost}\n"));
        work.write(".git/refs/heads/dangling", "ref: refs/heads/none\n");
        work.write(".git/refs/heads/loop", "ref: refs/heads/loop\n");
        work.write(".git/refs/heads/passed.lock", "hello\n");
        work.write(".git/packed-refs", format!("# pack-refs with:\n{head} refs/tags/ok\nbad\n"));
        let refs = work.open().refs().unwrap();
        let names: Vec<_> = refs.list.iter().map(|one| one.name.as_slice()).collect();
        assert_eq!(names, [b"refs/heads/main".as_slice(), b"refs/tags/ok"]);
        assert_eq!(refs.head, Some(head));
        assert_eq!(refs.broken.len(), 6, "{:?}", refs.broken);
        let dangling = Problem::Dangling(b"refs/heads/none".to_vec());
        assert_eq!(problem(&refs, "refs/heads/dangling"), &dangling);
        for name in ["refs/heads/empty", "refs/heads/garbage", "refs/heads/loop", "packed-refs"] {
            assert!(matches!(problem(&refs, name), Problem::Unreadable(_)), "{name}");
        }
        let Problem::Missing { target, .. } = problem(&refs, "refs/heads/lost") else {
            panic!("{:?}", refs.broken);
        };
        assert_eq!(target.to_string(), lost);
    }
}

#[test]
fn a_corrupt_object_breaks_only_the_refs_that_point_to_it() {
    for options in [&[][..], &["--object-format=sha256"]] {
        let work = with_commit(options);
        let first = work.object_id("HEAD");
        for name in ["a", "b", "c", "d"] {
            work.git(&["checkout", "--quiet", "-b", name, &first.to_string()]);
            work.new_commit(name);
        }
        work.corrupt_object("c");
        let refs = work.open().refs().unwrap();
        assert_eq!(refs.list.len(), 4, "{options:?}");
        assert_eq!(refs.broken.len(), 1, "{options:?}");
        assert!(matches!(problem(&refs, "refs/heads/c"), Problem::Missing { .. }));
    }
}

#[test]
fn a_head_whose_commit_is_lost_is_broken_and_not_unborn() {
    let work = with_commit(&[]);
    work.write(".git/refs/heads/main", "ab".repeat(20));
    let refs = work.open().refs().unwrap();
    assert_eq!(refs.head, None);
    assert!(matches!(problem(&refs, "HEAD"), Problem::Missing { .. }));
    assert!(work.open().staged().is_err());

    work.write(".git/refs/heads/main", "hello");
    let refs = work.open().refs().unwrap();
    assert!(matches!(problem(&refs, "HEAD"), Problem::Unreadable(_)));
    assert!(work.open().staged().is_err());
}

#[cfg(unix)]
#[test]
fn links_and_pipes_among_refs_do_not_block() {
    let work = with_commit(&[]);
    let heads = work.path().join(".git/refs/heads");
    std::os::unix::fs::symlink("refs/heads/main", heads.join("old-style")).unwrap();
    std::os::unix::fs::symlink("..", heads.join("folder")).unwrap();
    std::os::unix::fs::symlink("nothing", heads.join("nothing")).unwrap();
    nix::unistd::mkfifo(&heads.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let refs = work.open().refs().unwrap();
    assert_eq!(find(&refs, "refs/heads/old-style").commit, Some(work.object_id("main")));
    assert_eq!(refs.broken.len(), 3, "{:?}", refs.broken);
}
