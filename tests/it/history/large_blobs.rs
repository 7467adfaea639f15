//! Large blobs, and objects that are repacked while they are read.

use super::{introduced, is_reachable, token};
use crate::support::repo::Repo;
use std::sync::atomic::{AtomicBool, Ordering};

/// Returns content that is too large to be held in memory at once and compresses well.
fn large(token: &str, len: usize, at: usize) -> Vec<u8> {
    let mut content =
        b"0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnop\n".repeat(len / 63);
    content[at..at + token.len()].copy_from_slice(token.as_bytes());
    content[at - 1] = b'=';
    content[at + token.len()] = b'\n';
    content
}

#[test]
fn a_blob_over_64_megabytes_is_scanned_loose_packed_and_as_a_delta() {
    let repo = Repo::new();
    let (len, at) = (66 << 20, 65 << 20);
    let fast = |value: &str| drop(repo.git(&["config", "core.compression", value]));
    fast("1");
    let first = repo.commit_file("big", large(&token(1), len, at));
    let expect = |seed: u64, commit: &str| {
        let place = repo.scan_history().only_location(&token(seed));
        assert_eq!((introduced(&place), &place["path"]), (commit, &"big".into()));
        assert_eq!(place["offset"], at);
        let line = at as u64 / 63 + 1;
        let line_start = (line - 1) * 63;
        assert_eq!(
            (&place["line"], &place["column"]),
            (&line.into(), &(at as u64 - line_start + 1).into())
        );
    };
    expect(1, &first);
    repo.git(&["repack", "-adq", "--window=0"]);
    expect(1, &first);
    let second = repo.commit_file("big", large(&token(2), len, at));
    expect(2, &second);
    repo.git(&["repack", "-adq", "--window=2"]);
    expect(1, &first);
    expect(2, &second);
}

#[test]
fn objects_moved_by_a_concurrent_repack_are_found_and_attributed() {
    let repo = Repo::new();
    let mut stream = String::new();
    for n in 0..600 {
        stream += "commit refs/heads/main\n";
        stream += &format!("committer A <a@example.com> {} +0000\ndata 1\n.\n", 1_700_000_000 + n);
        let planted = if n % 100 == 50 { token(n) } else { String::new() };
        let text = format!("{n} {planted}\n");
        stream += &format!("M 644 inline d{}/x\ndata {}\n{text}\n", n % 5, text.len());
    }
    repo.git_with_input(&["fast-import", "--quiet"], stream);
    let expected: Vec<(u64, String)> =
        (0..6).map(|n| n * 100 + 50).map(|n| (n, repo.id(&format!("main~{}", 599 - n)))).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Stops the other thread after a failed assertion, too; the test would hang otherwise.
        let _stopping = Stopping(&stop);
        scope.spawn(|| {
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                turn += 1;
                let depth = format!("--depth={}", turn % 40);
                let args = ["repack", "-adfq", &depth];
                assert!(repo.command(repo.path(), &args).status().expect("git runs").success());
            }
        });
        for _ in 0..15 {
            let ran = repo.scan(&["--history-only"]);
            assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
            assert_eq!(ran.issue_messages("unread"), Vec::<String>::new());
            for (n, commit) in &expected {
                let place = ran.only_location(&token(*n));
                assert_eq!((introduced(&place), is_reachable(&place)), (&**commit, true));
            }
        }
    });
}

/// Stops the thread that runs during a test.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn loose_objects_packed_during_the_scan_are_found_and_attributed() {
    let repo = Repo::new();
    let first = repo.commit_file("d/x", token(1));
    for n in 0..800 {
        repo.write(format!("files/{}/{n}", n % 50), format!("{n}"));
    }
    let second = repo.commit("many");
    for n in 0..4 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(n * 8));
                repo.git(&["repack", "-adq"]);
            });
            let ran = repo.scan(&["--history-only"]);
            assert_eq!(
                (ran.code(), ran.issue_messages("unread")),
                (Some(1), vec![]),
                "{}",
                ran.stdout()
            );
            let place = ran.only_location(&token(1));
            assert_eq!((introduced(&place), is_reachable(&place)), (&*first, true), "{n}");
            assert_eq!(place["git"]["in_head"], true);
        });
        let packs = repo.packs(".pack");
        let bytes: Vec<_> = packs.iter().map(|it| std::fs::read(it).expect("one")).collect();
        repo.packs("")
            .into_iter()
            .for_each(|it| std::fs::remove_file(it).expect("a writable file"));
        bytes.iter().for_each(|it| drop(repo.git_with_input(&["unpack-objects", "-q"], it)));
    }
    assert_eq!(repo.id("HEAD"), second);
}
