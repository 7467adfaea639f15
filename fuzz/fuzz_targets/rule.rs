//! Any text as a rule file: rejected with a position, or accepted and checked without a panic.

#![no_main]

use ddpatrol::rules::{RuleSet, selftest};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let mut rules = RuleSet::default();
    match rules.add_text(Path::new("fuzz.toml"), text) {
        Ok(()) => {
            for rule in rules.rules() {
                let _ = selftest::check(rule);
            }
        }
        Err(error) => assert!(error.to_string().starts_with("fuzz.toml:")),
    }
});
