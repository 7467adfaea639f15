//! Any bytes as a zip.

#![no_main]

use ddpatrol::source::archive::Format;
use ddpatrol_fuzz::walk_as;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    walk_as(Format::Zip, bytes);
});
