//! A key is found in every form in which text contains it, at the line of its beginning.

use super::{GROUP, assert_proven, ed25519, keys, scan_text};
use crate::support::encode;
use crate::support::tree::Tree;
use ddpatrol::blob::{Blob, Context, Origin};
use ddpatrol::detect::{ContentKind, Detector, Evidence, Haystack, Scratch};
use ddpatrol::source::window::Windows;
use ddpatrol::source::{BlobSink, Run};
use std::sync::Arc;

/// The text with every line formatted.
fn each_line(key: &str, format: impl Fn(&str) -> String) -> String {
    key.lines().map(format).collect()
}

#[test]
fn every_form_of_a_key_in_text_is_proven() {
    let (key, description) = ed25519();
    let escaped = key.replace('\n', "\\n");
    let quoted = |end: &str| each_line(&key, |line| format!("  \"{line}\\n\"{end}\n"));
    for text in [
        key.clone(),
        key.trim_end().to_owned(),
        key.replace('\n', "\r\n"),
        key.replace('\n', "\r"),
        format!("{{\"key\": \"{escaped}\"}}"),
        format!("{{\"key\": \"{}\"}}", key.replace('\n', "\\r\\n")),
        format!("SSH_KEY=\"{escaped}\"\n"),
        format!("text = '{}'", key.replace('\n', "\\\\n")),
        format!("key: |\n{}", each_line(&key, |line| format!("      {line}\n"))),
        each_line(&key, |line| format!("# {line}\n")),
        each_line(&key, |line| format!("// {line}\n")),
        each_line(&key, |line| format!(" * {line}\n")),
        each_line(&key, |line| format!("> {line}\n")),
        quoted(" +"),
        quoted(""),
        quoted(" ."),
        quoted(" \\"),
        format!("[{}]", quoted(",")),
        format!("key = `{key}`;"),
        each_line(&key, |line| format!("{line} ")),
        format!("{{\"key\": \"{}\"}}", escaped.replace('/', "\\/")),
        format!("{{\"key\": \"{}\"}}", escaped.replace('+', "\\u002B").replace('=', "\\u003d")),
        format!("before\n{key}{key}after"),
        format!("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n{key}"),
        format!("-----BEGIN PRIVATE KEY-----\nnone\n{key}"),
    ] {
        assert_proven(text, &description);
    }
}

#[test]
fn a_key_behind_line_prefixes_is_proven() {
    let (key, description) = ed25519();
    let prefixed = |prefix: &dyn Fn(usize) -> String, key: &str| -> String {
        key.lines().enumerate().map(|(at, line)| format!("{}{line}\n", prefix(at))).collect()
    };
    let patch = format!("--- a/id\n+++ b/id\n@@ -0,0 +1,9 @@\n{}", prefixed(&|_| "+".into(), &key));
    let prefixes: [&dyn Fn(usize) -> String; 11] = [
        &|_| "+".into(),
        &|_| "-".into(),
        &|_| " ".into(),
        &|_| "+    ".into(),
        &|_| "+# ".into(),
        &|_| ">> ".into(),
        &|_| "> > ".into(),
        &|at| format!("{}: ", at + 8),
        &|at| format!("{:3}  ", at + 98),
        &|at| format!("2026-11-27T21:00:{:02}.{at}Z app[7]: ", at * 3),
        &|at| format!("[{at}/12] web_1  | "),
    ];
    let mut texts: Vec<String> = prefixes.iter().map(|prefix| prefixed(prefix, &key)).collect();
    texts.push(patch.replace('\n', "\r\n"));
    texts.push(format!("{{\"patch\": \"{}\"}}", patch.replace('\n', "\\n")));
    texts.push(format!("{patch}{patch}"));
    for text in texts {
        assert_proven(text, &description);
    }
    let open = format!("-----BEGIN PRIVATE KEY-----\n{}", key.lines().nth(1).expect("a line"));
    assert_eq!(keys(&scan_text(prefixed(&|_| "+".into(), &open))), [], "without an end");
}

#[test]
fn an_encrypted_key_behind_line_prefixes_is_that_of_the_plain_text() {
    let tree = Tree::new();
    let key = super::run(
        &tree,
        "openssl",
        &["genrsa", "-traditional", "-aes128", "-passout", "pass:secret", "1024"],
    );
    let plain = keys(&scan_text(&key));
    assert_eq!(plain.len(), 1);
    for prefix in ["+", "-", "  # ", "12: "] {
        let text = each_line(&key, |line| format!("{prefix}{line}\n"));
        assert_eq!(keys(&scan_text(text)), plain, "{prefix}");
    }
}

#[test]
fn a_key_behind_line_prefixes_is_masked() {
    let (key, _) = ed25519();
    let args = [&["mask"], &GROUP[..]].concat();
    for prefix in ["+", "-", "12:00:01 app: "] {
        let text = each_line(&key, |line| format!("{prefix}{line}\n"));
        let masked = Tree::new().run_with_input(&args, text.as_bytes()).stdout();
        for line in key.lines().skip(1).take_while(|line| !line.starts_with('-')) {
            assert!(!masked.contains(&line[4..line.len().min(20)]), "{prefix}: {masked}");
        }
    }
}

