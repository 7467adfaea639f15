//! Any bytes as a stream of each compression format.

#![no_main]

use ddpatrol::source::archive::Format;
use ddpatrol_fuzz::walk_as;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for format in [
        Format::Gzip,
        Format::Bzip2,
        Format::Xz,
        Format::Lzma,
        Format::Zstd,
        Format::Lz4,
        Format::Brotli,
    ] {
        walk_as(format, bytes);
    }
});
