//! Tests of asking several issuers at a time: order, interruption and panics. Nothing is sent.

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

fn subject(rule: &str) -> ProvenToken {
    ProvenToken {
        rule: rule.to_owned(),
        redacted: "****".to_owned(),
        uuid: None,
        secret: Some(Secret::new(b"not a token")),
        location: "a file".to_owned(),
    }
}

#[test]
fn the_answers_are_in_the_order_of_the_subjects() {
    let responder = responder(Stop::new(|| true));
    let rules = ["unknown", "github-refresh", "datadog-pat"];
    let reasons = [
        "its issuer has no way to ask that is known here",
        "a refresh token cannot be asked about",
        "127.0.0.1:9: interrupted",
    ];
    for len in [0, 1, 2, 8, 60] {
        let subjects: Vec<ProvenToken> = (0..len).map(|at| subject(rules[at % 3])).collect();
        let answers = responder.verify(&subjects);
        assert_eq!(answers.len(), len);
        for (at, answer) in answers.iter().enumerate() {
            assert_eq!(answer.reason, reasons[at % 3], "{at} of {len}");
        }
    }
}

#[test]
fn a_panic_while_asking_reaches_the_caller() {
    let responder = responder(Stop::new(|| panic!("while asking")));
    for len in [1, 20] {
        let subjects = vec![subject("datadog-pat"); len];
        let verify = || responder.verify(&subjects);
        assert!(catch_unwind(AssertUnwindSafe(verify)).is_err(), "{len}");
    }
}
