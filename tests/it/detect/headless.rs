//! Tokens that have no head: their anchor is in their middle, or they have none.

use super::encoded::{assert_found, places};
use super::{detector, in_windows};
use crate::support::encode::{self, ESCAPES, Which};
use crate::support::mint::{self, Random};
use ddpatrol::detect::{Evidence, Haystack, Scratch};
use ddpatrol::redact::Redactor;
use std::sync::LazyLock;

fn keys(seed: u64) -> Vec<(&'static str, String)> {
    mint::azure::keys(&mut Random(seed))
}

/// Returns rule, start, end and evidence of every plain match.
fn matches(bytes: &[u8]) -> Vec<(String, usize, usize, Evidence)> {
    let mut matches = Vec::new();
    let detector = detector();
    detector.find(Haystack::whole(bytes), 0..bytes.len(), &mut Scratch::default(), |it, _| {
        if it.encoding.is_plain() {
            let rule = detector.rules()[it.rule].id.clone();
            matches.push((rule, it.start, it.end, it.evidence));
        }
    });
    matches
}

#[test]
fn a_key_is_proven_at_every_alignment_and_in_any_context() {
    for (rule, key) in keys(1) {
        for (before, after) in
            [("", ""), (".", "."), ("x", "x"), ("=", ";"), ("+", "/"), ("é日", "日"), ("\0", "\0")]
        {
            for at in 0..70 {
                let text = format!("{}{before}{key}{after}{}", " ".repeat(at), " ".repeat(at % 7));
                let start = at + before.len();
                let expected = (rule.to_owned(), start, start + key.len(), Evidence::Proven);
                let found = matches(text.as_bytes());
                assert_eq!(found, [expected], "{rule} at {at} after {before:?}");
            }
        }
    }
}

#[test]
fn a_key_with_any_other_character_is_not_proven() {
    for (rule, key) in keys(2) {
        for at in 0..key.len() {
            let mut damaged = key.clone().into_bytes();
            damaged[at] = if damaged[at] == b'b' { b'c' } else { b'b' };
            let found = matches(&damaged);
            assert!(found.iter().all(|it| it.3 == Evidence::Shaped), "{rule} at {at}: {found:?}");
        }
        for cut in 1..key.len() {
            let found = matches(&key.as_bytes()[cut..]);
            assert!(found.iter().all(|it| it.3 == Evidence::Shaped), "{rule} from {cut}");
        }
    }
}

#[test]
fn an_annotated_key_of_an_unconfirmed_issuer_is_shaped() {
    let random = &mut Random(3);
    for (signature, rule) in [("AZDO", "azure-devops-pat"), ("ACOG", "azure-ai-services-key")] {
        let key = mint::azure::annotated(random, signature);
        let expected = (rule.to_owned(), 4, 4 + key.len(), Evidence::Shaped);
        assert_eq!(matches(format!("pat={key}\n").as_bytes()), [expected]);
        assert_eq!(matches(format!("xpat{key}").as_bytes()), []);
    }
}

#[test]
fn base64_of_a_key_is_found_at_every_alignment_in_both_alphabets() {
    for (_, key) in keys(4) {
        for before in 0..3 {
            let text = format!("{}{key}{}", &"\u{7f}?>"[..before], &"?\u{7f}>"[..2 - before]);
            let around = (&b"key: \""[..], &b"\", next"[..]);
            for encoded in [encode::base64(text.as_bytes()), encode::base64_url(text.as_bytes())] {
                assert_found(encoded.as_bytes(), around, &key, "base64");
            }
            let wide = encode::base64(&encode::utf16_le(&text));
            assert_found(wide.as_bytes(), around, &key, "base64 of UTF-16LE");
        }
    }
}

#[test]
fn folded_base64_of_a_text_with_a_key_is_found_once() {
    for (rule, key) in keys(5) {
        for width in [64, 70, 76] {
            let text = format!("AccountName=someone;AccountKey={key};EndpointSuffix=example.com");
            let folded = encode::folded(&encode::base64(text.as_bytes()), width, "\n");
            let found = places(detector(), folded.as_bytes(), &key);
            assert_eq!(found.len(), 1, "{rule} in lines of {width}: {found:?}");
        }
    }
}

