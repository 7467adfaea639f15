//! Broken tokens: folded lines, markup, ANSI sequences and invisible characters, at every cut; UTF-32.

use crate::detect::detector;
use crate::detect::encoded::{no_boundary_hides, places};
use crate::support::encode;
use crate::support::mint::{self, Random};
use crate::support::tree::Tree;
use ddpatrol::detect::{Haystack, Scratch};
use std::collections::BTreeSet;
use std::ops::Range;

/// The number of characters that must follow a gap in a head that nothing else gives away.
const LONG_REST: usize = 40;

const FOLDS: [&str; 9] =
    ["\r\n ", "\n ", "\n\t", "\r\n", "\n", " \r\n", "\r\n> ", "\n    # ", "\\\n  "];

const WORD_RUN: &str = "</w:t></w:r><w:proofErr w:type=\"spellStart\"/><w:r w:rsidR=\"00AB12CD\" \
    w:rsidRPr=\"00EF34\"><w:rPr><w:rFonts w:ascii=\"Courier New\" w:hAnsi=\"Courier New\"/><w:b/>\
    <w:color w:val=\"FF0000\"/><w:sz w:val=\"20\"/></w:rPr><w:t xml:space=\"preserve\">";

const TAGS: [&str; 9] = [
    "</w:t></w:r><w:r><w:t>",
    WORD_RUN,
    "</a:t></a:r><a:r><a:rPr lang=\"en-US\" b=\"1\"/><a:t>",
    "</t></r>\n    <r><rPr><b/></rPr><t>",
    "<text:span text:style-name=\"T1\">",
    "</text:span>",
    "</span><span class=\"hljs-number\">",
    "<wbr>",
    "<b>",
];

const CONTROLS: [&str; 6] = [
    "\x1b[0m",
    "\x1b[38;2;255;100;0m",
    "\x1b[K",
    "\x1b]8;;https://example.com/\x1b\\",
    "\x1b]8;;\x07",
    "\x1b(B",
];

const INVISIBLE: [&str; 9] = [
    "\u{200b}",
    "\u{200c}",
    "\u{200d}",
    "\u{2060}",
    "\u{feff}",
    "\u{ad}",
    "\u{ad}\u{200b}",
    "&shy;",
    "&#8203;",
];

fn tokens(seed: u64) -> Vec<String> {
    mint::all(&mut Random(seed)).into_iter().map(|(_, token)| token).collect()
}

/// Asserts that a token whose pieces are joined by `gap` is found once, from its first to its last byte.
#[track_caller]
fn assert_joined(pieces: &[&str], gap: &str, (before, after): (&str, &str), encoding: &str) {
    let token = pieces.concat();
    let text = pieces.join(gap);
    let bytes = format!("{before}{text}{after}");
    let found = places(detector(), bytes.as_bytes(), &token);
    let wanted = (encoding.to_owned(), before.len(), before.len() + text.len());
    assert_eq!(found, [wanted], "{gap:?} in {bytes:?}");
}

fn each_cut(seed: u64, gaps: &[&str], around: (&str, &str), encoding: &str) {
    for token in tokens(seed) {
        for gap in gaps {
            for cut in 1..token.len() {
                // A rest of a head that begins a long run is enough.
                let is_hidden = around.0.is_empty() && cut < mint::head_len(&token);
                if is_hidden && token.len() - cut < LONG_REST {
                    continue;
                }
                let encoding =
                    if gap.starts_with('\\') { "split string literals" } else { encoding };
                let (first, second) = token.split_at(cut);
                assert_joined(&[first, second], gap, around, encoding);
            }
        }
    }
}

#[test]
fn a_token_folded_at_any_character_is_found() {
    each_cut(21, &FOLDS, ("", "\n"), "folded lines");
}

#[test]
fn a_token_broken_by_tags_at_any_character_is_found() {
    each_cut(22, &TAGS, ("<p>Key:</p> ", "</w:t>"), "markup");
    each_cut(22, &TAGS, ("", " "), "markup");
}

#[test]
fn a_token_broken_by_control_sequences_or_invisible_characters_is_found() {
    each_cut(23, &CONTROLS, ("key ", " "), "ANSI escapes");
    each_cut(24, &INVISIBLE[..7], ("key ", " "), "invisible characters");
    each_cut(24, &INVISIBLE[7..], ("", " "), "invisible characters");
}

