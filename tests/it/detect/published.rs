//! Published tokens are proven, and no longer proven with one character changed.
//!
//! The tokens are from tests and documentation of their issuers and of other scanners; the rules name the
//! sources. Each is in pieces, so that this file contains no complete token.

use super::{detector, find};
use crate::support::mint;
use ddpatrol::detect::{Evidence, Scratch};

/// The rule, and the pieces of the token.
const TOKENS: &[(&str, &[&str])] = &[
    ("github-server-classic", &["ghs_oJrI3NxJonXega4cd", "3v1XHDjjMk3jh2ENWzb"]),
    ("github-server-classic", &["ghs_DCASJRv332FYglZzXP", "w7n0onKEqqt50ugSfn"]),
    (
        "github-fine-grained-pat",
        &[
            "github_pat_11AAYCBDQ0tjwxY3uiVv5v_lo8vfONwp06Vaq9",
            "ORB7pSxWM1UT5wSEuqxoxNv15mbAJTNMO62SdeYHLyzV",
        ],
    ),
    (
        "wandb-api-key",
        &[
            "wandb_v1_PP8ss3eYn15faGat7OceNWnAZee_COKJ7riO",
            "0Bpuofitw2Ko0t7X7CnFU9cOzeUCRUkSdQF4CpXc4",
        ],
    ),
    (
        "wandb-api-key",
        &[
            "wandb_v1_JHOj1LNFHGIJ5647W1iIyhMa4if_qNcOgyAl",
            "1i0UirUcgMsH9lrztH1T6ADrVHsx9eDNJE54FxllW",
        ],
    ),
    ("cloudflare-user-token", &["cfut_ZE4CrcFhEIDXk9vL2sTLeARs", "Fp2ZZYbydVDhhIUq8573bbfe"]),
    ("cloudflare-global-key", &["cfk_ZE4CrcFhEIDXk9vL2sTLeARs", "Fp2ZZYbydVDhhIUq8573bbfe"]),
    ("cloudflare-user-token", &["cfut_aAbBcCdDeEfFgGhHiIjJkKlL", "mMnNoOpPqQrRsStT03fa099b"]),
    ("cloudflare-account-token", &["cfat_aAbBcCdDeEfFgGhHiIjJkKlL", "mMnNoOpPqQrRsStT03fa099b"]),
    ("cloudflare-global-key", &["cfk_aAbBcCdDeEfFgGhHiIjJkKlL", "mMnNoOpPqQrRsStT03fa099b"]),
    ("bitbucket-app-password", &["ATBBcCe6fczW96Vzwgv", "b4r8F2gZS54D591C4"]),
    (
        "bitbucket-access-token",
        &[
            "ATCTT3xFfGN0zXtbKHz2POF86xa-2aBiYC4o_T3-myk01bmFVluUIFtGm_VFQwLizp4o1FKw",
            "-AMZhtdA0NzizshnA8WzRdfgv6GeTyowCD101oqKbJ4nx9DFsar5YyUNkwO9maR9-00tQvfciyfOHtP",
            "KG6K1d76Ki3iFo7roGeyJu4j1jM3GwQ4=EDDE81AD",
        ],
    ),
    (
        "bitbucket-access-token",
        &[
            "ATCTT3xFfGN0eyq0kne3JViBVaR5XhmCYI-3P5OwXu82WjbOscjhEeYywA-NfMVGxUd4HPmS93ZWAF",
            "oWcmCeiTl017IosZX52yZfmdzIhQ2p5mO69aOIX6lbhNJHnJw7JFd4bGTyw9LQelA3s0XcI78l2DZt1",
            "3i38gZyARfNxMLY0SOCMbF20bg=DD5CAD63",
        ],
    ),
    ("deno-deploy-token", &["ddp_qz538MNyqwfETb1ik", "qeqHiqA9Aa9Pv22yzmw"]),
    ("deno-deploy-organization-token", &["ddo_4nkT2HnlnbPpGbW5R", "VE7DsIyfMJ3bN3YeqZT"]),
    ("jsr-device-token", &["jsrd_5gVEGU852nnRH2opZe", "P9uZ1UdNXog0fcvP8"]),
    ("jsr-personal-token", &["jsrp_Kj0yFdcksJqHPm04l5", "tic2WXVtaLS2292b2"]),
    ("netbird-pat", &["nbp_apTmlmUXHSC4PKmHwt", "IZNaGr8eqcVI2gMURp"]),
    ("netbird-pat", &["nbp_z1pvsg2wP3EzmEou4S", "679KyTNhov632eyrXe"]),
    ("netbird-pat", &["nbp_9999EUDNdkeusjentD", "LSJEn1902u84390W6W"]),
    ("netbird-proxy-token", &["nbx_8FbPkxioCFmlvCTJb", "D1RafygfVmS9z15lyNM"]),
    (
        "salad-organization-key",
        &["salad_cloud_org_zYLYVpmHJ3oksnZ0l9RHJC", "f1ib2QvJOJztWukwYjtjB1kDIGP"],
    ),
    ("salad-user-key", &["salad_cloud_user_HZdqHUSBFLJI7LZjo1UcDO", "RHIdi8wet37OMP01YTep82tdimF"]),
    ("canva-client-secret", &["cnvcav3RRFkl36rsXClN3-Dsygjl", "_oGT1-xMhXV70oxnGi6s811bfada"]),
    ("synapse-access-token", &["syt_YWRtaW4_iNofAsbI", "nAInYAFwkmdi_1oVMxI"]),
    ("synapse-access-token", &["syt_YWRtaW4_KXUwoITu", "owupgGEIGNuK_4MLu3S"]),
    ("grafana-service-account-token", &["glsa_yscW25imSKJIuav8zF37", "RZmnbiDvB05G_fcaaf58a"]),
    ("grafana-service-account-token", &["glsa_ThisI5NtTheTok3nYou8", "reLo0k1ngF0r_0a2a3df7"]),
    ("grafana-service-account-token", &["glsa_DuMmY-T0K3N-f0R-tHe-", "Te5t-CRC32Ok_770c8cda"]),
    (
        "confluent-api-secret",
        &["cfltT8d8RzkNseTMEDKcjNM1BZTFPHqRn", "/dQm9q7w6SjzZ12wZfwjaJdipHZtDjw"],
    ),
    (
        "confluent-api-secret",
        &["cfltcUBElySxR0ubmwjcLaVic7aOYceZ1", "HzCyW9BbhBhC+KbPgaTcGc9S4HfrjhA"],
    ),
    ("apify-api-token", &["apify_api_NcjXcxEz2XL1irj", "ppyWSHvjghalQOd1LXOHv"]),
    ("apify-api-token", &["apify_api_9uyewBxQUF1EXWd", "KVc4lNaTSM461Ls4oQouz"]),
    ("zentral-service-account-token", &["ztls_DdUzwH5zV95ofmvcJq1", "JP5FkhThLv40ZenRv"]),
    ("zentral-service-account-token", &["ztls_V73y8qp0fEJJqwjyCHB", "KW4VhUS74ao35DYcM"]),
    ("zentral-service-account-token", &["ztls_0xtePqPLfggHUaAi6Nk", "DVuakz4jtQZ2ObLY3"]),
    ("mas-personal-token", &["mpt_FM44zJN5qePGMLvvMXC4", "Ds1A3lCWc6_bJ9Wj1"]),
    ("mas-personal-token", &["mpt_6cq7FqNSYoosbXl3bbp", "fh9yNy9NzuR_0vOV2O"]),
    ("mas-compat-access-token", &["mct_cxG6gZXyvelQWW9XqfN", "bm5KAQovodf_XvJz43"]),
    ("mas-compat-refresh-token", &["mcr_LoYqtrtBUBcWlE4RX6o", "47chBCGkadB_9gzpc1"]),
    ("mas-compat-access-token", &["mct_Wc6Hx4l9DGzqGtgLoYq", "trtBUBcWlE4_ZFyTp2"]),
    ("mas-compat-refresh-token", &["mcr_Yp7FM44zJN5qePGMLvv", "MXC4Ds1A3lC_0YcYCM"]),
    ("dhis2-pat", &["d2pat_5xVA12xyUbWNedQxy4oh", "H77WlxRGVvZZ1151814092"]),
    (
        "age-secret-key",
        &["AGE-SECRET-KEY-1N9JEPW6DWJ0ZQUDX63F5A03GX8", "QUW7PXDE39N8UYF82VZ9PC8UFS3M7XA9"],
    ),
    (
        "age-secret-key-pq",
        &["AGE-SECRET-KEY-PQ-1K30MYPZAHAXHR22YHH27EGD", "VLU0QNSUH3DSV7J7NR3X6D9LHXNWSDLTV4T"],
    ),
    ("nostr-private-key", &["nsec1vl029mgpspedva04g90vltkh6fvh2", "40zqtv9k0t9af8935ke9laqsnlfe5"]),
    (
        "nostr-encrypted-key",
        &[
            "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57",
            "lspw8gsq6yphnm8623nsl8xn9j4jdzz84zm3frztj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p",
        ],
    ),
    (
        "sui-private-key",
        &["suiprivkey1q8hexn5m2u36tx39ln5e22hfsea", "dknp7d2qlkhe30ejy7fc6am5aqkqpqsj"],
    ),
    (
        "sui-private-key",
        &["suiprivkey1qgj6vet4rstf2p00j860xctkg4f", "yqqq5hxgu4mm0eg60fq787ujnqs5wc8q"],
    ),
    (
        "elastic-cloud-api-key",
        &[
            "essu_VWtSQlNXNWFjMEpWWVZsbFVUZDBORmRQTldJNmNu",
            "WnVYMU5yY1ZGdlJ6aHVlRE5rWmxGelIyUk9kdz09AAAAANx5Zs4=",
        ],
    ),
    (
        "bip32-private-key",
        &[
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvv",
            "NKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
        ],
    ),
    ("tezos-secret-key", &["edsk3gUfUPyBSfrS9CCgmCiQsTCH", "GkviBDusMxDJstFtojtc1zcpsh"]),
    ("bitcoin-private-key", &["5KN7MzqK5wt2TP1fQCYyHBtDrXdJ", "uXbUzm4A9rKAteGu3Qi5CVR"]),
    (
        "bitcoin-private-key-compressed",
        &["L44B5gGEpqEDRS9vVPz7QT35jcBG", "2r3CZwSwQ4fCewXAhAhqGVpP"],
    ),
    ("bip38-encrypted-key", &["6PRHv1jg1ytiE4kT2QtrUz8gEjMQ", "ghZDWg1FuxjdYDzjUkcJeGdFj9q9Vi"]),
    ("stellar-secret-seed", &["SBGWSG6BTNCKCOB3DIFBGCVMUPQF", "YPA2G4O34RMTB343OYPXU5DJDVMN"]),
    ("stellar-secret-seed", &["SCEPFFWGAG5P2VX5DHIYK3XEMZYL", "TYWIPWYEKXFHSK25RVMIUNJ7CTIS"]),
    ("nats-nkey-seed", &["SUAKYRHVIOREXV7EUZTBHUHL7NUMH", "PMAS7QMDU3GTIUWEI5LDNOXD43IZY"]),
    ("nats-nkey-seed", &["SUAMAR5BIQ2AZCPYRTLLK7UGWMGSG", "2GWD2VPIXBNO7ZIB6TZAU4QAEJS2Q"]),
    ("nats-nkey-seed", &["SUACSSL3UAHUDXKFSNVUZRF5UHPMW", "Z6BFDTJ7M6USDXIEDNPPQYYYCU3VY"]),
    ("unknown-issuer", &["xoxo_3Q8oOwJyFzbuUaYIv", "2CPyu12K6gjmy2O8PIK"]),
    ("unknown-issuer", &["asf_sample_mXBgIOwUcV44oJElF", "X4LCMhWkEs2gaLe2"]),
    ("unknown-issuer", &["asf_sample_63Uo76APFVkmVyTpHp", "i3W7zlmxJ1dGuWP"]),
    ("unknown-issuer", &["asf_sample_PfCdJHSP5C8vM4hkQ", "RMImIzAFm90LW1gM"]),
    ("unknown-issuer", &["asf_sample_000000000000000", "0000000000002MvMGi"]),
    ("unknown-issuer", &["asf_sample_zzzzzzzzzzzzzzz", "zzzzzzzzzzzz13hv5A"]),
];

