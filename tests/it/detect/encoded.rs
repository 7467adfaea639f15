//! Encoded tokens: every supported encoding, at every alignment and window boundary.

use crate::detect::detector;
use crate::support::encode::{self, ESCAPES, LONG_ESCAPES, Which};
use crate::support::mint::{self, Random};
use crate::support::tree::Tree;
use ddpatrol::blob::Context;
use ddpatrol::blob::{Blob, Origin};
use ddpatrol::detect::{ContentKind, Detector, Evidence, Haystack, Scratch};
use ddpatrol::source::window::Windows;
use ddpatrol::source::{BlobSink, Run};
use proptest::prelude::*;

/// Returns encoding, start and end of every proven match of a token.
pub(crate) fn places(
    detector: &Detector,
    bytes: &[u8],
    token: &str,
) -> Vec<(String, usize, usize)> {
    let mut places = Vec::new();
    let haystack = Haystack::whole(bytes);
    detector.find(haystack, 0..bytes.len(), &mut Scratch::default(), |found, secret| {
        if found.evidence == Evidence::Proven && secret == token.as_bytes() {
            places.push((found.encoding.to_string(), found.start, found.end));
        }
    });
    places
}

/// Asserts that a token is found once, with this encoding, between `before` and `after`.
#[track_caller]
pub(crate) fn assert_found(
    text: &[u8],
    (before, after): (&[u8], &[u8]),
    token: &str,
    encoding: &str,
) {
    let bytes = [before, text, after].concat();
    let found = places(detector(), &bytes, token);
    let printed = bytes.escape_ascii();
    assert_eq!(found.len(), 1, "{encoding}: {found:?} in {printed}");
    assert_eq!(found[0].0, encoding, "{printed}");
    let (start, end) = (found[0].1, found[0].2);
    let span = before.len()..before.len() + text.len();
    assert!(span.start <= start && end <= span.end, "{start}..{end} of {span:?} in {printed}");
    assert!(end - start + 8 >= span.len() * 9 / 10, "{start}..{end} of {span:?} in {printed}");
}

fn tokens(seed: u64) -> Vec<String> {
    mint::all(&mut Random(seed)).into_iter().map(|(_, token)| token).collect()
}

#[test]
fn base64_is_found_at_every_alignment_in_both_alphabets() {
    for token in tokens(1) {
        for before in 0..3 {
            for after in 0..3 {
                let text = format!("{}{token}{}", &"\u{7f}?>"[..before], &"?\u{7f}>"[..after]);
                let around = (&b"key: \""[..], &b"\", next"[..]);
                for encoded in
                    [encode::base64(text.as_bytes()), encode::base64_url(text.as_bytes())]
                {
                    assert_found(encoded.as_bytes(), around, &token, "base64");
                }
                let wide = encode::utf16_le(&text);
                let encoded = encode::base64(&wide);
                assert_found(encoded.as_bytes(), around, &token, "base64 of UTF-16LE");
                let odd = [&b"x"[..], &wide].concat();
                let encoded = encode::base64(&odd);
                assert_found(encoded.as_bytes(), around, &token, "base64 of UTF-16LE");
            }
        }
    }
}

#[test]
fn a_basic_auth_header_is_found_for_any_user_name() {
    let token = &tokens(2)[0];
    for user in ["", "a", "ab", "abc", "git", "oauth2", "x-access-token"] {
        let header = encode::base64(format!("{user}:{token}").as_bytes());
        let text = format!("Authorization: Basic {header}\r\n");
        let found = places(detector(), text.as_bytes(), token);
        assert_eq!(found.len(), 1, "{user}: {found:?}");
    }
}

