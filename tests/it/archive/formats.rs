//! Features of single formats.

use super::containers::{python, shell};
use super::{JSON, issues, places, text, token};
use crate::support::tree::Tree;

fn scan(tree: &Tree, path: &str) -> Vec<String> {
    let ran = tree.run(&[&JSON[..], &[path]].concat());
    assert_eq!(ran.json()["complete"], true, "{:?}", issues(&ran));
    places(&ran)
}

#[test]
fn brotli_is_recognized_by_file_name() {
    let tree = Tree::new();
    tree.write("s.env", text(&token(1)));
    shell(&tree, "brotli s.env -o s.env.br; rm s.env");
    assert_eq!(scan(&tree, "s.env.br"), ["s.env.br!/s.env:401:6"]);
    tree.write("b.br", "no brotli at all, but called so");
    let ran = tree.run(&[&JSON[..], &["b.br"]].concat());
    assert_eq!((ran.code(), issues(&ran)[0].0.as_str()), (Some(0), "opaque"));
}

#[test]
fn a_sqlite_value_on_overflow_pages_is_found() {
    let tree = Tree::new();
    let mut sql = "PRAGMA page_size = 1024; CREATE TABLE t (v TEXT);
        CREATE TABLE u (v TEXT PRIMARY KEY) WITHOUT ROWID;"
        .to_owned();
    for at in 0..200 {
        let (pad, table) = ("x".repeat(500 + 11 * at), if at % 2 == 0 { "t" } else { "u" });
        let token = token(at as u64);
        sql.push_str(&format!("INSERT INTO {table} VALUES ('{pad} {token} {pad}');"));
    }
    tree.write("sql", sql);
    shell(&tree, "sqlite3 a.db < sql; rm sql");
    let ran = tree.run(&[&JSON[..], &["a.db"]].concat());
    assert_eq!(ran.json()["findings"].as_array().map(Vec::len), Some(200));
    let ran = tree.run(&[&JSON[..], &["a.db", "--no-archives"]].concat());
    let plain = ran.json()["findings"].as_array().map(Vec::len);
    assert!(plain < Some(200), "some are broken over pages: {plain:?}");
    shell(&tree, "zip -q a.zip a.db");
    let ran = tree.run(&[&JSON[..], &["a.zip"]].concat());
    assert_eq!(ran.json()["findings"].as_array().map(Vec::len), Some(200));
}

#[test]
fn pdf_streams_are_decompressed() {
    let tree = Tree::new();
    tree.write("s1", text(&token(1)));
    tree.write("s2", text(&token(2)));
    tree.write("s3", text(&token(3)));
    tree.write("s4", text(&token(4)));
    let script = r#"
import base64, zlib
raw = [open(f"s{n}", "rb").read() for n in (1, 2, 3, 4)]
flat = zlib.compress(raw[0])
bodies = [
    (b"/Filter /FlateDecode", flat),
    (b"/Filter[/ASCIIHexDecode]", raw[1].hex().encode() + b">"),
    (b"/Filter [ /ASCII85Decode /FlateDecode ]", base64.a85encode(zlib.compress(raw[2])) + b"~>"),
    (b"/Type /ObjStm /N 1 /First 4 /Filter/FlateDecode", zlib.compress(raw[3], 1)),
    (b"/Filter /DCTDecode", b"\xff\xd8" + bytes(range(256))),
    (b"/Filter /FlateDecode", b""),
]
out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
for n, (head, body) in enumerate(bodies, 1):
    out += b"%d 0 obj\n<< %s /Length %d >>\nstream\r\n%s\nendstream\nendobj\n" % (n, head, len(body), body)
open("a.pdf", "wb").write(out + b"trailer << /Size 6 >>\n%%EOF\n")
"#;
    python(&tree, script);
    let expected: Vec<String> = (1..=4).map(|at| format!("a.pdf!/object {at} 0:401:6")).collect();
    assert_eq!(scan(&tree, "a.pdf"), expected);
    let report = tree.run(&[&JSON[..], &["a.pdf"]].concat()).json();
    assert_eq!(report["diagnostics"], serde_json::json!([]), "an empty page is no fault");
}

#[test]
fn a_text_that_begins_like_cpio_is_not_damaged() {
    let tree = Tree::new();
    for (name, text) in [("a.csv", "070701,2026-01-01\n"), ("b.csv", "070707\n"), ("c", "070701")] {
        tree.write(name, text);
        let report = tree.run(&[&JSON[..], &[name]].concat()).json();
        assert_eq!(report["diagnostics"], serde_json::json!([]), "{name}");
    }
}

