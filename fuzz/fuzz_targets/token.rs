//! Any bytes as a token: checked, explained and redacted without a panic.

#![no_main]

use ddpatrol_token::{Check, datadog};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let format = datadog::access_token(datadog::PERSONAL_PREFIX).expect("the format is valid");
    let glued = [datadog::PERSONAL_PREFIX.as_bytes(), bytes].concat();
    for candidate in [bytes, &glued] {
        let proven = matches!(format.check(candidate), Check::Proven { .. });
        assert_eq!(format.explain(candidate).proven, proven);
        let _ = format.redact(candidate);
        assert!(format.matching_prefix(candidate) <= candidate.len());
    }
});
