//! Validation of SARIF reports against the official schema.

use serde_json::Value;

/// Asserts that a report is valid SARIF 2.1.0.
#[track_caller]
pub(crate) fn assert_valid(sarif: &Value) {
    // The official schema has a pattern, of an unused property, with an unescaped `]`, which only
    // JavaScript's regular expressions accept.
    let schema = include_str!("../../data/sarif-schema-2.1.0.json").replace("{2}]?$", "{2}\\\\]?$");
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::options().should_validate_formats(true).build(&schema);
    let validator = validator.expect("the schema is valid");
    let faults: Vec<String> = validator.iter_errors(sarif).map(|it| it.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new());
}
