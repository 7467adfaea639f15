//! Zips whose central directories are incomplete or wrong.

use super::containers::{python, shell};
use super::{JSON, token};
use crate::support::tree::{RunOutput, Tree};

/// Scans an archive, which must yield no issue, and returns the paths of the findings.
#[track_caller]
fn scan(tree: &Tree, archive: &str) -> Vec<String> {
    let ran = tree.run(&[&JSON[..], &[archive, "--strict"]].concat());
    assert_eq!(ran.json()["diagnostics"].as_array().map(Vec::len), Some(0), "{ran:?}");
    paths(&ran)
}

fn paths(ran: &RunOutput) -> Vec<String> {
    let mut paths: Vec<String> = ran.places().into_iter().map(|it| it.1).collect();
    paths.sort();
    paths
}

fn files(tree: &Tree, seeds: std::ops::RangeInclusive<u64>) {
    for seed in seeds {
        tree.write(format!("s{seed}"), format!("{}{}\n", "x\n".repeat(400), token(seed)));
    }
}

#[test]
fn zip_entries_missing_from_the_directory_are_scanned() {
    let tree = Tree::new();
    files(&tree, 1..=3);
    // A program that reads zips contains the signature of zip entries.
    let marks = b"PK\x03\x04 is a mark PK\x03\x04";
    tree.write("stub", [&b"\x7fELF"[..], marks, &[b'P'; 90]].concat());
    shell(
        &tree,
        "zip -q a.zip s1; zip -q b.zip s2; cat a.zip b.zip > two.zip
         zip -q three.zip s1 s2 s3
         python3 - <<'END'
import zipfile
with zipfile.ZipFile('three.zip', 'a') as z:
    z.filelist = [it for it in z.filelist if it.filename == 's2']
    z._didModify = True
END
         cat stub b.zip > exe; cat stub two.zip > exe2; zip -q0 outer.zip two.zip",
    );
    for (archive, wanted) in [
        ("two.zip", &["s1", "s2"][..]),
        ("three.zip", &["s1", "s2", "s3"]),
        ("exe", &["s2"]),
        ("exe2", &["s1", "s2"]),
        ("outer.zip", &["two.zip!/s1", "two.zip!/s2"]),
    ] {
        let wanted: Vec<String> = wanted.iter().map(|it| format!("{archive}!/{it}")).collect();
        assert_eq!(scan(&tree, archive), wanted);
    }
}

#[test]
fn bytes_after_the_end_record_are_scanned() {
    let tree = Tree::new();
    files(&tree, 1..=3);
    shell(&tree, "zip -q a.zip s1; zip -q b.zip s2; zip -q c.zip s3");
    // Entries without a directory after a zip and between two zips; empty end records in a gap.
    python(
        &tree,
        "
a, b, c = (open(f'{name}.zip', 'rb').read() for name in 'abc')
entries = b[:b.rindex(b'PK\\1\\2')]
empty = b'PK\\5\\6' + bytes(18)
for name, parts in {
    'behind': [a, entries],
    'between': [a, entries, c],
    'template': [entries, empty, b'x' * 100, empty, a],
    'three': [a, b, c],
}.items():
    open(name, 'wb').write(b''.join(parts))
",
    );
    for (archive, wanted) in [
        ("behind", &["s1", "s2"][..]),
        ("between", &["s1", "s2", "s3"]),
        ("template", &["s1", "s2"]),
        ("three", &["s1", "s2", "s3"]),
    ] {
        let wanted: Vec<String> = wanted.iter().map(|it| format!("{archive}!/{it}")).collect();
        assert_eq!(scan(&tree, archive), wanted);
    }
}

#[test]
fn a_hostile_central_directory_hides_nothing_and_stops_nothing() {
    let tree = Tree::new();
    files(&tree, 1..=2);
    shell(&tree, "zip -q a.zip s1; zip -q b.zip s2");
    python(
        &tree,
        "
import struct
a, b = (open(f'{name}.zip', 'rb').read() for name in 'ab')
at = b.rindex(b'PK\\1\\2')
entries, rest = b[:at], b[at:]
hidden = a[:a.rindex(b'PK\\1\\2')]
def end(directory, offset):
    return directory + b'PK\\5\\6' + struct.pack('<4H2LH', 0, 0, 1, 1, len(directory), offset, 0)
directory = bytearray(rest[:rest.rindex(b'PK\\5\\6')])
# A length that extends over the following entries.
long = bytearray(directory)
long[20:24] = struct.pack('<L', len(hidden) + struct.unpack('<L', directory[20:24])[0])
open('long', 'wb').write(entries + hidden + end(bytes(long), len(entries + hidden)))
# The maximum length.
name, extra = struct.unpack('<2H', directory[28:32])
wide = bytearray(directory[:46 + name]) + struct.pack('<2HQ', 1, 8, 2**64 - 1)
wide[20:24] = b'\\xff' * 4
wide[30:34] = struct.pack('<2H', 12, 0)
open('wide', 'wb').write(hidden + entries + end(bytes(wide), 0))
# A locator in a gap that points out of the file.
locator = b'PK\\6\\7' + struct.pack('<LQL', 0, 2**64 - 1, 1)
first = a[:a.rindex(b'PK\\5\\6')] + locator + a[a.rindex(b'PK\\5\\6'):]
open('locator', 'wb').write(first + b)
open('ends', 'wb').write((b'PK\\5\\6' + bytes(18)) * 100000)
open('marks', 'wb').write((b'PK\\3\\4\\x14\\0\\0\\0\\x08\\0' + b'x' * 16 + b'\\xff\\xff\\xff\\xff') * 60000 + b)
",
    );
    for (archive, wanted) in [
        ("long", &["s1", "s2"][..]),
        ("wide", &["s1", "s2"]),
        ("locator", &["s1", "s2"]),
        ("ends", &[]),
        ("marks", &["s2"]),
    ] {
        let ran = tree.run(&[&JSON[..], &[archive]].concat());
        let wanted: Vec<String> = wanted.iter().map(|it| format!("{archive}!/{it}")).collect();
        assert_eq!(paths(&ran), wanted, "{ran:?}");
    }
}
