//! Refusals of single issuers: which of them make a token dead, and which are inconclusive.

use super::issuers::{ACCOUNT, verified, with_url};
use super::sample::Sample;
use super::stub_issuer::Issuer;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A response that is no acceptance.
struct Refusal {
    rule: &'static str,
    options: &'static [&'static str],
    status: u16,
    headers: &'static str,
    body: &'static str,
}

const fn refusal(
    rule: &'static str,
    options: &'static [&'static str],
    status: u16,
    body: &'static str,
) -> Refusal {
    Refusal { rule, options, status, headers: "", body }
}

const GITLAB: &[&str] = &["--gitlab-url", "URL"];
const NPM: &[&str] = &["--npm-registry", "URL"];
const CLOUDFLARE: &[&str] = &["--cloudflare-api", "URL", "--cloudflare-account", ACCOUNT];
const CLOUDFLARE_EMAIL: &[&str] =
    &["--cloudflare-api", "URL", "--cloudflare-email", "ada@example.com"];
const VERCEL: &[&str] = &["--vercel-api", "URL"];
const ATLASSIAN: &[&str] = &["--bitbucket-api", "URL", "--atlassian-email", "ada@example.com"];
const BITBUCKET: &[&str] = &["--bitbucket-api", "URL", "--bitbucket-user", "ada"];
const GRAFANA: &[&str] = &["--grafana-url", "URL"];
const WANDB: &[&str] = &["--wandb-url", "URL"];

const GITLAB_REVOKED: &str = r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#;
const GITLAB_EXPIRED: &str = r#"{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}"#;
const INVALID: &str = r#"{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}],"messages":[],"result":null}"#;
const VERCEL_INVALID: &str =
    r#"{"error":{"code":"forbidden","message":"Not authorized","invalidToken":true}}"#;
const VERCEL_FORBIDDEN: &str = r#"{"error":{"code":"forbidden","message":"Not authorized"}}"#;