#[test]
fn a_token_in_many_pieces_is_found() {
    let mut random = Random(25);
    for token in tokens(25).into_iter().filter(|token| token.len() < 100) {
        for _ in 0..8 {
            let mut cuts: Vec<usize> = (0..4).map(|_| 1 + random.below(token.len() - 1)).collect();
            cuts.extend([0, token.len()]);
            cuts.sort_unstable();
            cuts.dedup();
            let pieces: Vec<&str> = cuts.windows(2).map(|pair| &token[pair[0]..pair[1]]).collect();
            for gap in &TAGS[..7] {
                assert_joined(&pieces, gap, ("<p>Key:</p> <b>", "</b>"), "markup");
            }
            assert_joined(&pieces, CONTROLS[1], ("key ", " "), "ANSI escapes");
            assert_joined(&pieces, INVISIBLE[0], ("key ", " "), "invisible characters");
        }
        let characters: Vec<&str> = (0..token.len()).map(|at| &token[at..=at]).collect();
        assert_joined(&characters, CONTROLS[1], ("\x1b[1m", "\x1b[0m"), "ANSI escapes");
        assert_joined(&characters, INVISIBLE[0], ("key ", " "), "invisible characters");
        assert_joined(&characters, "&#8203;", ("key ", " "), "invisible characters");
        assert_joined(&characters, "</i><i>", ("<i>", "</i>"), "markup");
    }
}

#[test]
fn the_end_of_a_control_sequence_is_not_part_of_a_broken_head() {
    // The last character of each gap is the first of a head.
    let gaps = ["\x1b[0m", "\x1b[0n", "\x1b[s", "\x1b[2g", "\x1b[1a"];
    for token in tokens(33) {
        let characters: Vec<&str> = (0..token.len()).map(|at| &token[at..=at]).collect();
        for gap in gaps {
            assert_joined(&characters, gap, (&format!("key {gap}"), " "), "ANSI escapes");
            assert_joined(&[&token[..1], &token[1..]], gap, ("key ", " "), "ANSI escapes");
        }
    }
}

#[test]
fn a_token_wrapped_by_a_terminal_or_a_format_is_found() {
    let token = mint::datadog(&mut Random(26), "ddpat_", 43, 0);
    let detector = detector();
    for width in [72, 74, 76, 80, 100, 120, 132] {
        for before in 0..width {
            for (between, last) in [("\n", 0), ("\r\n ", 1), ("\n ", 1)] {
                let text = format!("{}{token} and more", " x".repeat(width).split_at(before).0);
                let mut folded = String::new();
                let mut rest = &*text;
                let mut line = width;
                while rest.len() > line {
                    folded += &rest[..line];
                    folded += between;
                    rest = &rest[line..];
                    line = width - last;
                }
                folded += rest;
                let found = places(detector, folded.as_bytes(), &token);
                assert_eq!(found.len(), 1, "{width} {before}: {folded}");
            }
        }
    }
}

#[test]
fn a_wrong_checksum_is_never_reported_for_a_broken_token() {
    let mut token = mint::datadog(&mut Random(27), "ddpat_", 43, 0).into_bytes();
    let last = token.len() - 1;
    token[last] = if token[last] == b'0' { b'1' } else { b'0' };
    let token = String::from_utf8(token).expect("ASCII");
    let detector = detector();
    for gap in FOLDS.iter().chain(&TAGS).chain(&CONTROLS).chain(&INVISIBLE) {
        for cut in 1..token.len() {
            let text = format!("<b></b> {}{gap}{} ", &token[..cut], &token[cut..]);
            let haystack = Haystack::whole(text.as_bytes());
            let all = 0..text.len();
            detector.find(haystack, all, &mut Scratch::default(), |found, _| {
                panic!("{found:?} in {text:?}");
            });
        }
    }
}

fn utf32(text: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().flat_map(|character| bytes(u32::from(character))).collect()
}

#[test]
fn utf32_is_found_in_both_byte_orders_with_and_without_a_mark() {
    let detector = detector();
    for token in tokens(28) {
        for before in ["", "\u{feff}", "\u{feff}DD=", "x\n", "日本 é "] {
            let text = format!("{before}{token}\n");
            let at = 4 * before.chars().count();
            let wanted = |name: &str| vec![(name.to_owned(), at, at + 4 * token.len())];
            let little = utf32(&text, u32::to_le_bytes);
            assert_eq!(places(detector, &little, &token), wanted("UTF-32LE"), "{text}");
            let big = utf32(&text, u32::to_be_bytes);
            assert_eq!(places(detector, &big, &token), wanted("UTF-32BE"), "{text}");
        }
        // An array of strings in numpy's format.
        let mut array = b"\x93NUMPY\x01\0v\0{'descr': '<U99'}\n".to_vec();
        array.extend(utf32(&token, u32::to_le_bytes));
        array.extend([0; 400]);
        assert_eq!(places(detector, &array, &token).len(), 1);
    }
}

