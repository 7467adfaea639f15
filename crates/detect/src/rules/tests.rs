//! Invalid rule files are rejected with position and remedy.

use super::*;
use crate::{Detector, Evidence, Haystack, Scratch};
use std::sync::Arc;

const GOOD: &str = r#"issuer = "Example"

[[token]]
id = "example-key"
name = "Example Key"
format = "exk_<SECRET><CRC>"

[token.segments.SECRET]
alphabet = "base62"
length = 30

[token.segments.CRC]
algorithm = "crc32"
encoding = "base62"
length = 6
over = ["<SECRET>"]

[[token.vectors]]
checksum_of = "hello"
checksum = "0zNvy2"
source = "the GitHub checksum standard"
"#;

fn compile(text: &str) -> Result<RuleSet, RuleError> {
    let mut set = RuleSet::default();
    set.add_text(Path::new("x.toml"), text).map(|()| set)
}

#[test]
fn a_good_file_is_compiled() {
    let set = compile(GOOD).expect("a good file");
    assert!(set.get("example-key").expect("its rule").provable);
}

#[test]
fn an_invalid_file_is_rejected_with_line_column_and_remedy() {
    for (from, to, place, remedy) in [
        ("length = 30", "lenght = 30", "x.toml:10:1:", "expected one of `alphabet`, `length`"),
        ("length = 30", "length = \"30\"", "x.toml:10:10:", "a length such as 30"),
        ("length = 30", "length = 0", "x.toml:8:1:", "lengths above 0"),
        ("length = 30", "length = { min = 9 }", "x.toml:10:10:", "missing field `max`"),
        ("\"base62\"\nlength = 30", "\"base63\"\nlength = 30", "x.toml:9:12:", "use base62,"),
        ("<SECRET><CRC>", "<SECRT><CRC>", "x.toml:6:10:", "use one of: CRC, SECRET"),
        ("exk_", "é_", "x.toml:6:10:", "printable ASCII"),
        ("[\"<SECRET>\"]", "[\"<SECRET>\", \"<X>\"]", "x.toml:16:21:", "describe it"),
        ("crc32", "crc31", "x.toml:13:13:", "use crc32, sha256"),
        ("0zNvy2", "0zNvy3", "x.toml:18:1:", "is `0zNvy2`"),
        ("checksum = \"0zNvy2\"\n", "", "x.toml:18:1:", "a vector needs"),
        ("example-key", "Example Key", "x.toml:4:6:", "use lower-case letters"),
        ("name = \"Example Key\"", "", "x.toml:3:1:", "missing field `name`"),
        ("[token.segments.CRC]", "[token.segments.CRC", "x.toml:12:20:", "]"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from:?} occurs in the good file");
        let message = compile(&text).expect_err("a wrong file").to_string();
        assert!(message.starts_with(place), "{message:?} should start with {place:?}");
        assert!(message.contains(remedy), "{message:?} should contain {remedy:?}");
    }
}

#[test]
fn tokens_with_an_anchor_in_their_middle_are_long_runs() {
    let file = |lens: &str, alphabet: &str| {
        let text = GOOD.replacen("exk_<SECRET><CRC>", "<SECRET>+Exk<CRC>", 1);
        let text = text.replacen("length = 30", &format!("length = {lens}"), 1);
        compile(&text.replacen("\"base62\"", &format!("\"{alphabet}\""), 1))
    };
    assert!(file("30", "base62").is_ok() && file("502", "base64").is_ok());
    for (lens, alphabet) in [("29", "base62"), ("503", "base62"), ("30", "[a-z,]")] {
        let message = file(lens, alphabet).expect_err("not a long run").to_string();
        assert!(message.starts_with("x.toml:6:10:"), "{message}");
        assert!(message.contains("must have 40 to 512 letters, digits"), "{message}");
    }
}

