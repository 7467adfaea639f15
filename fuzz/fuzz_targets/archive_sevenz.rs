//! Any bytes as a 7z with valid checksums of its headers.
//!
//! The input is the header at the end, and the data before it.

#![no_main]

use ddpatrol::source::archive::Format;
use ddpatrol_fuzz::walk_as;
use libfuzzer_sys::fuzz_target;

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    (!crc).to_le_bytes()
}

fuzz_target!(|parts: (Vec<u8>, Vec<u8>)| {
    let (packed, header) = parts;
    let start = [
        &(packed.len() as u64).to_le_bytes()[..],
        &(header.len() as u64).to_le_bytes(),
        &crc(&header),
    ]
    .concat();
    let mark = b"7z\xbc\xaf\x27\x1c\0\x04";
    walk_as(Format::SevenZ, &[&mark[..], &crc(&start), &start, &packed, &header].concat());
});