#[test]
fn hex_and_wide_characters_of_a_key_are_found() {
    for (_, key) in keys(6) {
        let hex = encode::hex(key.as_bytes());
        for around in [(&b""[..], &b""[..]), (b"0x", b"'"), (b"ff", b"00")] {
            assert_found(hex.as_bytes(), around, &key, "hex");
            assert_found(hex.to_uppercase().as_bytes(), around, &key, "hex");
        }
        assert_found(&encode::utf16_le(&key), (b"x", b"\n\0\0\0"), &key, "UTF-16LE");
        assert_found(&encode::utf16_be(&key), (b"", b"\0\n"), &key, "UTF-16BE");
    }
}

#[test]
fn escaped_keys_are_found_if_all_or_only_special_characters_are_escaped() {
    for (_, key) in keys(7) {
        for (name, format) in ESCAPES {
            for which in [Which::All, Which::Marks] {
                let escaped = encode::escape(&key, which, format);
                // The `=` of `=3D` ends a key that is not escaped otherwise.
                if escaped.starts_with(&key) {
                    continue;
                }
                for around in [(&b"?k="[..], &b"&x=1"[..]), (b"\"", b"\"")] {
                    assert_found(escaped.as_bytes(), around, &key, name);
                }
            }
        }
        // As in JSON of PHP.
        let slashes = key.replace('/', "\\/");
        if slashes != key && !key.starts_with('/') {
            assert_found(slashes.as_bytes(), (b"\"", b"\""), &key, "backslash escapes");
        }
    }
}

#[test]
fn the_boundary_of_windows_affects_no_key() {
    let detector = detector();
    let size = detector.lookbehind() + 2 * detector.lookahead() + 2;
    let mut random = Random(8);
    let mut keys = keys(8);
    let mut words = mint::wallets::keys(&mut random);
    words.push(("unknown-issuer", mint::classic(&mut random, "acme_", 30)));
    let is_word = |rule: &str| words.iter().any(|word| word.0 == rule);
    keys.extend(words.clone());
    for (rule, key) in keys {
        let mut forms = vec![key.clone()];
        if !is_word(rule) {
            forms.push(encode::escape(&key, Which::Marks, ESCAPES[0].1));
        }
        for form in forms {
            for at in (0..form.len() + 2).step_by(3) {
                let before = size - detector.lookahead() - at;
                let text =
                    format!("{}\n\"{form}\"\n{}", "a b\n".repeat(before / 4), "c\n".repeat(size));
                let found = in_windows(detector, text.as_bytes(), size, 4096).found;
                let places: Vec<(u64, usize)> = found.iter().map(|it| (it.1, it.2)).collect();
                let start = text.find('"').expect("a quote") as u64 + 1;
                assert_eq!(places, [(start, form.len())], "{rule} at {at}");
            }
        }
    }
}

fn cleaned(text: &[u8]) -> Vec<u8> {
    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(super::new_detector()));
    REDACTOR.clean(text).as_bytes().to_vec()
}

#[test]
fn keys_are_masked_whole_damaged_and_cut_off() {
    for (rule, key) in keys(9) {
        let mut damaged = key.clone();
        damaged.replace_range(5..6, if &key[5..6] == "b" { "c" } else { "b" });
        let anchor = key.len() - 6;
        for (text, secret) in [
            (format!("Key={key};"), &key[..]),
            (format!("Key={damaged};"), &damaged[..]),
            // Cut off after its anchor, and before its 25th character.
            (format!("Key={}", &key[..anchor]), &key[..anchor]),
            (key[8..].to_owned(), &key[8..]),
        ] {
            let clean = String::from_utf8(cleaned(text.as_bytes())).expect("text");
            assert!(!clean.contains(&secret[4..16]), "{rule}: {clean}");
        }
        for wide in [encode::utf16_le(&key), encode::utf16_be(&key)] {
            let clean = cleaned(&wide);
            assert!(clean.len() < 20, "{rule}: {}", clean.escape_ascii());
        }
        let escaped = encode::escape(&key, Which::Marks, ESCAPES[0].1);
        let clean = String::from_utf8(cleaned(escaped.as_bytes())).expect("text");
        assert!(!clean.contains(&escaped[4..16]), "{rule}: {clean}");
    }
}