#[test]
fn a_key_in_base64_and_in_utf16_is_proven() {
    let (key, description) = ed25519();
    assert_proven(format!("data:\n  id: {}\n", encode::base64(key.as_bytes())), &description);
    let folded = encode::folded(&encode::base64(key.as_bytes()), 76, "\n");
    assert_proven(folded, &description);
    assert_proven(encode::utf16_le(&key), &description);
    assert_proven(encode::utf16_be(&key), &description);
}

#[test]
fn the_place_of_a_key_is_its_first_line() {
    let (key, _) = ed25519();
    let (tree, args) = (Tree::new(), [&["scan", "--json", "."], &GROUP[..]].concat());
    tree.write(
        "a.yaml",
        format!("a: b\nkey: |\n{}", each_line(&key, |line| format!("  {line}\n"))),
    );
    tree.write("b.env", format!("A=b\nKEY=\"{}\"\n", key.replace('\n', "\\n")));
    let ran = tree.run(&args);
    let places: Vec<(String, u64, u64)> =
        ran.places().into_iter().map(|(_, path, line, column)| (path, line, column)).collect();
    assert_eq!(places, [("a.yaml".to_owned(), 3, 3), ("b.env".to_owned(), 2, 6)]);
    let report = ran.json();
    let location = &report["findings"][0]["locations"][0];
    assert_eq!(location["encoding"], "PEM", "{location}");
}

#[test]
fn keys_are_found_in_archives() {
    let (key, description) = ed25519();
    let tree = Tree::new();
    tree.write("in/id", &key);
    super::run(&tree, "tar", &["-czf", "a.tar.gz", "in"]);
    super::run(&tree, "rm", &["-r", "in"]);
    let args = [&["scan", "--json", "."], &GROUP[..]].concat();
    let ran = tree.run(&args);
    assert_eq!(keys(&ran), [("proven".to_owned(), description)]);
    assert_eq!(ran.places()[0].1, "a.tar.gz!/in/id");
}

/// A detector of private keys only.
fn detector() -> Detector {
    let rules = ddpatrol::rules::builtin().expect("the built-in rules");
    let rules = rules.restricted_to(&["private-key".to_owned()]).expect("the rule");
    Detector::new(Arc::new(rules)).expect("a detector")
}

#[test]
fn no_boundary_of_windows_hides_a_key() {
    let (key, description) = ed25519();
    let tree = Tree::new();
    let long = super::run(&tree, "openssl", &["genrsa", "-traditional", "4096"]);
    let long_description = super::described(&tree, &long);
    let detector = detector();
    for (key, description) in
        [(key, description), (long.replace('\n', "\r\n    "), long_description)]
    {
        let context = Context { before: detector.lookbehind(), after: detector.lookahead() };
        let size = context.before + 2 * context.after + 1;
        for at in (size - 2 * key.len() - 200..size + 200).step_by(97) {
            let bytes =
                format!("{}{key}{}", "text. ".repeat(at / 6), "more text. ".repeat(size / 11));
            let mut found = Found { detector: &detector, keys: Vec::new() };
            let run = Run::default();
            let mut windows = Windows::with_size(context, size);
            windows.push_all(Origin::Stdin, &mut bytes.as_bytes(), &mut found, &run);
            assert_eq!(found.keys, [(at / 6 * 6, description.clone())]);
        }
    }
}

/// Collects the keys in windows.
struct Found<'a> {
    detector: &'a Detector,
    /// The offset and the description of each key.
    keys: Vec<(usize, String)>,
}

impl BlobSink for Found<'_> {
    fn blob(&mut self, blob: &Blob<'_>) {
        let kind = ContentKind::Blob { offset: blob.offset };
        let haystack = Haystack { bytes: blob.bytes, kind };
        self.detector.find(haystack, blob.own.clone(), &mut Scratch::default(), |it, token| {
            let start = blob.offset as usize + it.start;
            self.keys.push((start, String::from_utf8_lossy(token).into_owned()));
        });
    }
}

#[test]
fn the_text_around_a_key_changes_nothing() {
    let (key, description) = ed25519();
    let detector = detector();
    for before in
        ["", "x", "-", "\"", "\\n", "\u{0}", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----\n"]
    {
        for after in ["", "x", "-", "\"", "\\n", "\u{0}"] {
            let text = format!("{before}{}{after}", key.trim_end());
            let mut found = Vec::new();
            let whole = 0..text.len();
            let haystack = Haystack::whole(text.as_bytes());
            detector.find(haystack, whole, &mut Scratch::default(), |it, token| {
                found.push((it.start, it.end, it.evidence, token.to_vec()));
            });
            let (start, end) = (before.len(), text.len() - after.len());
            let expected = (start, end, Evidence::Proven, description.clone().into_bytes());
            assert_eq!(found, [expected], "{before:?} {after:?}");
        }
    }
}

#[test]
fn a_key_without_an_end_costs_no_more_than_its_block() {
    // Each beginning could read the rest of the text.
    let text = "-----BEGIN PRIVATE KEY-----\n".repeat(40_000);
    let start = std::time::Instant::now();
    assert_eq!(keys(&scan_text(&text)), []);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    let open = format!("-----BEGIN PRIVATE KEY-----\n{}", "MIIE".repeat(1_000_000));
    assert_eq!(keys(&scan_text(open)), []);
}
