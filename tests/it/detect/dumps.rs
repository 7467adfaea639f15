//! Tokens in the characters beside hex dumps, at every offset.

use crate::detect::detector;
use crate::detect::encoded::{no_boundary_hides, places};
use crate::support::mint::{self, Random};
use crate::support::tree::Tree;
use std::fmt::Write;

/// Prints bytes as a program that dumps them.
type Dump = fn(&[u8]) -> String;

fn shown(bytes: &[u8]) -> String {
    let is_shown = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    bytes.iter().map(|&byte| if is_shown(byte) { char::from(byte) } else { '.' }).collect()
}

/// Prints lines of 16 bytes, each in groups of hex.
fn lines(bytes: &[u8], group: usize, line: fn(usize, &str, &str) -> String) -> String {
    let mut text = String::new();
    for (at, bytes) in bytes.chunks(16).enumerate() {
        let mut hex = String::new();
        for (n, byte) in bytes.iter().enumerate() {
            let blank = if n > 0 && n % group == 0 { " " } else { "" };
            write!(hex, "{blank}{byte:02x}").expect("in memory");
        }
        text += &line(16 * at, &hex, &shown(bytes));
    }
    text
}

const DUMPS: [(&str, Dump); 5] = [
    ("hexdump -C", |bytes| {
        lines(bytes, 1, |at, hex, text| {
            let (first, second) = hex.split_at(hex.len().min(23));
            format!("{at:08x}  {:48}  |{text}|\n", format!("{first} {second}"))
        })
    }),
    ("xxd", |bytes| lines(bytes, 2, |at, hex, text| format!("{at:08x}: {hex:39}  {text}\n"))),
    ("xxd -g 1 -u", |bytes| {
        lines(bytes, 1, |at, hex, text| format!("{at:08x}: {:47}  {text}\r\n", hex.to_uppercase()))
    }),
    ("od -A x -t x1z", |bytes| {
        lines(bytes, 1, |at, hex, text| format!("{at:06x} {hex:47}  >{text}<\n"))
    }),
    ("tcpdump -X", |bytes| {
        lines(bytes, 2, |at, hex, text| format!("\t0x{at:04x}:  {hex:39}  {text}\n"))
    }),
];

#[test]
fn a_token_in_a_hex_dump_is_found_at_every_offset() {
    let detector = detector();
    for (_, token) in mint::all(&mut Random(70)) {
        for (name, dump) in DUMPS {
            for before in 0..17 {
                let text = dump(
                    format!("{}{token}\n and more\x01", &"KEY = 12345678\"'"[..before.min(16)])
                        .as_bytes(),
                );
                let found = places(detector, text.as_bytes(), &token);
                assert_eq!(found.len(), 1, "{name} {before}: {found:?} in\n{text}");
                assert_eq!(found[0].0, "folded lines", "{name}\n{text}");
            }
        }
    }
}

#[test]
fn a_dump_within_other_text_is_read_if_one_line_contains_the_head() {
    let detector = detector();
    let token = mint::datadog(&mut Random(71), "ddpat_", 43, 0);
    let prose = "a few words of the text around the dump\n".repeat(40);
    for (name, dump) in DUMPS {
        for before in 0..=10 {
            let text = dump(format!("{}{token}\n", &"some bytes"[..before]).as_bytes());
            let text = format!("{prose}$ dump\n{text}\n{prose}");
            let found = places(detector, text.as_bytes(), &token);
            assert_eq!(found.len(), 1, "{name} {before}: {found:?} in\n{text}");
        }
        no_boundary_hides(dump(format!("key {token}\n").as_bytes()).as_bytes(), &token);
    }
}

#[test]
fn neither_the_hex_nor_the_characters_of_a_token_are_printed() {
    let tree = Tree::new();
    let token = mint::datadog(&mut Random(72), "ddpat_", 43, 0);
    // The identifier before it is public.
    let secret = &token[29..];
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for (n, (_, dump)) in DUMPS.iter().enumerate() {
        tree.write(format!("{n}.txt"), dump(format!("ab{token}\n").as_bytes()));
    }
    for report in ["json", "text", "sarif", "html", "markdown"] {
        let printed = tree.run(&["scan", "--report", report]).stdout();
        let digits: String = printed.chars().filter(|it| !it.is_whitespace()).collect();
        for at in [0, 20, 40, 60] {
            let part = &hex[at..at + 10];
            assert!(!digits.contains(part) && !digits.contains(&part.to_uppercase()), "{report}");
        }
        for at in (0..secret.len() - 6).step_by(6) {
            assert!(!printed.contains(&secret[at..at + 6]), "{report}: {printed}");
        }
    }
    let ran = tree.run(&["scan", "--report", "json"]);
    assert_eq!(ran.places().len(), DUMPS.len(), "{ran:?}");
    let text = std::fs::read(tree.path().join("1.txt")).expect("it was written");
    let masked = String::from_utf8(tree.run_with_input(&["mask"], &text).0.stdout).expect("text");
    assert!(!masked.contains(&token[6..12]) && masked.contains("***"), "{masked}");
}