/// The rule, the character that is repeated, how often, and the end of the key.
const AZURE_KEYS: &[(&str, &str, usize, &str)] = &[
    ("azure-relay-key", "a", 33, "+ARmD7h+qo="),
    ("azure-event-hubs-key", "a", 33, "+AEhG2s/8w="),
    ("azure-service-bus-key", "a", 33, "+ASbHpHeAI="),
    ("azure-iot-hub-key", "a", 33, "AIoTOumzco="),
    ("azure-event-grid-key", "b", 33, "AZEGLiQbng="),
    ("azure-search-key", "a", 42, "AzSeCjhzCu"),
    ("azure-container-registry-key", "d", 42, "+ACRCUDxQE"),
    ("azure-container-registry-key", "e", 42, "+ACRCTB7t/"),
    ("azure-functions-key", "d", 44, "AzFu182vhA=="),
    ("azure-storage-key", "a", 76, "+ASt5mnCaw=="),
    ("azure-cosmos-key", "a", 76, "ACDbOpqrYA=="),
    ("azure-batch-key", "a", 76, "+ABa13FZVQ=="),
    ("azure-ml-classic-key", "a", 76, "+AMCFNqWyA=="),
    ("azure-api-management-key", "a", 76, "APIMHbKhsQ=="),
    ("nuget-api-key", "a", 52, "JQQJ99ALN5Z0000LZENeS003NUGT3OrW"),
];

