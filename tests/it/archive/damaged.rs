//! Damaged, truncated and encrypted archives: they are reported, and the rest is scanned.

use super::containers::{containers, python, shell};
use super::{JSON, issues, places, text, token};
use crate::support::tree::Tree;

#[test]
fn a_truncated_archive_is_reported_at_every_cut_position() {
    // Random text compresses badly, so the cut is in the content.
    let mut random = crate::support::mint::Random(5);
    let content = random.base62(600_000);
    for container in containers() {
        let (tree, path) = container.pack(&content);
        let whole = std::fs::read(&path).expect("the archive exists");
        // Without its appended zip, such a file is still a complete program.
        if matches!(container.file, "program" | "adjusted" | "script.pyz" | "initrd") {
            continue;
        }
        for part in [3, 5, 8] {
            let cut =
                tree.write(format!("cut/{}", container.file), &whole[..whole.len() * part / 9]);
            let ran = tree.run(&[&JSON[..], &["--strict", cut.to_str().expect("UTF-8")]].concat());
            let issues = issues(&ran);
            assert_eq!(ran.code(), Some(2), "{} at {part}/9: {issues:?}", container.file);
            assert!(issues.iter().all(|it| it.0 == "opaque"), "{}: {issues:?}", container.file);
        }
    }
}

#[test]
fn damage_at_any_offset_neither_stops_the_scan_nor_hides_other_files() {
    let mut random = crate::support::mint::Random(9);
    for container in containers() {
        let (tree, path) = container.pack(&text(&token(1)));
        let whole = std::fs::read(&path).expect("the archive exists");
        for _ in 0..6 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            std::fs::write(&path, &bytes).expect("room");
            tree.write("out/sibling", token(2));
            let ran = tree.run(&[&JSON[..], &["out"]].concat());
            assert!(matches!(ran.code(), Some(1)), "{}: {ran:?}", container.file);
        }
    }
}

#[test]
fn a_damaged_member_is_reported_and_the_others_are_scanned() {
    let tree = Tree::new();
    for at in 1..=3 {
        tree.write(format!("s{at}"), text(&token(at)));
    }
    shell(&tree, "zip -q a.zip s1 s2 s3; tar -cf a.tar s1 s2 s3");
    let damage = "
import struct, zipfile
data = bytearray(open('a.zip', 'rb').read())
info = zipfile.ZipFile('a.zip').getinfo('s2')
start = info.header_offset + 30 + len('s2') + struct.unpack('<H', data[info.header_offset + 28:][:2])[0]
data[start:start + 40] = b'\\xff' * 40
open('a.zip', 'wb').write(data)
data = bytearray(open('a.tar', 'rb').read())
at = data.index(b's2\\0')
data[at + 148:at + 156] = b'0000000\\0'
open('a.tar', 'wb').write(data)
import gzip
open('a.tgz', 'wb').write(gzip.compress(data))";
    python(&tree, damage);
    let ran = tree.run(&[&JSON[..], &["a.zip"]].concat());
    assert_eq!(places(&ran), ["a.zip!/s1:401:6", "a.zip!/s3:401:6"]);
    assert_eq!(issues(&ran).len(), 1);
    assert_eq!((&*issues(&ran)[0].0, &*issues(&ran)[0].1), ("opaque", "a.zip!/s2"));
    let ran = tree.run(&[&JSON[..], &["a.tgz"]].concat());
    assert!(places(&ran).contains(&"a.tgz!/s3:401:6".to_owned()), "{ran:?}");
    assert_eq!(ran.json()["findings"].as_array().map(Vec::len), Some(3), "raw bytes are scanned");
    assert!(issues(&ran)[0].2.contains("no header where one is expected"), "{ran:?}");
}

#[test]
fn a_zip_without_a_central_directory_is_read_sequentially() {
    for pack in ["zip -q a.zip s1 s2", "cat s1 | zip -q a.zip -; zip -q a.zip s2"] {
        let tree = Tree::new();
        tree.write("s1", text(&token(1)));
        tree.write("s2", text(&token(2)));
        shell(&tree, pack);
        let script = "
data = open('a.zip', 'rb').read()
open('a.zip', 'wb').write(data[:data.index(b'PK\\x01\\x02')])";
        python(&tree, script);
        let ran = tree.run(&[&JSON[..], &["a.zip"]].concat());
        assert_eq!(places(&ran).len(), 2, "{ran:?}");
        assert!(issues(&ran).iter().any(|it| it.0 == "opaque"), "{ran:?}");
    }
}

#[test]
fn encrypted_members_are_reported_and_the_rest_is_scanned() {
    let tree = Tree::new();
    tree.write("secret", text(&token(1)));
    tree.write("open", text(&token(2)));
    shell(
        &tree,
        "zip -q -P x a.zip secret; zip -q a.zip open; 7z a -bd -px b.7z secret > /dev/null
         7z a -bd -px -mhe=on c.7z secret > /dev/null; 7z a -bd -tzip -mem=AES256 -px d.zip secret > /dev/null
         7z a -bd -ms=off b.7z open > /dev/null; rm secret open",
    );
    let ran = tree.run(&JSON);
    assert_eq!(places(&ran), ["a.zip!/open:401:6", "b.7z!/open:401:6"], "{ran:?}");
    let issues = issues(&ran);
    let paths: Vec<&str> = issues.iter().map(|it| &*it.1).collect();
    assert_eq!(paths, ["a.zip!/secret", "b.7z!/secret", "c.7z", "d.zip!/secret"], "{issues:?}");
    assert!(issues.iter().all(|it| it.0 == "opaque" && it.2.contains("encrypted")), "{issues:?}");
    assert_eq!(ran.json()["complete"], true);
    assert_eq!(tree.run(&["scan", "--strict", "c.7z"]).code(), Some(2));
}

#[test]
fn a_truncated_stream_is_scanned_up_to_the_cut() {
    let mut random = crate::support::mint::Random(3);
    let content = format!("{}\n{}", text(&token(1)), random.base62(400_000));
    for pack in ["gzip -c", "bzip2 -1c", "xz -c", "zstd -qc", "lz4 -qc -B4"] {
        let tree = Tree::new();
        tree.write("s", &content);
        shell(&tree, &format!("{pack} s > whole; head -c 200000 whole > cut.gz; rm s whole"));
        let ran = tree.run(&JSON);
        assert_eq!(
            places(&ran),
            [if pack.starts_with("gzip") { "cut.gz!/s:401:6" } else { "cut.gz!/cut:401:6" }],
            "{pack}: {ran:?}"
        );
        assert!(issues(&ran).iter().any(|it| it.0 == "opaque"), "{pack}: {ran:?}");
    }
}
