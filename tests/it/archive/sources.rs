//! The same content gives the same findings and issue codes as a file, on standard input, in a tar, in a
//! zip and as a git object.

use super::containers::{python, shell};
use super::{text, token};
use crate::support::repo::Repo;
use crate::support::tree::{RunOutput, Tree};

/// Creates files of many formats in `out` from `s.env`.
const PACK: &str = r"
import io, os, struct, zlib, zipfile, lzma, tarfile, gzip
text = open('s.env', 'rb').read()
os.mkdir('out')
def write(name, data): open('out/' + name, 'wb').write(data)
def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as zip: zip.writestr('s.env', text)
    return file.getvalue()
def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w:gz') as tar: tar.add('s.env')
    return file.getvalue()
def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
def cab(data):
    parts, past = [], b''
    for at in range(0, len(data), 32768):
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=past) if past else zlib.compressobj(9, zlib.DEFLATED, -15)
        part = data[at:at + 32768]
        packed = b'CK' + deflate.compress(part) + deflate.flush()
        parts.append(struct.pack('<IHH', 0, len(packed), len(part)) + packed)
        past = part
    name = b's.env\0'
    files = 36 + 8
    start = files + 16 + len(name)
    folder = struct.pack('<IHH', start, len(parts), 1)
    file = struct.pack('<IIHHHH', len(data), 0, 0, 0, 0, 32) + name
    body = b''.join(parts)
    head = b'MSCF' + struct.pack('<IIIIIBBHHHHH', 0, start + len(body), 0, files, 0, 3, 1, 1, 1, 0, 0, 0)
    return head + folder + file + body
