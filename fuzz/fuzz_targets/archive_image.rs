//! A container image whose documents are any bytes, packed like `docker save` and OCI layouts.

#![no_main]

use ddpatrol::source::archive::Format;
use ddpatrol_fuzz::walk_as;
use libfuzzer_sys::fuzz_target;

fn add(tar: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fuzz_target!(|documents: (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>)| {
    let (manifest, index, inner, config) = documents;
    let mut tar = Vec::new();
    for (name, content) in [
        ("manifest.json", manifest),
        ("index.json", index),
        ("blobs/sha256/a", inner),
        ("blobs/sha256/b", config),
    ] {
        add(&mut tar, name, &content);
    }
    walk_as(Format::Tar, &tar);
});
