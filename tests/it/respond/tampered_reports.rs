//! `ddpatrol revoke` with modified saved reports: only tokens that the report shows are revoked, and
//! no secret of the report is printed.

use super::stub_issuer::{Issuer, Request};
use super::{datadog, github, scan, tree_with};
use crate::support::tree::{RunOutput, Tree};
use serde_json::{Value, json};

const ADMIN: &str = "an-administrators-token";

/// Issuers of every kind, and a tree whose report shows secrets.
struct Fixture {
    tree: Tree,
    site: Issuer,
    api: Issuer,
    report: Value,
}

impl Fixture {
    /// Creates a fixture with a scan of this content.
    fn of(content: &str) -> Self {
        let tree = tree_with(content);
        let report = scan(&tree, &["--show-secrets"]).json();
        let (site, api) = (Issuer::always(204, "", ""), Issuer::always(202, "", "{}"));
        Self { tree, site, api, report }
    }

    /// Runs `revoke` with this text as the report.
    fn revoke_text(&self, text: &str) -> RunOutput {
        self.tree.write("r.json", text);
        let mut command = self.tree.command(&[
            "revoke",
            "--from",
            "r.json",
            "--yes",
            "--report",
            "json",
            "--datadog-site",
            &self.site.url,
            "--github-api",
            &self.api.url,
        ]);
        command.env("DDPATROL_DATADOG_TOKEN", ADMIN);
        RunOutput(command.output().expect("the program runs"))
    }

    fn revoke(&self, report: &Value) -> RunOutput {
        self.revoke_text(&report.to_string())
    }

    fn asked(&self) -> Vec<Request> {
        [self.site.asked(), self.api.asked()].concat()
    }
}

/// Asserts that nothing was revoked, that the message contains `words`, and that no secret is printed.
#[track_caller]
fn assert_rejected(fixture: &Fixture, ran: &RunOutput, words: &str, secrets: &[&str]) {
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stderr().contains("r.json") && ran.stderr().contains(words), "{ran:?}");
    assert_eq!(ran.stdout(), "", "{ran:?}");
    assert!(fixture.asked().is_empty(), "{:?}", fixture.asked());
    assert_hidden(ran, secrets);
}

#[track_caller]
fn assert_hidden(ran: &RunOutput, secrets: &[&str]) {
    let text = format!("{}{}", ran.stdout(), ran.stderr());
    for secret in secrets {
        // The public part of a token comes first.
        assert!(!text.contains(&secret[secret.len() - 12..]), "{text}");
    }
}

#[test]
fn fields_of_a_wrong_type_revoke_nothing() {
    let token = datadog(50);
    let mut fixture = Fixture::of(&token);
    fixture.report["findings"][0]["suppression"] = Value::Null;
    let changes: [(&str, Value); 9] = [
        ("/findings", json!({"0": fixture.report["findings"][0]})),
        ("/findings/0", json!([token])),
        ("/findings/0/secret", json!([token])),
        ("/findings/0/secret", json!({"token": token})),
        ("/findings/0/secret", json!(7)),
        ("/findings/0/token", json!(token)),
        ("/findings/0/token/uuid", json!(7)),
        ("/findings/0/suppression", json!(token)),
        ("/findings/0/locations/0/line", json!(token)),
    ];
    for (pointer, value) in changes {
        let mut report = fixture.report.clone();
        *report.pointer_mut(pointer).expect("a field") = value;
        let ran = fixture.revoke(&report);
        assert_rejected(&fixture, &ran, "r.json: incomplete report: ", &[&token]);
    }
}

#[test]
fn a_report_that_is_not_json_revokes_nothing() {
    let token = datadog(51);
    let fixture = Fixture::of(&token);
    let whole = fixture.report.to_string();
    let deep = "[".repeat(100_000);
    for text in ["", "7", &whole[..whole.len() - 1], &format!("{whole}x"), &deep] {
        let ran = fixture.revoke_text(text);
        assert_rejected(&fixture, &ran, "r.json: not a report of `ddpatrol scan", &[&token]);
    }
}

#[test]
fn a_token_listed_twice_is_revoked_once() {
    let token = github(52);
    let fixture = Fixture::of(&format!("{} {token}", datadog(52)));
    let mut report = fixture.report.clone();
    let findings = report["findings"].as_array_mut().expect("a list");
    let mut masked = findings.clone();
    for finding in &mut masked {
        finding["secret"] = Value::Null;
    }
    // The first listed finding has no secret.
    findings.splice(0..0, masked);
    let ran = fixture.revoke(&report);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    let revocations = ran.json()["revocations"].as_array().expect("a list").clone();
    assert_eq!(revocations.len(), 2, "{ran:?}");
    assert!(revocations.iter().all(|it| it["outcome"] == "revoked"), "{ran:?}");
    assert_eq!(fixture.site.asked().len(), 1);
    let asked = fixture.api.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body["credentials"], json!([token]));
    assert_hidden(&ran, &[&token, &datadog(52)]);
}