#[test]
fn no_window_boundary_hides_or_duplicates_a_broken_token() {
    let token = mint::datadog(&mut Random(29), "ddpat_", 43, 0);
    let cut = |gap: &str, cuts: &[usize]| {
        let mut text = String::new();
        for (at, character) in token.char_indices() {
            if cuts.contains(&at) {
                text += gap;
            }
            text.push(character);
        }
        text.into_bytes()
    };
    let all: Vec<usize> = (1..token.len()).collect();
    for text in [
        cut("\r\n ", &[3]),
        cut("\n ", &[30]),
        cut(TAGS[0], &[6, 40]),
        cut(TAGS[1], &[3]),
        cut(CONTROLS[1], &all),
        cut(INVISIBLE[0], &all),
        utf32(&token, u32::to_le_bytes),
        utf32(&token, u32::to_be_bytes),
    ] {
        no_boundary_hides(&text, &token);
    }
}

#[test]
fn broken_tokens_are_masked_and_reported_where_they_begin() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(30), "ddpat_", 43, 0);
    let parts = [&token[..3], &token[3..50], &token[50..]];
    tree.write(
        "a.ics",
        format!("BEGIN:VEVENT\r\nDESCRIPTION:{}\r\n {}{} x\r\n", parts[0], parts[1], parts[2]),
    );
    tree.write("b.xml", format!("<?xml?>\n<w:t>{}</w:t>\n", parts.join(WORD_RUN)));
    tree.write("c.log", format!("key {}\n", parts.join("\x1b[31m")));
    let text = format!("\u{feff}one\nkey={token} two\n");
    tree.write("d.le", utf32(&text, u32::to_le_bytes));
    tree.write("e.be", utf32(&text, u32::to_be_bytes));
    let ran = tree.run(&["scan", "--report", "json"]);
    let found: Vec<_> = ran.places().into_iter().map(|it| (it.1, it.2, it.3)).collect();
    let wanted =
        [("a.ics", 2, 13), ("b.xml", 2, 6), ("c.log", 1, 5), ("d.le", 2, 5), ("e.be", 2, 5)];
    assert_eq!(
        found,
        wanted.map(|(path, line, column)| (path.to_owned(), line, column)),
        "{ran:?}"
    );
    for report in ["json", "text", "sarif", "html", "markdown"] {
        let printed = tree.run(&["scan", "--report", report]).stdout();
        for piece in [&token[32..50], &token[50..], &token[60..]] {
            assert!(!printed.contains(piece), "{report}: {printed}");
        }
    }
}

#[test]
fn a_broken_token_is_masked_in_a_stream() {
    use ddpatrol::detect::Evidence;
    use ddpatrol::mask::MaskedStream;
    let token = mint::datadog(&mut Random(31), "ddpat_", 43, 0);
    let mut random = Random(32);
    for gap in ["\r\n ", "\n ", TAGS[0], TAGS[6], CONTROLS[1], INVISIBLE[0]] {
        for cut in 2..token.len() {
            let text =
                format!("<b>one</b> key: {}{gap}{} two\nthree\n", &token[..cut], &token[cut..]);
            let mut stream = MaskedStream::new(detector(), Evidence::Proven);
            let (mut out, mut at) = (Vec::new(), 0);
            while at < text.len() {
                let len = (1 + random.below(40)).min(text.len() - at);
                stream.push(&text.as_bytes()[at..at + len], &mut out);
                at += len;
            }
            stream.finish(&mut out);
            let printed = String::from_utf8(out).expect("text");
            assert_eq!(printed, "<b>one</b> key: *** two\nthree\n", "{text:?}");
        }
    }
}

#[test]
fn a_broken_token_in_utf16_is_found_for_every_division_into_parts() {
    let token = mint::classic(&mut Random(33), "npm_", 30);
    let in_parts = |wide: &[u8], parts: &[Range<usize>]| {
        let mut found = BTreeSet::new();
        for part in parts {
            let haystack = Haystack::whole(wide);
            detector().find(haystack, part.clone(), &mut Scratch::default(), |it, secret| {
                assert_eq!(secret, token.as_bytes());
                found.insert((it.start, it.encoding.to_string()));
            });
        }
        found
    };
    let broken = |gap: &str| format!("{}{gap}{}", &token[..7], &token[7..]);
    // Without a long line, UTF-16 is not recognized.
    let short = encode::folded(&token, 13, "\n");
    for (text, count) in [(broken("\n"), 1), (broken("\r\n "), 1), (short, 0)] {
        for wide in [encode::utf16_le(&text), encode::utf16_be(&text)] {
            let whole = in_parts(&wide, std::slice::from_ref(&(0..wide.len())));
            assert_eq!(whole.len(), count, "{text:?}");
            for cut in 1..wide.len() {
                assert_eq!(in_parts(&wide, &[0..cut, cut..wide.len()]), whole, "{text:?} at {cut}");
            }
        }
    }
}
