//! Any bytes in any detected format: the walk ends within its limits.

#![no_main]

use ddpatrol_fuzz::walk_any;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    walk_any(bytes, "x");
});
