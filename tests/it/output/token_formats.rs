//! The table of token formats in the documentation is that of the built-in rules.

use ddpatrol::rules::{self, Rule};
use std::fmt::Write as _;
use std::path::Path;

const BEGIN: &str = "<!-- table of formats: begin -->\n";
const END: &str = "<!-- table of formats: end -->";

/// Returns the published sources of a rule's vectors, each once.
fn sources(rule: &Rule) -> String {
    let mut sources: Vec<&str> = Vec::new();
    for vector in rule.vectors.iter().filter(|vector| vector.confirms_checksum()) {
        if !sources.contains(&vector.source()) {
            sources.push(vector.source());
        }
    }
    sources.join("; ")
}

fn table() -> String {
    let mut text = "| rule | format | bits | confirmed by |\n|---|---|---|---|\n".to_owned();
    let rules = rules::builtin().expect("the built-in rules compile");
    for rule in rules.rules() {
        let bits = rule.format.evidence_bits().filter(|_| rule.provable || rule.weak);
        let other = if rule.verifier.is_some() { "public half" } else { "shape only" };
        let bits = bits.map_or_else(|| other.to_owned(), |it| format!("{:.1}", it.total()));
        let format = rule.format.pattern();
        let _ = writeln!(text, "| `{}` | `{format}` | {bits} | {} |", rule.id, sources(rule));
    }
    text
}

#[test]
fn the_documentation_lists_every_format_with_its_bits_and_sources() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    let text = std::fs::read_to_string(&path).expect("the page can be read");
    let (before, rest) = text.split_once(BEGIN).expect("the table begins");
    let (found, after) = rest.split_once(END).expect("the table ends");
    let expected = table();
    if std::env::var_os("DDPATROL_UPDATE_DOCS").is_some() {
        let text = format!("{before}{BEGIN}{expected}{END}{after}");
        std::fs::write(&path, text).expect("the page can be written");
        return;
    }
    assert!(
        found == expected,
        "docs/formats.md is outdated; run this test with DDPATROL_UPDATE_DOCS=1"
    );
}

#[test]
fn every_proven_format_has_at_least_24_bits() {
    let rules = rules::builtin().expect("the built-in rules compile");
    for rule in rules.rules().iter().filter(|rule| rule.provable) {
        let bits = rule.format.evidence_bits().expect("a checksum");
        assert!(bits.total() >= 24.0, "{}: {bits:?}", rule.id);
    }
}