#[test]
fn hex_and_utf16_are_found() {
    for token in tokens(3) {
        let hex = encode::hex(token.as_bytes());
        for (before, after) in [("", ""), ("0x", "'"), ("ff", "00"), ("\"", "\"")] {
            let around = (before.as_bytes(), after.as_bytes());
            assert_found(hex.as_bytes(), around, &token, "hex");
            assert_found(hex.to_uppercase().as_bytes(), around, &token, "hex");
        }
        for odd in [&b""[..], b"x", b"xy\0"] {
            assert_found(&encode::utf16_le(&token), (odd, b"\n\0\0\0"), &token, "UTF-16LE");
            assert_found(&encode::utf16_be(&token), (odd, b"\0\n"), &token, "UTF-16BE");
        }
        let line = format!("set KEY={token}\r\n");
        let detector = detector();
        let wide = [&b"\xff\xfe"[..], &encode::utf16_le(&line)].concat();
        let at = 2 + 2 * "set KEY=".len();
        let wanted = |name: &str| vec![(name.to_owned(), at, at + 2 * token.len())];
        assert_eq!(places(detector, &wide, &token), wanted("UTF-16LE"));
        let wide = [&b"\xfe\xff"[..], &encode::utf16_be(&line)].concat();
        assert_eq!(places(detector, &wide, &token), wanted("UTF-16BE"));
    }
}

#[test]
fn escaped_tokens_are_found_if_all_or_only_special_characters_are_escaped() {
    for token in tokens(4) {
        for (name, format) in ESCAPES.into_iter().chain(LONG_ESCAPES) {
            for which in [Which::All, Which::Marks] {
                let escaped = encode::escape(&token, which, format);
                if escaped == token {
                    continue;
                }
                for around in [(&b"?k="[..], &b"&x=1"[..]), (b"\"", b"\""), (b"", b"")] {
                    assert_found(escaped.as_bytes(), around, &token, name);
                }
            }
        }
    }
}

#[test]
fn quoted_printable_soft_line_breaks_are_ignored() {
    for token in tokens(5) {
        for width in [7, 20, 39, 75] {
            for end in ["=\n", "=\r\n"] {
                let text = token.replace('=', "=3D");
                let broken = encode::folded(&text, width, end);
                if broken == token
                    || broken.split(end).any(|line| line.ends_with("=3") || line.ends_with('='))
                {
                    continue;
                }
                // The head is complete before the first line break.
                if width > mint::head_len(&token) {
                    assert_found(broken.as_bytes(), (b"key ", b" "), &token, "quoted-printable");
                }
            }
        }
    }
}

#[test]
fn folded_base64_is_found_at_every_line_length() {
    let around =
        ["\n", "\r\n", "\n    ", "\n# ", "\n  // ", "\n * ", "\\n", "\" +\n  \"", "\"\n\""];
    for (at, token) in tokens(6).into_iter().enumerate() {
        for before in [0, 1, 2, 40, 41, 45, 46, 50, 51, 52, 53, 54, 55, 56, 57, 90] {
            let text =
                format!("{}{token}{}", "data ".repeat(30).split_at(before).0, "more".repeat(30));
            let encoded = encode::base64(text.as_bytes());
            for width in [20, 21, 24, 30, 32, 39, 40, 60, 64, 76] {
                let between = around[(at + before + width) % around.len()];
                let folded = format!("key: |\n  {}\n", encode::folded(&encoded, width, between));
                let found = places(detector(), folded.as_bytes(), &token);
                assert_eq!(found.len(), 1, "{between:?} {width} {before}: {folded}: {found:?}");
                assert_eq!(found[0].0, "base64");
            }
        }
    }
}

/// Prefix and suffix of the line with this number.
pub(crate) type Affixes = fn(usize) -> (String, String);

