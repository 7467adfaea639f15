//! `ddpatrol mask`, and the stream that it masks.

mod chunks;
mod command;

use crate::detect::detector;
use crate::support::encode::{self, ESCAPES, Which};
use crate::support::mint::{self, Random};
use ddpatrol::detect::{Detector, Evidence, Haystack, Scratch};
use ddpatrol::mask::MaskedStream;
use std::io::Write;

/// Masks the proven tokens of the whole text at once.
fn masked_at_once(detector: &Detector, text: &[u8]) -> Vec<u8> {
    let mut spans = Vec::new();
    let whole = 0..text.len();
    detector.find(Haystack::whole(text), whole, &mut Scratch::default(), |found, _| {
        if found.evidence == Evidence::Proven {
            let public = detector.rules()[found.rule].format.public_len();
            let (mut start, mut end, mut mask) = (found.start, found.end, &b"***"[..]);
            if found.encoding.is_plain() {
                start += public;
            } else if found.encoding.is_utf16() {
                mask = b"*\0*\0*";
                // From the first character to the last: every other byte between them is zero.
                let is_zero = |at: usize| text.get(at) == Some(&0);
                start =
                    (start..end).find(|&at| !is_zero(at) && is_zero(at + 1)).expect("a character");
                end = (start..end).rev().find(|&at| !is_zero(at) && is_zero(at - 1)).expect("one")
                    + 1;
            }
            spans.push((start, end, mask));
        }
    });
    spans.sort_unstable();
    let (mut out, mut at) = (Vec::new(), 0);
    for (start, end, mask) in spans {
        if end <= at {
            continue;
        }
        if start >= at {
            out.extend_from_slice(&text[at..start]);
            out.extend_from_slice(mask);
        }
        at = end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

/// Whether a pause may follow a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pauses {
    Never,
    Random,
}

/// Masks a text in random chunks.
fn masked_in_chunks(
    detector: &Detector,
    text: &[u8],
    random: &mut Random,
    pauses: Pauses,
) -> Vec<u8> {
    let mut stream = MaskedStream::new(detector, Evidence::Proven);
    let (mut out, mut at) = (Vec::new(), 0);
    let most = [1, 3, 20, 200, 5000][random.below(5)];
    while at < text.len() {
        let len = (1 + random.below(most)).min(text.len() - at);
        stream.push(&text[at..at + len], &mut out);
        at += len;
        if pauses == Pauses::Random && random.below(3) == 0 {
            stream.pause(&mut out);
        }
    }
    stream.finish(&mut out);
    out
}

/// Returns a token in a random encoding.
fn encoded(random: &mut Random) -> Vec<u8> {
    let (_, token) = mint::any(random);
    let bytes = token.as_bytes();
    match random.below(11) {
        0 => encode::base64(bytes).into_bytes(),
        1 => encode::base64_url(bytes).into_bytes(),
        2 => encode::hex(bytes).into_bytes(),
        3 => encode::utf16_le(&token),
        4 => encode::utf16_be(&token),
        5 => {
            let (_, escape) = ESCAPES[random.below(ESCAPES.len())];
            let which = if random.below(2) == 0 { Which::All } else { Which::Marks };
            encode::escape(&token, which, escape).into_bytes()
        }
        6 => {
            let text = format!("{{\"user\": \"someone\", \"token\": \"{token}\", \"n\": 1}}");
            let between = ["\n", "\r\n", "\n    ", "\n  # ", "\" +\n  \""][random.below(5)];
            encode::folded(&encode::base64(text.as_bytes()), 64, between).into_bytes()
        }
        7 => {
            let inner = format!("first some text\nkey: {}\n", encode::base64(bytes));
            encode::folded(&encode::base64(inner.as_bytes()), 76, "\n").into_bytes()
        }
        10 => nested(random, bytes),
        8 => {
            // The first literal contains the whole head.
            let least = mint::head_len(&token).max(12);
            let (first, second) = token.split_at(least + random.below(10));
            let between = ["\" + \"", "\"\n    \"", "\\\n", "\" \\\n \""][random.below(4)];
            format!("\"{first}{between}{second}\"").into_bytes()
        }
        _ => bytes.to_vec(),
    }
}

/// Returns a token in base64 within base64, whose first line is long enough to be decoded, in lines or
/// literals of any length.
fn nested(random: &mut Random, token: &[u8]) -> Vec<u8> {
    let inner = format!("the first line of text\nkey: {}\nmore: ", encode::base64(token));
    let outer = encode::base64(inner.as_bytes());
    let (first, rest) = outer.split_at(64 + random.below(12));
    let gaps = ["\n", "\r\n  ", "\\n", "\" + b\"", "\"\n  u8\"", "\n-- ", "\n  * ", "\\\n  "];
    let gap = gaps[random.below(gaps.len())];
    let rest = encode::folded(rest, 1 + random.below(80), gap);
    let text = [first, gap, &rest].concat();
    match random.below(4) {
        0 => encode::utf16_le(&text),
        1 => encode::utf16_be(&text),
        _ => text.into_bytes(),
    }
}

/// Returns text with tokens, in lines of random length.
fn text(random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..4 + random.below(12) {
        match random.below(6) {
            0 => text.push(b'\n'),
            1 => {
                text.extend_from_slice(
                    b"\n2026-01-01T10:00:00Z INFO starting Worker7 on port 80: ",
                );
            }
            2 => text.extend(encoded(random)),
            3 => {
                text.push(b' ');
                text.extend(encoded(random));
                text.push(b'\n');
            }
            _ => text.extend(mint::filler(random)),
        }
    }
    text
}

#[test]
fn a_stream_is_masked_as_the_whole_text_is_for_every_division_into_chunks() {
    let detector = detector();
    for seed in 0..1500 {
        let mut random = Random(seed);
        for pauses in [Pauses::Never, Pauses::Random] {
            let text = text(&mut random);
            let wanted = masked_at_once(detector, &text);
            let found = masked_in_chunks(detector, &text, &mut random, pauses);
            assert!(
                found == wanted,
                "seed {seed}, {pauses:?}:\n{}\n--- wanted:\n{}\n--- found:\n{}",
                text.escape_ascii(),
                wanted.escape_ascii(),
                found.escape_ascii()
            );
        }
    }
}

#[test]
fn complete_lines_and_prompts_are_passed_on_at_once() {
    let detector = detector();
    for line in [
        "plain text\n",
        "{\"level\": \"info\", \"sha\": \"0123456789abcdef0123456789abcdef01234567\"}\n",
        "the prefix ddpat_ begins a token\n",
        "masked before: ddpat_6fv4nxVeOeOJ71uxTub7aX_*** by an older run\n",
        "Building Worker7\n",
        "café\n",
        "sha512-Yi9kZjQ1ZmFh: a digest\n",
    ] {
        let mut stream = MaskedStream::new(detector, Evidence::Proven);
        let mut out = Vec::new();
        stream.push(line.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), line);
    }
    let token = mint::token(1);
    let mut stream = MaskedStream::new(detector, Evidence::Proven);
    let mut out = Vec::new();
    stream.push(format!("TOKEN={token}\n").as_bytes(), &mut out);
    let shown = &token[..token.rfind('_').expect("a part") + 1];
    assert_eq!(String::from_utf8_lossy(&out), format!("TOKEN={shown}***\n"));
    // A progress line ends with a carriage return.
    let mut stream = MaskedStream::new(detector, Evidence::Proven);
    let mut out = Vec::new();
    stream.push(b"Receiving objects:  10% (1/10)\rReceiving", &mut out);
    assert_eq!(String::from_utf8_lossy(&out), "Receiving objects:  10% (1/10)\r");
    for prompt in ["Password: ", "Continue? [y/N] ", "Continue? [y/N]"] {
        let mut stream = MaskedStream::new(detector, Evidence::Proven);
        let mut out = Vec::new();
        stream.push(prompt.as_bytes(), &mut out);
        assert_eq!(out, b"", "{prompt}");
        stream.pause(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), prompt);
    }
}

