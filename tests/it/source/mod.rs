//! Files and standard input: everything is scanned, or reported as not scanned.

mod hostile_trees;
mod ignored;
mod not_checked_out;

use crate::support::mint::{self, Random, token};
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree, raw_name};
use ddpatrol::blob::Context;
use ddpatrol::blob::{Blob, Origin};
use ddpatrol::config::Exclude;
use ddpatrol::source::files::{Files, FilesOptions, UserRules};
use ddpatrol::source::{BlobSink, Run, ScannedObject, Severity, Sink, Sinks, Source};
use ddpatrol_pack::{Fault, Object};
use ddpatrol_scan::place::PlaceRef;
use std::path::{Path, PathBuf};

const JSON: [&str; 3] = ["scan", "--report", "json"];

fn paths(tree: &Tree, args: &[&str]) -> Vec<String> {
    let ran = tree.run(&[&JSON, args].concat());
    ran.places().into_iter().map(|place| place.1).collect()
}

#[test]
fn hidden_files_are_scanned_and_the_git_folder_is_not() {
    let tree = Tree::new();
    tree.git_init();
    tree.write(".env", token(1));
    tree.write(".config/x", token(2));
    tree.write(".git/hidden", token(3));
    tree.write("sub/.git", token(4));
    assert_eq!(paths(&tree, &[]), [".config/x", ".env", "sub/.git"]);
    let report = tree.run(&[&JSON[..], &["--files-only"]].concat()).json();
    assert_eq!(report["summary"]["left_out"]["git_folders"], 1);
    assert_eq!(paths(&tree, &[".git/hidden"]), [".git/hidden"], "named files are read");
}

#[test]
fn ignored_files_in_a_work_tree_are_skipped_and_counted() {
    let tree = Tree::new();
    tree.write(".gitignore", "/build/\n*.log\n");
    tree.write("build/a/b", token(1));
    tree.write("x.log", token(2));
    tree.write("src/x", token(3));
    assert_eq!(paths(&tree, &[]).len(), 3, "outside of a work tree nothing is ignored");
    tree.git_init();
    assert_eq!(paths(&tree, &[]), ["src/x"]);
    assert_eq!(tree.run(&JSON).json()["summary"]["left_out"]["ignored_files"], 2);
    let text = tree.run(&["scan"]).stdout();
    assert!(text.contains("2 files by .gitignore (--no-ignore includes them)"), "{text}");
    assert_eq!(paths(&tree, &["--no-ignore"]).len(), 3);
    assert_eq!(paths(&tree, &["src", "x.log"]), ["src/x", "x.log"], "named files are read");
}