/// The prefixes and suffixes of logs, listings, patches, tables and records.
pub(crate) const AFFIXES: [Affixes; 27] = [
    |n| {
        (format!("2026-01-01T00:00:{:02}.{:07}Z ", n % 60, n * 7_654_321 % 10_000_000), "\r".into())
    },
    |n| (format!("2026-01-01T00:00:00.{:06}Z 00O ", n * 345), String::new()),
    |n| (format!("Jan {:2} 00:00:00 host unit[{}]: ", 8 + n, 99 + n), String::new()),
    |_| ("svc-1  | ".into(), String::new()),
    |_| ("[pod/app-5d4f8c7b9-x2x4z/app] ".into(), String::new()),
    |n| (format!("{:6}\t", 8 + n), String::new()),
    |n| (format!("{}: ", 98 + n), String::new()),
    |n| (format!("src/a-b_c.txt:{}:", 8 + n), String::new()),
    |n| (format!("src/a.txt-{}-", 98 + n), String::new()),
    |_| ("+".into(), String::new()),
    |_| ("++".into(), "\r".into()),
    |_| ("-    ".into(), String::new()),
    |_| (">> ".into(), String::new()),
    |_| ("REM ".into(), "\r".into()),
    |_| ("//".into(), String::new()),
    |_| ("    - ".into(), String::new()),
    |_| ("| ".into(), " |".into()),
    |n| (format!("| {} | ", 9 + n), " | x |".into()),
    |_| ("    \"".into(), "\",".into()),
    |_| ("x = '".into(), "' \\".into()),
    |n| {
        (
            "{\"log\":\"".into(),
            format!("\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00.{n}Z\"}}"),
        )
    },
    |n| (format!("{{\"n\":{n},\"message\":\""), "\"}".into()),
    |n| (format!("2026-01-01T00:00:{:02}.1234567Z \x1b[36;1m", n % 60), "\x1b[0m".into()),
    |_| ("\x1b[32m+\x1b[m\x1b[32m".into(), "\x1b[m\r".into()),
    |_| ("\x1b[0K".into(), "\x1b[0m".into()),
    |_| ("\x1b[m".into(), "\x1b[K".into()),
    |n| (format!("{{\"n\":{n},\"log\":\"\\u001b[36;1m"), "\\u001b[0m\\n\"}".into()),
];

/// Returns `true` if lines before a suffix must have at least 40 characters: if it begins with neither a line end, a
/// quotation mark nor an escaped line end.
pub(crate) fn needs_long_lines(suffix: &str) -> bool {
    suffix.starts_with([' ', '\x1b']) || suffix.starts_with("\\u")
}

/// Folds text into lines with prefixes and suffixes, between two other lines.
pub(crate) fn affixed(text: &str, width: usize, affixes: Affixes) -> String {
    let mut all = format!("{}start{}\n", affixes(0).0, affixes(0).1);
    for (at, line) in text.as_bytes().chunks(width).enumerate() {
        let (prefix, suffix) = affixes(at + 1);
        all += &format!("{prefix}{}{suffix}\n", std::str::from_utf8(line).expect("ASCII"));
    }
    all + "the end\n"
}

#[test]
fn folded_text_is_found_behind_prefixes_that_repeat_or_count() {
    let detector = detector();
    for (at, affixes) in AFFIXES.into_iter().enumerate() {
        let token = mint::datadog(&mut Random(60 + at as u64), "ddpat_", 43, 0);
        for before in [0, 1, 2, 44, 45, 46, 54, 55, 56, 57, 58] {
            let text = format!("{}{token}\n", "data ".repeat(30).split_at(before).0);
            for width in [20, 21, 24, 30, 32, 36, 38, 39, 40, 60, 64, 70, 72, 76, 77] {
                if width < 40 && needs_long_lines(&affixes(1).1) {
                    continue;
                }
                let folded = affixed(&encode::base64(text.as_bytes()), width, affixes);
                let found = places(detector, folded.as_bytes(), &token);
                assert_eq!(found.len(), 1, "{width} {before}: {found:?} in\n{folded}");
                assert_eq!(found[0].0, "base64");
            }
            for width in [20, 24, 32, 39, 60, 77] {
                if width < 40 && needs_long_lines(&affixes(1).1) {
                    continue;
                }
                let folded = affixed(&encode::hex(text.as_bytes()), width, affixes);
                let found = places(detector, folded.as_bytes(), &token);
                assert_eq!(found.len(), 1, "{width} {before}: {found:?} in\n{folded}");
                assert_eq!(found[0].0, "hex");
            }
        }
    }
}

