//! Keys are found on request only; known ones are suppressed, published ones are shaped.

use super::{GROUP, assert_key, ed25519, keys};
use crate::support::tree::Tree;

#[test]
fn keys_are_found_on_request_only() {
    let (key, _) = ed25519();
    let tree = Tree::new();
    tree.write("id", &key);
    let found = |args: &[&str]| keys(&tree.run(&[&["scan", "--json", "."], args].concat())).len();
    assert_eq!(found(&[]), 0);
    assert_eq!(found(&GROUP), 1);
    assert_eq!(found(&["--rule", "private-key"]), 1);
    tree.write(".ddpatrol.toml", "[rules]\ngroups = [\"private-keys\"]\n");
    assert_eq!(found(&[]), 1);
    tree.write(
        ".ddpatrol.toml",
        "[rules]\ngroups = [\"private-keys\"]\nleave_out = [\"private-key\"]\n",
    );
    assert_eq!(found(&[]), 0);
}

#[test]
fn an_unknown_group_is_an_error_with_its_place() {
    let tree = Tree::new();
    tree.write(".ddpatrol.toml", "[rules]\ngroups = [\"private\"]\n");
    let ran = tree.run(&["scan", "."]);
    assert_eq!(ran.code(), Some(2));
    assert!(
        ran.stderr().contains(".ddpatrol.toml:2:11: unknown group `private`; use private-keys")
    );
    let ran = tree.run(&["scan", "--no-config", "--rule-group", "keys", "."]);
    assert!(ran.stderr().contains("unknown group `keys`; use private-keys"), "{ran:?}");
}

#[test]
fn a_known_key_fails_no_scan() {
    let (key, _) = ed25519();
    let tree = Tree::new();
    tree.git_init();
    tree.write("id", &key);
    let scan = [&["scan", "."], &GROUP[..]].concat();
    assert_eq!(tree.run(&scan).code(), Some(1));
    let ran = tree.run(&[&["baseline", "create"], &GROUP[..]].concat());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert_eq!(tree.run(&scan).code(), Some(0));
    let baseline = std::fs::read_to_string(tree.path().join(".ddpatrol-baseline.json"));
    let baseline = baseline.expect("a baseline");
    let body = key.lines().nth(1).expect("a line");
    assert!(!baseline.contains(body));
    // The same key in another container is known, too.
    std::fs::remove_file(tree.path().join("id")).expect("a file");
    tree.write("id.env", format!("KEY=\"{}\"", key.replace('\n', "\\n")));
    assert!(tree.run(&scan).stdout().contains("SHA256:"));
}

#[test]
fn a_published_key_is_shaped_and_named_as_such() {
    // RFC 8410, section 10.3.
    let key = [
        "-----BEGIN PRIVATE",
        " KEY-----\n",
        "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n",
        "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n",
        "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PRIVATE",
        " KEY-----\n",
    ];
    let fingerprint = "256 SHA256:ebCT4wkJOqO5AIlHG03cHvn3Cr3ZZEEh8m81duHhR3Q";
    let description = format!("{fingerprint} (ED25519, published test key)");
    assert_key(key.concat(), "shaped", &description);
}

#[test]
fn check_explains_a_key_and_how_to_replace_it() {
    let (key, description) = ed25519();
    let tree = Tree::new();
    let escaped = key.replace('\n', "\\n");
    for text in [key.clone(), format!("KEY=\"{escaped}\"\n"), format!("{key}{key}")] {
        let ran = tree.run_with_input(&["check"], text.as_bytes());
        assert_eq!(ran.code(), Some(0), "{ran:?}");
        let shown = ran.stdout();
        assert!(
            shown.starts_with(&format!("Private Key (private-key): {description}\n")),
            "{shown}"
        );
        assert!(shown.contains("Valid: the public half in the block is that of the private half."));
        assert!(shown.contains("Replace the key"), "{shown}");
    }
    let both = format!("{key}TOKEN={}\n", crate::support::mint::token(1));
    let ran = tree.run_with_input(&["check"], both.as_bytes());
    assert!(ran.code() == Some(0) && ran.stdout().contains("Token 2 of 2, line 8:"), "{ran:?}");
    let bare = super::run(&tree, "openssl", &["genpkey", "-algorithm", "ed25519"]);
    let ran = tree.run_with_input(&["check"], bare.as_bytes());
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(ran.stdout().contains("(ED25519, without public half)\nNot proven."), "{ran:?}");
    let damaged = key.replacen("AAAA", "AAAB", 2);
    for text in [&damaged[..], "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"] {
        let ran = tree.run_with_input(&["check"], text.as_bytes());
        assert_eq!(ran.code(), Some(1), "{ran:?}");
        assert!(ran.stdout().contains("Not a token of a known format"), "{ran:?}");
    }
}