#[test]
fn symbolic_links_pipes_sockets_and_devices_are_not_read() {
    let tree = Tree::new();
    let outside = Tree::new();
    let target = outside.write("secret", token(1));
    std::os::unix::fs::symlink(&target, tree.path().join("file")).expect("a link");
    std::os::unix::fs::symlink(outside.path(), tree.path().join("folder")).expect("a link");
    std::os::unix::fs::symlink(tree.path(), tree.path().join("loop")).expect("a link");
    nix::unistd::mkfifo(&tree.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket"));
    let ran = tree.run(&JSON);
    let report = ran.json();
    assert_eq!((ran.code(), report["complete"].as_bool()), (Some(0), Some(true)));
    assert_eq!(report["summary"]["left_out"]["symlinks"], 3);
    assert_eq!(report["summary"]["left_out"]["special"], 2);
    assert_eq!(report["diagnostics"].as_array().map(Vec::len), Some(2));
    assert_eq!(tree.run(&["scan", "--strict"]).code(), Some(2), "strict: opaque is incomplete");
    assert_eq!(paths(&tree, &["file"]), ["file"], "a named link is followed");
    assert_eq!(paths(&tree, &["folder"]), ["folder/secret"]);
    let ran = tree.run(&["scan", "socket"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stdout().contains("socket: not read: it is a socket"), "{ran:?}");
}

#[test]
fn a_named_pipe_argument_is_read_like_standard_input() {
    let tree = Tree::new();
    let pipe = tree.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let feeder = std::thread::spawn(move || std::fs::write(pipe, format!("x\nk={}", token(1))));
    let places = tree.run(&["scan", "--report", "json", "pipe"]).places();
    feeder.join().expect("no panic").expect("it is read");
    let places: Vec<_> = places.into_iter().map(|it| (it.1, it.2, it.3)).collect();
    assert_eq!(places, [("pipe".to_owned(), 2, 3)]);
}

#[test]
fn paths_that_are_not_utf8_are_reported_losslessly() {
    let tree = Tree::new();
    tree.write(raw_name(b"caf\xe9.txt"), token(1));
    let ran = tree.run(&JSON);
    let place = &ran.json()["findings"][0]["locations"][0];
    assert_eq!(place["path"], "caf\\xe9.txt");
    assert_eq!(place["path_hex"], "636166e92e747874");
    assert!(tree.run(&["scan"]).stdout().contains("  caf\\xe9.txt:1:1  datadog-pat"));
    assert!(tree.run(&["scan", "--report", "sarif"]).stdout().contains("\"caf%E9.txt\""));
}

#[test]
fn a_token_in_a_file_or_folder_name_is_found() {
    let tree = Tree::new();
    let (file, folder) = (token(1), token(2));
    tree.write(format!("a/{file}.txt"), "");
    tree.write(format!("{folder}/x"), "");
    let report = tree.run(&JSON).json();
    let parts: Vec<_> =
        report["findings"].as_array().expect("a list").iter().map(|it| &it["locations"]).collect();
    assert_eq!(parts.len(), 2, "each name once");
    assert!(parts.iter().all(|it| it[0]["part"] == "name" && it[0]["line"] == 1));
}

#[test]
fn unreadable_files_are_reported_and_the_rest_is_scanned() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let tree = Tree::new();
    tree.write("closed/x", token(1));
    tree.write("open/x", token(2));
    let secret = tree.write("secret", token(3));
    let allow = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .expect("a writable file");
    };
    allow(tree.path(), 0o755);
    allow(&secret, 0o000);
    allow(&tree.path().join("closed"), 0o000);
    let binary = tree.path().join("ddpatrol");
    std::fs::copy(env!("CARGO_BIN_EXE_ddpatrol"), &binary).expect("a copy");
    let mut command = std::process::Command::new(&binary);
    command.current_dir(tree.path()).env_clear().args(["scan", "--report", "json", "."]);
    command.args(["--exclude", "/ddpatrol"]);
    if nix::unistd::geteuid().is_root() {
        // File permissions do not apply to root.
        command.uid(65534).gid(65534);
    }
    let ran = crate::support::tree::RunOutput(command.output().expect("the command runs"));
    allow(&tree.path().join("closed"), 0o755);
    let report = ran.json();
    assert_eq!(ran.code(), Some(1), "findings determine the exit code");
    assert_eq!(report["complete"], false);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1));
    let printed: Vec<_> = report["diagnostics"].as_array().expect("a list").iter().collect();
    assert_eq!(printed.len(), 2);
    assert_eq!((&printed[0]["path"], &printed[1]["path"]), (&"closed".into(), &"secret".into()));
    assert!(printed.iter().all(|it| it["message"].as_str().unwrap_or("").contains("ermission")));
}

