//! Decompression bombs: their scan ends, they are reported, and other files are scanned.

use super::containers::{python, shell};
use super::{JSON, issues, places, text, token};
use crate::support::tree::{RunOutput, Tree, wait_until_interruptible};
use std::process::Stdio;

#[test]
fn a_decompression_bomb_is_reported_and_other_files_are_scanned() {
    let tree = Tree::new();
    tree.write("s", text(&token(1)));
    shell(&tree, "head -c 30000000 /dev/zero | gzip > bomb.gz; zip -q fine.zip s; rm s");
    let ran = tree.run(&[&JSON[..], &["--max-unpacked", "10M"]].concat());
    assert_eq!(places(&ran), ["fine.zip!/s:401:6"]);
    let [(kind, path, message)] = &issues(&ran)[..] else { panic!("{ran:?}") };
    assert_eq!((&**kind, &**path), ("unread", "bomb.gz"));
    assert!(message.contains("more than 10000000 bytes (--max-unpacked)"), "{message}");
    assert_eq!(ran.json()["complete"], false);
    assert!(ran.json()["summary"]["unpacked"].as_u64() < Some(11_000_000));
}

#[test]
fn scanning_a_self_replicating_archive_ends() {
    // Each level contains the level below twice: 2^40 members in total.
    let tree = Tree::new();
    let script = "
import io, zipfile
data = b'x'
for level in range(40):
    out = io.BytesIO()
    z = zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED)
    z.writestr('a', data)
    z.writestr('b', data)
    z.close()
    data = out.getvalue() if level < 12 else data
open('a.zip', 'wb').write(data)";
    python(&tree, script);
    let ran = tree.run(&[&JSON[..], &["a.zip"]].concat());
    assert_eq!(ran.code(), Some(2));
    assert!(issues(&ran).iter().all(|it| it.2.contains("--archive-depth")), "{ran:?}");
}

#[test]
fn overlapping_zip_entries_hit_a_limit() {
    // All entries of the directory share one deflated kernel.
    let tree = Tree::new();
    let script = "
import struct, zlib
c = zlib.compressobj(9, zlib.DEFLATED, -15)
raw = b'0' * 20_000_000
kernel = c.compress(raw) + c.flush()
crc = zlib.crc32(raw)
local = struct.pack('<4s5H3I2H', b'PK\\3\\4', 20, 0, 8, 0, 0, crc, len(kernel), len(raw), 1, 0) + b'k' + kernel
entries = b''
for n in range(5000):
    name = b'%04d' % n
    entries += struct.pack('<4s6H3I5H2I', b'PK\\1\\2', 20, 20, 0, 8, 0, 0, crc, len(kernel), len(raw), len(name), 0, 0, 0, 0, 0, 0) + name
end = struct.pack('<4s4H2IH', b'PK\\5\\6', 0, 0, 5000, 5000, len(entries), len(local), 0)
open('a.zip', 'wb').write(local + entries + end)";
    python(&tree, script);
    let ran = tree.run(&[&JSON[..], &["a.zip", "--max-unpacked", "200M"]].concat());
    assert_eq!(ran.code(), Some(2));
    assert!(issues(&ran)[0].2.contains("unpacks to more than"), "{ran:?}");
}

