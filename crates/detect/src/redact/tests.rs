//! Tests of the redactor. Tokens are minted with a bitwise CRC that is independent of the product.

use super::*;
use crate::rules::RuleSet;
use std::path::Path;
use std::sync::Arc;

/// A token with a public alias.
const RULES: &str = r#"
issuer = "Example"

[[token]]
id = "example-key"
name = "Example Key"
format = "exk_<ALIAS>_<SECRET><CRC>"

[token.segments.ALIAS]
encoding = "base62"
decodes_to = "uuid"

[token.segments.SECRET]
alphabet = "base62"
length = 24

[token.segments.CRC]
algorithm = "crc32"
encoding = "base62"
length = 6
over = ["<SECRET>"]

[[token.vectors]]
checksum_of = "hello"
checksum = "0zNvy2"
source = "the issuer's documentation"
"#;

const ALIAS: &str = "6dZ2zcpumTdlnHIgx2SlHA";
const SECRET: &str = "s3cr3tS3cr3tS3cr3tS3cr3t";
const MASKED: &str = "exk_6dZ2zcpumTdlnHIgx2SlHA_***";

fn redactor() -> Redactor {
    let mut rules = RuleSet::default();
    rules.add_text(Path::new("example.toml"), RULES).expect("a rule");
    Redactor::new(Detector::new(Arc::new(rules)).expect("a detector"))
}

fn token(secret: &str) -> String {
    let checksum = ddpatrol_test_mint::crc62(secret);
    format!("exk_{ALIAS}_{secret}{checksum}")
}

fn cleaned(text: &str) -> String {
    let redactor = redactor();
    redactor.clean(text.as_bytes()).text().into_owned()
}

#[test]
fn a_token_is_masked_wherever_it_is() {
    let token = token(SECRET);
    assert_eq!(cleaned(&token), MASKED);
    assert_eq!(cleaned(&format!("{token} and {token}")), format!("{MASKED} and {MASKED}"));
    assert_eq!(cleaned(&format!("é{token}")), format!("é{MASKED}"));
    assert_eq!(cleaned(&format!("{token}\n")), format!("{MASKED}\n"));
    assert_eq!(cleaned(""), "");
    assert_eq!(cleaned("no token"), "no token");
}

#[test]
fn tokens_back_to_back_are_masked_each_with_its_public_part() {
    let token = token(SECRET);
    assert_eq!(cleaned(&format!("{token}{token}")), format!("{MASKED}{MASKED}"));
}

#[test]
fn overlapping_candidates_are_masked_as_one() {
    // A second head within the secret of the first; both have the shape of a token.
    let inner = token(SECRET);
    let outer = format!("exk_{ALIAS}_s3cr3tS3cr{inner}");
    let masked = cleaned(&outer);
    assert!(masked.starts_with(&format!("exk_{ALIAS}_***")), "{masked}");
    assert!(!masked.contains(SECRET) && !masked.contains("s3cr3tS3cr"), "{masked}");
}

#[test]
fn a_token_with_a_wrong_checksum_is_masked_too() {
    let mut wrong = token(SECRET).into_bytes();
    let last = wrong.len() - 1;
    wrong[last] = if wrong[last] == b'0' { b'1' } else { b'0' };
    assert_eq!(cleaned(&String::from_utf8(wrong).expect("text")), MASKED);
}

#[test]
fn the_beginning_of_a_token_is_masked_from_eight_secret_characters() {
    let cut = |len: usize| cleaned(&format!("exk_{ALIAS}_{}", &SECRET[..len]));
    assert_eq!(cut(8), MASKED);
    assert_eq!(cut(23), MASKED);
    assert_eq!(cut(7), format!("exk_{ALIAS}_{}", &SECRET[..7]));
    assert_eq!(cleaned(&format!("exk_{ALIAS}_")), format!("exk_{ALIAS}_"));
}

#[test]
fn a_lower_case_word_is_not_a_cut_off_secret() {
    let word = |len: usize| {
        cleaned(&format!("exk_{ALIAS}_{}", "installer".repeat(3).get(..len).expect("27 letters")))
    };
    assert_eq!(word(19), format!("exk_{ALIAS}_installerinstalleri"));
    assert_eq!(word(20), MASKED);
}

#[test]
fn a_part_is_masked_with_its_context() {
    let token = token(SECRET);
    let redactor = redactor();
    let text = format!("a {token} b");
    let part = |range: Range<usize>| {
        let part = redactor.masker().clean_part(text.as_bytes(), range);
        part.text().into_owned()
    };
    let secret = 2 + 4 + ALIAS.len() + 1;
    let end = 2 + token.len();
    assert_eq!(part(0..text.len()), format!("a {MASKED} b"));
    // Parts that begin or end within the secret, or are inside it.
    assert_eq!(part(secret + 9..text.len()), "*** b");
    assert_eq!(part(0..secret + 3), format!("a exk_{ALIAS}_***"));
    assert_eq!(part(secret + 1..secret + 3), "***");
    // Parts adjacent to the secret.
    assert_eq!(part(0..secret), format!("a exk_{ALIAS}_"));
    assert_eq!(part(end..text.len()), " b");
    assert_eq!(part(5..5), "");
}