#[test]
fn words_that_contain_the_signature_of_a_key_are_not_masked() {
    for text in [
        "src/main/java/com/example/search/indexing/AzSearchClient.java",
        "deployments/modules/platform/services/MyAzFunctionsHostBuilderExtensions",
        "azure-APIM-products, AIoT devices, CACDbStore",
    ] {
        assert_eq!(cleaned(text.as_bytes()), text.as_bytes());
    }
}

#[test]
fn a_key_without_fixed_text_is_a_whole_word_in_any_context() {
    for (rule, key) in (0..20).flat_map(|seed| mint::wallets::keys(&mut Random(seed))) {
        for (before, after) in
            [("", ""), ("=", ";"), ("\"", "\""), ("é", "日"), ("\0", "\0"), ("nats://", "@host")]
        {
            for at in [0, 1, 7, 63] {
                let text = format!("{}{before}{key}{after}", " ".repeat(at));
                let start = at + before.len();
                let expected = (rule.to_owned(), start, start + key.len(), Evidence::Proven);
                assert_eq!(matches(text.as_bytes()), [expected], "{rule} after {before:?}");
            }
        }
        for text in [format!("{key}A"), format!("A{key}"), format!("_{key}")] {
            assert_eq!(matches(text.as_bytes()), [], "{rule} in a longer word");
        }
        for clean in [cleaned(key.as_bytes()), cleaned(format!("seed: {key}\n").as_bytes())] {
            let clean = String::from_utf8(clean).expect("text");
            assert!(!clean.contains(&key[4..16]), "{rule}: {clean}");
        }
    }
}

#[test]
fn a_key_without_fixed_text_may_contain_the_head_of_another_token() {
    let mut secret = [7; 32];
    secret[4..8].copy_from_slice(&[0x04, 0xc2, 0x10, 0]);
    let seed = mint::wallets::stellar(&secret);
    assert_eq!(&seed[8..12], "ATBB", "the head of an app password of Bitbucket");
    let expected = ("stellar-secret-seed".to_owned(), 0, 56, Evidence::Proven);
    assert_eq!(matches(seed.as_bytes()), [expected]);
}

#[test]
fn a_key_without_fixed_text_is_no_match_with_any_other_character() {
    for (rule, key) in mint::wallets::keys(&mut Random(11)) {
        for at in 0..key.len() {
            // Of the last character, a bit after the checksum may change, too.
            for other in ["A", "B", "R", "4"] {
                if &key[at..=at] != other {
                    let mut damaged = key.clone();
                    damaged.replace_range(at..=at, other);
                    assert_eq!(matches(damaged.as_bytes()), [], "{rule} with {other} at {at}");
                }
            }
        }
    }
}

#[test]
fn a_token_of_an_unknown_issuer_is_a_whole_word_of_a_long_run() {
    let random = &mut Random(10);
    for token in [mint::classic(random, "acme_live_", 24), mint::classic(random, "acme_", 64)] {
        for (before, after) in
            [("", ""), ("=", ";"), ("\"", "\""), ("é", "日"), ("https://a/", "?b")]
        {
            let text = format!("{before}{token}{after}");
            let range = (before.len(), before.len() + token.len());
            let expected = ("unknown-issuer".to_owned(), range.0, range.1, Evidence::Proven);
            assert_eq!(matches(text.as_bytes()), [expected], "{text}");
        }
        assert_eq!(matches(format!("{token}x").as_bytes()), []);
        let clean = String::from_utf8(cleaned(token.as_bytes())).expect("text");
        assert!(!clean.contains(&token[10..]), "{clean}");
    }
    let whole = format!("acme_{}", random.base62(30));
    let token = format!("{whole}{}", mint::crc62(&whole));
    assert_eq!(matches(token.as_bytes()).len(), 1, "the prefix is covered, too");
    let short = mint::classic(random, "ab_", 24);
    assert_eq!(matches(short.as_bytes()), [], "too short for a run");
    assert_eq!(matches(format!("tokens/value={short}").as_bytes()).len(), 1);
    // The rule of the prefix reports it.
    let known = mint::classic(random, "MY_ghp_", 30);
    let found = matches(known.as_bytes());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "github-pat");
}
