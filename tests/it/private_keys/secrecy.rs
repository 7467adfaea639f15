//! No output contains a part of a private key.

use super::{GROUP, ed25519};
use crate::support::encode;
use crate::support::mint;
use crate::support::repo::Repo;
use crate::support::tree::Tree;

const FORMATS: [&str; 10] =
    ["text", "json", "jsonl", "sarif", "html", "markdown", "github", "csv", "junit", "gitlab"];

/// Asserts that a text has no 12 digits of the body of a key in a row.
#[track_caller]
fn assert_hidden(text: &str, key: &str, what: &str) {
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    // The beginning is the same in all keys of OpenSSH.
    let secret = &body.as_bytes()[60..body.len() - 4];
    let text = text.replace(['\n', '\r', ' '], "");
    let shown = secret.windows(12).find(|it| memchr::memmem::find(text.as_bytes(), it).is_some());
    assert!(shown.is_none(), "{what} shows a part of the key: {text}");
}

#[test]
fn no_report_and_no_saved_report_shows_a_part_of_a_key() {
    let (key, description) = ed25519();
    let repo = Repo::new();
    let escaped = key.replace('\n', "\\n");
    repo.commit_files(
        &[
            ("id", &key),
            ("id.json", &format!("{{\"a\": \"x\", \"key\": \"{escaped}\", \"b\": \"y\"}}\n")),
            ("secret.yaml", &format!("id: {}\n", encode::base64(key.as_bytes()))),
            ("near.env", &format!("T={} KEY=\"{escaped}\" U={}\n", mint::token(1), mint::token(2))),
        ],
        "keys",
    );
    for shown in [&[][..], &["--show-secrets"]] {
        for format in FORMATS {
            let args = [&["scan", "--report", format, "."], shown, &GROUP[..]].concat();
            let ran = repo.run(&args);
            assert_hidden(&ran.stdout(), &key, format);
            assert_hidden(&ran.stderr(), &key, format);
            let fingerprint = description.split(' ').nth(1).expect("a fingerprint");
            // SARIF and HTML escape some characters.
            assert!(ran.stdout().contains(&fingerprint[..12]), "{format}: {}", ran.stdout());
        }
    }
    let saved = repo.sibling("saved.json");
    let saved = saved.to_str().expect("a path");
    let target = format!("json={saved}");
    repo.run(&[&["scan", "--report", &target, "."], &GROUP[..]].concat());
    let ran = repo.run(&["report", "--from", saved, "--report", "text"]);
    assert!(ran.stdout().contains(&description), "{ran:?}");
    assert_hidden(&ran.stdout(), &key, "a saved report");
}

#[test]
fn the_text_around_another_token_shows_no_part_of_a_key_without_the_group() {
    let (key, _) = ed25519();
    let tree = Tree::new();
    let escaped = key.replace('\n', "\\n");
    tree.write("a.env", format!("T={} KEY=\"{escaped}\" U={}\n", mint::token(1), mint::token(2)));
    for format in FORMATS {
        let ran = tree.run(&["scan", "--report", format, "."]);
        assert_hidden(&ran.stdout(), &key, format);
    }
}

#[test]
fn a_key_is_masked_whatever_the_chunks() {
    let (key, _) = ed25519();
    let tree = Tree::new();
    let args = ["mask", "--rule-group", "private-keys"];
    for text in [format!("a\n{key}b\n"), format!("a {} b\n", key.replace('\n', "\\n"))] {
        let ran = tree.run_with_input(&args, text.as_bytes());
        assert_hidden(&ran.stdout(), &key, "masked output");
        assert!(ran.stdout().starts_with('a') && ran.stdout().ends_with("b\n"), "{ran:?}");
        assert!(ran.stdout().contains("***"), "{ran:?}");
        // Without the group the text is unchanged.
        assert_eq!(tree.run_with_input(&["mask"], text.as_bytes()).stdout(), text);
        for size in [1, 7, 64, 100] {
            let masked = in_chunks(text.as_bytes(), size);
            assert_hidden(&masked, &key, "masked chunks");
            assert!(masked.starts_with('a') && masked.ends_with("b\n"), "{masked}");
        }
    }
}

/// Masks a text that arrives in chunks, with a pause after each.
fn in_chunks(text: &[u8], size: usize) -> String {
    use ddpatrol::detect::{Detector, Evidence};
    use ddpatrol::mask::MaskedStream;
    let rules = ddpatrol::rules::builtin().expect("the built-in rules");
    let detector = Detector::new(std::sync::Arc::new(rules)).expect("a detector");
    let mut stream = MaskedStream::new(&detector, Evidence::Proven);
    let mut out = Vec::new();
    for chunk in text.chunks(size) {
        stream.push(chunk, &mut out);
        stream.pause(&mut out);
    }
    stream.finish(&mut out);
    String::from_utf8(out).expect("text")
}