#[test]
fn a_checksum_without_a_published_vector_is_rejected() {
    let (without, _) = GOOD.split_once("[[token.vectors]]").expect("the good file has a vector");
    let message = compile(without).expect_err("no vector").to_string();
    assert!(message.contains("published by someone else"), "{message}");
    let shaped = without.replace("format = ", "evidence = \"shaped\"\nformat = ");
    assert!(!compile(&shaped).expect("shaped only").rules()[0].provable);
}

#[test]
fn duplicate_and_unknown_ids_are_rejected() {
    let mut set = compile(GOOD).expect("a good file");
    let twice = set.add_text(Path::new("y.toml"), GOOD).expect_err("the same id again");
    assert!(twice.to_string().contains("y.toml: duplicate rule id `example-key`"), "{twice}");
    let mut builtin = RuleSet::default();
    let text = include_str!("../../../../rules/datadog.toml");
    builtin.add_text(Path::new("datadog.toml"), text).expect("a good file");
    let unknown = builtin.restricted_to(&["datadog".to_owned()]).expect_err("no such rule");
    assert!(unknown.to_string().contains("did you mean datadog-pat"), "{unknown}");
}

/// Returns the evidence of the matches of one rule in `text`.
fn evidence(rules: &RuleSet, text: &str) -> Vec<Evidence> {
    let detector = Detector::new(Arc::new(rules.clone())).expect("one rule");
    let (bytes, mut found) = (text.as_bytes(), Vec::new());
    detector.find(Haystack::whole(bytes), 0..bytes.len(), &mut Scratch::default(), |it, _| {
        found.push(it.evidence);
    });
    found
}

#[test]
fn a_match_of_a_checksum_with_too_few_bits_is_shaped_and_a_mismatch_is_none() {
    let body = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let checksum = compile(GOOD).expect("a good file").rules()[0]
        .format
        .checksum()
        .expect("a checksum")
        .compute(body.as_bytes());
    // Each of 1471 lengths is tried, which leaves 21.5 bits.
    let weak = GOOD.replace("length = 30", "length = { min = 30, max = 1500 }");
    let weak = compile(&weak).expect("a good file");
    assert!(weak.rules()[0].weak && !weak.rules()[0].provable);
    let good = format!("exk_{body}{checksum}");
    assert_eq!(evidence(&weak, &good), [Evidence::Shaped]);
    assert_eq!(evidence(&weak, &good.replace("exk_0", "exk_1")), []);
    // With few lengths the same checksum is a proof, and a mismatch is shaped.
    let strong = GOOD.replace("length = 30", "length = [30, 32]");
    let strong = compile(&strong).expect("a good file");
    assert_eq!(evidence(&strong, &good), [Evidence::Proven]);
    assert_eq!(evidence(&strong, &good.replace("exk_0", "exk_1")), [Evidence::Shaped]);
}

#[test]
fn a_counterexample_whose_checksum_matches_is_rejected() {
    let rule = compile(GOOD).expect("a good file");
    let body = "0123456789ABCDEFGHIJKLMNOPQRST";
    let checksum = rule.rules()[0].format.checksum().expect("a checksum");
    let checksum = checksum.compute(body.as_bytes());
    let with = |token: &str| {
        format!("{GOOD}\n[[token.vectors]]\ntoken = [\"{token}\"]\nvalid = false\nsource = \"x\"\n")
    };
    let message = compile(&with(&format!("exk_{body}{checksum}"))).expect_err("it matches");
    assert!(message.to_string().contains("the checksum of a counter-example matches"), "{message}");
    let rejected = compile(&with(&format!("exk_{body}000000"))).expect("it does not match");
    let outcome = selftest::check(&rejected.rules()[0]).expect("the system has random bytes");
    assert_eq!((outcome.vectors, outcome.counterexamples), (1, 1));
    let (without, _) = GOOD.split_once("[[token.vectors]]").expect("the good file has a vector");
    let only = with("exk_x").replace(GOOD, without);
    let message = compile(&only).expect_err("nothing confirms the checksum").to_string();
    assert!(message.contains("published by someone else"), "{message}");
}
