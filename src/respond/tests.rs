//! Tests of concurrent verification: order, interruption and panics. Nothing is sent.

use super::endpoint::Endpoint;
use super::http::Stop;
use super::{ProvenToken, Responder, Settings};
use ddpatrol_token::Secret;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn responder(stop: Stop) -> Responder {
    let endpoint = |url| Endpoint::parse(url).expect("the URL is valid");
    let settings = Settings {
        sites: vec![endpoint("http://127.0.0.1:9")],
        issuers: Vec::new(),
        github: endpoint("http://127.0.0.1:9"),
        site_token: None,
        issuer_token: None,
        service_account: None,
        pause: Duration::ZERO,
    };
    Responder::new(settings, stop)
}

fn token(rule: &str) -> ProvenToken {
    ProvenToken {
        rule: rule.to_owned(),
        redacted: "****".to_owned(),
        uuid: None,
        secret: Some(Secret::new(b"not a token")),
        location: "a file".to_owned(),
        place: "a file".to_owned(),
    }
}

#[test]
fn results_are_in_the_order_of_the_tokens() {
    let responder = responder(Stop::new(|| true));
    let rules = ["unknown", "github-refresh", "datadog-pat"];
    let reasons = [
        "verification is not supported for its issuer",
        "GitHub refresh tokens cannot be verified",
        "127.0.0.1:9: interrupted",
    ];
    for len in [0, 1, 2, 8, 60] {
        let tokens: Vec<ProvenToken> = (0..len).map(|at| token(rules[at % 3])).collect();
        let results = responder.verify(&tokens, &|_| ());
        assert_eq!(results.len(), len);
        for (at, result) in results.iter().enumerate() {
            assert_eq!(result.reason, reasons[at % 3], "{at} of {len}");
        }
    }
}

#[test]
fn a_panic_during_verification_reaches_the_caller() {
    let responder = responder(Stop::new(|| panic!("during verification")));
    for len in [1, 20] {
        let tokens = vec![token("datadog-pat"); len];
        let verify = || responder.verify(&tokens, &|_| ());
        assert!(catch_unwind(AssertUnwindSafe(verify)).is_err(), "{len}");
    }
}
