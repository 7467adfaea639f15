//! Drafts verify the tokens that they were derived from, and no others.

use super::*;
use crate::rules::{RuleSet, selftest};
use ddpatrol_test_mint::{self as mint, Random};
use std::path::Path;

fn samples(tokens: &[String]) -> Samples {
    Samples::parse(tokens.join("\n").as_bytes()).expect("samples")
}

fn names() -> RuleNames {
    let [id, name, issuer] = ["mine", "My \"own\"", "Us\\"].map(str::to_owned);
    RuleNames { id, name, issuer }
}

/// Returns the CRC-32 of a text in hexadecimal digits.
fn hex(text: &str) -> String {
    format!("{:08x}", mint::crc32(text.as_bytes()))
}

#[test]
fn the_checksum_of_samples_is_found() {
    let mut random = Random(8);
    let mut bodies = [(); 2].map(|()| random.base62(30));
    bodies.sort();
    let classic: Vec<String> =
        [3, 4].map(|seed| mint::classic(&mut Random(seed), "exk_", 30)).to_vec();
    for (tokens, pattern, over) in [
        (classic, "exk_<SECRET><CHECKSUM>", "<SECRET>"),
        (
            bodies.iter().map(|it| format!("my-{it}{}", hex(it))).collect(),
            "my-<SECRET><CHECKSUM>",
            "<SECRET>",
        ),
        (
            bodies.iter().map(|it| format!("my-{it}{}", hex(&format!("my-{it}")))).collect(),
            "my-<SECRET><CHECKSUM>",
            "my-<SECRET>",
        ),
        (
            bodies.iter().map(|it| format!("my-{it}_{}", hex(&format!("my-{it}_")))).collect(),
            "my-<SECRET>_<CHECKSUM>",
            "my-<SECRET>_",
        ),
        (
            bodies.iter().map(|it| format!("my-{it}_{}", hex(&format!("my-{it}")))).collect(),
            "my-<SECRET>_<CHECKSUM>",
            "my-<SECRET>",
        ),
    ] {
        let tokens: Vec<String> = tokens;
        let samples = samples(&tokens);
        let prefix = samples.prefix().expect("a prefix");
        let draft = samples.verified(&prefix).expect("samples").expect("a checksum");
        assert_eq!(draft.pattern(), pattern);
        let format = draft.format().expect("a format");
        let checksum = format.checksum().expect("a checksum");
        assert_eq!(checksum.over[0].source, over);
        assert!(tokens.iter().all(|it| format.check(it.as_bytes()).is_proven()));
        // The file is accepted, its rule is proven, and it contains no sample.
        let token = draft.mint(&format).expect("random bytes");
        let vector = DraftVector { token: &token, origin: VectorOrigin::Minted { samples: 2 } };
        let text = draft.to_toml(&names(), Some(&vector));
        let mut rules = RuleSet::default();
        rules.add_text(Path::new("mine.toml"), &text).expect("a rule file");
        let rule = &rules.rules()[0];
        assert!(rule.provable && rule.name == "My \"own\"" && rule.issuer == "Us\\");
        assert!(selftest::check(rule).expect("random bytes").faults.is_empty());
        assert!(!tokens.iter().any(|it| text.contains(&it[4..24])), "{text}");
    }
}

#[test]
fn no_checksum_is_found_in_samples_without_one() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let tokens = [(); 2].map(|()| format!("exk_{}", random.base62(36)));
        assert_eq!(samples(&tokens).verified("exk_"), Ok(None));
    }
}

#[test]
fn a_plain_draft_has_the_alphabet_and_the_lengths_of_the_samples() {
    let tokens = ["exk_0123456789abcdef", "exk_0123456789abcdef01"].map(str::to_owned);
    let draft = samples(&tokens).plain("exk_").expect("samples");
    assert_eq!((&*draft.alphabet, &*draft.lengths), ("hex", &[16, 18][..]));
    let text = draft.to_toml(&names(), None);
    let mut rules = RuleSet::default();
    rules.add_text(Path::new("mine.toml"), &text).expect("a rule file");
    assert!(!rules.rules()[0].provable);
    let odd = samples(&["exk_0123456789~bcdef".to_owned()]).plain("exk_").expect("samples");
    assert!(odd.alphabet.starts_with('[') && odd.format().is_ok(), "{}", odd.alphabet);
}

#[test]
fn samples_without_a_common_prefix_and_text_are_refused() {
    assert_eq!(samples(&["exk_01".to_owned(), "abc_01".to_owned()]).prefix(), None);
    let error = samples(&["exk_01".to_owned(), "abc_01".to_owned()]).plain("exk_");
    assert_eq!(error, Err(SamplesError::Prefix(2)));
    assert_eq!(Samples::parse(b" \n").map(|_| ()), Err(SamplesError::Empty));
    assert_eq!(Samples::parse(b"a\nb c\n").map(|_| ()), Err(SamplesError::NoToken(2)));
}