#[test]
fn constants_in_class_files_bytecode_and_notebooks_are_found() {
    let tree = Tree::new();
    let (java, py, cell) = (token(1), token(2), token(3));
    tree.write("A.java", format!("class A {{ static String K = \"key {java}\"; }}"));
    tree.write("m.py", format!("KEY = 'key {py}'\n"));
    let notebook = serde_json::json!({"cells": [{"source": [format!("k = \"{cell}\"\n")]}]});
    tree.write("n.ipynb", notebook.to_string());
    shell(
        &tree,
        "javac A.java; python3 -c 'import py_compile; py_compile.compile(\"m.py\", cfile=\"m.pyc\")'; rm A.java m.py",
    );
    let ran = tree.run(&JSON);
    let paths: Vec<String> = ran.places().into_iter().map(|it| it.1).collect();
    assert_eq!(paths, ["A.class", "m.pyc", "n.ipynb"]);
    let ran = tree.run(&JSON);
    assert_eq!(ran.json()["summary"]["archives"], 0);
}

#[test]
fn sparse_tar_members_are_scanned() {
    let tree = Tree::new();
    tree.write("s.env", text(&token(1)));
    shell(&tree, "truncate -s 5M big; cat s.env >> big; truncate -s 9M big; rm s.env");
    for format in
        ["gnu", "pax --sparse-version=0.0", "pax --sparse-version=0.1", "pax --sparse-version=1.0"]
    {
        shell(
            &tree,
            &format!(
                "rm -f a.tgz; tar --sparse --format={format} -czf a.tgz big; rm -f b.tgz; (echo; cat a.tgz) > b.tgz"
            ),
        );
        let found = scan(&tree, "a.tgz");
        assert_eq!(found.len(), 1, "{format}");
        assert!(found[0].starts_with("a.tgz!/big:"), "{format}: {found:?}");
    }
}

#[test]
fn long_tar_and_ar_names_are_complete() {
    let tree = Tree::new();
    let name = format!("{}/{}/s.env", "n".repeat(120), "m".repeat(120));
    tree.write(&name, text(&token(1)));
    for format in ["gnu", "pax"] {
        shell(&tree, &format!("rm -f a.tgz; tar --format={format} -czf a.tgz n*"));
        assert_eq!(scan(&tree, "a.tgz"), [format!("a.tgz!/{name}:401:6")]);
    }
    tree.write("a_name_that_is_long_for_ar.env", text(&token(2)));
    shell(&tree, "ar rc a.a a_name*");
    assert_eq!(scan(&tree, "a.a"), ["a.a!/a_name_that_is_long_for_ar.env:401:6"]);
}

#[test]
fn two_members_with_the_same_name_are_both_scanned() {
    let tree = Tree::new();
    tree.write("s1", text(&token(1)));
    tree.write("s2", text(&token(2)));
    let script = "
import tarfile, warnings, zipfile
warnings.simplefilter('ignore')
z = zipfile.ZipFile('a.zip', 'w', zipfile.ZIP_DEFLATED)
t = tarfile.open('a.tgz', 'w:gz')
for n in ('s1', 's2'):
    z.write(n, 'same')
    t.add(n, 'same')
z.close()
t.close()";
    python(&tree, script);
    for archive in ["a.zip", "a.tgz"] {
        assert_eq!(scan(&tree, archive).len(), 2, "{archive}");
    }
}

#[test]
fn a_token_at_any_offset_of_a_window_is_found() {
    let tree = Tree::new();
    let mut content = Vec::new();
    let mut at = 200_000;
    for seed in 0..60 {
        content.resize(at, b'.');
        content.extend(token(seed).as_bytes());
        at += 2_000;
    }
    tree.write("s", &content);
    shell(&tree, "gzip -k s; tar -cf a.tar s; zip -q a.zip a.tar; rm s a.tar");
    for archive in ["s.gz", "a.zip"] {
        let ran = tree.run(&[&JSON[..], &[archive]].concat());
        assert_eq!(ran.json()["findings"].as_array().map(Vec::len), Some(60), "{archive}");
    }
}

#[test]
fn names_of_encrypted_members_are_scanned_and_each_member_is_reported() {
    let tree = Tree::new();
    for name in ["a".to_owned(), token(1), "z".to_owned()] {
        tree.write(format!("in/{name}"), "x");
    }
    shell(&tree, "cd in; 7z a -bd -pxx ../e.7z . > /dev/null; 7z a -bd ../n.7z . > /dev/null");
    let whole = std::fs::read(tree.path().join("n.7z")).expect("an archive");
    tree.write("cut.7z", &whole[..whole.len() - 10]);
    let ran = tree.run(&[&JSON[..], &["e.7z"]].concat());
    assert_eq!(ran.places().len(), 1, "{ran:?}");
    assert_eq!(
        ran.json()["diagnostics"][0]["message"],
        "not unpacked: it is encrypted, together with 2 members after it",
        "{ran:?}"
    );
    let ran = tree.run(&[&JSON[..], &["cut.7z"]].concat());
    let message = ran.json()["diagnostics"][0]["message"].to_string();
    assert!(
        message.contains("damaged: ") && !message.contains("Other(") && !message.contains("Io("),
        "{message}"
    );
}

