//! Trees and repositories designed to hang a scan: links to devices, named pipes, huge files; and signals
//! during a blocked read.

use crate::support::mint::token;
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Stdio};

/// Creates a file without an end at a path: a link to a device, a named pipe or a huge file.
fn plant(path: &Path, what: &str) {
    if let Ok(metadata) = path.symlink_metadata() {
        assert!(metadata.is_file(), "{}", path.display());
        std::fs::remove_file(path).expect("a writable file");
    }
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    match what {
        "zero" => symlink("/dev/zero", path).expect("a link"),
        "pipe" => mkfifo(path, Mode::S_IRWXU).expect("a pipe"),
        "huge" => {
            let file = File::create(path).expect("a file");
            file.set_len(1 << 40).expect("a sparse file");
        }
        other => unreachable!("{other}"),
    }
}

#[test]
fn configuration_files_of_a_tree_cannot_hang_a_scan() {
    for what in ["zero", "pipe", "huge"] {
        for (name, config) in [
            (".gitignore", ""),
            ("sub/.gitignore", ""),
            ("known.json", "baseline = \"known.json\""),
            ("rules.toml", "[rules]\nadd = [\"rules.toml\"]"),
            ("rules/a.toml", "[rules]\nadd = [\"rules\"]"),
            (".ddpatrol.toml", ""),
        ] {
            let tree = Tree::new();
            tree.git_init();
            tree.write("a.env", token(1));
            if !config.is_empty() {
                tree.write(".ddpatrol.toml", config);
            }
            let path = tree.path().join(name);
            plant(&path, what);
            // A sparse file in the tree would be scanned itself, which this test does not cover.
            let args = ["scan", "--files-only", "--max-file-size", "1M"];
            let ran = tree.run(&args);
            let text = ran.stdout() + &ran.stderr();
            let is_ignore_file = name.ends_with(".gitignore");
            assert_eq!(
                ran.code(),
                Some(if is_ignore_file { 1 } else { 2 }),
                "{what} {name}: {text}"
            );
            assert!(text.contains(name), "{what} {name}: {text}");
        }
    }
}

#[test]
fn a_configuration_link_is_followed_only_if_named_by_the_user() {
    let tree = Tree::new();
    let outside = Tree::new();
    let config = outside.write("config.toml", "exclude = [\"a.env\"]");
    tree.write("a.env", token(1));
    symlink(&config, tree.path().join(".ddpatrol.toml")).expect("a link");
    let ran = tree.run(&["scan"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains(".ddpatrol.toml is a symbolic link"), "{ran:?}");
    assert_eq!(tree.run(&["scan", "--config", ".ddpatrol.toml"]).code(), Some(0));
    assert_eq!(tree.run(&["scan", "--no-config"]).code(), Some(1));
}

#[test]
fn a_named_pipe_in_a_git_folder_is_reported_and_files_are_scanned() {
    let names = [
        "HEAD",
        "config",
        "index",
        "packed-refs",
        "shallow",
        "info/exclude",
        "refs/heads/x",
        "objects/info/alternates",
        "objects/pack/pack-1.idx",
        "objects/pack/pack-1.pack",
        "objects/ab/cdefabcdefabcdefabcdefabcdefabcdefabcd",
        "commondir",
        "hooks/pre-commit",
        "logs/HEAD",
        "FETCH_HEAD",
        "lfs/objects/aa/bb/x",
        "info/grafts",
    ];
    for what in ["zero", "pipe"] {
        for name in names {
            let repo = Repo::new();
            repo.commit_file("a.env", format!("k={}", token(1)));
            plant(&repo.path().join(".git").join(name), what);
            let ran = repo.run_without_git(repo.path(), &["scan", "--report", "json"]);
            assert_eq!(ran.code(), Some(1), "{what} {name}: {ran:?}");
            let ran = repo.run_without_git(repo.path(), &["staged"]);
            assert!(ran.code().is_some(), "{what} {name}: {ran:?}");
        }
    }
}

/// Waits until a process has opened a file, so that its read is blocked.
fn wait_until_open(child: &Child, path: &Path) {
    for _ in 0..2_000 {
        let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).into_iter().flatten();
        if open.flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|it| it == path)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("{} is not read", path.display());
}

#[test]
fn the_first_signal_ends_a_scan_of_endless_input() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let tree = Tree::new();
        tree.write("a.env", token(1));
        let pipe = tree.path().canonicalize().expect("a path").join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).expect("a pipe");
        let mut command = tree.command(&["scan", "--report", "json=out.json", "pipe", "a.env"]);
        let child = command.stderr(Stdio::piped()).spawn().expect("the command runs");
        let writer = File::options().write(true).open(&pipe).expect("it is opened for reading");
        wait_until_open(&child, &pipe);
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("the program runs");
        let ran = RunOutput(child.wait_with_output().expect("the program ends"));
        drop(writer);
        assert_eq!(ran.code(), Some(130), "{signal}: {ran:?}");
        let report = std::fs::read(tree.path().join("out.json")).expect("a partial report");
        let report: serde_json::Value = serde_json::from_slice(&report).expect("valid JSON");
        assert_eq!(report["interrupted"], true);
        let names = std::fs::read_dir(tree.path()).expect("a folder").flatten();
        assert_eq!(names.count(), 3, "no temporary file is left");
    }
}

#[test]
fn a_signal_while_git_lists_commits_is_an_interruption() {
    use std::os::unix::fs::PermissionsExt;
    let repo = Repo::new();
    repo.commit_file("a", "a");
    // A git that never answers and records that it was started.
    let asked = repo.sibling("asked");
    let program = repo.sibling("bin/git");
    std::fs::create_dir(repo.sibling("bin")).expect("a folder");
    let script = format!("#!/bin/sh\n: > '{}'\nexec sleep 1000\n", asked.display());
    std::fs::write(&program, script).expect("a file");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("a writable file");
    let path = format!("{}:/usr/bin:/bin", repo.sibling("bin").display());
    let mut command = repo.ddpatrol(repo.path(), &["range", "HEAD"]);
    let child =
        command.env("PATH", path).stderr(Stdio::piped()).spawn().expect("the program starts");
    while !asked.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).expect("the program runs");
    let ran = RunOutput(child.wait_with_output().expect("the program ends"));
    assert_eq!(ran.code(), Some(130), "{ran:?}");
}

#[test]
fn a_state_must_be_a_regular_file() {
    let repo = Repo::new();
    repo.commit_file("a", "a");
    for what in ["zero", "pipe", "huge", "missing"] {
        let state = repo.sibling(what);
        match what {
            "missing" => symlink("nowhere", &state).expect("a link"),
            _ => plant(&state, what),
        }
        let before = state.symlink_metadata().expect("the file exists").file_type();
        let path = state.to_str().expect("UTF-8");
        let ran = repo.run_without_git(repo.path(), &["scan", "--state", path]);
        assert_eq!(ran.code(), Some(2), "{what}: {ran:?}");
        assert!(ran.stderr().contains(path), "{what}: {ran:?}");
        assert_eq!(state.symlink_metadata().expect("the file exists").file_type(), before);
    }
}

#[test]
fn oversized_metadata_files_of_a_repository_are_reported_and_not_read() {
    let repo = Repo::new();
    repo.commit_file("a.env", token(1));
    for name in ["FETCH_HEAD", "info/exclude", "hooks/pre-commit", "logs/HEAD"] {
        plant(&repo.path().join(".git").join(name), "huge");
    }
    let ran = repo.run_without_git(repo.path(), &["scan"]);
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert_eq!(ran.stdout().matches("exceed the limit").count(), 4, "{ran:?}");
}
