//! Every container of a key is recognized, with the fingerprint that OpenSSH prints.

use super::{assert_key, assert_proven, described, keys, run, scan_text, ssh_key};
use crate::support::tree::Tree;

#[test]
fn every_container_of_a_key_is_proven_under_the_fingerprint_of_openssh() {
    let tree = Tree::new();
    let rsa = run(&tree, "openssl", &["genrsa", "-traditional", "2048"]);
    let mut originals = vec![rsa];
    for curve in ["prime256v1", "secp384r1", "secp521r1"] {
        originals.push(run(&tree, "openssl", &["ecparam", "-name", curve, "-genkey", "-noout"]));
    }
    for original in originals {
        let description = described(&tree, &original);
        assert_proven(&original, &description);
        tree.write("pem", &original);
        let pkcs8 = run(&tree, "openssl", &["pkcs8", "-topk8", "-nocrypt", "-in", "pem"]);
        assert!(pkcs8.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert_proven(&pkcs8, &description);
        // All containers of a key are one finding.
        assert_eq!(keys(&scan_text(original + &pkcs8)).len(), 1);
    }
    for args in [
        &["-t", "rsa", "-b", "2048"][..],
        &["-t", "rsa", "-b", "4096"],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
        &["-t", "ed25519"],
    ] {
        let key = ssh_key(&tree, args);
        assert!(key.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
        assert_proven(&key, &described(&tree, &key));
    }
}

#[test]
fn a_key_on_secp256k1_is_proven() {
    let tree = Tree::new();
    let args = ["ecparam", "-name", "secp256k1", "-genkey", "-noout"];
    let found = keys(&scan_text(run(&tree, "openssl", &args)));
    assert_eq!(found.len(), 1, "{found:?}");
    let (evidence, description) = &found[0];
    assert!(evidence == "proven" && description.starts_with("256 SHA256:"), "{found:?}");
}

#[test]
fn a_compressed_public_half_is_proven() {
    let tree = Tree::new();
    let args = ["ecparam", "-name", "prime256v1", "-genkey", "-noout"];
    let key = run(&tree, "openssl", &args);
    tree.write("pem", &key);
    let compressed = run(&tree, "openssl", &["ec", "-in", "pem", "-conv_form", "compressed"]);
    assert!(compressed.len() < key.len());
    assert_proven(compressed, &described(&tree, &key));
}

#[test]
fn a_key_without_its_public_half_is_shaped() {
    let tree = Tree::new();
    let key = run(&tree, "openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-noout"]);
    tree.write("pem", &key);
    let private = run(&tree, "openssl", &["ec", "-in", "pem", "-no_public"]);
    let description = described(&tree, &key).replace(')', ", without public half)");
    assert_key(private, "shaped", &description);
    // OpenSSL writes Ed25519 keys without their public half.
    let edwards = run(&tree, "openssl", &["genpkey", "-algorithm", "ed25519"]);
    let found = keys(&scan_text(edwards));
    assert_eq!(found.len(), 1);
    assert!(found[0].0 == "shaped" && found[0].1.ends_with("(ED25519, without public half)"));
}

#[test]
fn an_encrypted_key_is_shaped() {
    let tree = Tree::new();
    tree.write("pem", run(&tree, "openssl", &["genrsa", "-traditional", "2048"]));
    let password = ["-passout", "pass:0123456789"];
    let pkcs8 =
        run(&tree, "openssl", &[&["pkcs8", "-topk8", "-in", "pem"], &password[..]].concat());
    let legacy = ["rsa", "-in", "pem", "-aes128", "-traditional"];
    let legacy = run(&tree, "openssl", &[&legacy[..], &password].concat());
    assert!(pkcs8.contains("ENCRYPTED PRIVATE KEY") && legacy.contains("Proc-Type: 4,ENCRYPTED"));
    for key in [pkcs8, legacy] {
        for text in [key.replace('\n', "\\n"), key] {
            let found = keys(&scan_text(&text));
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].0 == "shaped" && found[0].1.ends_with("(encrypted)"), "{found:?}");
        }
    }
    // The public half of a key of OpenSSH is not encrypted.
    let path = tree.path().join("ssh");
    let path = path.to_str().expect("a path");
    run(&tree, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "password", "-f", path]);
    let line = run(&tree, "ssh-keygen", &["-l", "-f", "ssh.pub"]);
    let fingerprint = line.split_whitespace().nth(1).expect("a fingerprint").to_owned();
    let key = std::fs::read_to_string(path).expect("a key");
    assert_key(key, "shaped", &format!("256 {fingerprint} (ED25519, encrypted)"));
}

#[test]
fn a_key_of_an_unsupported_algorithm_is_shaped() {
    let tree = Tree::new();
    for args in [
        &["genpkey", "-algorithm", "x25519"][..],
        &["genpkey", "-algorithm", "ed448"],
        &["ecparam", "-name", "brainpoolP256r1", "-genkey", "-noout"],
    ] {
        let found = keys(&scan_text(run(&tree, "openssl", args)));
        assert_eq!(found.len(), 1, "{args:?}");
        assert!(found[0].0 == "shaped" && found[0].1.ends_with("(algorithm not supported)"));
    }
}

/// Changes one digit of the base64 of a block in each of its lines; returns a block for each line.
fn damaged(key: &str) -> Vec<String> {
    let lines: Vec<&str> = key.lines().collect();
    let change = |at: usize| {
        let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let other = if lines[at].as_bytes()[9] == b'A' { "B" } else { "A" };
        lines[at].replace_range(9..10, other);
        lines.join("\n") + "\n"
    };
    (1..lines.len() - 1).filter(|&at| lines[at].len() > 16).map(change).collect()
}

#[test]
fn a_damaged_key_is_not_proven() {
    let tree = Tree::new();
    let rsa = run(&tree, "openssl", &["genrsa", "-traditional", "2048"]);
    let ec = run(&tree, "openssl", &["ecparam", "-name", "secp384r1", "-genkey", "-noout"]);
    let ssh = ssh_key(&tree, &["-t", "ecdsa", "-b", "256"]);
    for key in [rsa, ec, ssh] {
        let description = described(&tree, &key);
        // The exponents of an RSA key, and the comment of a key of OpenSSH, are not compared.
        let differ = damaged(&key).into_iter().filter(|damaged| {
            !keys(&scan_text(damaged)).contains(&("proven".to_owned(), description.clone()))
        });
        let least = if key.contains("RSA") { 11 } else { 3 };
        assert!(differ.count() >= least, "{key}");
    }
}

#[test]
fn text_that_is_no_key_is_not_reported() {
    let tree = Tree::new();
    let key = run(&tree, "openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-noout"]);
    tree.write("pem", &key);
    let certificate = ["req", "-x509", "-new", "-key", "pem", "-subj", "/CN=a", "-days", "9"];
    let body = key.lines().nth(1).expect("a line");
    for text in [
        run(&tree, "openssl", &certificate),
        run(&tree, "openssl", &["ec", "-in", "pem", "-pubout"]),
        key.replace(body, "..."),
        key.replace(body, ""),
        key.replace("-----END", "----END"),
        key.replace("END EC", "END RSA"),
        key.replace("BEGIN EC PRIVATE", "BEGIN RSA PRIVATE").replace("END EC", "END RSA"),
        key.lines().take(2).collect::<Vec<_>>().join("\n"),
    ] {
        assert_eq!(keys(&scan_text(&text)), [], "{text}");
    }
}
