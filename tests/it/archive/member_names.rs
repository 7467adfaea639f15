//! Hostile member names: they are scanned, and never used as paths in the file system.

use super::containers::python;
use super::{JSON, places, text, token};
use crate::support::tree::Tree;

#[test]
fn member_names_that_leave_the_archive_write_nothing() {
    let tree = Tree::new();
    tree.write("s", text(&token(1)));
    let outside = std::env::temp_dir().join("ddpatrol-was-here");
    let script = format!(
        "
import io, tarfile, zipfile
data = open('s', 'rb').read()
names = ['../../out', '/etc/out', '{}', 'a\\\\b', 'n' * 5000, 'C:\\\\out', 'x\\ny', 'esc\\x1b[31m']
t = tarfile.open('a.tgz', 'w:gz', format=tarfile.PAX_FORMAT)
z = zipfile.ZipFile('a.zip', 'w', zipfile.ZIP_DEFLATED)
for name in names:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    t.addfile(info, io.BytesIO(data))
    z.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
link = tarfile.TarInfo('link')
link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
t.addfile(link)
t.close()
z.close()",
        outside.display()
    );
    python(&tree, &script);
    let list = || {
        let mut names: Vec<_> =
            std::fs::read_dir(tree.path()).expect("the file exists").flatten().collect();
        names.sort_by_key(std::fs::DirEntry::file_name);
        names.len()
    };
    let before = list();
    for archive in ["a.tgz", "a.zip"] {
        let ran = tree.run(&[&JSON[..], &[archive]].concat());
        let places = places(&ran);
        // `../../out` and `C:\\out` are normalized to the same path.
        assert_eq!(places.len(), 7, "{places:?}");
        assert!(places.iter().all(|it| it.starts_with(&format!("{archive}!/"))));
        assert!(places.contains(&format!("{archive}!/out:401:6")));
        assert!(places.contains(&format!("{archive}!/etc/out:401:6")));
        let text = tree.run(&["scan", "--files-only", archive]).stdout();
        assert!(!text.contains('\u{1b}'), "control characters are escaped");
    }
    assert_eq!(list(), before);
    assert!(!outside.exists());
}

/// Resolves a relative URI reference as a browser does.
fn resolved(uri: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in uri.split(['/', '\\']) {
        match part.replace("%2E", ".").replace("%2e", ".").as_str() {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(part),
        }
    }
    kept.join("/")
}

#[test]
fn every_member_is_located_inside_its_archive() {
    let tree = Tree::new();
    let names = [
        "../src/main.c",
        "../../src/main.c",
        "src/main.c",
        "/src/main.c",
        "a/../../src/main.c",
        "C:\\\\src\\\\main.c",
        "C:/src/main.c",
        "C:..\\\\src\\\\main.c",
        "..\\\\..\\\\src\\\\main.c",
        "\\\\\\\\server\\\\share\\\\x",
        "..",
        "%2e%2e/src/main.c",
        "b.zip!/../../src/main.c",
    ];
    for (at, _) in names.iter().enumerate() {
        tree.write(format!("t{at}"), token(at as u64));
    }
    let list = names.map(|name| format!("'{name}'")).join(", ");
    python(
        &tree,
        &format!(
            "
import io, os, tarfile, zipfile
names = [{list}]
data = [open('t%d' % at, 'rb').read() for at in range(len(names))]
for at in range(len(names)): os.remove('t%d' % at)
os.mkdir('r')
with zipfile.ZipFile('r/a.zip', 'w') as z:
    for name, text in zip(names, data):
        info = zipfile.ZipInfo('x')
        info.filename = name
        z.writestr(info, text)
with tarfile.open('r/a.tgz', 'w:gz') as t:
    for name, text in zip(names, data):
        info = tarfile.TarInfo(name)
        info.size = len(text)
        t.addfile(info, io.BytesIO(text))
with zipfile.ZipFile('r/b.zip', 'w') as z:
    z.write('r/a.tgz', '../../n/a.tgz')
cpio = b''
for name, text in list(zip(names, data)) + [('TRAILER!!!', b'')]:
    fields = [0, 0o100644, 0, 0, 1, 0, len(text), 0, 0, 0, 0, len(name) + 1, 0]
    entry = b'070701' + b''.join(b'%08x' % field for field in fields) + name.encode() + b'\\0'
    cpio += entry + b'\\0' * (-len(entry) % 4) + text + b'\\0' * (-len(text) % 4)
open('r/a.cpio', 'wb').write(cpio)"
        ),
    );
    for archive in ["a.zip", "a.tgz", "b.zip", "a.cpio"] {
        let ran = tree.run(&["scan", "--report", "sarif", &format!("r/{archive}")]);
        let report = ran.json();
        let results = report["runs"][0]["results"].as_array().expect("a list");
        assert_eq!(results.len(), names.len(), "{archive}: {ran:?}");
        for result in results {
            let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            let uri = place["uri"].as_str().expect("a URI");
            assert_eq!(uri, format!("r/{archive}"));
        }
        // The URI of a member does not lead out of its archive.
        let artifacts = report["runs"][0]["artifacts"].as_array().expect("a list");
        let members = artifacts.iter().filter(|it| it.get("parentIndex").is_some());
        assert!(members.clone().next().is_some(), "{archive}");
        for uri in members.filter_map(|it| it["location"]["uri"].as_str()) {
            assert_eq!(resolved(&format!("r/x/{uri}")), format!("r/x/{uri}"));
        }
    }
}