/// Responses with which issuers document that a token is invalid.
const DEAD: &[Refusal] = &[
    refusal("gitlab-pat", GITLAB, 401, GITLAB_REVOKED),
    refusal("gitlab-pat", GITLAB, 401, GITLAB_EXPIRED),
    refusal("npm-token", NPM, 401, "{}"),
    refusal("npm-token", NPM, 401, r#"{"message":"Unauthorized"}"#),
    refusal("cloudflare-user-token", CLOUDFLARE, 401, INVALID),
    refusal(
        "cloudflare-user-token",
        CLOUDFLARE,
        200,
        r#"{"success":true,"errors":[],"result":{"id":"x","status":"expired"}}"#,
    ),
    refusal(
        "cloudflare-account-token",
        CLOUDFLARE,
        200,
        r#"{"success":true,"errors":[],"result":{"id":"x","status":"disabled"}}"#,
    ),
    refusal("vercel-pat", VERCEL, 403, VERCEL_INVALID),
    refusal("vercel-pat", VERCEL, 403, VERCEL_FORBIDDEN),
    refusal("vercel-integration", VERCEL, 403, VERCEL_INVALID),
    refusal(
        "grafana-service-account-token",
        GRAFANA,
        401,
        r#"{"message":"Expired API key","messageId":"api-key.expired","statusCode":401,"traceID":""}"#,
    ),
    refusal(
        "grafana-service-account-token",
        GRAFANA,
        401,
        r#"{"message":"Revoked API key","messageId":"api-key.revoked","statusCode":401,"traceID":""}"#,
    ),
];

/// Responses that a live token may get, too.
const UNKNOWN: &[Refusal] = &[
    // Another instance may have issued it.
    refusal("gitlab-pat", GITLAB, 401, r#"{"message":"401 Unauthorized"}"#),
    refusal(
        "gitlab-pat",
        GITLAB,
        401,
        r#"{"error":"invalid_token","error_description":"Token is an impersonation token but impersonation was disabled."}"#,
    ),
    refusal(
        "gitlab-pat",
        GITLAB,
        403,
        r#"{"message":"403 Forbidden - Your account has been blocked."}"#,
    ),
    refusal("gitlab-pat", GITLAB, 403, GITLAB_REVOKED),
    refusal("gitlab-pat", GITLAB, 200, r#"{"id":4,"active":false,"revoked":true}"#),
    refusal("gitlab-pat", GITLAB, 404, r#"{"message":"404 Not Found"}"#),
    refusal("gitlab-pat", GITLAB, 500, GITLAB_REVOKED),
    Refusal {
        headers: "content-type: text/html\r\n",
        ..refusal("gitlab-pat", GITLAB, 401, GITLAB_REVOKED)
    },
    // The address or the second factor is refused, not the token.
    Refusal {
        headers: "www-authenticate: Bearer, IPADDRESS\r\n",
        ..refusal("npm-token", NPM, 401, "{}")
    },
    Refusal { headers: "www-authenticate: OTP\r\n", ..refusal("npm-token", NPM, 401, "{}") },
    refusal("npm-token", NPM, 401, r#"{"error":"You must provide a one-time pass."}"#),
    refusal("npm-token", NPM, 403, r#"{"message":"Forbidden"}"#),
    refusal("npm-token", NPM, 401, r#""Unauthorized""#),
    refusal("npm-token", NPM, 200, "{}"),
    Refusal { headers: "content-type: text/html\r\n", ..refusal("npm-token", NPM, 401, "{}") },
    // The owner restricted the addresses.
    refusal(
        "cloudflare-user-token",
        CLOUDFLARE,
        403,
        r#"{"success":false,"errors":[{"code":9109,"message":"Cannot use the access token from location: 192.0.2.1"}],"result":null}"#,
    ),
    refusal(
        "cloudflare-user-token",
        CLOUDFLARE,
        401,
        r#"{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"},{"code":10000,"message":"Authentication error"}]}"#,
    ),
    refusal("cloudflare-user-token", CLOUDFLARE, 401, r#"{"success":false,"errors":[]}"#),
    refusal("cloudflare-user-token", CLOUDFLARE, 500, INVALID),
    refusal(
        "cloudflare-user-token",
        CLOUDFLARE,
        200,
        r#"{"success":true,"errors":[],"result":{"id":"x","status":"paused"}}"#,
    ),
    // It may belong to another account, or another user.
    refusal("cloudflare-account-token", CLOUDFLARE, 401, INVALID),
    refusal(
        "cloudflare-global-key",
        CLOUDFLARE_EMAIL,
        403,
        r#"{"success":false,"errors":[{"code":9103,"message":"Unknown X-Auth-Key or X-Auth-Email"}],"result":null}"#,
    ),
    refusal(
        "vercel-pat",
        VERCEL,
        403,
        r#"{"error":{"code":"forbidden","message":"Not authorized: Trying to access resource under scope \"x\". You must re-authenticate to this scope or use a token with access to this scope.","saml":true}}"#,
    ),
    refusal(
        "vercel-pat",
        VERCEL,
        403,
        r#"{"error":{"code":"forbidden","message":"Not authorized","invalidToken":false}}"#,
    ),
    refusal("vercel-pat", VERCEL, 403, r#"{"message":"Not authorized"}"#),
    refusal("vercel-pat", VERCEL, 404, VERCEL_INVALID),
    // An integration may lack the permission to read its user.
    refusal("vercel-integration", VERCEL, 403, VERCEL_FORBIDDEN),
    refusal("atlassian-api-token", ATLASSIAN, 401, ""),
    refusal(
        "bitbucket-access-token",
        BITBUCKET,
        401,
        r#"{"type":"error","error":{"message":"Token is invalid, expired, or not supported for this endpoint."}}"#,
    ),
    refusal("bitbucket-app-password", BITBUCKET, 401, ""),
    refusal(
        "bitbucket-access-token",
        BITBUCKET,
        403,
        r#"{"type":"error","error":{"message":"Forbidden"}}"#,
    ),
    // Another instance may have issued it.
    refusal(
        "grafana-service-account-token",
        GRAFANA,
        401,
        r#"{"message":"Invalid API key","messageId":"api-key.invalid","statusCode":401,"traceID":""}"#,
    ),
    refusal("grafana-service-account-token", GRAFANA, 401, r#"{"message":"Unauthorized"}"#),
    refusal("grafana-service-account-token", GRAFANA, 403, r#"{"message":"Forbidden"}"#),
    refusal("grafana-service-account-token", GRAFANA, 200, "[]"),
    refusal("wandb-api-key", WANDB, 200, r#"{"data":{"viewer":null}}"#),
    refusal(
        "wandb-api-key",
        WANDB,
        401,
        r#"{"errors":[{"message":"user is not logged in","path":["viewer"]}],"data":{"viewer":null}}"#,
    ),
    refusal(
        "wandb-api-key",
        WANDB,
        200,
        r#"{"errors":[{"message":"internal"}],"data":{"viewer":{"username":"ada"}}}"#,
    ),
];

#[test]
fn a_documented_refusal_means_dead_after_the_second_time() {
    for_each(DEAD, |printed, issuer, Refusal { rule, status, body, .. }| {
        assert_eq!(printed["verdict"], "dead", "{rule} {status} {body}: {printed}");
        assert_eq!(issuer.asked().len(), 2, "{rule} {status} {body}");
    });
}

#[test]
fn a_refusal_that_a_live_token_may_get_is_unknown() {
    for_each(UNKNOWN, |printed, issuer, Refusal { rule, status, body, .. }| {
        assert_eq!(printed["verdict"], "unknown", "{rule} {status} {body}: {printed}");
        let host = issuer.url.trim_start_matches("http://");
        assert!(printed["reason"].as_str().is_some_and(|it| it.contains(host)), "{printed}");
        assert_eq!(issuer.asked().len(), 1, "{rule} {status} {body}");
    });
}

/// Verifies a token for each response, at most four at a time.
fn for_each(refusals: &[Refusal], check: impl Fn(&Value, &Issuer, &Refusal) + Sync) {
    let (check, next) = (&check, &AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                while let Some(it) = refusals.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let issuer = Issuer::always(it.status, it.headers, it.body);
                    let sample = Sample::of(it.rule, u64::from(it.status));
                    check(&verified(&sample, &with_url(it.options, &issuer)), &issuer, it);
                }
            });
        }
    });
}

#[test]
fn a_rate_limit_and_a_failing_server_are_unknown() {
    for (rule, options) in [
        ("gitlab-pat", GITLAB),
        ("npm-token", NPM),
        ("cloudflare-user-token", CLOUDFLARE),
        ("vercel-pat", VERCEL),
        ("grafana-service-account-token", GRAFANA),
        ("wandb-api-key", WANDB),
    ] {
        for (status, body) in [(429, GITLAB_REVOKED), (503, INVALID)] {
            let issuer = Issuer::always(status, "retry-after: 3600\r\n", body);
            let printed = verified(&Sample::of(rule, 7), &with_url(options, &issuer));
            assert_eq!(printed["verdict"], "unknown", "{rule} {status}: {printed}");
        }
    }
}

#[test]
fn an_instance_that_knows_a_token_decides_and_the_others_do_not() {
    let stranger = Issuer::always(401, "", r#"{"message":"401 Unauthorized"}"#);
    let issuer = Issuer::always(401, "", GITLAB_REVOKED);
    let live = Issuer::always(200, "", r#"{"id":4,"active":true,"user_id":7}"#);
    let failing = Issuer::always(500, "", "{}");
    let option = |it: &Issuer| ["--gitlab-url".to_owned(), it.url.clone()];
    for (instances, verdict) in [
        (vec![&stranger, &issuer], "dead"),
        (vec![&stranger, &issuer, &live], "live"),
        (vec![&failing, &issuer], "unknown"),
    ] {
        let options: Vec<String> = instances.into_iter().flat_map(option).collect();
        let printed = verified(&Sample::of("gitlab-pat", 8), &options);
        assert_eq!(printed["verdict"], verdict, "{printed}");
    }
}
