//! Archives in git: as blobs of commits, as deltas in packs, in staged changes and in ranges.

use super::{text, token};
use crate::support::repo::Repo;
use crate::support::tree::RunOutput;
use std::process::Command;

/// Creates a zip or a compressed tar with one file in a repository, with Python.
fn pack(repo: &Repo, archive: &str, member: &str, content: &str) {
    let script = "import io, sys, tarfile, zipfile\n\
                  archive, member, content = sys.argv[1:4]\n\
                  if archive.endswith('.zip'):\n\
                  \x20   with zipfile.ZipFile(archive, 'w', zipfile.ZIP_DEFLATED) as out:\n\
                  \x20       out.writestr(member, content)\n\
                  else:\n\
                  \x20   with tarfile.open(archive, 'w:gz' if archive.endswith('gz') else 'w') as out:\n\
                  \x20       entry = tarfile.TarInfo(member)\n\
                  \x20       entry.size = len(content)\n\
                  \x20       out.addfile(entry, io.BytesIO(content.encode()))\n";
    let mut command = Command::new("python3");
    command.current_dir(repo.path()).args(["-c", script, archive, member, content]);
    assert!(command.status().expect("python3 runs").success());
}

/// Returns path, line, subject of the commit and status of each location, sorted.
fn places(ran: &RunOutput) -> Vec<String> {
    let report = ran.json();
    let mut places = Vec::new();
    for finding in report["findings"].as_array().expect("a list") {
        for place in finding["locations"].as_array().expect("a list") {
            let path = place["path"].as_str().unwrap_or("-");
            let subject = place["git"]["introduced"]["subject"].as_str().unwrap_or("no commit");
            let standing = place["standing"].as_str().unwrap_or("-");
            places.push(format!("{path}:{} {subject} {standing}", place["line"]));
        }
    }
    places.sort();
    places
}

#[test]
fn a_token_in_an_archive_in_history_has_its_commit_and_line() {
    let repo = Repo::with_files(&[("a", "clean")]);
    for (at, archive) in ["x.zip", "y.tar.gz", "z.tar"].into_iter().enumerate() {
        pack(&repo, archive, "d/prod.env", &text(&token(at as u64 + 1)));
        repo.commit_files(&[], &format!("add {archive}"));
        pack(&repo, archive, "d/prod.env", &text("nothing"));
        repo.commit_files(&[], &format!("clean {archive}"));
    }
    let wanted = [
        "x.zip!/d/prod.env:401 add x.zip -",
        "y.tar.gz!/d/prod.env:401 add y.tar.gz -",
        "z.tar!/d/prod.env:401 add z.tar -",
    ];
    let scan = ["scan", "--history-only", "--report", "json"];
    for packed in [false, true] {
        if packed {
            repo.git(&["gc", "-q", "--aggressive", "--prune=now"]);
        }
        let ran = repo.run(&scan);
        assert_eq!((ran.code(), places(&ran)), (Some(1), wanted.map(str::to_owned).into()));
        let report = ran.json();
        let removed = &report["findings"][0]["locations"][0]["git"]["removed"][0]["subject"];
        assert_eq!(removed, "clean x.zip");
        assert!(report["summary"]["archives"].as_u64() >= Some(6), "{report}");
        let printed = repo.run(&["scan", "--history-only"]).stdout();
        assert!(
            !printed.contains(&token(1)[30..]) && printed.contains("x.zip!/d/prod.env:401:6"),
            "{printed}"
        );
    }
    let ran = repo.run(&[&scan[..], &["--no-archives"]].concat());
    assert_eq!(
        places(&ran),
        ["z.tar:401 add z.tar -"],
        "a tar shows what it holds as it is: {ran:?}"
    );
}

#[test]
fn a_zip_appended_to_a_script_is_opened_in_every_deltified_version() {
    let repo = Repo::with_files(&[("run", &"#!/bin/sh\necho a line of the script\n".repeat(40))]);
    for version in 0..4_u64 {
        pack(&repo, "run.zip", "d/x", &text(&token(version + 1)));
        let mut script =
            "#!/bin/sh\necho a line of the script\n".repeat(40 + version as usize).into_bytes();
        script.extend(std::fs::read(repo.path().join("run.zip")).expect("a zip"));
        std::fs::remove_file(repo.path().join("run.zip")).expect("the file exists");
        repo.write("run", script);
        repo.commit_files(&[], &format!("version {version}"));
    }
    repo.git(&["gc", "-q", "--aggressive", "--prune=now"]);
    let ran = repo.run(&["scan", "--history-only", "--report", "json"]);
    let wanted: Vec<String> = (0..4).map(|it| format!("run!/d/x:401 version {it} -")).collect();
    assert_eq!((ran.code(), places(&ran)), (Some(1), wanted), "{ran:?}");
}