#[test]
fn folded_text_is_found_in_lines_of_twenty_characters_for_every_format() {
    let detector = detector();
    let (mut found_all, mut all) = (0, 0);
    for seed in 0..400 {
        let random = &mut Random(seed);
        let (rule, token) = mint::any(random);
        let len = random.below(20);
        let before = random.base62(len);
        let text = format!("{before}{token}\n");
        let width = 20 + random.below(20);
        let affixes = AFFIXES[[0, 3, 5, 12, 18, 20][random.below(6)]];
        for encoded in [encode::base64(text.as_bytes()), encode::hex(text.as_bytes())] {
            let folded = affixed(&encoded, width, affixes);
            let places = places(detector, folded.as_bytes(), &token);
            all += 1;
            found_all += usize::from(places.len() == 1);
            assert!(!places.is_empty(), "{rule} {width}: {folded}");
        }
    }
    assert_eq!(found_all, all, "each is found once");
}

#[test]
fn nested_base64_below_another_line_of_base64_is_decoded() {
    let detector = detector();
    for token in tokens(4) {
        let inner = encode::base64(format!("some text {token} and more of it").as_bytes());
        let nested = encode::base64(format!("{{\"key\": \"{inner}\"}}").as_bytes());
        let len = nested.len();
        let other = encode::base64(Random(7).base62(600).as_bytes());
        let random = Random(8).base62(600);
        for above in [40, 44, 50, 63, 64, 100, len - 1, len, len + 1, len + 4, 255] {
            // Neither text that has its own groups of four characters, nor what is no text, begins this content.
            let text = (!above.is_multiple_of(4)).then_some(&other);
            for line in [Some(&random), text].into_iter().flatten() {
                for end in ["\n", "\r\n", "\n  "] {
                    let text = format!("{}{end}{nested}\n", &line[..above]);
                    let found = places(detector, text.as_bytes(), &token);
                    assert_eq!(found.len(), 1, "{above} {end:?}");
                    assert_eq!(found[0].0, "base64 of base64");
                }
            }
        }
    }
}

#[test]
fn nested_base64_is_decoded_once_if_it_is_folded() {
    let detector = detector();
    for token in tokens(4) {
        let inner = encode::base64(format!("some text {token} and more of it").as_bytes());
        let text = format!("{}{{\"key\": \"{inner}\"}}", "some text ".repeat(60));
        for width in [64, 65, 66, 67, 70, 76, 77, 255] {
            let folded = encode::folded(&encode::base64(text.as_bytes()), width, "\n  ");
            let found = places(detector, folded.as_bytes(), &token);
            assert_eq!(found.len(), 1, "{width}");
        }
    }
}

#[test]
fn escaped_digits_of_base64_are_read() {
    let detector = detector();
    let escapes: [fn(u8) -> String; 9] = [
        |byte| format!("\\{}", char::from(byte)),
        |byte| format!("\\u{byte:04x}"),
        |byte| format!("\\u{byte:04X}"),
        |byte| format!("\\x{byte:02x}"),
        |byte| format!("%{byte:02X}"),
        |byte| format!("%{byte:02x}"),
        |byte| format!("&#{byte};"),
        |byte| format!("&#x{byte:x};"),
        |byte| format!("={byte:02X}"),
    ];
    // The digits before the token and in its middle are `+` and `/` in some alignments.
    for token in tokens(40) {
        for before in ["", "\u{fb}\u{ef}\u{be}", "?>", "\u{3fe}?\u{3ff}~", "????>>>"] {
            let encoded = encode::base64(format!("{before}{token}?>~\u{ff}").as_bytes());
            for escape in escapes {
                let digit = |c: char| match c {
                    '+' | '/' | '=' => escape(c as u8),
                    c => c.to_string(),
                };
                let text = format!("key=\"{}\"", encoded.chars().map(digit).collect::<String>());
                let found = places(detector, text.as_bytes(), &token);
                assert_eq!(found.len(), 1, "{text}");
                assert_eq!(found[0].0, "base64", "{text}");
            }
        }
    }
}

