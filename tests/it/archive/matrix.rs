//! Every container as a file, on standard input, and nested in other archives.

use super::containers::{Container, containers, shell};
use super::{JSON, issues, places, text, token};
use crate::support::tree::{RunOutput, Tree};

/// Asserts that a complete scan found the token at exactly this path.
fn check(ran: &RunOutput, name: &str, path: &str) {
    assert_eq!(places(ran), [format!("{path}:401:6")], "{name}: {:?}", issues(ran));
    assert_eq!(ran.json()["complete"], true, "{name}: {:?}", issues(ran));
    assert!(issues(ran).is_empty(), "{name}: {:?}", issues(ran));
    assert_eq!(ran.code(), Some(1), "{name}");
}

fn each(check: impl Fn(&Container, Tree, Vec<u8>)) {
    for container in containers() {
        let (tree, path) = container.pack(&text(&token(1)));
        let bytes = std::fs::read(path).expect("the archive exists");
        check(container, tree, bytes);
    }
}

#[test]
fn a_token_in_an_archive_file_is_found() {
    each(|container, tree, _| {
        let ran = tree.run(&[&JSON[..], &[&format!("out/{}", container.file)]].concat());
        check(&ran, container.file, &format!("out/{}{}", container.file, container.member));
    });
}

#[test]
fn a_token_in_an_archive_on_standard_input_is_found() {
    each(|container, tree, bytes| {
        let ran = tree.run_with_input(&[&JSON[..], &["-"]].concat(), &bytes);
        // On standard input there is no file name to derive the member's name from.
        let is_named = !matches!(
            container.file,
            "s.env.bz2"
                | "s.env.xz"
                | "s.env.lzma"
                | "s.env.zst"
                | "s.env.lz4"
                | "frames.zst"
                | "frames.lz4"
                | "legacy.lz4"
                | "streams.xz"
                | "streams.bz2"
                | "members.gz"
        );
        let member = if is_named { container.member } else { "!/content" };
        check(&ran, container.file, &format!("stdin{member}"));
    });
}

#[test]
fn a_token_in_an_archive_in_a_compressed_tar_is_found() {
    each(|container, tree, _| {
        shell(&tree, &format!("tar -czf nest.tgz -C out {}", container.file));
        let ran = tree.run(&[&JSON[..], &["nest.tgz"]].concat());
        let path = format!("nest.tgz!/{}{}", container.file, container.member);
        check(&ran, container.file, &path);
    });
}

#[test]
fn a_token_in_an_archive_in_a_zip_on_standard_input_is_found() {
    each(|container, tree, _| {
        shell(&tree, &format!("cd out; zip -q ../nest.zip {}", container.file));
        let bytes = std::fs::read(tree.path().join("nest.zip")).expect("the archive exists");
        let ran = tree.run_with_input(&[&JSON[..], &["-"]].concat(), &bytes);
        check(&ran, container.file, &format!("stdin!/{}{}", container.file, container.member));
    });
}

#[test]
fn nested_archives_are_opened_up_to_the_requested_depth() {
    let tree = Tree::new();
    tree.write("s.env", text(&token(1)));
    let tools = "zip -q 1.zip s.env; tar -czf 2.tgz 1.zip; 7z a -bd 3.7z 2.tgz > /dev/null
        ar rc 4.a 3.7z; echo 4.a | cpio -oH newc --quiet > 5.cpio; xz -k 5.cpio
        tar --zstd -cf 6.tar.zst 5.cpio.xz; zip -q 7.zip 6.tar.zst; tar -cJf 8.txz 7.zip
        zip -q 9.zip 8.txz; rm -f [1-7].* s.env";
    shell(&tree, tools);
    let path = "!/7.zip!/6.tar.zst!/5.cpio.xz!/4.a!/3.7z!/2.tgz!/1.zip!/s.env";
    let ran = tree.run(&[&JSON[..], &["8.txz"]].concat());
    check(&ran, "eight", &format!("8.txz{path}"));
    let ran = tree.run(&[&JSON[..], &["9.zip"]].concat());
    assert_eq!((places(&ran).len(), ran.code()), (0, Some(2)));
    let [(kind, place, message)] = &issues(&ran)[..] else { panic!("{ran:?}") };
    assert_eq!((&**kind, place.ends_with("!/2.tgz!/1.zip")), ("unread", true));
    assert!(message.contains("--archive-depth"), "{message}");
    let ran = tree.run(&[&JSON[..], &["--archive-depth", "9", "9.zip"]].concat());
    check(&ran, "nine", &format!("9.zip!/8.txz{path}"));
}

#[test]
fn archives_are_not_opened_if_disabled() {
    let tree = Tree::new();
    tree.write("s.env", text(&token(1)));
    shell(&tree, "zip -q a.zip s.env; rm s.env");
    let ran = tree.run(&[&JSON[..], &["--no-archives", "a.zip"]].concat());
    assert_eq!((places(&ran).len(), ran.code()), (0, Some(0)));
    assert_eq!(ran.json()["summary"]["archives"], 0);
}

#[test]
fn unpacked_bytes_and_members_are_counted_and_reported() {
    let tree = Tree::new();
    tree.write("s.env", text(&token(1)));
    tree.write("t.env", "nothing");
    shell(&tree, "tar -czf a.tgz s.env t.env; zip -q b.zip a.tgz; rm ?.env a.tgz");
    let summary = tree.run(&JSON).json()["summary"].clone();
    assert_eq!((&summary["archives"], &summary["members"]), (&3.into(), &3.into()), "{summary}");
    assert!(summary["unpacked"].as_u64() > Some(10_000), "{summary}");
    let printed = tree.run(&["scan"]).stdout();
    assert!(printed.contains("Unpacked 3 archives with 3 members, "), "{printed}");
}

#[test]
fn the_report_does_not_depend_on_the_number_of_workers() {
    let tree = Tree::new();
    for seed in 0..12 {
        tree.write(format!("s{seed}.env"), text(&token(seed)));
        shell(&tree, &format!("tar -czf {seed}.tgz s{seed}.env; zip -q {seed}.zip {seed}.tgz"));
    }
    let report = |threads: &str| tree.run(&[&JSON[..], &["--threads", threads]].concat()).stdout();
    assert_eq!(report("1"), report("7"));
}