#[test]
fn archives_are_judged_in_ranges_and_staged_changes() {
    let repo = Repo::with_files(&[("a", "clean")]);
    pack(&repo, "x.zip", "old", &token(1));
    repo.commit_files(&[], "the base");
    pack(&repo, "x.zip", "renamed", &token(1));
    repo.git(&["add", "-A"]);
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!((ran.code(), places(&ran)), (Some(0), Vec::new()), "the token is preexisting");
    assert_eq!(ran.json()["summary"]["already_there"], 1);
    pack(&repo, "y.zip", "new", &token(2));
    repo.git(&["add", "-A"]);
    let ran = repo.run(&["staged", "--report", "json"]);
    assert_eq!((ran.code(), places(&ran)), (Some(1), vec!["y.zip!/new:1 no commit new".into()]));
    repo.commit_files(&[], "the change");
    let ran = repo.run(&["range", "HEAD~1..HEAD", "--report", "json"]);
    assert_eq!((ran.code(), places(&ran)), (Some(1), vec!["y.zip!/new:1 the change new".into()]));
}

/// Creates a repository in `$inner`, with the token `$1` in a blob and another one in a commit message,
/// and packs it into `repo` with a script, in which `$git` runs git in the inner repository.
fn pack_repository(repo: &Repo, script: &str) {
    let inner = Repo::new();
    // Reflogs would repeat the message in archives of the whole repository.
    inner.git(&["config", "core.logAllRefUpdates", "false"]);
    let (first, second) = (token(11), token(12));
    inner.write("s.env", format!("key: {first}\n"));
    inner.commit(format!("Bring in {second}"));
    inner.remove("s.env");
    inner.commit("Take it out");
    let mut command = Command::new("bash");
    inner.set_environment(&mut command).current_dir(repo.path()).env("inner", inner.path());
    command.args(["-euc", &format!("git=\"git -C $inner\"; {script}"), "bash", &first]);
    let output = command.output().expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn bundles_packs_and_repositories_in_git_are_scanned_by_object() {
    for (archive, script) in [
        ("a.bundle", "$git bundle create -q \"$PWD/a.bundle\" --all"),
        ("a.tgz", "tar -C \"$inner\" -czf a.tgz .git"),
        ("b.tgz", "$git gc -q --aggressive; tar -C \"$inner\" -czf b.tgz ."),
        ("a.pack", "$git gc -q; cp \"$inner\"/.git/objects/pack/*.pack a.pack"),
        ("c.zip", "$git bundle create -q \"$PWD/c\" --all; python3 -m zipfile -c c.zip c; rm c"),
    ] {
        let repo = Repo::with_files(&[("a", "clean")]);
        pack_repository(&repo, script);
        repo.git(&["add", "-A"]);
        let check = |ran: &RunOutput, subject: &str| {
            let report = ran.json();
            assert_eq!((ran.code(), &report["complete"]), (Some(1), &true.into()), "{report:#}");
            assert_eq!(report["diagnostics"].as_array().map(Vec::len), Some(0), "{report:#}");
            let places = places(ran);
            assert_eq!(places.len(), 2, "{places:?}");
            let begins = format!("{archive}!/");
            for kind in ["blob", "commit"] {
                let is_its = |place: &&String| place.contains(&format!("/{kind}"));
                let place = places.iter().find(is_its).expect(kind);
                assert!(place.starts_with(&begins) && place.ends_with(subject), "{places:?}");
            }
        };
        check(&repo.run(&["staged", "--report", "json"]), "no commit new");
        repo.commit_files(&[], "pack it away");
        check(&repo.run(&["range", "HEAD~1..HEAD", "--report", "json"]), "pack it away new");
        let scan = ["scan", "--history-only", "--report", "json", "--state", "../state"];
        for _ in 0..2 {
            check(&repo.run(&scan), "pack it away -");
        }
    }
}

#[test]
fn a_large_object_in_a_bundle_in_git_is_scanned_and_damage_is_reported() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let script = "(head -c 70000000 /dev/zero; printf '\\nkey: %s\\n' \"$1\") > \"$inner/large\"
                  $git add large; $git commit -qm 'Bring it in again'
                  $git bundle create -q \"$PWD/a.bundle\" --all";
    pack_repository(&repo, script);
    repo.commit_files(&[], "add");
    let scan = ["scan", "--history-only", "--report", "json"];
    let ran = repo.run(&scan);
    let places = places(&ran);
    assert_eq!((places.len(), &ran.json()["complete"]), (3, &true.into()), "{places:?}");
    assert!(places.iter().any(|place| place.contains(":2 add")), "{places:?}");
    let whole = std::fs::read(repo.path().join("a.bundle")).expect("a bundle");
    for part in 1..6 {
        repo.write("a.bundle", &whole[..whole.len() * part / 6]);
        repo.commit_files(&[], &format!("cut {part}"));
        repo.git(&["rm", "-q", "a.bundle"]);
        let ran = repo.run(&["range", "HEAD~1..HEAD", "--report", "json", "--strict"]);
        assert_eq!(ran.json()["complete"], false, "{part}: {ran:?}");
    }
}