#[test]
fn no_piece_of_a_folded_token_is_printed_and_prefixes_are_kept() {
    let token = mint::datadog(&mut Random(90), "ddpat_", 43, 0);
    let encoded = encode::base64(format!("{token}\n").as_bytes());
    let tree = Tree::new();
    for (at, affixes) in AFFIXES.into_iter().enumerate() {
        tree.write(format!("log{at}"), affixed(&encoded, 76, affixes));
    }
    for report in ["text", "json"] {
        let printed = format!("{:?}", tree.run(&["scan", "--report", report]));
        for piece in encoded.as_bytes().chunks(76).flat_map(|line| line.windows(16)) {
            let piece = std::str::from_utf8(piece).expect("ASCII");
            assert!(!printed.contains(piece), "{report}: {piece} in {printed}");
        }
    }
}

#[test]
fn a_backslash_before_punctuation_is_ignored() {
    for token in tokens(21) {
        for backslashes in ["\\", "\\\\"] {
            let escape = |c: char| {
                if c.is_ascii_punctuation() { format!("{backslashes}{c}") } else { c.to_string() }
            };
            let escaped: String = token.chars().map(escape).collect();
            if escaped != token {
                let around = (&b"the key "[..], &b" for"[..]);
                assert_found(escaped.as_bytes(), around, &token, "backslash escapes");
            }
        }
    }
}

#[test]
fn split_literals_are_found_in_common_languages() {
    let joints = [
        "\" + \"",
        "' + '",
        "\"\n    \"",
        "\" .\n  \"",
        "\" .. \"",
        "\\\n",
        "\" \\\n  \"",
        "\" & _\n \"",
        "' || '",
        "\" <> \"",
        "` + `",
        "\\\" + \\\"",
    ];
    for token in tokens(7) {
        let head = mint::head_len(&token);
        for joint in joints {
            for cut in [head, head + 1, token.len() / 2, token.len() - 1] {
                let (first, second) = token.split_at(cut);
                let text = format!("{first}{joint}{second}");
                assert_found(
                    text.as_bytes(),
                    (b"key = \"", b"\";"),
                    &token,
                    "split string literals",
                );
            }
            let (third, two) = (token.len() / 3, 2 * token.len() / 3);
            if third > head {
                let parts = [&token[..third], &token[third..two], &token[two..]];
                let text = parts.join(joint);
                assert_found(
                    text.as_bytes(),
                    (b"key = \"", b"\";"),
                    &token,
                    "split string literals",
                );
            }
        }
    }
}

#[test]
fn encoded_text_may_end_within_the_gap_before_its_next_piece() {
    let detector = detector();
    let gaps = [
        "\\\n", "\\\r\n  ", "\"+\"", "\" + b\"", "'\n  '", "\", \"", "\n", "\r\n// ", "\\n", "=\n",
    ];
    for token in tokens(13) {
        for encoded in
            [encode::base64(token.as_bytes()), encode::hex(token.as_bytes()), token.clone()]
        {
            for (gap, cut) in gaps
                .iter()
                .flat_map(|gap| (1..=encoded.len()).rev().step_by(5).map(move |cut| (gap, cut)))
            {
                for len in 1..=gap.len() {
                    let text = [&encoded[..cut], &gap[..len]].concat();
                    let found = places(detector, text.as_bytes(), &token);
                    // The padding of base64 encodes nothing.
                    if cut == encoded.len() {
                        assert_eq!(found.len(), 1, "{}", text.escape_debug());
                    }
                }
            }
        }
    }
}

