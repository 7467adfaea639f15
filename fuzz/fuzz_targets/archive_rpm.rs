//! Any bytes as an rpm, a cpio and an ar archive.

#![no_main]

use ddpatrol::source::archive::Format;
use ddpatrol_fuzz::walk_as;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    walk_as(Format::Rpm, bytes);
    walk_as(Format::Cpio, bytes);
    walk_as(Format::Ar, bytes);
});