#[test]
fn a_pack_in_git_over_the_size_limit_is_reported_and_not_extracted() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let script = "head -c 70000000 /dev/zero > \"$inner/large\"
                  $git add large; $git commit -qm 'A large one'
                  $git bundle create -q \"$PWD/a.bundle\" --all; zip -q a.zip a.bundle";
    pack_repository(&repo, script);
    repo.write("b.txt", text(&token(2)));
    repo.git(&["rm", "-q", "--cached", "--ignore-unmatch", "a.bundle"]);
    std::fs::remove_file(repo.path().join("a.bundle")).expect("a bundle");
    repo.commit_files(&[], "add");
    let limited = ["scan", "--history-only", "--report", "json", "--max-unpacked", "9000000"];
    let ran = repo.run(&limited);
    let report = ran.json();
    let issue = &report["diagnostics"][0];
    assert_eq!((ran.code(), issue["kind"].as_str()), (Some(1), Some("unread")), "{ran:?}");
    assert!(issue["path"].as_str().is_some_and(|path| path.ends_with("!/a.bundle")), "{issue}");
    let what = "it unpacks to more than 9000000 bytes (--max-unpacked)";
    assert!(issue["message"].as_str().is_some_and(|message| message.contains(what)), "{issue}");
    assert_eq!(places(&ran).len(), 1, "{ran:?}");
    assert!(report["summary"]["unpacked"].as_u64().is_some_and(|len| len < 1 << 20), "{report}");
}

#[test]
fn a_damaged_archive_in_git_is_reported_and_the_state_caches_members() {
    let repo = Repo::with_files(&[("a", "clean")]);
    pack(&repo, "x.zip", "d/x", &text(&token(1)));
    repo.commit_files(&[], "add");
    let args = ["scan", "--history-only", "--report", "json", "--state", "../state"];
    for _ in 0..2 {
        let ran = repo.run(&args);
        assert_eq!((ran.code(), places(&ran)), (Some(1), vec!["x.zip!/d/x:401 add -".into()]));
    }
    pack(&repo, "y.tar.gz", "d/x", &text("nothing"));
    let whole = std::fs::read(repo.path().join("y.tar.gz")).expect("an archive");
    repo.write("y.tar.gz", &whole[..whole.len() / 2]);
    repo.commit_files(&[], "cut");
    let ran = repo.run(&args);
    let report = ran.json();
    assert_eq!(report["diagnostics"][0]["kind"], "opaque", "{ran:?}");
    assert_eq!(
        repo.run(&["scan", "--history-only", "--strict", "--fail-on", "never"]).code(),
        Some(2)
    );
    let gap = &report["diagnostics"][0];
    assert_eq!(gap["path"], "y.tar.gz!", "{gap}");
    assert_eq!(gap["commit"], *repo.id("HEAD"), "{gap}");
}

#[test]
fn a_delta_that_inflates_over_the_limit_is_reported_and_not_inflated() {
    let repo = Repo::with_files(&[("a", "clean")]);
    let script = "
import hashlib, struct, zlib
def entry(kind, size, more, data):
    first, rest = kind << 4 | size & 15, size >> 4
    head = []
    while rest:
        head.append(first | 128)
        first, rest = rest & 127, rest >> 7
    return bytes(head + [first]) + more + zlib.compress(data)
base = entry(3, 50, b'', b'x' * 50)
delta = bytes([50, 10]) + bytes(70 << 20)
pack = b'PACK' + struct.pack('>2L', 2, 2) + base + entry(6, len(delta), bytes([len(base)]), delta)
open('a.pack', 'wb').write(pack + hashlib.sha1(pack).digest())
";
    let output = Command::new("python3").current_dir(repo.path()).args(["-c", script]).output();
    assert!(output.expect("python3 runs").status.success());
    repo.git(&["add", "-A"]);
    repo.commit_files(&[], "add");
    let ran = repo.run(&["scan", "--history-only", "--report", "json"]);
    let report = ran.json();
    let issue = &report["diagnostics"][0];
    assert_eq!((ran.code(), issue["kind"].as_str()), (Some(2), Some("unread")), "{ran:?}");
    let what = "a delta of 73400322 bytes in the pack exceeds the limit of 67108864 bytes";
    assert!(issue["message"].as_str().is_some_and(|message| message.contains(what)), "{issue}");
}