#[test]
fn archives_in_base64_are_opened_in_files_members_and_git_objects() {
    let tree = Tree::new();
    tree.write("x.env", format!("{}KEY={}\n", "OPTION=value\n".repeat(60), token(1)));
    let make = "zip -q a.zip x.env; tar -czf b.tgz x.env; 7z a -bd c.7z x.env > /dev/null
        for it in a.zip b.tgz c.7z; do
            { printf 'Content-Transfer-Encoding: base64\\n\\n'; base64 $it; } > $it.eml
        done
        base64 -w0 a.zip > line; { printf 'data: '; cat line; } > config.yaml
        zip -q mails.zip a.zip.eml; rm -f x.env a.zip b.tgz c.7z line";
    shell(&tree, make);
    let ran = tree.run(&JSON);
    let wanted = [
        "a.zip.eml!/base64 at 35!/x.env:61:5",
        "b.tgz.eml!/base64 at 35!/x.env:61:5",
        "c.7z.eml!/base64 at 35!/x.env:61:5",
        "config.yaml!/base64 at 6!/x.env:61:5",
        "mails.zip!/a.zip.eml!/base64 at 35!/x.env:61:5",
    ];
    let mut found = super::places(&ran);
    found.retain(|place| place.contains("!/x.env"));
    assert_eq!(found, wanted, "{ran:?}");
    let no_archives = tree.run(&[&JSON[..], &["--no-archives", "a.zip.eml"]].concat());
    assert_eq!(no_archives.code(), Some(0), "{no_archives:?}");
    shell(
        &tree,
        "git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -qm x && git rm -qr . ",
    );
    let ran = tree.run(&["scan", "--history-only", "--report", "json"]);
    assert!(ran.stdout().contains("a.zip.eml!/base64 at 35!/x.env"), "{ran:?}");
}

#[test]
fn text_of_a_pdf_is_joined_and_mapped_to_characters() {
    let tree = Tree::new();
    tree.write("token", token(1));
    let script = r#"
import zlib
token = open("token").read()
glyph = {c: 500 - n for n, c in enumerate(sorted(set(token)))}
cmap = "1 begincodespacerange <0000> <FFFF> endcodespacerange\n%d beginbfchar\n" % len(glyph)
cmap += "".join("<%04x> <%04x>\n" % (g, ord(c)) for c, g in glyph.items()) + "endbfchar\n"
code = lambda s: "".join("%04x" % glyph[c] for c in s)
octal = lambda s: "".join("\\%03o\\%03o" % divmod(glyph[c], 256) for c in s)
half = len(token) // 2
pages = {
    "hex": f"BT /F1 9 Tf 9 700 Td <{code(token)}> Tj ET",
    "array": f"BT /F1 9 Tf [{' -12 '.join(f'<{code(c)}>' for c in token)}] TJ ET",
    "literal": f"BT ({octal(token[:3])}) Tj 9 0 Td ({octal(token[3:])}) Tj ET",
    "lines": f"BT 9 700 Td <{code(token[:half])}> Tj 0 -12 Td <{code(token[half:])}> Tj ET",
    "simple": f"BT [({token[:2]}) -20 ({token[2:40]}) 3 ({token[40:]})] TJ ET",
}
font = b"<< /Type /Font /Subtype /Type0 /Encoding /Identity-H %s >>"
for name, page in pages.items():
    for packed in True, False:
        out = b"%PDF-1.7\n"
        for n, body in enumerate((page, cmap), 1):
            body = zlib.compress(body.encode()) if packed else body.encode()
            head = b"/Filter /FlateDecode " if packed else b""
            out += b"%d 0 obj\n<< %s/Length %d >>\nstream\n%s\nendstream\nendobj\n" % (n, head, len(body), body)
        out += b"3 0 obj\n" + font % b"/ToUnicode 2 0 R" + b"\nendobj\n%%EOF\n"
        open(f"{name}-{packed}.pdf", "wb").write(out)
open("unmapped.pdf", "wb").write(b"%PDF-1.7\n1 0 obj\n" + font % b"" + b"\nendobj\n%%EOF\n")
"#;
    python(&tree, script);
    for name in ["hex", "array", "literal", "lines", "simple"] {
        for packed in ["True", "False"] {
            let file = format!("{name}-{packed}.pdf");
            assert_eq!(scan(&tree, &file), [format!("{file}!/object 1 0 text:1:1")], "{file}");
        }
    }
    let ran = tree.run(&[&JSON[..], &["unmapped.pdf"]].concat());
    let [(kind, _, message)] = &super::issues(&ran)[..] else { panic!("{ran:?}") };
    assert_eq!((&**kind, message.contains("1 font without a map")), ("opaque", true), "{message}");
}