#[test]
fn nested_encodings_are_found_up_to_depth_three() {
    for token in tokens(8) {
        let json = format!("{{\"kind\": \"Secret\", \"data\": {{\"token\": \"{token}\"}}}}");
        let once = encode::base64(json.as_bytes());
        let nested = format!("{{\"apiVersion\": \"v1\", \"data\": {{\"inner\": \"{once}\"}}}}");
        let twice = encode::base64(nested.as_bytes());
        let around = (&b"data:\n  release: "[..], &b"\n"[..]);
        let found = places(detector(), &[around.0, twice.as_bytes(), around.1].concat(), &token);
        assert_eq!(found.iter().map(|it| &*it.0).collect::<Vec<_>>(), ["base64 of base64"]);
        let thrice = encode::base64(format!("and once more: {twice} ").as_bytes());
        let found = places(detector(), thrice.as_bytes(), &token);
        assert_eq!(
            found.iter().map(|it| &*it.0).collect::<Vec<_>>(),
            ["base64 of base64 of base64"]
        );
        let folded = encode::folded(&twice, 76, "\n    ");
        let found = places(detector(), format!("x: |\n    {folded}\n").as_bytes(), &token);
        assert_eq!(found.iter().map(|it| &*it.0).collect::<Vec<_>>(), ["base64 of base64"]);
        let escaped = encode::escape(&token, Which::Marks, ESCAPES[2].1);
        let inner = encode::base64(
            format!("{{\"key\": \"{escaped}\", \"other\": \"some text\"}}").as_bytes(),
        );
        if escaped != token {
            let found = places(detector(), inner.as_bytes(), &token);
            assert_eq!(
                found.iter().map(|it| &*it.0).collect::<Vec<_>>(),
                ["base64 of \\u escapes"]
            );
        }
        let wide = encode::utf16_le(&format!("powershell -enc {once}\r\n"));
        let found = places(detector(), &wide, &token);
        assert_eq!(found.iter().map(|it| &*it.0).collect::<Vec<_>>(), ["UTF-16LE of base64"]);
    }
}

#[test]
fn compressed_and_encoded_helm_and_cloud_init_data_is_found() {
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write;
    for token in tokens(9) {
        let text = format!(
            "#cloud-config\nwrite_files:\n- content: {token}\n  path: /etc/key\n{}",
            "line\n".repeat(99)
        );
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text.as_bytes()).expect("in memory");
        let packed = encode::base64(&gzip.finish().expect("in memory"));
        assert_found(packed.as_bytes(), (b"user_data: ", b"\n"), &token, "base64 of gzip");
        for width in [60, 64, 76] {
            let lines = packed.as_bytes().chunks(width).map(String::from_utf8_lossy);
            let folded: String = lines.map(|line| format!("{line}\n")).collect();
            let found = places(detector(), folded.as_bytes(), &token);
            assert_eq!(found.len(), 1, "{width}: {found:?}");
        }
        let helm = encode::base64(format!("{packed}\n").as_bytes());
        let found = places(detector(), format!("release: {helm}\n").as_bytes(), &token);
        assert_eq!(found.iter().map(|it| &*it.0).collect::<Vec<_>>(), ["base64 of base64 of gzip"]);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(text.as_bytes()).expect("in memory");
        let packed = encode::base64(&zlib.finish().expect("in memory"));
        assert_found(packed.as_bytes(), (b"", b""), &token, "base64 of zlib");
    }
}

#[test]
fn decompression_bombs_in_base64_are_reported() {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;
    let pack = |content: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(content).expect("in memory");
        encode::base64(&gzip.finish().expect("in memory"))
    };
    let inner = pack(&vec![b' '; 40_000_000]);
    let tree = Tree::new();
    // Several bombs in one text, and nested bombs.
    tree.write("bomb", pack(format!("{inner}\n").repeat(1000).as_bytes()));
    let ran = tree.run(&["scan", "--report", "json"]);
    let report = ran.json();
    assert_eq!((ran.code(), &report["complete"]), (Some(2), &false.into()), "{ran:?}");
    let printed = report["diagnostics"][0]["message"].as_str().expect("a text");
    assert!(printed.contains("exceeds the decoding limits"), "{printed}");
}