#[test]
fn a_missing_path_is_an_error_and_the_others_are_scanned() {
    let tree = Tree::new();
    tree.write("x", "nothing");
    let ran = tree.run(&["scan", "nope", "x"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stdout().contains("nope: no such file or folder"), "{ran:?}");
    assert!(ran.stdout().contains("Scanned 1 file"), "{ran:?}");
}

#[test]
fn excluded_and_large_files_are_skipped_and_counted() {
    let tree = Tree::new();
    tree.write("vendor/a/x", token(1));
    tree.write("src/x.min.js", token(2));
    tree.write("src/large", [token(3).as_bytes(), &[b'.'; 5000]].concat());
    tree.write("src/x", token(4));
    let args = ["--exclude", "/vendor/", "--exclude", "*.min.js", "--max-file-size", "4k"];
    assert_eq!(paths(&tree, &args), ["src/x"]);
    let report = tree.run(&[&JSON, &args[..]].concat()).json();
    let left_out = &report["summary"]["left_out"];
    assert_eq!((&left_out["excluded"], &left_out["too_large"]), (&2.into(), &1.into()));
    let absolute = tree.path().join("src");
    let absolute = absolute.to_str().expect("temporary paths are UTF-8");
    assert_eq!(
        paths(&tree, &[absolute, "--exclude", "/x*"]).len(),
        1,
        "globs are relative to the root"
    );
    let ran = tree.run(&["scan", "--exclude", "a[", "."]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("--exclude a["), "{ran:?}");
}

#[test]
fn one_token_in_many_files_and_paths_is_one_finding() {
    let tree = Tree::new();
    tree.write("a/x", format!("{}\n{}", token(1), token(1)));
    tree.write("b/x", format!("key={}", token(1)));
    let report = tree.run(&["scan", "--report", "json", "a", "b", "a/x"]).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["findings"][0]["locations"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_line_of_100_megabytes_hides_nothing() {
    let tree = Tree::new();
    let mut line = vec![b'x'; 100_000_000];
    line.extend("é日😀".as_bytes());
    let at = line.len();
    line.extend(token(1).as_bytes());
    tree.write("x", &line);
    for ran in [tree.run(&JSON), tree.run_with_input(&["scan", "--report", "json", "-"], &line)] {
        let place = &ran.json()["findings"][0]["locations"][0];
        assert_eq!(place["offset"], at);
        assert_eq!((&place["line"], &place["column"]), (&1.into(), &(100_000_000 + 5).into()));
    }
}

#[test]
fn standard_input_is_scanned_once_along_with_files() {
    let tree = Tree::new();
    tree.write("x", token(1));
    let input = format!("# é日本\n  key: {}\n", token(2));
    let ran = tree.run_with_input(&["scan", "--report", "json", "-", "x"], input.as_bytes());
    assert_eq!(ran.code(), Some(1));
    let places: Vec<_> = ran.places().into_iter().map(|it| (it.1, it.2, it.3)).collect();
    assert_eq!(places, [("-".to_owned(), 2, 8), ("x".to_owned(), 1, 1)]);
}

/// Runs a closure at the first window of every file.
struct Meddle<F>(F);

impl<F: Fn(&Path) + Sync> Sinks for Meddle<F> {
    fn sink(&self) -> Box<dyn Sink + '_> {
        Box::new(Meddler(&self.0))
    }
}

struct Meddler<'a, F>(&'a F);

impl<F: Fn(&Path) + Sync> BlobSink for Meddler<'_, F> {
    fn blob(&mut self, blob: &Blob<'_>) {
        if let (Origin::File(PlaceRef::File(path)), 0) = (blob.origin, blob.offset) {
            (self.0)(path);
        }
    }
}

impl<F: Fn(&Path) + Sync> Sink for Meddler<'_, F> {
    fn object(
        &mut self,
        _: &mut Object<'_>,
        _: Option<&ScannedObject>,
    ) -> Result<ScannedObject, Fault> {
        unreachable!("no git objects are read")
    }
}

pub(crate) fn meddle(
    paths: Vec<PathBuf>,
    meddler: impl Fn(&Path) + Sync,
) -> Vec<(Severity, String)> {
    let files = Files::new(FilesOptions {
        paths,
        no_ignore: false,
        user_rules: UserRules::default(),
        exclude: Vec::new(),
        configured: Exclude::default(),
        here: PathBuf::new(),
        max_file_size: None,
        own: Vec::new(),
        threads: 1,
        context: Context { before: 10, after: 10 },
        archives: None,
        repositories: None,
        is_store: false,
    });
    let run = Run::default();
    files.expect("no globs").read(&Meddle(meddler), &run);
    run.take_diagnostics().into_iter().map(|it| (it.severity(), it.message())).collect()
}

#[test]
fn a_file_changed_during_the_scan_is_reported() {
    let tree = Tree::new();
    let file = tree.write("x", vec![b'.'; 2_000_000]);
    let grow = |path: &Path| {
        let mut file =
            std::fs::OpenOptions::new().append(true).open(path).expect("a writable file");
        std::io::Write::write_all(&mut file, b"more").expect("room");
    };
    let shrink = |path: &Path| {
        let file = std::fs::OpenOptions::new().write(true).open(path).expect("a writable file");
        file.set_len(1_000_000).expect("it shrinks");
    };
    for meddler in [grow as fn(&Path), shrink] {
        let printed = meddle(vec![file.clone()], meddler);
        assert_eq!(printed.len(), 1);
        assert!(
            printed[0].0 == Severity::Unread && printed[0].1.contains("changed while"),
            "{printed:?}"
        );
    }
}