packed = zlib.compress(text)
write('a.zlib', packed)
write('a.ab', b'ANDROID BACKUP\n5\n1\nnone\n' + packed)
write('a.crx', b'Cr24\3\0\0\0' + bytes(range(1, 101)) + zipped())
write('prefix', b'a line of text\n' * 99 + zipped())
write('a.cab', cab(text))
write('a.run', b'#!/bin/sh\ntail -n +3 $0 | tar xz; exit\n' + tarred())
write('a.exe', b'MZ' + bytes(5000) + cab(text))
image = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 1, 1, 8, 0, 0, 0, 0))
write('a.png', image + chunk(b'IDAT', zlib.compress(b'\0\0')) + chunk(b'zTXt', b'Comment\0\0' + packed) + chunk(b'IEND', b''))
write('plain.png', image + chunk(b'IDAT', zlib.compress(b'\0\0')) + chunk(b'IEND', b''))
junk = zlib.compress(bytes(range(256)) * 8)[2:]
raw = lzma.compress(text, lzma.FORMAT_RAW, filters=[{'id': lzma.FILTER_LZMA1, 'dict_size': 1 << 16}])
write('a.lz', b'LZIP\x01\x10' + raw + struct.pack('<IQQ', zlib.crc32(text), len(text), len(raw) + 26))
def codes(part):
    # The literals, the code that resets the table, and the rest of its group.
    bits = sum(code << 9 * at for at, code in enumerate([*part, 256]))
    return bits.to_bytes((len(part) // 8 + 1) * 9, 'little')
write('a.Z', b'\x1f\x9d\x90' + b''.join(codes((text + b' ' * 240)[at:at + 240]) for at in range(0, len(text), 240)))
def both(format, number): return struct.pack('<' + format, number) + struct.pack('>' + format, number)
def record(name, at, size, flags):
    fixed = b'\0' + both('I', at) + both('I', size) + bytes(7) + bytes([flags, 0, 0]) + both('H', 1)
    padded = name + bytes(1 - len(name) % 2)
    return bytes([33 + len(padded)]) + fixed + bytes([len(name)]) + padded
content = gzip.compress(text)
root = record(b'\0', 18, 2048, 2)
volume = b'\1CD001\1' + bytes(73) + both('I', 20) + bytes(40) + both('H', 2048) + bytes(24) + root
folder = root + record(b'\1', 18, 2048, 2) + record(b'S.GZ;1', 19, len(content), 0)
write('a.iso', bytes(32768) + volume.ljust(2048, b'\0') + b'\xffCD001\1'.ljust(2048, b'\0') + folder.ljust(2048, b'\0') + content)
def number(value): return b'\0' + struct.pack('<I', value)
def string(value): return number(len(value)) + value
entry = number(7) + number(1) + string(b'1') + string(b'2') + string(b't') + string(b'TABLE DATA') + number(3)
entry += string(b'') * 2 + string(b'COPY') + string(b'public') + string(b'') * 2 + string(b'me') + string(b'false')
entry += b'\1' + struct.pack('<I', 1) + b'\2' + bytes(8)
write('a.dump', b'PGDMP\1\x0e\0\4\x08\1' + number(6) * 8 + string(b'15') * 3 + number(1) + entry + b'\1' + number(7) + string(packed) + number(0))
write('a.rar', b'Rar!\x1a\x07\x01\0' + junk)
block = bytearray(96); block[:4] = b'hsqs'; block[12:16] = struct.pack('<I', 131072); block[20:24] = struct.pack('<HH', 1, 17); block[28:30] = b'\4\0'
write('a.squashfs', bytes(block) + junk)
write('a.AppImage', b'\x7fELF\2\1\1' + bytes(3000) + bytes(block) + junk)
write('a.qcow2', b'QFI\xfb\0\0\0\3' + bytes(200) + junk)
footer = bytearray(512); footer[:8] = b'conectix'; footer[12:16] = b'\0\1\0\0'; footer[60:64] = b'\0\0\0\3'
write('a.vhd', bytes(1024) + junk + bytes(footer))
write('a.dmg', b'\1' * 700 + junk + b'koly\0\0\0\4\0\0\2\0' + bytes(500))
write('packed.dmg', packed + b'koly\0\0\0\4\0\0\2\0' + bytes(500))
write('a.luks', b'LUKS\xba\xbe\0\2' + bytes(2000))
write('a.xls', b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(1500) + 'EncryptedPackage'.encode('utf-16-le') + bytes(500))
write('plain.doc', b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(1500) + 'WordDocument'.encode('utf-16-le') + bytes(500))
write('a.avro', b'Obj\1\4\x14avro.codec\x0edeflate\x16avro.schema\4{}\0' + bytes(16) + junk)
write('plain.avro', b'Obj\1\4\x14avro.codec\x08null\x16avro.schema\4{}\0' + bytes(16) + text)
write('orchid.txt', b'ORCHID\n' + text)
";

/// The formats, with the number of findings and the codes of the issues.
const EXPECTED: &[(&str, usize, &[&str])] = &[
    ("a.zlib", 1, &[]),
    ("a.ab", 1, &[]),
    ("a.crx", 1, &[]),
    ("prefix", 1, &[]),
    ("a.cab", 1, &[]),
    ("a.run", 1, &[]),
    ("a.exe", 1, &[]),
    ("a.png", 1, &[]),
    ("plain.png", 0, &[]),
    ("a.lz", 1, &[]),
    ("a.Z", 1, &[]),
    ("a.iso", 1, &[]),
    ("a.dump", 1, &[]),
    ("a.rar", 0, &["archive.format"]),
    ("a.squashfs", 0, &["archive.format"]),
    ("a.AppImage", 0, &["archive.format"]),
    ("a.qcow2", 0, &["archive.format"]),
    ("a.vhd", 0, &["archive.format"]),
    ("a.dmg", 0, &["archive.format"]),
    ("packed.dmg", 1, &["archive.format"]),
    ("a.luks", 0, &["archive.encrypted"]),
    ("a.xls", 0, &["archive.encrypted"]),
    ("plain.doc", 0, &[]),
    ("a.avro", 0, &["archive.format"]),
    ("plain.avro", 1, &[]),
    ("orchid.txt", 1, &[]),
];

fn check(ran: &RunOutput, file: &str, source: &str) {
    let report = ran.json();
    let &(_, findings, codes) = EXPECTED.iter().find(|it| it.0 == file).expect("a format");
    let issues = report["diagnostics"].as_array().expect("a list");
    let reported: Vec<_> =
        issues.iter().map(|it| it["code"].as_str().unwrap_or_default()).collect();
    let count = report["findings"].as_array().map_or(0, Vec::len);
    assert_eq!((count, &reported[..]), (findings, codes), "{file}, {source}: {report:#}");
    assert_eq!(report["complete"], codes.is_empty(), "{file}, {source}: {report:#}");
}

#[test]
fn a_container_gives_the_same_findings_and_issues_from_every_source() {
    let tree = Tree::new();
    tree.write("s.env", text(&token(1)));
    python(&tree, PACK);
    let args = ["scan", "--files-only", "--strict", "--report", "json"];
    for &(file, ..) in EXPECTED {
        let path = format!("out/{file}");
        let bytes = std::fs::read(tree.path().join(&path)).expect("a file");
        check(&tree.run(&[&args[..], &[&path]].concat()), file, "file");
        check(&tree.run_with_input(&[&args[..], &["-"]].concat(), &bytes), file, "stdin");
        shell(
            &tree,
            &format!("tar -cf a.tar -C out {file}; rm -f b.zip; cd out; zip -q ../b.zip {file}"),
        );
        check(&tree.run(&[&args[..], &["a.tar"]].concat()), file, "tar");
        check(&tree.run(&[&args[..], &["b.zip"]].concat()), file, "zip");
        let repo = Repo::new();
        repo.write(file, &bytes);
        repo.commit_files(&[], "add");
        let history = ["scan", "--history-only", "--strict", "--report", "json"];
        check(&repo.run(&history), file, "git");
    }
}