#[test]
fn published_keys_of_azure_are_proven_and_damaged_ones_are_not() {
    let mut scratch = Scratch::default();
    for &(rule, repeated, count, end) in AZURE_KEYS {
        let key = repeated.repeat(count) + end;
        let text = format!("key = \"{key}\"\n");
        let expected = (rule, 7, 7 + key.len(), Evidence::Proven);
        assert_eq!(find(detector(), text.as_bytes(), &mut scratch), [expected], "{rule}");
        for at in (7..7 + count).chain([7 + key.len() - 3]) {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'B' { b'C' } else { b'B' };
            let found = find(detector(), &damaged, &mut scratch);
            assert!(found.iter().all(|it| it.3 == Evidence::Shaped), "{rule}: {found:?}");
        }
    }
}

/// Published examples with the shape of a token whose checksum does not match.
const COUNTEREXAMPLES: &[&[&str]] = &[
    &["d2pat_XIrqgAGjW935LLPuSP2hXSZ", "wpTxTW2pg3580716988"],
    &["AGE-SECRET-KEY-1HJCRJVK7EE3A5N8CRP8YSEUGZKN", "W90Y5UR2RGYAS8L279LFP6LCQU5ADNR"],
    &["SUAML2GCZ7IK7E7UD4VZ7ELPZW7D", "K2ZNL35WSMW3IORHC3BWBSDQXUQRBU"],
];

