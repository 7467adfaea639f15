//! Tokens in every encoding, with the border between two chunks at every byte.

use super::detector;
use crate::detect::encoded::{AFFIXES, affixed, needs_long_lines};
use crate::support::encode::{self, ESCAPES, Which, folded};
use crate::support::mint::{self, Random};
use ddpatrol::detect::{Detector, Evidence};
use ddpatrol::mask::MaskedStream;

/// A form of a token, and the pieces of it that no output may contain.
struct Form {
    name: String,
    text: Vec<u8>,
    pieces: Vec<Vec<u8>>,
}

fn widest(text: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.bytes().flat_map(|byte| bytes(u32::from(byte))).collect()
}

/// Lists a token in every encoding, and in every kind of line, literal and gap.
fn forms(token: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut add = |name: String, text: Vec<u8>, pieces: Vec<Vec<u8>>| {
        forms.push(Form { name, text, pieces });
    };
    let mut whole = |name: &str, text: Vec<u8>| {
        let middle = text[text.len() / 2..text.len() / 2 + 16].to_vec();
        add(name.to_owned(), text, vec![middle]);
    };
    let bytes = token.as_bytes();
    whole("plain", bytes.to_vec());
    for before in ["", "a", "ab"] {
        let text = format!("{before}{token}?>");
        whole("base64", encode::base64(text.as_bytes()).into_bytes());
        whole("base64url", encode::base64_url(text.as_bytes()).into_bytes());
    }
    whole("base64 of UTF-16", encode::base64(&encode::utf16_le(token)).into_bytes());
    whole("hex", encode::hex(bytes).into_bytes());
    whole("HEX", encode::hex(bytes).to_uppercase().into_bytes());
    whole("UTF-16LE", encode::utf16_le(token));
    whole("UTF-16BE", encode::utf16_be(token));
    whole("UTF-32LE", widest(token, u32::to_le_bytes));
    whole("UTF-32BE", widest(token, u32::to_be_bytes));
    for (name, escape) in ESCAPES {
        whole(name, encode::escape(token, Which::All, escape).into_bytes());
        whole(name, encode::escape(token, Which::Marks, escape).into_bytes());
    }
    whole("backslashes", token.replace('_', "\\_").into_bytes());
    let inner = format!("the first line of a text\nkey: {}\n", encode::base64(bytes));
    whole("base64 of base64", encode::base64(inner.as_bytes()).into_bytes());
    let escaped = encode::base64(format!("a?>{token}?>?>").as_bytes());
    whole("escaped base64", escaped.replace('/', "\\/").replace('+', "\\u002b").into_bytes());
    let (base64, hex) = (encode::base64(bytes), encode::hex(bytes));
    for gap in ["\n", "\r\n", "\n    ", "\\n", "\n  # ", "\" +\n  \"", "\", \"", "=\n", "=\r\n"] {
        for (encoded, width) in [(&base64, 40), (&hex, 40), (&base64, 24), (&hex, 22)] {
            let pieces = encoded.as_bytes().chunks(width).filter(|it| it.len() > 6);
            let pieces = pieces.map(|it| it[2..it.len().min(20)].to_vec());
            add(
                format!("folded by {gap:?} at {width}"),
                folded(encoded, width, gap).into_bytes(),
                pieces.collect(),
            );
        }
    }
    for affixes in AFFIXES {
        let shifted = encode::base64(format!("{}{token}", "x".repeat(14)).as_bytes());
        for (encoded, width) in [(&base64, 60), (&hex, 60), (&base64, 36), (&shifted, 24)] {
            if width < 40 && needs_long_lines(&affixes(1).1) {
                continue;
            }
            let pieces = encoded.as_bytes().chunks(width).skip(usize::from(width == 24));
            let pieces = pieces.filter(|it| it.len() > 6);
            let pieces = pieces.map(|it| it[2..it.len().min(20)].to_vec());
            let text = affixed(encoded, width, affixes);
            add(format!("behind {:?}", affixes(1)), text.into_bytes(), pieces.collect());
        }
    }
    for gap in [
        "\r\n ",
        "\n\t",
        "\n> ",
        "\\\n",
        "</w:t></w:r><w:r><w:t>",
        "\x1b[0m",
        "\u{200b}",
        "&shy;",
        "\" + \"",
        "\"\n  \"",
    ] {
        for cut in [3, 30, 60] {
            let text = format!("<b></b> \"{}{gap}{}\"", &token[..cut], &token[cut..]);
            // The head alone is not found where only long runs give the rest of a token away.
            let is_join = gap.starts_with('"') && cut == 3;
            if !is_join {
                let piece = token.as_bytes()[62..].to_vec();
                add(format!("broken by {gap:?} at {cut}"), text.into_bytes(), vec![piece]);
            }
        }
    }
    forms
}

/// Masks a text in chunks of these lengths; the rest is the last chunk.
fn masked(detector: &Detector, text: &[u8], lens: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut stream = MaskedStream::new(detector, Evidence::Proven);
    let (mut out, mut at) = (Vec::new(), 0);
    for len in lens {
        let end = text.len().min(at + len);
        stream.push(&text[at..end], &mut out);
        at = end;
    }
    stream.push(&text[at..], &mut out);
    stream.finish(&mut out);
    out
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

#[test]
fn every_form_of_a_token_is_masked_for_every_border_between_chunks() {
    let detector = detector();
    let token = mint::datadog(&mut Random(90), "ddpat_", 43, 0);
    for Form { name, text, pieces } in forms(&token) {
        let text = [b"one\nkey: ", &text[..], b" two\nthree\n"].concat();
        let wanted = masked(detector, &text, std::iter::empty());
        assert!(wanted.starts_with(b"one\n") && wanted.ends_with(b"three\n"), "{name}");
        for piece in &pieces {
            assert!(contains(&text, piece), "{name}");
            assert!(!contains(&wanted, piece), "{name}: {}", wanted.escape_ascii());
        }
        for at in 0..=text.len() {
            let found = masked(detector, &text, std::iter::once(at));
            assert!(found == wanted, "{name}, border at {at}: {}", found.escape_ascii());
        }
        for len in [1, 2, 3, 5, 17, 64] {
            let found = masked(detector, &text, std::iter::repeat_n(len, text.len() / len));
            assert!(found == wanted, "{name}, chunks of {len}: {}", found.escape_ascii());
        }
    }
}

#[test]
fn every_form_of_a_token_is_masked_in_a_line_without_end() {
    let detector = detector();
    let token = mint::datadog(&mut Random(91), "ddpat_", 43, 0);
    // Text is passed on without the end of a line after 64 KiB, except for the last kilobytes.
    let long = 64 * 1024;
    for Form { name, text, pieces } in forms(&token) {
        let around = detector.lookahead() + 2 * text.len();
        for before in (long - around..long + 200).step_by(701) {
            let text = [
                &b"some words. ".repeat(before / 12)[..],
                &text[..],
                &b" more words".repeat(900)[..],
            ]
            .concat();
            let found = masked(detector, &text, std::iter::repeat_n(1500, text.len() / 1500));
            for piece in &pieces {
                assert!(!contains(&found, piece), "{name} at {before}");
            }
        }
    }
}