#[test]
fn a_token_in_a_member_name_is_found() {
    let tree = Tree::new();
    let (file, folder) = (token(1), token(2));
    let script = format!(
        "
import zipfile
z = zipfile.ZipFile('a.zip', 'w')
z.writestr('x/{file}.txt', '')
for n in range(50):
    z.writestr('{folder}/%d' % n, '')
z.close()
import gzip
open('b.gz', 'wb').write(gzip.compress(open('a.zip', 'rb').read()))"
    );
    python(&tree, &script);
    for archive in ["a.zip", "b.gz"] {
        let report = tree.run(&[&JSON[..], &[archive]].concat()).json();
        let findings = report["findings"].as_array().expect("a list");
        assert_eq!(findings.len(), 2, "{archive}");
        for finding in findings {
            let places = finding["locations"].as_array().expect("a list");
            assert_eq!(places.len(), 1, "each name once: {places:?}");
            assert_eq!(places[0]["part"], "name");
            assert!(!places[0]["path"].to_string().contains(&file[29..]), "the token is masked");
        }
    }
}

#[test]
fn member_names_that_are_not_utf8_are_reported_losslessly() {
    let tree = Tree::new();
    tree.write("s", text(&token(1)));
    let script = "
import tarfile
t = tarfile.open('a.tgz', 'w:gz', format=tarfile.GNU_FORMAT, encoding='latin-1')
t.add('s', 'caf\\xe9')
t.close()";
    python(&tree, script);
    let place = tree.run(&[&JSON[..], &["a.tgz"]].concat()).json();
    let place = &place["findings"][0]["locations"][0];
    assert_eq!(place["path"], "a.tgz!/caf\\xe9");
    assert!(place["path_hex"].as_str().is_some_and(|hex| hex.ends_with("636166e9")));
}

#[test]
fn a_valid_name_in_a_gzip_header_is_used() {
    let tree = Tree::new();
    tree.write("s", text(&token(1)));
    let script = "
import gzip, io
data = open('s', 'rb').read()
for file, name in (('a.gz', 'real.env'), ('b.gz', '../../real.env'), ('c.gz', '..'), ('d.gz', '')):
    out = open(file, 'wb')
    gzip.GzipFile(name, 'wb', fileobj=out).write(data)
    out.close()";
    python(&tree, script);
    let expected = [("a.gz", "real.env"), ("b.gz", "real.env"), ("c.gz", "c"), ("d.gz", "d")];
    for (file, name) in expected {
        let ran = tree.run(&[&JSON[..], &[file]].concat());
        assert_eq!(places(&ran), [format!("{file}!/{name}:401:6")]);
    }
}
