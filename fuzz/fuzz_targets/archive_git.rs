//! Any bytes as a bundle, a pack and a loose object, read object by object.

#![no_main]

use ddpatrol::source::archive::Format;
use ddpatrol_fuzz::walk_as;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Bundle, Format::Pack, Format::Loose] {
        walk_as(format, bytes);
    }
});