#[test]
fn utf16_columns_count_characters_and_excerpts_are_decoded() {
    let tree = Tree::new();
    let token = &tokens(12)[0];
    // Characters that contain a newline byte.
    let text = format!("\u{4e0a}\u{a05}\u{40a}\u{2}rst\r\nset KEY={token} é\r\nlast\r\n");
    tree.write("le", [&b"\xff\xfe"[..], &encode::utf16_le(&text)].concat());
    tree.write("be", [&b"\xfe\xff"[..], &encode::utf16_be(&text)].concat());
    tree.write(
        "one",
        [&b"\xff\xfe"[..], &encode::utf16_le(text.split_once('\n').expect("lines").1)].concat(),
    );
    let ran = tree.run(&["scan", "--report", "json"]);
    let column = 9;
    let places: Vec<_> = ran.places().into_iter().map(|it| (it.1, it.2, it.3)).collect();
    let wanted = [("be", 2), ("le", 2), ("one", 1)];
    assert_eq!(places, wanted.map(|(path, line)| (path.to_owned(), line, column)), "{ran:?}");
    for place in ran.json()["findings"][0]["locations"].as_array().expect("a list") {
        assert_eq!(place["end_column"], column + token.len() as u64, "{place}");
        let snippet = place["snippet"].as_str().expect("a text");
        assert!(snippet.contains("set KEY=***"), "{snippet}");
    }
}

#[test]
fn utf16_endianness_is_detected_next_to_text_in_any_script() {
    let token = &tokens(14)[0];
    let texts = ["Привет", "你好，世界", "שלום", "Ünïcödé", "ok", "\u{4e0a}\u{4e0b}", "😀", "\0\0"];
    let detector = detector();
    for before in texts.iter().chain(&[""]) {
        for after in texts.iter().chain(&[""]) {
            for (left, right) in [("", ""), (" ", " "), ("\r\n", "\r\n"), ("key=", ";")] {
                for mark in ["\u{feff}", ""] {
                    let text = format!("{mark}{before}{left}{token}{right}{after}");
                    let at = 2 * format!("{mark}{before}{left}").encode_utf16().count();
                    for (name, bytes) in [
                        ("UTF-16LE", encode::utf16_le(&text)),
                        ("UTF-16BE", encode::utf16_be(&text)),
                    ] {
                        let wanted = vec![(name.to_owned(), at, at + 2 * token.len())];
                        assert_eq!(places(detector, &bytes, token), wanted, "{text:?}");
                    }
                }
            }
        }
    }
    let tree = Tree::new();
    let text = format!("\u{feff}{token} Привет\n");
    tree.write("be", encode::utf16_be(&text));
    tree.write("le", encode::utf16_le(&text));
    for place in tree.run(&["scan", "--report", "json"]).json()["findings"][0]["locations"]
        .as_array()
        .expect("a list")
    {
        let end = 1 + token.len() as u64;
        assert_eq!((&place["column"], &place["offset"]), (&1.into(), &2.into()), "{place}");
        assert_eq!(place["end_column"], end, "{place}");
        assert_eq!(place["encoding"], if place["path"] == "le" { "UTF-16LE" } else { "UTF-16BE" });
    }
}

/// Collects the matches of all windows, at offsets in the whole blob.
struct Collect<'a> {
    detector: &'a Detector,
    token: &'a str,
    found: Vec<(String, u64, usize)>,
}

impl BlobSink for Collect<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        let within = ContentKind::Blob { offset: blob.offset };
        let haystack = Haystack { bytes: blob.bytes, kind: within };
        let found = &mut self.found;
        self.detector.find(haystack, blob.own.clone(), &mut Scratch::default(), |it, secret| {
            if secret == self.token.as_bytes() {
                let start = blob.offset + it.start as u64;
                found.push((it.encoding.to_string(), start, it.end - it.start));
            }
        });
    }
}

#[test]
fn no_window_boundary_hides_or_duplicates_an_encoded_token() {
    let token = mint::datadog(&mut Random(10), "ddpat_", 43, 0);
    let encoded = [
        encode::base64(format!("ab{token}").as_bytes()).into_bytes(),
        encode::folded(
            &encode::base64(format!("{}{token}", "x".repeat(40)).as_bytes()),
            64,
            "\n  ",
        )
        .into_bytes(),
        encode::folded(&encode::base64(format!("ab{token}").as_bytes()), 21, "\n  ").into_bytes(),
        affixed(&encode::base64(format!("{}{token}", "x".repeat(14)).as_bytes()), 24, AFFIXES[0])
            .into_bytes(),
        affixed(&encode::hex(format!("{}{token}", "x".repeat(11)).as_bytes()), 24, AFFIXES[3])
            .into_bytes(),
        encode::hex(token.as_bytes()).into_bytes(),
        encode::utf16_le(&token),
        encode::escape(&token, Which::All, ESCAPES[2].1).into_bytes(),
        encode::escape(&token, Which::Marks, ESCAPES[0].1).into_bytes(),
        format!("\"{}\" +\n \"{}\"", &token[..30], &token[30..]).into_bytes(),
    ];
    for text in encoded {
        no_boundary_hides(&text, &token);
    }
}