/// Published identifiers with the format of a token: not secret.
const IDENTIFIERS: &[&[&str]] = &[
    &["polar_ci_yZLBGwoWZVsOdfN5CODRw", "VSTlJfwJhXqwg65e2CuNMZ"],
    &["polar_ci_hbFdMZZRghgdm2F4LMceQ", "SrcQNunmjlh6ukGJ1dG0Vg"],
    &["polar_cl_8rUWn3dDsHQM2Ff4Qmr4C", "iVRnvFbcUEFVKu3S1HueeW"],
    &["polar_cl_YIhSdfKhtZ3NmulXoh4M2", "Nwx3myT4DpwenwCJ08quRp"],
    &["polar_cl_gon2ISU4r7oYyjVaxXlRV", "Uv5MKh1H3c1gCxKn1zZGHA"],
];

#[test]
fn published_tokens_are_proven_and_damaged_ones_are_not() {
    let detector = detector();
    let mut scratch = Scratch::default();
    for (rule, pieces) in TOKENS {
        let token = pieces.concat();
        let text = format!("key = \"{token}\"\n");
        let expected = (*rule, 7, 7 + token.len(), Evidence::Proven);
        assert_eq!(find(detector, text.as_bytes(), &mut scratch), [expected], "{rule}");
        let mut damaged = text.into_bytes();
        let at = 7 + token.len() / 2;
        damaged[at] = if damaged[at] == b'b' { b'c' } else { b'b' };
        let found = find(detector, &damaged, &mut scratch);
        assert!(found.iter().all(|it| it.3 == Evidence::Shaped), "{rule}: {found:?}");
    }
}

#[test]
fn published_counterexamples_are_not_proven() {
    for pieces in COUNTEREXAMPLES {
        let found = find(detector(), pieces.concat().as_bytes(), &mut Scratch::default());
        assert!(found.iter().all(|it| it.3 == Evidence::Shaped), "{found:?}");
    }
}

#[test]
fn identifiers_with_the_format_of_a_token_are_not_reported() {
    for pieces in IDENTIFIERS {
        let text = format!("id = \"{}\"", pieces.concat());
        assert_eq!(find(detector(), text.as_bytes(), &mut Scratch::default()), []);
    }
}

#[test]
fn every_secret_prefix_of_an_identifier_is_proven() {
    // The generator of the identifiers also makes the secrets: same body, same checksum, other prefix.
    let bodies = IDENTIFIERS.iter().map(|pieces| pieces.concat()["polar_ci_".len()..].to_owned());
    for body in bodies {
        let text = format!("polar_oat_{body}");
        let found = find(detector(), text.as_bytes(), &mut Scratch::default());
        assert_eq!(found, [("polar-organization-token", 0, text.len(), Evidence::Proven)]);
    }
}

#[test]
fn an_unproven_candidate_of_several_rules_is_reported_once() {
    let token = mint::classic(&mut mint::Random(5), "ghs_", 30);
    let proven = find(detector(), token.as_bytes(), &mut Scratch::default());
    assert_eq!(proven, [("github-server-classic", 0, 40, Evidence::Proven)]);
    let damaged = format!("{}000000", &token[..34]);
    let shaped = find(detector(), damaged.as_bytes(), &mut Scratch::default());
    assert_eq!(shaped, [("github-server-classic", 0, 40, Evidence::Shaped)]);
}
