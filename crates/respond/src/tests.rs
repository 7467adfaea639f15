//! Tests of concurrent verification: order, interruption and panics. Nothing is sent.

use super::endpoint::Endpoint;
use super::http::Stop;
use super::{AtlassianSettings, CloudflareSettings, ProvenToken, Responder, Settings, Verdict};
use ddpatrol_token::Secret;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

fn responder(stop: Stop) -> Responder {
    let endpoint = |url| Endpoint::parse(url).expect("the URL is valid");
    let settings = Settings {
        sites: vec![endpoint("http://127.0.0.1:9")],
        issuers: Vec::new(),
        github: endpoint("http://127.0.0.1:9"),
        gitlab: vec![endpoint("http://127.0.0.1:9")],
        npm: endpoint("http://127.0.0.1:9"),
        cloudflare: CloudflareSettings {
            api: endpoint("http://127.0.0.1:9"),
            accounts: Vec::new(),
            email: None,
        },
        vercel: endpoint("http://127.0.0.1:9"),
        atlassian: AtlassianSettings {
            bitbucket: endpoint("http://127.0.0.1:9"),
            bitbucket_user: None,
            sites: Vec::new(),
            email: None,
        },
        grafana: Vec::new(),
        wandb: vec![endpoint("http://127.0.0.1:9")],
        site_token: None,
        issuer_token: None,
        service_account: None,
        pause: Duration::ZERO,
    };
    Responder::new(settings, stop)
}

/// Returns a text that is no token, with the prefix of a rule.
fn token(rule: &str) -> ProvenToken {
    let prefixes = [
        ("github-refresh", "ghr_"),
        ("datadog-pat", "ddpat_"),
        ("cloudflare-account-token", "cfat_"),
        ("cloudflare-global-key", "cfk_"),
        ("atlassian-api-token", "ATATT"),
        ("bitbucket-app-password", "ATBB"),
        ("grafana-service-account-token", "glsa_"),
        ("vercel-app-refresh", "vcr_"),
    ];
    let prefix = prefixes.iter().find(|(id, _)| *id == rule).map_or("", |(_, prefix)| prefix);
    let secret = format!("{prefix}not-a-token");
    ProvenToken {
        rule: rule.to_owned(),
        redacted: "****".to_owned(),
        uuid: None,
        secret: Some(Secret::new(secret.as_bytes())),
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

#[test]
fn a_missing_option_is_named_and_nothing_is_sent() {
    let responder = responder(Stop::new(|| panic!("a request")));
    for (rule, option) in [
        ("cloudflare-account-token", "--cloudflare-account"),
        ("cloudflare-global-key", "--cloudflare-email"),
        ("atlassian-api-token", "--atlassian-email"),
        ("bitbucket-app-password", "--bitbucket-user"),
        ("grafana-service-account-token", "--grafana-url"),
        ("vercel-app-refresh", "cannot be verified"),
    ] {
        let [result] = &responder.verify(&[token(rule)], &|_| ())[..] else { panic!("one result") };
        assert_eq!(result.verdict, Verdict::Unknown, "{rule}");
        assert!(result.reason.contains(option), "{rule}: {}", result.reason);
    }
}

#[test]
fn a_token_is_not_sent_to_the_issuer_of_another_prefix() {
    let responder = responder(Stop::new(|| panic!("a request")));
    let stray = ProvenToken { rule: "npm-token".to_owned(), ..token("github-refresh") };
    let [result] = &responder.verify(&[stray], &|_| ())[..] else { panic!("one result") };
    assert_eq!(result.reason, "verification is not supported for its issuer");
}