#[test]
fn oversized_length_fields_allocate_no_memory() {
    let tree = Tree::new();
    let script = "
import struct
def tar(size, kind):
    h = bytearray(512)
    h[:1] = b'x'
    h[124:136] = size
    h[156] = kind
    h[257:263] = b'ustar\\0'
    h[148:156] = b' ' * 8
    h[148:156] = b'%06o\\0 ' % sum(h)
    return bytes(h)
big = b'\\x80' + b'\\0' * 3 + struct.pack('>Q', 1 << 61)
open('a.tar', 'wb').write(tar(big, ord('0')))
open('b.tar', 'wb').write(tar(big, ord('L')))
open('c.tar', 'wb').write(tar(b'77777777777\\0', ord('x')))
open('d.cpio', 'wb').write(b'070701' + b'F' * 104)
open('e.rpm', 'wb').write(b'\\xed\\xab\\xee\\xdb' + b'\\0' * 92 + b'\\x8e\\xad\\xe8\\x01' + b'\\0' * 4 + b'\\xff' * 8)
open('f.a', 'wb').write(b'!<arch>\\n' + b'//'.ljust(48) + b'9999999999`\\n')
open('g.db', 'wb').write(b'SQLite format 3\\0' + b'\\x10\\0' + b'\\xff' * 82 + b'\\x0d' + b'\\xff' * 8000)
open('h.7z', 'wb').write(b'7z\\xbc\\xaf\\x27\\x1c\\0\\4' + b'\\0' * 4 + struct.pack('<QQI', 0, 1 << 60, 0))
open('i.zip', 'wb').write(b'PK\\3\\4' + b'\\0' * 40 + struct.pack('<4s4H2IH', b'PK\\5\\6', 0, 0, 65535, 65535, 0xfffffff0, 0, 0))
open('j.xz', 'wb').write(b'\\xfd7zXZ\\0' + b'\\0' * 50)
open('k.zst', 'wb').write(b'\\x28\\xb5\\x2f\\xfd\\xe0' + b'\\xff' * 50)
open('l.lzma', 'wb').write(b'\\x5d\\0\\0\\0\\x80' + b'\\xff' * 8 + b'\\0' * 5)
";
    python(&tree, script);
    let ran = tree.run(&JSON);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    for name in ["a.tar", "b.tar", "c.tar", "d.cpio", "e.rpm", "f.a", "h.7z", "j.xz", "k.zst"] {
        let is_reported = issues(&ran).iter().any(|it| it.1.starts_with(name));
        assert!(is_reported, "{name}: {:?}", issues(&ran));
    }
}

#[test]
fn memory_use_does_not_depend_on_the_unpacked_size() {
    let tree = Tree::new();
    shell(
        &tree,
        "head -c 900000000 /dev/zero | gzip -1 | gzip > a.gz; head -c 200000000 /dev/zero | zip -q b.zip -",
    );
    let mut command = tree.command(&["scan", "--files-only", "--threads", "1"]);
    use std::os::unix::process::CommandExt;
    // Limits the address space, which also counts allocations that are never used.
    let limit = 512 << 20;
    let mut bounded = std::process::Command::new("bash");
    bounded
        .current_dir(tree.path())
        .env_clear()
        .args(["-c", &format!("ulimit -v {}; exec \"$0\" \"$@\"", limit >> 10)]);
    bounded.arg(command.get_program()).args(command.get_args());
    let ran = RunOutput(bounded.output().expect("the program runs"));
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    command.arg0("ddpatrol");
}

#[test]
fn an_interrupt_stops_decompression() {
    let tree = Tree::new();
    shell(&tree, "head -c 900000000 /dev/zero | gzip -1 | gzip > a.gz");
    let mut command = tree.command(&["scan", "--files-only", "--report", "json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program runs");
    wait_until_interruptible(&child);
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a small number"));
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).expect("the program runs");
    let ran = RunOutput(child.wait_with_output().expect("the program ends"));
    assert_eq!(ran.code(), Some(130), "{ran:?}");
    assert_eq!(ran.json()["interrupted"], true, "the scan stopped by itself: {ran:?}");
}

#[test]
fn a_full_temporary_folder_is_an_issue_and_the_content_is_scanned() {
    let tree = Tree::new();
    // A script can contain an archive at its end, so it is buffered, and this one not in memory.
    let script = format!("#!/bin/sh\n{}\n{}", ". 12345\n".repeat(1_000_000), text(&token(1)));
    tree.write("script", &script);
    shell(&tree, "tar cf a.tar script; rm script");
    let run = |arguments: &[&str], input: &[u8]| {
        let mut command = tree.command(&[&["scan", "--json"], arguments].concat());
        command.env("TMPDIR", tree.path().join("missing"));
        RunOutput(ddpatrol_test_repo::run_with_input(&mut command, input))
    };
    for (arguments, input, path) in
        [(&["a.tar"][..], &b""[..], "a.tar!/script"), (&["-"], script.as_bytes(), "stdin")]
    {
        let ran = run(arguments, input);
        assert_eq!(ran.json()["summary"]["proven"], 1, "{ran:?}");
        let [(kind, place, _)] = &issues(&ran)[..] else { panic!("{ran:?}") };
        assert_eq!((&**kind, &**place), ("unread", path));
        assert_eq!(ran.json()["diagnostics"][0]["code"], "archive.unreadable");
    }
}
