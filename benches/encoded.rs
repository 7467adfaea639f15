//! Benchmarks of hostile encoded text: the cost of 16 MB on one thread, and whether the budget ended the
//! decoding.
//!
//! `cargo bench --bench encoded`. Each input begins with a token in three levels of base64, which
//! must be found before any time counts.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod measure;

use ddpatrol::detect::{Detector, Evidence, Haystack, Scratch};
use ddpatrol::rules;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use measure::{Timing, compare};
use std::io::Write;
use std::sync::Arc;

const LEN: usize = 16_000_000;
const ROUNDS: usize = 3;

fn main() {
    let rules = rules::builtin().expect("the built-in rules compile");
    let detector = Detector::new(Arc::new(rules)).expect("few rules");
    let mut deep = ddpatrol_test_mint::token(7).into_bytes();
    for _ in 0..3 {
        deep = base64(&[b"some text and ", &*deep, b" and more of it"].concat());
    }
    for (name, hostile) in inputs() {
        let text = [&deep[..], b" \n:\n", &hostile].concat();
        let mut is_over = false;
        let count = || {
            let (mut scratch, mut count) = (Scratch::default(), 0);
            let haystack = Haystack::whole(&text);
            detector.find(haystack, 0..text.len(), &mut scratch, |found, _| {
                count += usize::from(found.evidence == Evidence::Proven);
            });
            is_over = scratch.take_overrun();
            count
        };
        let timings = compare(ROUNDS, &mut [(name, 1, Box::new(count))]);
        let over = if is_over { ", beyond the budget" } else { "" };
        for Timing { name, median, least } in timings {
            let (least, median) = (least.as_secs_f64(), median.as_secs_f64());
            println!("{name:44} {least:6.2} s, median {median:.2} s, {} bytes{over}", text.len());
        }
    }
}

/// Returns the inputs, each of about [`LEN`] bytes.
fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    let text = |len| fill(b"Some text, 1 or 23 lazy Dogs and then 7 more words of it; ", len);
    let deep = |levels: i32, content: &[u8]| {
        let len = (LEN as f64 * 0.75_f64.powi(levels)) as usize;
        (0..levels).fold(fill(content, len), |inner, _| base64(&[b"more text ", &*inner].concat()))
    };
    let lines = |width: usize, between: &str| {
        let encoded = deep(2, &text(1000));
        let lines: Vec<&[u8]> = encoded.chunks(width).collect();
        lines.join(between.as_bytes())
    };
    let uneven = || {
        let encoded = deep(2, &text(1000));
        let lines: Vec<&[u8]> = encoded
            .chunks(103)
            .flat_map(|it| [&it[..it.len().min(64)], &it[it.len().min(64)..]])
            .collect();
        lines.join(&b"\n"[..])
    };
    let line = |bytes: Vec<u8>| [base64(&bytes), b"\n".to_vec()].concat();
    let bomb = line(gzip(&fill(b" ", 1_000_000)));
    let mut nested = text(5_000_000);
    for _ in 0..4 {
        nested = base64(&gzip(&[b"text ", &*nested].concat()));
    }
    vec![
        ("base64 of text, three deep", deep(3, &text(1000))),
        ("base64 of text, six deep", deep(6, &text(1000))),
        ("base64 of gzip of base64 of gzip ...", fill(&line(nested), LEN)),
        ("one line in joined literals", lines(64, "\" + \"")),
        ("lines indented by 45 blanks", lines(64, &format!("\n{}", " ".repeat(45)))),
        ("lines of 64 and of 39 characters", uneven()),
        ("lines of 76 characters", lines(76, "\n")),
        ("gzip of a megabyte of blanks, many times", fill(&bomb, LEN)),
        ("gzip of that, many times", fill(&line(gzip(&fill(&bomb, 40_000_000))), LEN)),
        ("gzip of 64 MB of base64, many times", fill(&line(gzip(&line(text(48_000_000)))), LEN)),
        ("zlib of 64 MB of base64, many times", fill(&line(zlib(&line(text(48_000_000)))), LEN)),
        ("gzip of 64 MB of heads, many times", fill(&line(gzip(&fill(b"ghp_", 64_000_000))), LEN)),
        (
            "gzip of 64 MB of encoded heads, many times",
            fill(&line(gzip(&fill(b"ZGRw", 64_000_000))), LEN),
        ),
        (
            "empty gzip members in joined literals",
            fill(&[base64(&gzip(b"").repeat(3)), b"\" + \"".to_vec()].concat(), LEN),
        ),
        ("short lines of base64, three deep", fill(&line(line(line(text(60)))), LEN)),
        ("base64 of short lines of base64", deep(1, &line(text(60)))),
        ("base64 of UTF-16 of base64", base64(&wide(&deep(2, &text(1000))[..6_000_000]))),
        ("UTF-16 of base64", wide(&deep(2, &text(1000))[..8_000_000])),
        ("UTF-16 of heads", wide(&fill(b"ghp_", 8_000_000))),
        ("base64 of heads", deep(1, b"ghp_")),
        ("base64 of percent-encoded heads", deep(1, b"ddpat%5F")),
        ("heads", fill(b"ghp_", LEN)),
        ("heads of base64", fill(b"ZGRw", LEN)),
        ("whole heads of base64", fill(b"ZGRwYXRf", LEN)),
        ("percent-encoded characters", fill(b"%5F", LEN)),
        ("percent-encoded heads", fill(b"ddpat%5F", LEN)),
        ("HTML entities", fill(b"&#95;", LEN)),
        ("quoted-printable heads", fill(b"ghp_=41", LEN)),
        ("heads in joined literals", fill(b"ghp_\"+\"", LEN)),
        ("hex of heads", fill(b"646470", LEN)),
    ]
}

fn fill(piece: &[u8], len: usize) -> Vec<u8> {
    let mut all = piece.repeat(len / piece.len() + 1);
    all.truncate(len);
    all
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(bytes.len() * 4 / 3 + 4);
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(padded);
        let digits = (0..4).map(|at| DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        text.extend(digits.take(group.len() + 1));
        text.resize(text.len().next_multiple_of(4), b'=');
    }
    text
}

fn wide(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|&byte| [byte, 0]).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}
