//! Ignore rules: random trees, walked by ddpatrol and listed by the real git.

use crate::source::meddle;
use crate::support::mint::Random;
use crate::support::repo::Repo;
use crate::support::tree::raw_name;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Returns the files that a walk of `folder` reads, relative to it.
fn walked(folder: &Path) -> Vec<PathBuf> {
    let read = Mutex::new(Vec::new());
    let issues = meddle(vec![folder.to_owned()], |path| {
        let path = path.strip_prefix(folder).expect("it is below").to_owned();
        read.lock().expect("no panic").push(path);
    });
    assert!(issues.iter().all(|(_, text)| text.contains("symbolic link")), "{issues:?}");
    let mut read = read.into_inner().expect("no panic");
    read.sort();
    read
}

/// Returns a random pattern as people and tools write them; some are invalid.
fn pattern(random: &mut Random) -> Vec<u8> {
    let names = [
        "a",
        "b",
        "a.env",
        "B.ENV",
        "*.env",
        "*",
        "**",
        "?",
        "[ab]",
        "[!a]",
        "[^a]",
        "[a-c]*",
        "[[:alpha:]]",
        "[[:upper:]]*",
        "[]a]",
        "[a",
        "{a,b}",
        "*.{env,pem}",
        "a**",
        "**b",
        "a\\*",
        "\\a",
        "a\\",
        "#a",
        "\\#a",
        "!a",
        "\\!a",
        "a ",
        "a\\ ",
        " a",
        "a\t",
        "x$",
        "[\\]a]",
        "é",
        "a?env",
        "*.*",
        ".*",
        "[a/b]",
        "[[:foo:]]",
        "[z-a]",
        "a*c*",
        "***",
        "*/",
        "[-a]",
        "[a-]",
    ];
    let mut pattern = String::new();
    if random.below(4) == 0 {
        pattern.push('!');
    }
    if random.below(3) == 0 {
        pattern.push('/');
    }
    for at in 0..=random.below(3) {
        if at > 0 {
            pattern.push('/');
        }
        pattern.push_str(names[random.below(names.len())]);
    }
    if random.below(4) == 0 {
        pattern.push('/');
    }
    let mut bytes = pattern.into_bytes();
    if random.below(20) == 0 {
        bytes.insert(random.below(bytes.len() + 1), 0xff);
    }
    bytes.extend_from_slice([&b"\n"[..], b"\n", b"\r\n"][random.below(3)]);
    bytes
}

fn ignore_file(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    if random.below(10) == 0 {
        text.extend_from_slice(b"\xef\xbb\xbf");
    }
    for _ in 0..=random.below(4) {
        text.extend(pattern(random));
    }
    if random.below(8) == 0 {
        text.pop();
    }
    text
}

/// Fills a folder with files, folders, links and ignore files.
fn fill(random: &mut Random, folder: &Path, depth: usize) {
    std::fs::create_dir_all(folder).expect("a folder");
    let names: [&[u8]; 16] = [
        b"a",
        b"b",
        b"c",
        b"a.env",
        b"B.ENV",
        b"b.pem",
        b"{a,b}",
        b"#a",
        b"!a",
        b"a ",
        b" a",
        b"a*",
        b"x$",
        "é".as_bytes(),
        b"caf\xe9",
        b".h",
    ];
    for name in names {
        let path = folder.join(raw_name(name));
        match random.below(8) {
            0 if depth < 2 => fill(random, &path, depth + 1),
            2..=4 => std::fs::write(&path, "").expect("a file"),
            5 if random.below(3) == 0 => {
                std::os::unix::fs::symlink("a", &path).expect("a link");
            }
            _ => {}
        }
    }
    match random.below(6) {
        0..=2 => std::fs::write(folder.join(".gitignore"), ignore_file(random)).expect("a file"),
        3 if random.below(3) == 0 => {
            std::fs::write(folder.join("rules"), ignore_file(random)).expect("a file");
            std::os::unix::fs::symlink("rules", folder.join(".gitignore")).expect("a link");
        }
        _ => {}
    }
}