#[test]
fn a_file_deleted_during_the_scan_is_reported() {
    let tree = Tree::new();
    let (first, second) = (tree.write("a", "."), tree.write("b", "."));
    let printed = meddle(vec![first, second.clone()], |path| {
        if path != second {
            std::fs::remove_file(&second).expect("a writable file");
        }
    });
    assert_eq!(printed.len(), 1);
    assert!(printed[0].0 == Severity::Unread, "{printed:?}");
}

#[test]
fn ignored_files_of_nested_repositories_are_counted_even_if_git_folders_are_ignored() {
    let tree = Tree::new();
    std::fs::create_dir_all(tree.path().join("a/.git")).expect("a folder");
    tree.write("a/.gitignore", ".*\n*.env\n");
    tree.write("a/prod.env", token(1));
    tree.write("b/.git", "gitdir: elsewhere");
    tree.write("b/.gitignore", "*.env\n");
    tree.write("b/prod.env", token(2));
    for (path, ignored, folders) in [("a", 2, 1), ("b", 1, 0), (".", 3, 1)] {
        let report = tree.run(&[&JSON[..], &["--files-only", path]].concat()).json();
        let left_out = &report["summary"]["left_out"];
        assert_eq!(left_out["ignored_files"], ignored, "{path}");
        assert_eq!(left_out["git_folders"], folders, "{path}");
    }
}

#[test]
fn the_files_of_a_corrupt_repository_are_scanned() {
    let tree = Tree::new();
    tree.write("b/.git", "gitdir: elsewhere");
    tree.write("b/x", token(1));
    let ran = tree.run(&[&JSON[..], &["b"]].concat());
    assert_eq!(ran.places().len(), 1);
    assert_eq!(ran.json()["complete"], false);
    assert!(ran.json()["diagnostics"][0]["message"].to_string().contains("broken"), "{ran:?}");
}

#[test]
fn a_location_reached_by_several_paths_is_reported_once() {
    let tree = Tree::new();
    tree.write("sub/f", token(1));
    let absolute = tree.path().join("sub");
    let absolute = absolute.to_str().expect("temporary paths are UTF-8");
    assert_eq!(paths(&tree, &[".", "sub", "./sub"]), ["sub/f"]);
    assert_eq!(paths(&tree, &["sub", absolute]), ["sub/f"]);
}

#[test]
fn an_exclusion_has_no_negation() {
    let ran = Tree::new().run(&["scan", "--exclude", "*.log", "--exclude", "!keep.log"]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("--exclude !keep.log: negated globs have no effect"), "{ran:?}");
}

#[test]
fn base64_longer_than_a_window_is_decoded_completely_or_reported() {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(77), "ddpat_", 43, 0);
    let mut random = Random(78);
    let packed = |random: &mut Random, len: usize| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..len / 64 {
            gzip.write_all(random.base62(64).as_bytes()).expect("in memory");
        }
        gzip.write_all(format!("\n{token}\n").as_bytes()).expect("in memory");
        crate::support::encode::base64(&gzip.finish().expect("in memory"))
    };
    let one_line = packed(&mut random, 2_000_000);
    tree.write("release.yaml", format!("{}release: {one_line}\n", "# text\n".repeat(30_000)));
    let lines = crate::support::encode::folded(&one_line, 76, "\n    ");
    tree.write("folded.yaml", format!("release: |\n    {lines}\n"));
    let ran = tree.run(&["scan", "--report", "json"]);
    let report = ran.json();
    assert_eq!(report["complete"], true, "{ran:?}");
    let places = report["findings"][0]["locations"].as_array().expect("a list").clone();
    let printed: Vec<_> = places.iter().map(|it| (&it["path"], &it["encoding"])).collect();
    let encoding = serde_json::json!("base64 of gzip");
    assert_eq!(printed, [(&"folded.yaml".into(), &encoding), (&"release.yaml".into(), &encoding)]);
    std::fs::remove_file(tree.path().join("release.yaml")).expect("the file exists");
    std::fs::remove_file(tree.path().join("folded.yaml")).expect("the file exists");
    tree.write("huge.yaml", format!("release: {}\n", packed(&mut random, 24_000_000)));
    let ran = tree.run(&["scan"]);
    assert!(ran.stdout().contains("base64 longer than 16 MiB"), "{ran:?}");
    assert_eq!(tree.run(&["scan", "--strict"]).code(), Some(2));
}

