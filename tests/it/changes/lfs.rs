//! Git LFS: changes are judged by the objects of their pointers.

use super::{token, verdict};
use crate::support::encode::hex;
use crate::support::repo::Repo;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Returns a pointer as Git LFS writes it.
fn pointer(content: &[u8]) -> String {
    let size = content.len();
    format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {size}\n",
        oid(content)
    )
}

fn oid(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Writes an object into a store and returns its file.
fn put(repo: &Repo, store: &str, content: &[u8]) -> PathBuf {
    let oid = oid(content);
    let path = format!("{store}/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]);
    repo.write(&path, content);
    repo.path().join(path)
}

#[track_caller]
fn assert_staged(repo: &Repo, expected: &str) {
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!(verdict(&ran), expected, "{ran:?}");
}

#[test]
fn lfs_objects_are_scanned_by_hooks_and_ranges() {
    let repo = Repo::with_files(&[("a", "clean")]);
    repo.git(&["lfs", "install", "--local"]);
    repo.git(&["lfs", "track", "*.env"]);
    repo.commit_files(&[], "tracked");
    assert_eq!(repo.run(&["hook", "install"]).code(), Some(0));
    let text = format!("line\nKEY={}\n", token(1));
    repo.stage(&[("folder/prod.env", &text)]);
    let blob = repo.git(&["show", ":folder/prod.env"]);
    assert!(blob.starts_with("version https://git-lfs"), "{blob}");
    assert_staged(&repo, "1; new folder/prod.env");
    let output = repo.try_git(repo.path(), &["commit", "-q", "-m", "a leak"], "");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && printed.contains("folder/prod.env:2:5  datadog-pat"),
        "{printed}"
    );
    repo.git(&["commit", "-q", "--no-verify", "-m", "a leak"]);
    let ran = repo.run(&["range", "--report", "json", "HEAD~1..HEAD"]);
    assert_eq!(verdict(&ran), "1; new folder/prod.env", "{ran:?}");
    let place = &ran.json()["findings"][0]["locations"][0];
    assert_eq!(place["git"]["introduced"]["commit"], repo.id("HEAD"));
    // Neither an edit next to the token nor a move is a leak.
    repo.stage(&[("folder/prod.env", &format!("{text}more\n"))]);
    assert_staged(&repo, "0; 1 already there");
    repo.git(&["mv", "folder/prod.env", "other.env"]);
    assert_staged(&repo, "0; moved other.env from folder/prod.env");
}

#[test]
fn a_missing_lfs_object_is_reported() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let content = format!("KEY={}", token(1));
    repo.stage(&[("prod.env", &pointer(content.as_bytes()))]);
    let gaps = || {
        let ran = repo.run(&["staged", "--report", "json"]);
        assert_eq!(verdict(&ran), "0", "{ran:?}");
        ran.json()["diagnostics"].to_string()
    };
    let printed = gaps();
    assert!(printed.contains("git lfs fetch") && printed.contains("prod.env"), "{printed}");
    assert!(printed.contains("\"opaque\""), "{printed}");
    assert_eq!(repo.run(&["staged", "--strict"]).code(), Some(2));
    repo.git(&["commit", "-q", "-m", "a pointer"]);
    assert_eq!(repo.run(&["range", "HEAD", "--strict"]).code(), Some(2));
    assert_eq!(repo.run(&["range", "HEAD"]).code(), Some(0));
    // A later change does not report the object again.
    repo.stage(&[("b", "clean")]);
    assert_eq!(gaps(), "[]");
    let path = put(&repo, ".git/lfs", content.as_bytes());
    let ran = repo.run(&["range", "HEAD", "--report", "json"]);
    assert_eq!(verdict(&ran), "1; new prod.env", "{ran:?}");
    // The stored object has another size or is not a file.
    std::fs::write(&path, "short").expect("a file");
    assert_eq!(repo.run(&["range", "HEAD", "--strict"]).code(), Some(2));
    std::fs::remove_file(&path).expect("the file exists");
    std::os::unix::fs::symlink("/dev/zero", &path).expect("a link");
    assert_eq!(repo.run(&["range", "HEAD", "--strict"]).code(), Some(2));
    std::fs::remove_file(&path).expect("the file exists");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    assert_eq!(repo.run(&["range", "HEAD", "--strict"]).code(), Some(2));
}

#[test]
fn lfs_objects_are_read_from_the_configured_storage() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let content = format!("KEY={}", token(1));
    repo.stage(&[("prod.env", &pointer(content.as_bytes()))]);
    put(&repo, ".git/elsewhere", content.as_bytes());
    assert_staged(&repo, "0");
    repo.git(&["config", "lfs.storage", "elsewhere"]);
    assert_staged(&repo, "1; new prod.env");
    repo.git(&["config", "lfs.storage", &repo.path().join(".git/elsewhere").to_string_lossy()]);
    assert_staged(&repo, "1; new prod.env");
    repo.git(&["worktree", "add", "-q", "../linked"]);
    let linked = repo.parent().join("linked");
    std::fs::write(linked.join("prod.env"), pointer(content.as_bytes())).expect("a file");
    assert!(repo.try_git(&linked, &["add", "prod.env"], "").status.success());
    let ran = repo.run_in(&linked, &["staged", "--report", "json"], &[]);
    assert_eq!(verdict(&ran), "1; new prod.env");
}

#[test]
fn a_large_lfs_object_and_an_lfs_archive_are_scanned_completely() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let mut large = vec![b'\n'; 20 << 20];
    large.extend_from_slice(token(1).as_bytes());
    put(&repo, ".git/lfs", &large);
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zipped, token(2).as_bytes()).expect("memory");
    let zipped = zipped.finish().expect("memory");
    put(&repo, ".git/lfs", &zipped);
    repo.stage(&[("large.bin", &pointer(&large)), ("packed.gz", &pointer(&zipped))]);
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!(verdict(&ran), "1; new large.bin; new packed.gz!/packed", "{ran:?}");
    let findings = ran.json()["findings"].to_string();
    assert!(findings.contains(&format!("\"line\":{}", (20 << 20) + 1)), "{findings}");
}