#[test]
fn the_beginning_of_a_token_is_held_back_until_its_end() {
    let detector = detector();
    let token = mint::token(1);
    for cut in 1..token.len() {
        let mut stream = MaskedStream::new(detector, Evidence::Proven);
        let mut out = Vec::new();
        stream.push(format!("key: {}", &token[..cut]).as_bytes(), &mut out);
        stream.pause(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), "key: ");
        stream.push(format!("{}\n", &token[cut..]).as_bytes(), &mut out);
        assert!(out.ends_with(b"***\n") && stream.masked() == 1);
    }
}

#[test]
fn long_base64_is_held_back_until_it_ends() {
    let detector = detector();
    let token = mint::token(1);
    let key = encode::base64(token.as_bytes());
    let inner = format!("{}key: {key}\n", "a line of text with Words and 1 number\n".repeat(5000));
    let lines = encode::folded(&encode::base64(inner.as_bytes()), 76, "\n");
    let mut stream = MaskedStream::new(detector, Evidence::Proven);
    let mut out = Vec::new();
    for chunk in lines.as_bytes().chunks(4000) {
        stream.push(chunk, &mut out);
        stream.pause(&mut out);
        assert_eq!(out, b"");
    }
    stream.push(b"\nDone, ok\n", &mut out);
    stream.pause(&mut out);
    assert!(out.ends_with(b"\nDone, ok\n"));
    assert_eq!((stream.masked(), stream.undecoded()), (1, 0));
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// Base64 in lines, of text that ends in a line with an encoded token.
fn nested_lines(lines: usize) -> String {
    let key = encode::base64(mint::token(1).as_bytes());
    let inner = "a line of text with Words and 1 number\n".repeat(lines) + "key: " + &key + "\n";
    encode::folded(&encode::base64(inner.as_bytes()), 76, "\n") + "\n\nDone, ok\n"
}

#[test]
fn nested_base64_that_is_too_long_to_be_searched_is_masked_as_a_whole() {
    const LIMIT: usize = 300_000;
    let detector = detector();
    let mut random = Random(1);
    let bytes: Vec<u8> = (0..LIMIT * 2).map(|_| random.next().to_le_bytes()[0]).collect();
    let random = encode::folded(&encode::base64(&bytes), 76, "\n") + "\n";
    let short = nested_lines(LIMIT * 7 / 10 / 39);
    assert!(short.len() < LIMIT && short.len() > LIMIT * 9 / 10, "{}", short.len());
    let long = nested_lines(LIMIT * 3 / 39);
    let length = |text: &str| text.find("\n\n").expect("an empty line") as u64;
    let first = format!("key {}.\n", mint::token(2));
    let [short, long] = [short, long].map(|it| format!("{first}{it}"));
    let before = first.len() as u64;
    let shown = format!("key {}***.\n", &mint::token(2)[..29]);
    for chunk in [997, 16_384, 1 << 20] {
        let run = |text: &str| {
            let mut stream = MaskedStream::new(detector, Evidence::Proven).with_max_held(LIMIT);
            let mut out = Vec::new();
            for chunk in text.as_bytes().chunks(chunk) {
                stream.push(chunk, &mut out);
                stream.pause(&mut out);
            }
            stream.finish(&mut out);
            (String::from_utf8(out).expect("text"), stream.masked(), stream.undecoded())
        };
        let (out, masked, undecoded) = run(&short);
        assert_eq!((masked, undecoded), (2, 0), "{chunk}");
        // Of the base64, the part with the token is masked.
        assert!(out.starts_with(&shown) && out.ends_with("\n\nDone, ok\n"), "{chunk}");
        assert_eq!((out.matches("***").count(), out.len() > LIMIT / 2), (2, true), "{chunk}");
        let (out, masked, undecoded) = run(&long);
        assert_eq!((masked, undecoded), (1, length(&long) - before), "{chunk}");
        assert_eq!(out, format!("{shown}***\n\nDone, ok\n"), "{chunk}");
        // The input may end within the base64.
        let (out, masked, undecoded) = run(&long[..long.len() - 40]);
        assert_eq!((masked, undecoded > LIMIT as u64), (1, true), "{chunk}");
        assert_eq!(out.trim_end(), format!("{shown}***"), "{chunk}");
        let (out, masked, undecoded) = run(&random);
        assert_eq!((masked, undecoded), (0, 0), "{chunk}");
        assert!(out == random, "{chunk}");
    }
}

#[test]
fn base64_that_takes_too_much_work_to_decode_is_masked_as_a_whole() {
    let detector = detector();
    // Text that becomes a million times as long, with a token at its end.
    let mut inner = vec![b' '; 8 << 20];
    inner.extend_from_slice(encode::base64(mint::token(1).as_bytes()).as_bytes());
    let packed = encode::folded(&encode::base64(&gzip(&inner)), 76, "\n");
    let text = format!("key {}.\n{packed}\n\nDone {}\n", mint::token(2), mint::token(3));
    let mut stream = MaskedStream::new(detector, Evidence::Proven);
    let mut out = Vec::new();
    text.as_bytes().chunks(16_384).for_each(|chunk| stream.push(chunk, &mut out));
    stream.finish(&mut out);
    let [before, after] = [2, 3].map(|seed| mint::token(seed)[..29].to_owned());
    let wanted = format!("key {before}***.\n***\n\nDone {after}***\n");
    assert_eq!(String::from_utf8_lossy(&out), wanted);
    assert_eq!((stream.masked(), stream.undecoded()), (2, packed.len() as u64));
}

#[test]
fn memory_is_bounded_for_endless_lines() {
    let detector = detector();
    let mut stream = MaskedStream::new(detector, Evidence::Proven);
    let (mut out, mut total) = (Vec::new(), 0);
    let token = mint::token(1);
    let mut chunk = vec![b'x'; 60_000];
    chunk.extend_from_slice(b", ");
    chunk.extend_from_slice(token.as_bytes());
    chunk.extend_from_slice(b", ");
    for _ in 0..300 {
        stream.push(&chunk, &mut out);
        total += out.len();
        assert!(!out.windows(token.len()).any(|part| part == token.as_bytes()));
        out.clear();
    }
    assert!(total > 299 * 60_000 - (1 << 20), "{total}");
    stream.finish(&mut out);
    assert_eq!(stream.masked(), 300);
}