#[test]
fn tracked_files_are_scanned_even_if_ignored() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.env\nbuild/\n.git\n");
    let named = format!("build/{}/x", token(5));
    for (path, seed) in [("a.env", 1), ("build/out/x", 2), ("sub/b.env", 3), (&*named, 4)] {
        repo.write(path, token(seed));
    }
    repo.git(&["add", "-f", "."]);
    repo.git(&["commit", "-qm", "all"]);
    repo.write("untracked.env", token(6));
    repo.write("build/untracked", token(6));
    std::fs::remove_file(repo.path().join("sub/b.env")).expect("the file exists");
    repo.write("sub/c.env", token(3));
    repo.git(&["add", "-f", "sub/c.env"]);
    let inner = repo.path().join("inner");
    repo.git(&["init", "-q", "inner"]);
    repo.write("inner/.gitignore", "*");
    repo.write("inner/y", token(7));
    repo.git_at(&inner, &["add", "-f", "y"]);
    let paths = |ran: &RunOutput| {
        let mut paths: Vec<String> = ran.places().into_iter().map(|it| it.1).collect();
        paths.sort();
        paths.dedup();
        paths
    };
    let masked = "build/ddpat_";
    let all = repo.scan(&["--files-only"]);
    let found = paths(&all);
    let plain: Vec<_> = found.iter().filter(|path| !path.starts_with(masked)).collect();
    assert_eq!(plain, ["a.env", "build/out/x", "inner/y", "sub/c.env"], "{all:?}");
    assert_eq!(found.len(), 6, "a name and what it holds: {found:?}");
    assert_eq!(all.json()["summary"]["left_out"]["ignored_files"], 3, "{all:?}");
    let below = repo.run_without_git(&repo.path().join("sub"), &["scan", "--report", "json"]);
    assert_eq!(paths(&below), ["c.env"]);
    let part = repo.scan(&["--files-only", "--exclude", "build", "--exclude", "*.env"]);
    assert_eq!(paths(&part), ["inner/y"]);
    let outside = repo.run_without_git(
        repo.path().parent().expect("a folder"),
        &["scan", "repo", "repo/build", "--report", "json", "--files-only"],
    );
    assert_eq!(paths(&outside).len(), 7, "what is named is read: {outside:?}");
    std::fs::write(repo.path().join(".git/index"), "no index").expect("a file");
    let ran = repo.scan(&["--files-only", "--strict"]);
    assert_eq!(ran.json()["complete"], false);
    assert!(ran.issue_messages("opaque")[0].contains("--no-ignore reads them"), "{ran:?}");
}

#[test]
fn tracked_paths_exclude_git_folders_and_link_targets() {
    let repo = Repo::new();
    repo.write("a.env", token(1));
    repo.write("dir/secret.env", token(2));
    repo.git(&["clone", "-q", "--bare", ".", "fix.git"]);
    repo.write("fix.git/HEAD-note", token(3));
    repo.write(".gitignore", "*.env\n");
    repo.git(&["add", "-f", "."]);
    repo.git(&["commit", "-qm", "all"]);
    let elsewhere = Tree::new();
    elsewhere.write("secret.env", token(4));
    std::fs::remove_dir_all(repo.path().join("dir")).expect("the file exists");
    std::os::unix::fs::symlink(elsewhere.path(), repo.path().join("dir")).expect("a link");
    let paths = |args: &[&str]| {
        let ran = repo.scan_with_git(args);
        let found: Vec<String> = ran.places().into_iter().map(|it| it.1).collect();
        (found, ran.issue_messages("opaque").len() + ran.issue_messages("unread").len())
    };
    let wanted = (vec!["a.env".to_owned()], 0);
    assert_eq!(paths(&["--files-only"]), wanted);
    // Index formats that only git reads.
    repo.git(&["update-index", "--split-index"]);
    assert_eq!(paths(&["--files-only"]), wanted);
    let other = Repo::init(&["--object-format=sha256"]);
    other.write(".gitignore", "*.env\n");
    other.write("a.env", token(1));
    other.git(&["add", "-f", "."]);
    let ran = other.scan_with_git(&["--files-only", "--strict"]);
    assert_eq!((ran.places().len(), ran.json()["complete"].as_bool()), (1, Some(true)), "{ran:?}");
}