#[test]
fn ignore_files_select_the_same_files_as_git() {
    for seed in 0..600 {
        let mut random = Random(seed);
        let repo = Repo::new();
        if random.below(4) == 0 {
            repo.git(&["config", "core.ignoreCase", "true"]);
        }
        if random.below(3) == 0 {
            let exclude = repo.path().join(".git/info/exclude");
            std::fs::write(exclude, ignore_file(&mut random)).expect("a file");
        }
        fill(&mut random, repo.path(), 0);
        let listed = repo.git_bytes(&["ls-files", "-z", "--others", "--exclude-standard"], "");
        let mut expected: Vec<PathBuf> = listed
            .split(|&byte| byte == 0)
            .filter(|path| !path.is_empty())
            .map(|path| PathBuf::from(raw_name(path)))
            .filter(|path| !repo.path().join(path).is_symlink())
            .collect();
        expected.sort();
        let walked = walked(repo.path());
        if walked != expected {
            let more: Vec<_> = walked.iter().filter(|path| !expected.contains(path)).collect();
            let less: Vec<_> = expected.iter().filter(|path| !walked.contains(path)).collect();
            panic!("seed {seed}: read and ignored by git: {more:?}; the reverse: {less:?}");
        }
    }
}

#[test]
fn a_nested_repository_uses_only_its_own_ignore_rules() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.env\n");
    repo.git(&["init", "-q", "inner"]);
    for path in ["a.env", "inner/a.env", "inner/b.pem"] {
        repo.write(path, "");
    }
    repo.write("inner/.gitignore", "*.pem\n");
    let files: Vec<PathBuf> =
        [".gitignore", "inner/.gitignore", "inner/a.env"].map(PathBuf::from).into();
    assert_eq!(walked(repo.path()), files);
    assert_eq!(walked(&repo.path().join("inner")), [".gitignore", "a.env"].map(PathBuf::from));
}

#[test]
fn a_named_folder_is_scanned_even_if_it_or_its_content_is_ignored() {
    let repo = Repo::new();
    repo.write(".gitignore", "/build/\n/vendor/**\n*.log\n");
    for folder in ["build", "vendor", "src"] {
        repo.write(format!("{folder}/x"), "");
        repo.write(format!("{folder}/x.log"), "");
    }
    for (folder, files) in [("build", 2), ("vendor", 2), ("src", 1)] {
        assert_eq!(walked(&repo.path().join(folder)).len(), files, "{folder}");
    }
    assert_eq!(walked(repo.path()), [".gitignore", "src/x"].map(PathBuf::from));
}

#[test]
fn core_excludesfile_may_be_in_the_home_folder() {
    let repo = Repo::new();
    let home = repo.sibling("home");
    std::fs::create_dir_all(home.join(".config/git")).expect("a folder");
    std::fs::write(home.join(".config/git/ignore"), "*.env\n").expect("a file");
    std::fs::write(home.join("mine"), "*.pem\n").expect("a file");
    for path in ["a.env", "a.pem"] {
        repo.write(path, "");
    }
    let ignored = |repo: &Repo| {
        let mut command = repo.ddpatrol(repo.path(), &["scan", "--files-only", "--report", "json"]);
        let output = command.env("HOME", &home).output().expect("the program runs");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        report["summary"]["files"].clone()
    };
    assert_eq!(ignored(&repo), 1, "the user's own rules");
    repo.git(&["config", "core.excludesFile", ""]);
    assert_eq!(ignored(&repo), 2, "none");
    repo.git(&["config", "core.excludesFile", "~/mine"]);
    std::fs::remove_file(repo.path().join("a.pem")).expect("the file exists");
    assert_eq!(ignored(&repo), 1, "the rules of the repository exclude the other file");
}

#[test]
fn a_file_that_is_ignored_and_excluded_is_counted_once() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.env\n");
    for path in ["tracked.env", "a.env", "b.env"] {
        repo.write(path, "");
    }
    repo.git(&["add", "-f", "tracked.env"]);
    let left_out = |glob: &str| {
        let ran = repo.scan(&["--files-only", "--exclude", glob]);
        let counts = ran.json()["summary"]["left_out"].clone();
        (counts["excluded"].clone(), counts["ignored_files"].clone())
    };
    assert_eq!(left_out("*.env"), (3.into(), 0.into()));
    assert_eq!(left_out("a.env"), (1.into(), 1.into()));
    assert_eq!(left_out("tracked.env"), (1.into(), 2.into()));
}
