//! Properties of every format: minted tokens are proven, damaged ones are not, nothing panics.

use super::*;
use crate::ByteSet;
use crate::{Algorithm, Codec, Encoding, datadog};
use proptest::prelude::*;

fn datadog() -> Format {
    datadog::access_token(datadog::PERSONAL_PREFIX).expect("the format is valid")
}

fn gitlab() -> Format {
    Format::new(
        "glpat-<PAYLOAD>.<VERSION>.<LENGTH><CRC>",
        vec![
            Segment::text("PAYLOAD", ByteSet::BASE64URL, Lengths::Range { min: 27, max: 300 }),
            Segment::text("VERSION", ByteSet::BASE36, Lengths::OneOf(vec![2])),
            Segment::text("LENGTH", ByteSet::BASE36, Lengths::OneOf(vec![2])),
            Segment::checksum(
                "CRC",
                Algorithm::Crc32,
                Encoding::Base36,
                7,
                &["glpat-<PAYLOAD>.<VERSION>.<LENGTH>"],
            ),
        ],
    )
    .expect("the format is valid")
}

/// Returns a source of bytes that depend only on the seed.
fn seeded(mut state: u64) -> impl FnMut(&mut [u8]) {
    move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
    }
}

proptest! {
    #[test]
    fn every_choice_is_proven_and_every_changed_character_is_rejected(seed: u64) {
        for format in [datadog(), gitlab()] {
            let public_len = format.public_len();
            for choice in format.choices() {
                let minted = format.mint(choice, &mut seeded(seed));
                let token = minted.expose();
                let check = format.check(token);
                let Check::Proven { split, .. } = check else {
                    panic!("{choice:?} is proven, not {check:?}");
                };
                let joined: Vec<u8> =
                    format.pieces(split, token).flat_map(|(_, bytes)| bytes.to_vec()).collect();
                prop_assert_eq!(&joined, token);
                for at in public_len..token.len() {
                    let mut damaged = token.to_vec();
                    damaged[at] = if damaged[at] == b'a' { b'b' } else { b'a' };
                    let check = format.check(&damaged);
                    prop_assert!(!matches!(check, Check::Proven { .. }), "{choice:?} at {at}");
                    prop_assert!(!format.explain(&damaged).proven);
                }
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), seed: u64) {
        for format in [datadog(), gitlab()] {
            let _ = format.check(&bytes);
            let _ = format.redact(&bytes);
            let _ = format.explain(&bytes);
            // Also bytes that begin like a token.
            let choices = format.choices();
            let choice = choices[seed as usize % choices.len()];
            let minted = format.mint(choice, &mut seeded(seed));
            let kept = seed as usize % minted.expose().len();
            let glued = [&minted.expose()[..kept], &bytes].concat();
            let _ = format.check(&glued);
            let _ = format.explain(&glued);
        }
    }

    #[test]
    fn explanation_and_redaction_never_show_the_secret(seed: u64) {
        let format = datadog();
        let minted = format.mint(format.choices()[0], &mut seeded(seed));
        let token = std::str::from_utf8(minted.expose()).expect("tokens are ASCII");
        let output = format!("{:?} {}", format.explain(token.as_bytes()), format.redact(token.as_bytes()));
        for at in 29..token.len() - 6 {
            prop_assert!(!output.contains(&token[at..at + 6]));
        }
        prop_assert!(output.contains(&token[6..28]), "the alias is public");
    }
}

#[test]
fn an_overflowing_alias_or_checksum_does_not_match() {
    let format = datadog();
    let minted = format.mint(format.choices()[0], &mut seeded(7));
    let mut token = minted.expose().to_vec();
    token[6..28].copy_from_slice(b"7n42DGM5Tflk9n8mt7Fhc8");
    assert_eq!(format.check(&token), Check::NoMatch);
    let mut token = minted.expose().to_vec();
    let end = token.len();
    token[end - 6..].copy_from_slice(b"4gfFC4");
    assert_eq!(format.check(&token), Check::NoMatch);
    token[end - 6..].copy_from_slice(b"4gfFC3");
    assert!(matches!(format.check(&token), Check::Shaped { .. }));
}

#[test]
fn a_published_gitlab_token_is_proven() {
    let token = ["glpat-vSY1cyL948aAB440q", "B6L4zlu9OzsUmEV.01.0w0sfevch"].concat();
    assert!(matches!(gitlab().check(token.as_bytes()), Check::Proven { coverage: 0, .. }));
}

#[test]
fn the_explanation_names_error_and_position() {
    let format = datadog();
    let minted = format.mint(format.choices()[0], &mut seeded(3));
    let token = minted.expose().to_vec();
    let note = |token: &[u8]| {
        let explanation = format.explain(token);
        assert!(!explanation.proven);
        let faults: Vec<_> = explanation.parts.into_iter().filter(|part| !part.holds).collect();
        assert_eq!(faults.len(), 1, "{faults:?}");
        format!("{}: {}", faults[0].name, faults[0].note)
    };
    let mut bad = token.clone();
    bad[30] = b'-';
    assert_eq!(note(&bad), "SECRET: character 2 is not one of base62");
    assert_eq!(note(&token[..token.len() - 1]), "CHECKSUM: too short: 5 of 6 characters");
    let mut bad = token.clone();
    bad.push(b'x');
    assert_eq!(note(&bad), "rest: too long: a token has 78 or 67 or 65 characters");
    let mut bad = token;
    bad[40] = if bad[40] == b'a' { b'b' } else { b'a' };
    assert!(note(&bad).starts_with("CHECKSUM: crc32 does not match over <SECRET>, over <ALIAS>_"));
}

#[test]
fn invalid_descriptions_are_rejected_with_remedy() {
    let secret = || Segment::text("SECRET", ByteSet::BASE62, Lengths::OneOf(vec![30]));
    let crc = |width, over: &[&str]| {
        Segment::checksum("CRC", Algorithm::Crc32, Encoding::Base62, width, over)
    };
    let message = |pattern: &str, segments: Vec<Segment>| {
        Format::new(pattern, segments).expect_err("an invalid description").to_string()
    };
    let crc16 = |width, encoding| {
        Segment::checksum("CRC", Algorithm::Crc16Xmodem, encoding, width, &["abc_<SECRET>"])
    };
    for (text, pattern, segments) in [
        (
            "crc16-xmodem and the encoding base32-trailer belong",
            "abc_<SECRET><CRC>",
            vec![secret(), crc16(4, Encoding::Base32)],
        ),
        (
            "use both, with 4 or 5 characters",
            "abc_<SECRET><CRC>",
            vec![secret(), crc16(6, Encoding::Base32Trailer)],
        ),
        (
            "decodes the text itself",
            "abc_<SECRET><CRC>",
            vec![secret(), crc16(4, Encoding::Base32Trailer).over_decoded(Codec::Base32)],
        ),
        ("no literal to search for", "<SECRET>", vec![secret()]),
        ("too short to be searched", "a_<SECRET>", vec![secret()]),
        ("`NAME` is not described", "abc_<NAME>", vec![secret()]),
        ("is not closed", "abc_<SECRET", vec![secret()]),
        ("not used", "abc_def", vec![secret()]),
        ("occurs twice", "abc_<SECRET><SECRET>", vec![secret()]),
        ("invalid literal", "abc d_<SECRET>", vec![secret()]),
        ("too few or too many", "abc_<SECRET><CRC>", vec![secret(), crc(5, &["<SECRET>"])]),
        ("cannot cover itself", "abc_<SECRET><CRC>", vec![secret(), crc(6, &["<CRC>"])]),
        ("covers nothing", "abc_<SECRET><CRC>", vec![secret(), crc(6, &[])]),
        ("names no segment", "abc_<SECRET><CRC>", vec![secret(), crc(6, &["abc_"])]),
        ("no literal to search for", "", vec![]),
    ] {
        let message = message(pattern, segments);
        assert!(message.contains(text), "{message:?} should contain {text:?}");
    }
}

#[test]
fn the_anchor_is_the_first_literal_that_is_long_enough() {
    let text = |name: &str, lens: &[usize]| {
        Segment::text(name, ByteSet::BASE62, Lengths::OneOf(lens.to_vec()))
    };
    let anchor = |pattern: &str, lens: &[usize]| {
        let format = Format::new(pattern, vec![text("A", lens), text("B", &[8])])?;
        Ok::<_, FormatError>(format.anchor().cloned().expect("an anchor"))
    };
    let found = |text: &str, offset| Ok(Anchor { text: text.as_bytes().into(), offset });
    assert_eq!(anchor("abc<A>defg<B>", &[20]), found("abc", 0));
    assert_eq!(anchor("<A>defg<B>", &[20]), found("defg", 20));
    assert_eq!(anchor("<A>_<B>defg", &[20]), found("defg", 29));
    for (pattern, lens) in [("<A>def<B>", &[20][..]), ("<A>defg<B>", &[20, 21])] {
        assert!(anchor(pattern, lens).is_err(), "{pattern} with {lens:?}");
    }
    let format = Format::new("<A>defg<B>", vec![text("A", &[3]), text("B", &[8])]);
    let format = format.expect("the format is valid");
    assert!(
        format.has_middle() && format.has_anchor_in(b"abcdefg") && !format.has_anchor_in(b"defg")
    );
    assert_eq!(format.redact(b"abcdefg01234567"), "***defg***");
}

#[test]
fn a_format_of_words_excludes_what_begins_like_an_identifier() {
    let segments = vec![
        Segment::text("WORD", ByteSet::BASE62, Lengths::Range { min: 2, max: 9 }),
        Segment::text("SECRET", ByteSet::BASE62, Lengths::OneOf(vec![30, 31])),
        Segment::checksum("CRC", Algorithm::Crc32, Encoding::Base62, 6, &["<SECRET>"]),
    ];
    let format = Format::of_words("<WORD>_<SECRET><CRC>", segments).expect("the format is valid");
    assert_eq!(format.anchor(), None);
    // One layout, and one coverage.
    assert!((format.evidence_bits().expect("a checksum").total() - 32.0).abs() < 0.05);
    let body = "0".repeat(30);
    let Kind::Checksum(checksum) = &format.segments()[2].kind else { panic!("a checksum") };
    let token = format!("id_{body}{}", checksum.compute(body.as_bytes()));
    assert!(format.check(token.as_bytes()).is_proven());
    let format = format.except([b"id_".as_slice().into()]);
    assert_eq!(format.check(token.as_bytes()), Check::NoMatch);
}
