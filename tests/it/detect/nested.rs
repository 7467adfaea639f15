//! Decoded content: matches for every line layout, the decoding budget, and interrupts during
//! decoding.

use crate::detect::detector;
use crate::support::encode;
use crate::support::mint::{self, Random};
use crate::support::tree::{RunOutput, Tree, wait_until_interruptible};
use ddpatrol::detect::{Detector, Haystack, Scratch};
use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compress, Compression, FlushCompress};
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Encodes large texts; `encode::base64` is slow.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for group in bytes.chunks(3) {
        let mut padded = [0; 4];
        padded[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(padded);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(content).expect("in memory");
    gzip.finish().expect("in memory")
}

/// Returns text of about this length that contains no candidate.
fn prose(len: usize) -> String {
    let mut random = Random(77);
    let words = ["alpha", "Beta", "gamma 3", "delta,", "epsilon: 5", "Zeta", "eta\n"];
    let mut text = String::with_capacity(len + 10);
    while text.len() < len {
        text.push_str(words[random.below(words.len())]);
        text.push(' ');
    }
    text
}

fn token(seed: u64) -> String {
    mint::classic(&mut Random(seed), "ghp_", 30)
}

/// Returns the encodings in which a token is found, and `true` if something was not decoded completely.
fn found(detector: &Detector, bytes: &[u8], token: &str) -> (Vec<String>, bool) {
    let (mut scratch, mut encodings) = (Scratch::default(), Vec::new());
    detector.find(Haystack::whole(bytes), 0..bytes.len(), &mut scratch, |it, secret| {
        if secret == token.as_bytes() {
            encodings.push(it.encoding.to_string());
        }
    });
    (encodings, scratch.take_overrun())
}

#[test]
fn base64_is_decoded_once_for_any_line_layout() {
    let token = token(1);
    let inner = base64(format!("some text {token} and more of it").as_bytes());
    let text = [prose(600_000), format!("data: {inner} "), prose(600_000)].concat();
    let encoded = base64(text.as_bytes());
    let detector = detector();
    let blanks = format!("\n{}", " ".repeat(45));
    for between in ["\n", "\" + \"", "\"\n    \"", &blanks] {
        let folded = encode::folded(&encoded, 64, between);
        let bytes = format!("key = \"{folded}\";\n");
        let wanted = (vec!["base64 of base64".to_owned()], false);
        assert_eq!(found(detector, bytes.as_bytes(), &token), wanted, "{between:?}");
    }
    // Every other line is too short to be recognized as base64.
    let mut uneven = String::new();
    let mut rest = &*encoded;
    while rest.len() > 103 {
        uneven.extend([&rest[..64], "\n", &rest[64..103], "\n"]);
        rest = &rest[103..];
    }
    uneven.push_str(rest);
    let wanted = (vec!["base64 of base64".to_owned()], false);
    assert_eq!(found(detector, uneven.as_bytes(), &token), wanted);
}

#[test]
fn text_within_joined_base64_is_found_at_every_alignment() {
    let detector = detector();
    for seed in 0..8 {
        let token = token(seed);
        let inner = base64(format!("some text {token} and more of it").as_bytes());
        let second = base64(format!("the second one holds {inner}, and it ends here").as_bytes());
        // Without padding, the following text has another alignment.
        let first = base64(prose(90 + seed as usize).as_bytes());
        for first in [first.trim_end_matches('='), &first] {
            for between in ["\" + \"", "\"\n\"", "\n:\n"] {
                let text = format!("\"{first}{between}{second}\"");
                let (encodings, _) = found(detector, text.as_bytes(), &token);
                assert_eq!(encodings, ["base64 of base64"], "{text}");
            }
        }
        let packed = base64(&gzip(format!("text {token}").as_bytes()));
        let text = format!("\"{}\" + \"{packed}\"", first.trim_end_matches('='));
        assert_eq!(found(detector, text.as_bytes(), &token).0, ["base64 of gzip"], "{text}");
    }
}

#[test]
fn utf16_in_long_base64_is_scanned_completely() {
    let token = token(2);
    let inner = base64(format!("some text {token} and more of it").as_bytes());
    let text = [prose(90_000), format!("data: {inner} "), prose(50)].concat();
    let wide = encode::utf16_le(&format!("set x={}\r\n", base64(text.as_bytes())));
    let tree = Tree::new();
    tree.write("a.ps1", &wide);
    let report = tree.run(&["scan", "--report", "json"]).json();
    let places = report["findings"][0]["locations"].as_array().expect("a finding");
    assert_eq!(places.len(), 1, "{report}");
    assert_eq!(places[0]["encoding"], "UTF-16LE of base64 of base64");
}

#[test]
fn every_token_in_compressed_content_is_found_and_masked() {
    let tree = Tree::new();
    let tokens: Vec<String> = (0..300).map(token).collect();
    let packed = base64(&gzip(format!("{}{}", tokens.join("\n"), prose(200_000)).as_bytes()));
    tree.write("a.yaml", format!("user_data: {packed} # {}\n", tokens[0]));
    let ran = tree.run(&["scan", "--report", "json"]);
    assert_eq!(ran.json()["findings"].as_array().map(Vec::len), Some(300));
    let snippet = &ran.json()["findings"][0]["locations"][0]["snippet"];
    assert!(snippet.as_str().is_some_and(|it| it.starts_with("user_data: ***")), "{snippet}");
    for token in &tokens {
        assert!(!ran.stdout().contains(&token[4..30]));
    }
}

#[test]
fn beyond_the_decoding_budget_raw_bytes_are_scanned_and_an_issue_is_reported() {
    let bomb = format!("{}\n", base64(&gzip(&vec![b' '; 2_000_000])));
    let nested = base64(&gzip(bomb.repeat(3000).as_bytes()));
    let (plain, single) = (token(3), token(4));
    let last = format!("\n{plain}\n{}\n", base64(format!("key={single}").as_bytes()));
    for (name, content) in [("many", bomb.repeat(300)), ("nested", nested)] {
        let tree = Tree::new();
        tree.write(name, format!("{content}{last}"));
        let ran = tree.run(&["scan", "--report", "json"]);
        let report = ran.json();
        assert_eq!((ran.code(), &report["complete"]), (Some(1), &false.into()), "{name}");
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{name}");
        let printed = &report["diagnostics"][0];
        assert_eq!(
            (&printed["path"], &printed["kind"]),
            (&name.into(), &"unread".into()),
            "{printed}"
        );
        let message = printed["message"].as_str().expect("a text");
        assert!(message.contains("decoding limits"), "{message}");
    }
}

#[test]
fn ordinary_content_stays_within_the_decoding_budget() {
    let token = token(5);
    let detector = detector();
    let yaml: String = (0..4000)
        .map(|at| {
            format!("- name: service-{at}\n  image: registry.example/app:{at}\n  replicas: 3\n")
        })
        .chain([format!("  token: {token}\n")])
        .collect();
    let helm = base64(base64(&gzip(yaml.as_bytes())).as_bytes());
    let secret = base64(
        format!(
            "{{\"auths\":{{\"r\":{{\"auth\":\"{}\"}}}}}}",
            base64(format!("user:{token}").as_bytes())
        )
        .as_bytes(),
    );
    let secrets: String =
        (0..3000).map(|at| format!("  key{at}: {}\n", base64(prose(300).as_bytes()))).collect();
    let map = format!(
        "{{\"version\":3,\"sources\":[\"a.js\"],\"sourcesContent\":[\"{}\"]}}",
        prose(900_000).replace('\n', "\\n")
    );
    let mail = encode::folded(&base64(prose(900_000).as_bytes()), 76, "\r\n");
    for (name, content) in [
        ("a Helm release", format!("data:\n  release: {helm}\n")),
        ("a Kubernetes secret", format!("data:\n{secrets}  .dockerconfigjson: {secret}\n")),
        (
            "a source map",
            format!(
                "f();\n//# sourceMappingURL=data:application/json;base64,{}\n// {token}\n",
                base64(map.as_bytes())
            ),
        ),
        ("a mail", format!("Content-Transfer-Encoding: base64\r\n\r\n{mail}\r\n\r\n{token}\r\n")),
        ("a short file of zeros", format!("{}\n{token}\n", base64(&gzip(&vec![0; 1_000_000])))),
    ] {
        let (encodings, is_over) = found(detector, content.as_bytes(), &token);
        assert_eq!((encodings.len(), is_over), (1, false), "{name}: {encodings:?}");
    }
}

/// Returns a Deflate stream of zeros that inflates to `mebibytes`.
fn zeros(mebibytes: usize) -> Vec<u8> {
    let mut deflate = Compress::new(Compression::best(), false);
    let mut part = Vec::with_capacity(1 << 16);
    deflate.compress_vec(&vec![0; 1 << 20], &mut part, FlushCompress::Full).expect("in memory");
    let mut body = part.repeat(mebibytes);
    body.extend([3, 0]);
    body
}

/// Returns a file whose content takes minutes to decode.
fn endless(name: &str) -> Vec<u8> {
    let repeated = |one: &[u8], len: usize| one.repeat(len / one.len() + 1);
    let tool = |program: &str| {
        let mut child = std::process::Command::new(program);
        let mut child =
            child.args(["-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect(program);
        let mut input = child.stdin.take().expect("a pipe");
        let writer =
            std::thread::spawn(move || input.write_all(&vec![0; 40 << 20]).expect("it reads"));
        let output = child.wait_with_output().expect("the program ends");
        writer.join().expect("the program ends");
        output.stdout
    };
    match name {
        "a.gz" => [&b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..], &zeros(40_000), &[0; 8]].concat(),
        // Streams without content, of which a decoder reads millions at once.
        "empty.gz" => repeated(&gzip(b""), 150 << 20),
        "a.bz2" => repeated(&tool("bzip2"), 20 << 20),
        "a.xz" => repeated(&tool("xz"), 40 << 20),
        "a.zst" => repeated(&tool("zstd"), 40 << 20),
        "a.pdf" => [
            &b"%PDF-1.4\n1 0 obj\n<< /Filter /FlateDecode >>\nstream\n\x78\x9c"[..],
            &zeros(40_000),
            b"\nendstream\nendobj\n",
        ]
        .concat(),
        "a.zip" => {
            let content = zeros(40_000);
            let mut zip = b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
            zip.extend((content.len() as u32).to_le_bytes());
            zip.extend(u32::MAX.to_le_bytes());
            zip.extend(b"\x01\0\0\0a");
            zip.extend(content);
            zip
        }
        "a.pack" => {
            // One blob of 40 GiB: its type and its length in base 128.
            let mut pack = b"PACK\0\0\0\x02\0\0\0\x01".to_vec();
            let len = 40_000_u64 << 20;
            pack.push(0x80 | 3 << 4 | (len & 15) as u8);
            let mut rest = len >> 4;
            while rest >= 128 {
                pack.push(0x80 | (rest & 127) as u8);
                rest >>= 7;
            }
            pack.push(rest as u8);
            pack.extend([0x78, 0x9c]);
            pack.extend(zeros(40_000));
            pack.extend([0; 24]);
            pack
        }
        _ => {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
            zlib.write_all(prose(2_000_000).as_bytes()).expect("in memory");
            let line = format!("{}\n", base64(&zlib.finish().expect("in memory")));
            repeated(line.as_bytes(), 400 << 20)
        }
    }
}

#[test]
fn an_interrupt_stops_decompression_and_decoding() {
    for name in
        ["a.gz", "empty.gz", "a.bz2", "a.xz", "a.zst", "a.pdf", "a.zip", "a.pack", "base64.txt"]
    {
        let tree = Tree::new();
        tree.write(name, endless(name));
        let mut command = tree.command(&["scan", "--report", "json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command runs");
        wait_until_interruptible(&child);
        std::thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().expect("a process").is_none(), "{name} takes longer");
        let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a small number"));
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).expect("the program runs");
        let signalled = Instant::now();
        while child.try_wait().expect("a process").is_none() {
            if signalled.elapsed() > Duration::from_secs(10) {
                child.kill().expect("the program runs");
                panic!("{name}: the scan goes on");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let ran = RunOutput(child.wait_with_output().expect("it ended"));
        assert_eq!(ran.code(), Some(130), "{name}: {ran:?}");
        assert_eq!(ran.json()["interrupted"], true, "{name}");
    }
}

#[test]
fn nested_base64_longer_than_a_window_is_found_in_a_file_in_an_archive_and_in_the_input() {
    let token = token(9);
    let inner = base64(format!("some text {token} and more of it").as_bytes());
    let encoded =
        base64([prose(200_000), format!("data: {inner} "), prose(50)].concat().as_bytes());
    for between in ["\n", "\\n", "\" +\n  \""] {
        let folded = encode::folded(&encoded, 76, between);
        let text = [prose(150_000), format!("key = \"{folded}\";\n"), prose(300_000)].concat();
        let tree = Tree::new();
        tree.write("a.txt", &text);
        tree.write("b.gz", gzip(text.as_bytes()));
        let ran = tree.run(&["scan", "--report", "json"]);
        let paths: Vec<String> = ran.places().into_iter().map(|it| it.1).collect();
        assert_eq!(paths, ["a.txt", "b.gz!/b"], "{between:?}: {ran:?}");
        let ran = tree.run_with_input(&["scan", "-", "--report", "json"], text.as_bytes());
        assert_eq!(ran.places().len(), 1, "{between:?}: {ran:?}");
    }
}