#[test]
fn encoded_tokens_are_masked_whole() {
    let token = token(SECRET);
    let hex = hex::encode(&token);
    assert_eq!(cleaned(&format!("key: {hex};")), "key: ***;");
    let percent: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(cleaned(&format!("{percent}&x=1")), "***&x=1");
    let wide: Vec<u8> = token.bytes().flat_map(|byte| [byte, 0]).collect();
    let masked = redactor().clean(&wide);
    assert!(masked.as_bytes().len() < wide.len() - 2 * SECRET.len() + 8, "{masked:?}");
    assert!(!masked.without_zeros().text().contains(SECRET));
}

#[test]
fn bytes_that_are_not_utf_8_are_kept_and_escaped_in_text() {
    let token = token(SECRET);
    let bytes = [b"\xff\xfe".as_slice(), token.as_bytes(), b"\x80"].concat();
    let masked = redactor().clean(&bytes);
    assert!(!masked.is_utf8());
    let expected = [b"\xff\xfe".as_slice(), MASKED.as_bytes(), b"\x80"].concat();
    assert_eq!(masked.as_bytes(), expected);
    assert_eq!(masked.text(), format!("\\xff\\xfe{MASKED}\\x80"));
    // A character that the mask must not cut.
    assert_eq!(cleaned(&format!("日{token}本")), format!("日{MASKED}本"));
}

#[test]
fn in_a_line_the_match_and_long_runs_of_base64_are_masked() {
    let redactor = redactor();
    let run = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w";
    let line = format!("x MATCH {run} word");
    let clean = |text: &str, part: Range<usize>, matched: Range<usize>| {
        redactor.masker().clean_line(text.as_bytes(), part, matched).text().into_owned()
    };
    assert_eq!(clean(&line, 0..line.len(), 2..7), "x *** *** word");
    // A run that the part cuts is evaluated as a whole.
    assert_eq!(clean(&line, 0..20, 2..7), "x *** ***");
    // A short run and a long run that is not base64 are kept.
    let short = format!("x MATCH {} word", &run[..39]);
    assert_eq!(clean(&short, 0..short.len(), 2..7), format!("x *** {} word", &run[..39]));
    let words = format!("x MATCH {} word", "a".repeat(60));
    assert_eq!(clean(&words, 0..words.len(), 2..7), format!("x *** {} word", "a".repeat(60)));
}

#[test]
fn only_the_ends_of_a_long_match_are_read() {
    let redactor = redactor();
    let reach = redactor.context_len();
    for len in [2 * reach, 2 * reach + 5, 3 * reach, 50 * reach] {
        let text = format!("before {} after", "x".repeat(len));
        let matched = 7..7 + len;
        let whole = redactor.masker().clean_line(text.as_bytes(), 0..text.len(), matched.clone());
        assert_eq!(whole.text(), "before *** after", "{len}");
        let end = redactor.masker().clean_line(text.as_bytes(), 7 + len..text.len(), matched);
        assert_eq!(end.text(), " after", "{len}");
    }
}

#[test]
fn a_masker_can_be_reused() {
    let redactor = redactor();
    let mut masker = redactor.masker();
    let text = format!("a {} b {}", token(SECRET), "QUJD".repeat(30));
    let first = masker.clean(text.as_bytes());
    for _ in 0..3 {
        let _ = masker.clean(b"exk_something else");
        assert_eq!(masker.clean(text.as_bytes()), first);
    }
    assert_eq!(redactor.clean(text.as_bytes()), first);
}

#[test]
fn a_pattern_of_a_name_has_a_question_mark_per_masked_byte() {
    let redactor = redactor();
    let pattern = |name: &str, encoded: Option<Range<usize>>| {
        let pattern = redactor.masker().name_pattern(name.as_bytes(), encoded.as_ref());
        pattern.map(|it| it.text().into_owned())
    };
    let token = token(SECRET);
    let masked = format!("exk_{ALIAS}_{}", "?".repeat(SECRET.len() + 6));
    let name = format!("refs/heads/é-{token}/x");
    assert_eq!(pattern(&name, None), Some(format!("refs/heads/??-{masked}/x")));
    let hex = hex::encode(&token);
    let name = format!("refs/tags/{hex}.b");
    let expected = format!("refs/tags/{}.b", "?".repeat(hex.len()));
    assert_eq!(pattern(&name, Some(10..10 + hex.len())), Some(expected));
    // A question mark does not match a slash.
    assert_eq!(pattern("refs/heads/a/b", Some(11..14)), None);
}