#[test]
fn findings_with_one_fingerprint_and_different_tokens_revoke_nothing() {
    let fixture = Fixture::of(&format!("{} {}", datadog(53), datadog(54)));
    let mut report = fixture.report.clone();
    for at in 0..2 {
        report["findings"][at]["secret"] = Value::Null;
    }
    report["findings"][1]["fingerprint"] = report["findings"][0]["fingerprint"].clone();
    let ran = fixture.revoke(&report);
    assert_rejected(&fixture, &ran, "proven finding 2 is inconsistent", &[]);
}

#[test]
fn a_secret_that_differs_from_the_shown_token_revokes_nothing() {
    for (one, other) in
        [(datadog(55), datadog(56)), (github(55), datadog(56)), (datadog(55), github(56))]
    {
        let fixture = Fixture::of(&one);
        let stolen = Fixture::of(&other).report["findings"][0].clone();
        for fields in
            [&["secret"][..], &["secret", "fingerprint"], &["secret", "fingerprint", "rule"]]
        {
            let mut report = fixture.report.clone();
            for &field in fields {
                report["findings"][0][field] = stolen[field].clone();
            }
            let ran = fixture.revoke(&report);
            let words = "proven finding 1 is inconsistent, so the report was modified";
            assert_rejected(&fixture, &ran, words, &[&one, &other]);
        }
    }
}

#[test]
fn a_secret_of_another_rule_revokes_nothing() {
    let token = github(57);
    let fixture = Fixture::of(&token);
    for rule in ["github-oauth", "github-refresh", "npm-token", "datadog-pat"] {
        let mut report = fixture.report.clone();
        report["findings"][0]["rule"] = json!(rule);
        let ran = fixture.revoke(&report);
        assert_rejected(&fixture, &ran, "proven finding 1 is inconsistent", &[&token]);
    }
    // No provider accepts tokens of a rule that is not built in.
    let mut report = fixture.report.clone();
    report["findings"][0]["rule"] = json!("of-their-own");
    let ran = fixture.revoke(&report);
    assert_eq!(ran.json()["revocations"][0]["outcome"], "cannot_revoke", "{ran:?}");
    assert!(fixture.asked().is_empty());
    assert_hidden(&ran, &[&token]);
}

#[test]
fn the_last_of_two_secret_fields_counts_and_neither_is_printed() {
    let (one, other) = (github(58), github(59));
    let fixture = Fixture::of(&one);
    let twice = |first: &str, second: &str| {
        let field = format!("\"secret\":\"{one}\"");
        let text = fixture.report.to_string();
        assert!(text.contains(&field));
        text.replace(&field, &format!("\"secret\":\"{first}\",\"secret\":\"{second}\""))
    };
    let ran = fixture.revoke_text(&twice(&one, &other));
    assert_rejected(&fixture, &ran, "proven finding 1 is inconsistent", &[&one, &other]);
    let ran = fixture.revoke_text(&twice(&other, &one));
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert_eq!(fixture.api.asked()[0].body["credentials"], json!([one]));
    assert_hidden(&ran, &[&one, &other]);
}

#[test]
fn tampered_text_of_a_report_is_masked_and_escaped() {
    let (token, other) = (datadog(60), github(60));
    let fixture = Fixture::of(&token);
    let mut report = fixture.report.clone();
    let finding = &mut report["findings"][0];
    let redacted = finding["token"]["redacted"].as_str().expect("a text").to_owned();
    finding["secret"] = Value::Null;
    finding["rule"] = json!(format!("{other}\u{1b}[31m"));
    finding["fingerprint"] = json!(format!("{token}\u{202e}"));
    finding["token"]["redacted"] = json!(format!("{redacted} {other}\u{1b}]0;x\u{7}"));
    for name in ["name", "issuer", "advice"] {
        finding[name] = json!(other);
    }
    finding["locations"][0]["path"] = json!(other);
    report["notes"] = json!([other]);
    let ran = fixture.revoke(&report);
    assert_eq!(ran.json()["revocations"][0]["outcome"], "cannot_revoke", "{ran:?}");
    assert_hidden(&ran, &[&token, &other]);
    let text = format!("{}{}", ran.stdout(), ran.stderr());
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
}

#[test]
fn secrets_of_a_report_are_sent_to_their_issuer_and_never_printed() {
    let (one, other) = (datadog(61), github(61));
    let fixture = Fixture::of(&format!("{one} {other}"));
    let ran = fixture.revoke(&fixture.report);
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert_hidden(&ran, &[&one, &other]);
    let asked = fixture.api.asked();
    assert_eq!(asked[0].body["credentials"], json!([other]));
    assert!(fixture.site.asked().iter().all(|it| it.bearer.as_deref() == Some(ADMIN)));
}
