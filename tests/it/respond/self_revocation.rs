//! Revocations by the token itself: GitLab and Vercel.

use super::sample::Sample;
use super::stub_issuer::Issuer;
use super::{datadog, only};
use crate::support::tree::Tree;

const REVOKED: &str = r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#;
const EXPIRED: &str = r#"{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}"#;

#[test]
fn gitlab_and_vercel_revoke_a_token_with_itself() {
    for (rule, option, path, status, body) in [
        ("gitlab-pat", "--gitlab-url", "/api/v4/personal_access_tokens/self", 204, ""),
        ("vercel-pat", "--vercel-api", "/v3/user/tokens/current", 200, r#"{"tokenId":"x"}"#),
    ] {
        let sample = Sample::of(rule, 1);
        let issuer = Issuer::always(status, "", body);
        let planned = sample.scan(&["--revoke", "--dry-run", option, &issuer.url]);
        let detail = only(&planned, "revocation")["detail"].to_string();
        assert!(detail.contains("by the token itself at 127.0.0.1:"), "{planned:?}");
        assert!(issuer.asked().is_empty());
        let ran = sample.scan(&["--revoke", "--yes", option, &issuer.url]);
        assert_eq!(only(&ran, "revocation")["outcome"], "revoked", "{ran:?}");
        let asked = issuer.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!((&*asked[0].method, &*asked[0].path), ("DELETE", path));
        let presented = asked[0].header("private-token").or(asked[0].bearer.as_deref());
        assert_eq!(presented, Some(&*sample.token));
        assert!(!format!("{ran:?}").contains(&sample.token));
    }
}

#[test]
fn only_the_documented_response_is_a_revocation() {
    for (status, body, outcome) in [
        (401, REVOKED, "already_dead"),
        (401, EXPIRED, "already_dead"),
        (401, r#"{"message":"401 Unauthorized"}"#, "failed"),
        (400, r#"{"message":"400 Bad request"}"#, "failed"),
        (403, REVOKED, "failed"),
        (200, "{}", "failed"),
        (202, "{}", "failed"),
        (302, "", "failed"),
    ] {
        let issuer = Issuer::always(status, "", body);
        let args = ["--revoke", "--yes", "--gitlab-url", &issuer.url];
        let ran = Sample::of("gitlab-pat", 2).scan(&args);
        assert_eq!(only(&ran, "revocation")["outcome"], outcome, "{status} {body}: {ran:?}");
    }
}

#[test]
fn the_instance_that_issued_a_token_revokes_it() {
    let stranger = Issuer::always(401, "", r#"{"message":"401 Unauthorized"}"#);
    let issuer = Issuer::always(204, "", "");
    let further = Issuer::always(204, "", "");
    let mut args = vec!["--revoke", "--yes"];
    for instance in [&stranger, &issuer, &further] {
        args.extend(["--gitlab-url", &instance.url]);
    }
    let ran = Sample::of("gitlab-pat", 3).scan(&args);
    let printed = only(&ran, "revocation");
    assert_eq!(printed["outcome"], "revoked", "{ran:?}");
    let host = issuer.url.trim_start_matches("http://");
    assert!(printed["detail"].as_str().is_some_and(|it| it.ends_with(host)), "{printed}");
    assert!(further.asked().is_empty(), "one instance has revoked it");
}

#[test]
fn a_saved_report_revokes_only_if_it_shows_the_token() {
    let issuer = Issuer::always(204, "", "");
    let sample = Sample::of("gitlab-pat", 4);
    let revoke = |report: &str| {
        sample.tree.write("r.json", report);
        sample.tree.run(&["revoke", "--from", "r.json", "--yes", "--gitlab-url", &issuer.url])
    };
    let ran = revoke(&sample.scan(&[]).stdout());
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.stdout().contains("cannot revoke: GitLab needs the whole token"), "{ran:?}");
    assert!(issuer.asked().is_empty());
    let ran = revoke(&sample.scan(&["--show-secrets"]).stdout());
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.stdout().contains("revoked: by the token itself at 127.0.0.1:"), "{ran:?}");
    assert!(!format!("{ran:?}").contains(&sample.token), "{ran:?}");
    assert_eq!(issuer.asked().len(), 1);
}

#[test]
fn a_report_that_claims_another_rule_sends_no_token_to_its_issuer() {
    let issuer = Issuer::always(204, "", "");
    let tree = Tree::new();
    tree.write("x", datadog(5));
    let report = tree.run(&["scan", "x", "--show-secrets", "--report", "json"]).stdout();
    for rule in ["gitlab-pat", "vercel-pat", "gitlab-runner-token", "cloudflare-user-token"] {
        tree.write("r.json", report.replace("\"datadog-pat\"", &format!("\"{rule}\"")));
        let options = ["--gitlab-url", "--vercel-api", "--cloudflare-api", "--datadog-site"];
        let options = options.iter().flat_map(|it| [*it, &issuer.url]);
        let start = ["revoke", "--from", "r.json", "--yes"];
        let ran = tree.run(&start.into_iter().chain(options).collect::<Vec<_>>());
        assert_eq!(ran.code(), Some(2), "{rule}: {ran:?}");
        assert!(issuer.asked().is_empty(), "{rule}: {:?}", issuer.asked());
    }
}

#[test]
fn tokens_that_cannot_revoke_themselves_are_named() {
    let issuer = Issuer::always(200, "", "{}");
    for (rule, option) in [
        ("npm-token", "--npm-registry"),
        ("vercel-integration", "--vercel-api"),
        ("cloudflare-user-token", "--cloudflare-api"),
    ] {
        let ran = Sample::of(rule, 6).scan(&["--revoke", "--yes", option, &issuer.url]);
        assert_eq!(only(&ran, "revocation")["outcome"], "cannot_revoke", "{rule}: {ran:?}");
        assert_eq!(ran.code(), Some(1), "{rule}: {ran:?}");
    }
    assert!(issuer.asked().is_empty());
}
