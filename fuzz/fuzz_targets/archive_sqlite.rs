//! Any bytes as an SQLite database.

#![no_main]

use ddpatrol::source::archive::Format;
use ddpatrol_fuzz::walk_as;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    walk_as(Format::Sqlite, bytes);
});