/// Asserts that a text with a token is found once at every position relative to a window boundary.
#[track_caller]
pub(crate) fn no_boundary_hides(text: &[u8], token: &str) {
    let detector = detector();
    let context = Context { before: detector.lookbehind(), after: detector.lookahead() };
    let size = context.before + 2 * context.after + 1;
    for at in (size - 2 * text.len() - 200..size + 200).step_by(3).chain((0..size).step_by(211)) {
        let mut bytes: Vec<u8> = b"some text. ".iter().copied().cycle().take(at).collect();
        bytes.push(b' ');
        bytes.extend(text);
        bytes.extend(b" and more text. ".repeat(size / 8));
        let run = Run::default();
        let mut collect = Collect { detector, token, found: Vec::new() };
        Windows::with_size(context, size).push_all(Origin::Stdin, &mut &*bytes, &mut collect, &run);
        let printed = text.escape_ascii();
        assert_eq!(collect.found.len(), 1, "at {at}: {:?} {printed}", collect.found);
    }
}

/// A match: start, end, rule, encoding, token.
type Match = (usize, usize, usize, String, Vec<u8>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn windows_and_the_whole_text_yield_the_same_matches(seed: u64, len in 1_usize..700) {
        let mut random = Random(seed);
        let detector = detector();
        let mut bytes = Vec::new();
        for _ in 0..6 {
            let (_, token) = mint::any(&mut random);
            let token = &*token;
            match random.below(7) {
                0 => bytes.extend(encode::base64(format!("{}{token}", random.base62(2)).as_bytes()).into_bytes()),
                1 => bytes.extend(encode::hex(token.as_bytes()).into_bytes()),
                2 => bytes.extend(encode::utf16_le(token)),
                3 => bytes.extend(encode::escape(token, Which::Marks, ESCAPES[random.below(11)].1).into_bytes()),
                4 => bytes.extend(encode::folded(&encode::base64(token.repeat(2).as_bytes()), 64, "\n").into_bytes()),
                5 => bytes.extend(encode::base64(encode::base64(format!("text {token} text and more of it").as_bytes()).as_bytes()).into_bytes()),
                _ => bytes.extend(mint::filler(&mut random)),
            }
            bytes.extend(mint::filler(&mut random));
        }
        let haystack = Haystack::whole(&bytes);
        let search = |own: std::ops::Range<usize>, found: &mut Vec<_>| {
            detector.find(haystack, own, &mut Scratch::default(), |it, secret| {
                found.push((it.start, it.end, it.rule.0, it.encoding.to_string(), secret.to_vec()));
            });
        };
        let (mut whole, mut parts): (Vec<Match>, Vec<Match>) = (Vec::new(), Vec::new());
        search(0..bytes.len(), &mut whole);
        for start in (0..bytes.len()).step_by(len) {
            search(start..bytes.len().min(start + len), &mut parts);
        }
        whole.sort();
        parts.sort();
        // If a window ends within a UTF-16 code unit, both windows may yield the match.
        parts.dedup();
        let only = |these: &Vec<Match>, those: &Vec<Match>| {
            let only = these.iter().filter(|it| !those.contains(*it));
            only.map(|it| (it.0, it.1, it.3.clone())).collect::<Vec<_>>()
        };
        let (lost, more) = (only(&whole, &parts), only(&parts, &whole));
        prop_assert!(whole == parts, "lost {lost:?}, more {more:?} in {}", bytes.escape_ascii());
    }
}
