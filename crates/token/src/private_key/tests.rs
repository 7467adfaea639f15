//! Published keys are recognized, and every change to one is noticed. Keys of OpenSSL and OpenSSH are tested
//! with the program.

use super::*;

/// RFC 8410, section 10.3: an Ed25519 key with its public half.
const RFC_8410: &str = concat!(
    "3072020101300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842",
    "a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273",
    "81210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1",
);

/// RFC 9500, section 2.3: `testECCP256`.
const RFC_9500: &str = concat!(
    "30770201010420e6cb5bdd80aa45ae9c95e8c15476679ffec953c16851e711e743939589c64fc1",
    "a00a06082a8648ce3d030107a14403420004",
    "422548f88fb782ffb5eca3744452c72a1e558fbd6f73be5e48e93232cc45c5b1",
    "6c4cd10c4cb8d5b8a17139e94882c8992572993425f41419ab7e90a42a494272",
);

fn parse(label: &str, hex: &str) -> PrivateKey {
    PrivateKey::parse(label, &hex::decode(hex).expect("hex")).expect("a private key")
}

#[test]
fn a_published_key_is_recomputed_and_known() {
    for (label, hex, algorithm) in
        [("PRIVATE KEY", RFC_8410, "ED25519"), ("EC PRIVATE KEY", RFC_9500, "ECDSA")]
    {
        let key = parse(label, hex);
        assert_eq!(key.evidence, KeyEvidence::Recomputed, "{algorithm}");
        assert!(key.is_published() && !key.is_proven(), "{}", key.description());
        let end = format!("({algorithm}, published test key)");
        assert!(key.description().ends_with(&end), "{}", key.description());
    }
}

#[test]
fn a_change_of_any_byte_is_noticed() {
    for (label, hex) in [("PRIVATE KEY", RFC_8410), ("EC PRIVATE KEY", RFC_9500)] {
        let der = hex::decode(hex).expect("hex");
        let original = PrivateKey::parse(label, &der).expect("a private key");
        for at in 0..der.len() {
            let mut changed = der.clone();
            changed[at] ^= 1;
            let Some(key) = PrivateKey::parse(label, &changed) else { continue };
            // The version of PKCS#8 and the attributes of a key are not part of it.
            let is_free = label == "PRIVATE KEY" && (at == 4 || (50..81).contains(&at));
            assert!(key.evidence != KeyEvidence::Recomputed || is_free, "byte {at} of {label}");
            assert_eq!(
                key.description() == original.description(),
                is_free,
                "byte {at} of {label}"
            );
        }
        for len in 0..der.len() {
            assert_eq!(PrivateKey::parse(label, &der[..len]), None, "{len} bytes of {label}");
        }
        assert_eq!(PrivateKey::parse(label, &[&der[..], &[0]].concat()), None, "{label}");
        assert_eq!(PrivateKey::parse("CERTIFICATE", &der), None);
    }
}

#[test]
fn a_private_number_beyond_the_order_of_its_curve_is_a_mismatch() {
    let number = "e6cb5bdd80aa45ae9c95e8c15476679ffec953c16851e711e743939589c64fc1";
    let beyond = RFC_9500.replace(number, &"ff".repeat(32));
    assert_eq!(parse("EC PRIVATE KEY", &beyond).evidence, KeyEvidence::Mismatch);
}

#[test]
fn a_length_that_exceeds_the_bytes_is_no_key() {
    for hex in ["30ff", "3084ffffffff020100", "30820000", "3080", "02", "30030201"] {
        let der = hex::decode(hex).expect("hex");
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
            assert_eq!(PrivateKey::parse(label, &der), None, "{hex} as {label}");
        }
    }
    let cut = b"openssh-key-v1\0\xff\xff\xff\xff";
    assert_eq!(PrivateKey::parse("OPENSSH PRIVATE KEY", cut), None);
}
